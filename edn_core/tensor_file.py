"""What a file of `torch.save` claims, compared with what it holds, before torch reads it.

torch takes each tensor's length from the file's description of itself and its values from another
member, and believes both: a description that claims more would have it read memory that is not the
file's. Here nothing of the description is carried out; it is only looked through.
"""

import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edn_core.integrity import check_zip

MAX_DESCRIPTION_BYTES = 64 * 2**20
"""Without the values; some hundred bytes for each tensor."""
_BYTES = {
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1,
    "Byte": 1, "Bool": 1,
}  # fmt: skip
ELEMENT_BYTES = {f"torch {name}Storage": size for name, size in _BYTES.items()}
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1")
_STORES, _RECALLS = ("BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")
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


def list_storages(path: str | Path, description: bytes) -> list[tuple[str, str, int]]:
    """The storages that a description refers to: type, member, number of values.

    Raises:
        ValueError: it is written in another way than `torch.save` does.
    """
    found: list[tuple[str, str, int]] = []
    memory: dict[int, tuple[str, object]] = {}
    recent: list[tuple[str, object]] = []
    for opcode, argument in _operations(path, description):
        if opcode.name in _STORES:
            memory[int(argument)] = recent[-1] if recent else ("", None)
            continue
        if opcode.name in _RECALLS:
            recent.append(memory.get(int(argument), ("", None)))
        elif opcode.name == "BINUNICODE":
            recent.append(("name", argument))
        elif opcode.name in _NUMBERS:
            recent.append(("number", argument))
        else:
            recent.append((opcode.name, argument))
        del recent[: -len(_PIECES) - 1]
        if opcode.name in ("PERSID", "MEMOIZE", "PUT", "GET", "EXT1", "EXT2", "EXT4", "DUP", "POP"):
            raise ValueError(f"{path}: is not written as torch.save does ({opcode.name})")
        if opcode.name == "BINPERSID":
            kinds, values = zip(*recent[:-1], strict=True)
            if kinds != _PIECES or values[1] != "storage" or values[2] not in ELEMENT_BYTES:
                raise ValueError(f"{path}: refers to values in another way than torch.save does")
            if not isinstance(values[5], int) or values[5] < 0:
                raise ValueError(f"{path}: claims {values[5]} values in a tensor")
            found.append((str(values[2]), str(values[3]), values[5]))
    return found


def _operations(path: str | Path, description: bytes) -> Iterator[tuple[Any, Any]]:
    try:
        for opcode, argument, _ in pickletools.genops(description):
            yield opcode, argument
    except Exception as error:  # it raises half a dozen kinds for what is none
        reason = f"{type(error).__name__}: {error}".split("\n")[0]
        raise ValueError(f"{path}: its description of itself is none ({reason:.100})") from error
