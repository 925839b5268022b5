"""Operations upon films that are there: packets changed, lost or repeated, bytes patched."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

Change = Callable[[int, av.Packet], av.Packet | None]


def remux(
    source: Path,
    path: Path,
    picture: Change | None = None,
    sound: Change | None = None,
    n_loops: int = 1,
    loop_s: float = 0.0,
) -> Path:
    """Copy a film packet by packet, without decoding.

    Args:
        source: the film.
        path: to write.
        picture: what becomes of the n-th packet of pictures; None takes it away.
        sound: likewise.
        n_loops: how often the film is repeated.
        loop_s: how long one time is.
    """
    with av.open(str(path), "w") as output:
        streams = {}
        counts: dict[int, int] = {}
        for loop in range(n_loops):
            with av.open(str(source)) as container:
                if not streams:
                    for stream in container.streams:
                        streams[stream.index] = output.add_stream_from_template(stream)
                for packet in container.demux():
                    if not packet.size:
                        continue
                    stream = packet.stream
                    number = counts.get(stream.index, 0)
                    counts[stream.index] = number + 1
                    shift = round(loop * loop_s / stream.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    change = picture if stream.type == "video" else sound
                    kept = change(number, packet) if change else packet
                    if kept is not None:
                        kept.stream = streams[stream.index]
                        output.mux(kept)
    return path


def spoilt(packet: av.Packet) -> av.Packet:
    """The same packet, all but its first bytes noise."""
    content = bytearray(bytes(packet))
    noise = np.random.default_rng(0).integers(0, 255, len(content), np.uint8)
    content[8:] = noise.tobytes()[8:]
    other = av.Packet(bytes(content))
    other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
    other.duration, other.is_keyframe = packet.duration, packet.is_keyframe
    return other


def blanked(packet: av.Packet) -> av.Packet:
    """The same packet, zeros only."""
    other = av.Packet(bytes(packet.size))
    other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
    other.duration, other.is_keyframe = packet.duration, packet.is_keyframe
    return other


def spoil(first: int, last: int) -> Change:
    """A change that spoils the packets from first to last."""
    return lambda number, packet: spoilt(packet) if first <= number <= last else packet


def patch(path: Path, old: bytes, new: bytes) -> Path:
    """Put other bytes in the place of all like these."""
    data = path.read_bytes()
    assert old in data
    assert len(old) == len(new)
    path.write_bytes(data.replace(old, new))
    return path


def set_png_size(path: Path, width: int, height: int) -> Path:
    """Write another size into the headers of all PNG pictures of a film."""
    data = bytearray(path.read_bytes())
    start = data.find(b"IHDR")
    assert start > 0
    while start >= 0:
        data[start + 4 : start + 12] = struct.pack(">II", width, height)
        data[start + 17 : start + 21] = struct.pack(">I", zlib.crc32(data[start : start + 17]))
        start = data.find(b"IHDR", start + 21)
    path.write_bytes(data)
    return path


def set_mov_size(path: Path, kind: bytes, width: int, height: int) -> Path:
    """Write another size into the sample description of a mov's track (``stsd``)."""
    data = bytearray(path.read_bytes())
    start = data.index(kind, data.index(b"stsd")) + 28  # ISO/IEC 14496-12, 12.1.3
    data[start : start + 4] = struct.pack(">HH", width, height)
    path.write_bytes(data)
    return path


def set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write the display matrix a, b, c, d of a file's first track (in its ``tkhd`` box)."""
    data = bytearray(path.read_bytes())
    # Type, version and flags, then 36 bytes to the matrix (ISO/IEC 14496-12, 8.3.2, version 0).
    start = data.index(b"tkhd") + 4 + 4 + 36
    a, b, c, d = (value << 16 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
