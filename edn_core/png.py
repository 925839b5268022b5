"""Whether a PNG is still what was written: it carries checksums that OpenCV does not compare."""

import zlib
from pathlib import Path

from edn_core.errors import Refused, remake

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def check_png(path: str | Path) -> None:
    """Compare every chunk of a PNG with its CRC-32.

    Raises:
        Refused: not a whole PNG; says how to remake it.
    """
    content = Path(path).read_bytes()
    if not content.startswith(_SIGNATURE):
        raise Refused(path, "not a PNG", "", remake(path))
    # A chunk is its length, 4 letters of type, content, and the CRC-32 of type and content.
    place, kind = len(_SIGNATURE), b""
    while kind != b"IEND":
        stop = place + 8 + int.from_bytes(content[place : place + 4], "big")
        kind, checksum = content[place + 4 : place + 8], content[stop : stop + 4]
        if len(checksum) < 4 or zlib.crc32(content[place + 4 : stop]) != int.from_bytes(
            checksum, "big"
        ):
            raise Refused(path, "is damaged: not what was written", "", remake(path))
        place = stop + 4
