"""The files of a folder or of a zip or tar archive, read in memory; nothing is unpacked."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from functools import partial
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from edn_core.config import printable

MAX_FILE_BYTES = 16 * 2**20
"""A file above this is refused: the keypoints of a frame are kilobytes."""
BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Of the others zipfile unpacks everything at once, however little is asked for."""
Entry = tuple[str, int, Callable[[], IO[bytes]]]
"""Name, size in bytes as claimed, and a function that opens it."""
_ZIP = (".zip",)
_PACKED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def list_files(path: str | Path) -> list[str]:
    """Names of all files below a folder or inside an archive.

    Args:
        path: a folder, or a zip or tar archive (also compressed), told by how its name ends.

    Returns:
        Relative names with ``/``, sorted. Hidden files are left out, as is what macOS adds.

    Raises:
        ValueError: nothing is there, it is no such archive, or a damaged one.
    """
    return sorted(name for name, _ in _files(Path(path)))


def read_files(path: str | Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Content of some of the files, in the order in which they lie there.

    Args:
        path: as for list_files.
        names: of those wanted.

    Yields:
        name, content.

    Raises:
        ValueError: as for list_files, or a file that is damaged or too large.
    """
    for name, read in _files(Path(path)):
        if name in names:
            yield name, read()


def full_name(path: str | Path, name: str) -> str:
    """What an error message calls a file: ``folder/name`` or ``archive.zip: name``."""
    name = printable(name)
    return str(Path(path) / name) if Path(path).is_dir() else f"{path}: {name}"


def _files(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Every file with a function that reads it, to be called before the next one is asked for."""
    if path.is_dir():
        files = _folder_files(path)
    elif path.is_file() and path.name.lower().endswith(_ZIP):
        files = _zip_files(path)
    elif path.is_file() and path.name.lower().endswith(_TAR):
        files = _tar_files(path)
    else:
        problem = "no folder and no archive" if path.exists() else "nothing there"
        raise ValueError(
            f"{path}: {problem}; expected a folder of keypoint files or an archive of them "
            f"({', '.join((*_ZIP, *_TAR))}), correct pose.openpose_files"
        )
    seen = set()
    for name, size, open_file in files:
        if name in seen:  # which of them is meant, readers of archives disagree
            raise ValueError(f"{path}: two files named {name[:200]!r}; make the archive anew")
        seen.add(name)
        if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts):
            yield name, partial(_read, full_name(path, name), size, open_file)


def _read(where: str, size: int, open_file: Callable[[], IO[bytes]]) -> bytes:
    # The size an archive names is a claim; never more is read than is allowed.
    content = b""
    if size <= MAX_FILE_BYTES:
        with _damage_named(where), open_file() as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    if max(size, len(content)) > MAX_FILE_BYTES:
        raise ValueError(
            f"{where}: larger than {MAX_FILE_BYTES // 2**20} MiB, expected the keypoints of one "
            "frame; take it out"
        )
    return content


def _folder_files(path: Path) -> Iterator[Entry]:
    for one in sorted(path.rglob("*")):
        if one.is_file():
            yield one.relative_to(path).as_posix(), one.stat().st_size, partial(FileIO, one)


def _zip_files(path: Path) -> Iterator[Entry]:
    with _damage_named(path):
        archive = zipfile.ZipFile(path)
    with archive:
        for one in archive.infolist():
            if one.compress_type not in BOUNDED:
                raise ValueError(
                    f"{path}: is packed by method {one.compress_type} of zip, which unpacks "
                    "without a limit; make it anew with deflate (8), the usual one"
                )
            if not one.filename.endswith("/"):  # is_dir() of 3.11 fails for no name at all
                yield one.filename, one.file_size, partial(archive.open, one)


def _tar_files(path: Path) -> Iterator[Entry]:
    with _damage_named(path):
        with open(path, "rb") as packed:
            head = packed.read(6)
        unpack = next((one for magic, one in _PACKED.items() if head.startswith(magic)), open)
        stream = _Bounded(unpack(path, "rb"))
        archive = tarfile.open(fileobj=cast(Any, stream), mode="r:")  # noqa: SIM115 (closed below)
    with closing(stream.stream), archive:
        while True:
            with _damage_named(path):
                one = archive.next()
            if one is None:
                return
            if one.isfile():  # so there is something to extract
                yield one.name, one.size, partial(_extract, archive, one)


class _Bounded:
    """A stream of which nobody reads more at once than one file may have.

    tarfile reads a long name whole, as long as the archive claims it to be.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes.

        Raises:
            ValueError: they are more than a file may have, or as many as there are.
        """
        if not 0 <= size <= MAX_FILE_BYTES + 1:
            raise ValueError(f"claims {size} bytes in one piece, expected at most {MAX_FILE_BYTES}")
        return self.stream.read(size)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    return cast(IO[bytes], archive.extractfile(member))


@contextmanager
def _damage_named(where: str | Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # zipfile, tarfile and the decompressors raise a dozen kinds
        raise ValueError(
            f"{where}: cannot be read ({type(error).__name__}: {' '.join(str(error).split())}); "
            "make the archive anew, or unpack it and give the folder"
        ) from error
