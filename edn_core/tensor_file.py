"""What a file of `torch.save` claims, compared with what it holds, before torch reads it.

torch takes each tensor's length from the file's description of itself and its values from another
member, and believes both: a description that claims more would have it read memory that is not the
file's. Here nothing of the description is carried out; it is only looked through.
"""

import pickletools
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edn_core.integrity import check_zip
from edn_core.shortage import raise_if_short_of_memory

if TYPE_CHECKING:
    from torch import Tensor

MAX_DESCRIPTION_BYTES = 64 * 2**20
"""Without the values; some hundred bytes for each tensor."""
_BYTES = {
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1,
    "Byte": 1, "Bool": 1,
}  # fmt: skip
ELEMENT_BYTES = {f"torch {name}Storage": size for name, size in _BYTES.items()}
_ZIP = b"PK\3\4"
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1")
_STORES, _RECALLS = ("BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")
_FOREIGN = ("PERSID", "MEMOIZE", "PUT", "GET", "EXT1", "EXT2", "EXT4", "DUP", "POP")
_NAMED = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "torch Size",
    "torch device",
}
"""What a description may name besides types; torch would also call `bytearray` of any size."""
_PIECES = ("MARK", "name", "GLOBAL", "name", "name", "number", "TUPLE")
"""How a tensor's values are referred to: ("storage", type, member, device, number of values)."""


def check_tensor_file(path: str | Path) -> None:
    """Refuse a damaged file, and one whose tensors claim more values than it holds.

    Args:
        path: a file of `torch.save`, or of another kind.

    Raises:
        ValueError: says what was found.
    """
    check_zip(path)
    with zipfile.ZipFile(path) as archive:
        sizes = {one.filename: one.file_size for one in archive.infolist()}
        (name, *others) = [
            one for one in sizes if one.count("/") == 1 and one.endswith("/data.pkl")
        ]
        if others or sizes[name] > MAX_DESCRIPTION_BYTES:
            raise ValueError(f"{path}: its description of itself is too long, or there are two")
        description = archive.read(name)
    folder = name.partition("/")[0]
    for storage, member, count in list_storages(path, description):
        needed = count * ELEMENT_BYTES[storage]
        if needed > sizes.get(f"{folder}/data/{member}", 0):
            raise ValueError(
                f"{path}: claims {count} values of {storage.split()[1]} in {member!r:.40}, which "
                f"has {sizes.get(f'{folder}/data/{member}', 0)} bytes"
            )


def check_foreign_file(path: str | Path) -> None:
    """As check_tensor_file, for weights that others published: they may be of a torch before 1.6.

    Such a file is no zip file, carries no checksums and is not looked through here; torch reads it
    with `weights_only=True`, and so runs nothing of it.

    Raises:
        ValueError: a zip file, and one that check_tensor_file refuses.
    """
    with open(path, "rb") as stream:
        # torch looks at the first bytes, zipfile at the end: one of them is enough to be checked.
        is_zip = stream.read(len(_ZIP)) == _ZIP or zipfile.is_zipfile(stream)
    if is_zip:
        check_tensor_file(path)


def check_sizes(path: str | Path, tensors: "Iterable[Tensor]") -> None:
    """Refuse tensors that have more values, all together, than the file they came from has bytes.

    One stored value may be said to be a billion, and one store to be that of every tensor; whoever
    copies them takes memory for all.

    Raises:
        ValueError: says what was found.
    """
    claimed, size = sum(one.numel() * one.itemsize for one in tensors), Path(path).stat().st_size
    if claimed > size:
        raise ValueError(f"{path}: claims {claimed} bytes of values in a file of {size}")


def describe_error(path: str | Path, error: Exception) -> str:
    """Why a file could not be read: what is said here in full, of torch's errors only the kind.

    torch's own text is a number for some files, for others advice to read them unsafely.
    """
    said = str(error) if isinstance(error, ValueError) else ""
    is_ours = said.startswith(f"{path}: ")
    return said.removeprefix(f"{path}: ") if is_ours else type(error).__name__


def list_storages(path: str | Path, description: bytes) -> list[tuple[str, str, int]]:
    """The storages that a description refers to: type, member, number of values.

    Raises:
        ValueError: it is written in another way than `torch.save` does.
    """
    found: list[tuple[str, str, int]] = []
    memory: dict[int, tuple[str, object]] = {}
    recent: list[tuple[str, object]] = []
    for operation, argument in _operations(path, description):
        if operation.name in _STORES:
            memory[int(argument)] = recent[-1] if recent else ("", None)
            continue
        if operation.name in _RECALLS:
            kind, value = memory.get(int(argument), ("", None))
            # What was put together before is no tuple that is put together now.
            recent.append((kind, value) if kind in ("name", "GLOBAL") else ("recalled", None))
        elif operation.name == "BINUNICODE":
            recent.append(("name", argument))
        elif operation.name in _NUMBERS:
            recent.append(("number", argument))
        else:
            recent.append((operation.name, argument))
        if operation.name == "GLOBAL" and argument not in _NAMED and argument not in ELEMENT_BYTES:
            raise ValueError(f"{path}: names {argument!r:.80}, which no weights need")
        del recent[: -len(_PIECES) - 1]
        if operation.name in _FOREIGN:
            raise ValueError(f"{path}: is not written as torch.save does ({operation.name})")
        if operation.name == "BINPERSID":
            kinds, values = zip(*recent[:-1], strict=True)
            if kinds != _PIECES or values[1] != "storage" or values[2] not in ELEMENT_BYTES:
                raise ValueError(f"{path}: refers to values in another way than torch.save does")
            if not isinstance(values[5], int) or values[5] < 0:
                raise ValueError(f"{path}: claims {values[5]} values in a tensor")
            found.append((str(values[2]), str(values[3]), values[5]))
    return found


def _operations(path: str | Path, description: bytes) -> Iterator[tuple[Any, Any]]:
    try:
        for operation, argument, _ in pickletools.genops(description):
            yield operation, argument
    except Exception as error:  # it raises half a dozen kinds for what is none
        raise_if_short_of_memory(error, path)
        reason = f"{type(error).__name__}: {error}".split("\n")[0]
        raise ValueError(f"{path}: its description of itself is none ({reason:.100})") from error
