"""The SHA-256 at the end of every video that is written here: no format has a checksum of its own.

It lies in a box of type ``uuid`` (mp4, mov) or an EBML ``Void`` element (webm), which players pass
over, and is over all of the file before it.
"""

import hashlib
from pathlib import Path

from edn_core.errors import Refused, remake

_SEAL = bytes.fromhex("75cf1a53a1f84bd1a4c94a2d3dcb8f0e")
"""Type of the box, a UUID made for it; in webm what the element begins with."""
_VOID = b"\xec\xb0"  # its id, and the 48 bytes that follow as EBML writes a length
_PIECE_BYTES = 2**20


def append_box(path: str | Path, kind: bytes, content: bytes) -> None:
    """Append a box to an mp4 or mov file; ``kind`` is its UUID of 16 bytes."""
    with open(path, "ab") as stream:
        stream.write(_box_start(len(content)) + kind + content)


def seal_video(path: str | Path) -> None:
    """Append the SHA-256 of all of an mp4, mov or webm file to it."""
    seal = _seal_start(path) + _sha256(path, Path(path).stat().st_size)
    with open(path, "ab") as stream:
        stream.write(seal)


def check_video(path: str | Path) -> None:
    """Compare an mp4, mov or webm file with the digest at its end.

    Raises Refused: it is damaged, or another program wrote it; says how to remake it.
    """
    start = _seal_start(path)
    size = Path(path).stat().st_size - len(start) - 32
    with open(path, "rb") as stream:
        stream.seek(max(0, size))
        is_whole = stream.read() == start + _sha256(path, size)
    if not is_whole:
        raise Refused(path, "is damaged: not what was written", "", remake(path))


def _box_start(n_bytes: int) -> bytes:
    """Length and type of a box, without its UUID."""
    return (8 + 16 + n_bytes).to_bytes(4, "big") + b"uuid"


def _seal_start(path: str | Path) -> bytes:
    """What the digest follows in a file of that name."""
    return (_VOID if Path(path).suffix == ".webm" else _box_start(32)) + _SEAL


def _sha256(path: str | Path, size: int) -> bytes:
    """Of the first bytes of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while size > 0 and (piece := stream.read(min(_PIECE_BYTES, size))):
            digest.update(piece)
            size -= len(piece)
    return digest.digest()
