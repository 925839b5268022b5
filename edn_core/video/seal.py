"""The SHA-256 at the end of every mp4 that is written here: the format has no checksum of its own.

It lies in a box of type ``uuid``, which players pass over, and is over all of the file before it.
"""

import hashlib
from pathlib import Path

from edn_core.errors import Refused, remake

_BOX = bytes.fromhex("75cf1a53a1f84bd1a4c94a2d3dcb8f0e")
"""Type of the box, a UUID made for it."""
_SEAL_BYTES = 8 + 16 + 32
_PIECE_BYTES = 2**20


def append_box(path: str | Path, kind: bytes, content: bytes) -> None:
    """Append a box to an mp4 file.

    Args:
        path: the file.
        kind: (16,) the box's UUID.
        content: what it holds.
    """
    size = 8 + len(kind) + len(content)
    with open(path, "ab") as stream:
        stream.write(size.to_bytes(4, "big") + b"uuid" + kind + content)


def seal_mp4(path: str | Path) -> None:
    """Append the box with the SHA-256 of all before it."""
    append_box(path, _BOX, _sha256(path, Path(path).stat().st_size))


def check_mp4(path: str | Path) -> None:
    """Compare an mp4 file with the digest at its end.

    Raises:
        Refused: it is damaged, or another program wrote it; says how to remake it.
    """
    size = Path(path).stat().st_size - _SEAL_BYTES
    with open(path, "rb") as stream:
        stream.seek(max(0, size))
        is_whole = stream.read() == _SEAL_BYTES.to_bytes(4, "big") + b"uuid" + _BOX + _sha256(
            path, size
        )
    if not is_whole:
        raise Refused(path, "is damaged: not what was written", "", remake(path))


def _sha256(path: str | Path, size: int) -> bytes:
    """Of the first bytes of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while size > 0 and (piece := stream.read(min(_PIECE_BYTES, size))):
            digest.update(piece)
            size -= len(piece)
    return digest.digest()
