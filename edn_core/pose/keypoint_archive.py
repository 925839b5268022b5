"""The files of a folder or of a zip or tar archive, read in memory; nothing is unpacked."""

import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import IO, cast

from edn_core.config import printable

MAX_FILE_BYTES = 16 * 2**20
"""A file above this is refused: the keypoints of a frame are kilobytes."""
Entry = tuple[str, int, Callable[[], IO[bytes]]]
"""Name, size in bytes as claimed, and a function that opens it."""
_ZIP = (".zip",)
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
            if not one.filename.endswith("/"):  # is_dir() of 3.11 fails for no name at all
                yield one.filename, one.file_size, partial(archive.open, one)


def _tar_files(path: Path) -> Iterator[Entry]:
    with _damage_named(path):
        archive = tarfile.open(path)  # noqa: SIM115 (closed below)
    with archive:
        while True:
            with _damage_named(path):
                one = archive.next()
            if one is None:
                return
            if one.isfile():  # so there is something to extract
                yield one.name, one.size, partial(_extract, archive, one)


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
