"""Whether a file is still what was written: for the formats that keep checksums nobody looks at.

Neither torch nor OpenCV compares the CRC-32s that zip and PNG files carry, and mp4 carries none; so
it is done here, before the file is handed on. JSON and HDF5 have theirs in `artefact` and `hdf5`.
"""

import hashlib
import os
import zipfile
import zlib
from pathlib import Path

from edn_core.shortage import raise_if_short_of_memory
from edn_core.store import remake

MAX_MEMBERS = 100_000
"""Of a checkpoint: a member is a tensor; the largest training state here has some hundred."""
_PIECE = 2**20
_PNG = b"\x89PNG\r\n\x1a\n"
_MP4_DIGEST = bytes.fromhex("75cf1a53a1f84bd1a4c94a2d3dcb8f0e")
"""Type of our box, a UUID made for it: SHA-256 over all of the file before the box follows."""
_MP4_TAIL = 8 + 16 + 32
_MP4_HEAD = _MP4_TAIL.to_bytes(4, "big") + b"uuid" + _MP4_DIGEST


def check_zip(path: str | Path) -> None:
    """Compare every member of a zip file, such as a checkpoint, with its CRC-32.

    Also refuses what `torch.save` never writes and what could harm a reader: packed, encrypted,
    doubled or overlapping members, and sizes that the file itself cannot hold. Takes about a
    second per GB.

    Raises:
        ValueError: says what was found.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            damaged = archive.testzip()
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile raises half a dozen kinds for a damaged file
        raise_if_short_of_memory(error, path)
        if isinstance(error, ValueError) and str(error).startswith(f"{path}: "):
            raise
        raise ValueError(
            f"{path}: not a whole archive ({type(error).__name__}: {error})"
        ) from error
    if damaged is not None:
        raise ValueError(f"{path}: is damaged: {damaged!r:.80} is not what was written")


def _check_members(path: str | Path, archive: zipfile.ZipFile) -> None:
    members, size = archive.infolist(), os.path.getsize(path)
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"{path}: has {len(members)} members, expected at most {MAX_MEMBERS}")
    if len({one.filename for one in members}) < len(members):
        raise ValueError(f"{path}: holds two members of one name, expected a checkpoint")
    for one in members:
        if one.compress_type != zipfile.ZIP_STORED or one.flag_bits & 1:
            raise ValueError(
                f"{path}: {one.filename!r:.80} is packed or encrypted, expected it stored plainly"
            )
    if sum(one.file_size for one in members) > size:
        raise ValueError(
            f"{path}: claims {sum(one.file_size for one in members)} bytes of content in a file of "
            f"{size}"
        )


def check_png(path: str | Path, most_pixels: int) -> tuple[int, int]:
    """Compare every piece of a PNG with its CRC-32, before it is decoded.

    Args:
        path: the image.
        most_pixels: that are decoded; an image that claims more is refused unread.

    Returns:
        (H, W) px.

    Raises:
        ValueError: not a whole PNG, or too large; says how to remake it.
    """
    content = Path(path).read_bytes()
    size, place = (0, 0), len(_PNG)
    if not content.startswith(_PNG):
        raise ValueError(f"{path}: not a PNG; {remake(path)}")
    while True:
        length = int.from_bytes(content[place : place + 4], "big")
        stop = place + 8 + length
        piece, checksum = content[place + 4 : stop], content[stop : stop + 4]
        if len(checksum) < 4 or zlib.crc32(piece) != int.from_bytes(checksum, "big"):
            raise ValueError(f"{path}: is damaged: not what was written; {remake(path)}")
        if piece.startswith(b"IHDR"):
            size = int.from_bytes(piece[8:12], "big"), int.from_bytes(piece[4:8], "big")
            if size[0] * size[1] > most_pixels:
                raise ValueError(
                    f"{path}: claims {size[1]}x{size[0]} pixels, expected at most {most_pixels}; "
                    f"{remake(path)}"
                )
        place = stop + 4
        if piece == b"IEND":
            return size


def seal_mp4(path: str | Path) -> None:
    """Append a box with the SHA-256 of all before it; players pass over a ``uuid`` box."""
    digest = _sha256(path, os.path.getsize(path))
    with open(path, "ab") as stream:
        stream.write(_MP4_HEAD + digest)


def check_mp4(path: str | Path) -> bool:
    """Compare an mp4 file with the digest at its end.

    Returns:
        False where it has none: another program or an earlier release wrote it.

    Raises:
        ValueError: it is damaged; says how to remake it.
    """
    has_digest = is_sealed(path)
    size = os.path.getsize(path)
    if has_digest:
        expected = _MP4_HEAD + _sha256(path, size - _MP4_TAIL)
        is_whole = _tail(path) == expected
    else:
        is_whole = _is_made_of_boxes(path, size)
    if not is_whole:
        raise ValueError(f"{path}: is damaged: not what was written; {remake(path)}")
    return has_digest


def is_sealed(path: str | Path) -> bool:
    """Whether an mp4 file ends in our digest, damaged or not."""
    tail = _tail(path)
    # One byte of the head may be the damaged one.
    n_others = sum(a != b for a, b in zip(tail, _MP4_HEAD, strict=False))
    return len(tail) == _MP4_TAIL and n_others < 2


def _tail(path: str | Path) -> bytes:
    with open(path, "rb") as stream:
        stream.seek(max(0, os.path.getsize(path) - _MP4_TAIL))
        return stream.read()


def _is_made_of_boxes(path: str | Path, size: int) -> bool:
    """Whether the boxes of an mp4 file end where the file does: it was not cut off."""
    place = 0
    with open(path, "rb") as stream:
        while place < size:
            stream.seek(place)
            head = stream.read(16)
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:], "big")
            if length < 8:
                return False
            place += length
    return place == size > 0


def _sha256(path: str | Path, size: int) -> bytes:
    """Of the first bytes of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while size > 0 and (piece := stream.read(min(_PIECE, size))):
            digest.update(piece)
            size -= len(piece)
    return digest.digest()
