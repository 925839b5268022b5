"""Operations upon films that are there: packets changed or lost, bytes patched."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

Make = Callable[[Path], Path]  # writes a film into a folder
Change = Callable[[int, av.Packet], av.Packet | None]


def keep(number: int, packet: av.Packet) -> av.Packet:
    """The change that changes nothing."""
    return packet


def remux(source: Path, path: Path, picture: Change = keep, sound: Change = keep) -> Path:
    """Copy a film packet by packet; a change that gives None takes the n-th packet away."""
    with av.open(str(source)) as container, av.open(str(path), "w") as output:
        streams = [output.add_stream_from_template(stream) for stream in container.streams]
        counts = [0] * len(streams)
        for packet in container.demux():
            if not packet.size:
                continue
            index, change = packet.stream.index, sound if packet.stream.type == "audio" else picture
            kept = change(counts[index], packet)
            counts[index] += 1
            if kept is not None:
                kept.stream = streams[index]
                output.mux(kept)
    return path


def changed(make: Make, **changes) -> Make:
    """A film that is copied packet by packet, with changes."""

    def make_changed(folder: Path) -> Path:
        (folder / "whole").mkdir()
        whole = make(folder / "whole")
        return remux(whole, folder / whole.name, **changes)

    return make_changed


def pasted(first: Make, second: Make) -> Make:
    """Two files, one behind the other."""

    def make(folder: Path) -> Path:
        data = first(folder).read_bytes()
        data += second(folder).read_bytes()
        (folder / "a.ts").write_bytes(data)
        return folder / "a.ts"

    return make


def renamed(make: Make, name: str) -> Make:
    return lambda folder: make(folder).rename(folder / name)


def cut(make: Make, part: float) -> Make:
    """A film of which only the beginning is left."""

    def make_cut(folder: Path) -> Path:
        path = make(folder)
        data = path.read_bytes()
        path.write_bytes(data[: round(len(data) * part)])
        return path

    return make_cut


def replaced(packet: av.Packet, content: bytes) -> av.Packet:
    """A packet of other bytes at the same time."""
    other = av.Packet(content)
    other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
    other.duration, other.is_keyframe = packet.duration, packet.is_keyframe
    return other


def spoil(first: int, last: int) -> Change:
    """Of the packets from first to last, all but their first bytes are noise."""

    def change(number: int, packet: av.Packet) -> av.Packet:
        if not first <= number <= last:
            return packet
        noise = np.random.default_rng(0).integers(0, 255, packet.size, np.uint8).tobytes()
        return replaced(packet, bytes(packet)[:8] + noise[8:])

    return change


def patch(path: Path, old: bytes, new: bytes) -> Path:
    """Put other bytes in the place of all like these."""
    data = path.read_bytes()
    assert old in data and len(old) == len(new)
    path.write_bytes(data.replace(old, new))
    return path


def overwrite(path: Path, start: int, content: bytes) -> Path:
    """Put other bytes in a place."""
    data = bytearray(path.read_bytes())
    data[start : start + len(content)] = content
    path.write_bytes(data)
    return path


def set_png_size(path: Path, width: int, height: int) -> Path:
    """Write another size into the headers of all PNG pictures of a film."""
    data = path.read_bytes()
    start = data.index(b"IHDR")
    while start >= 0:
        head = data[start : start + 4] + struct.pack(">II", width, height)
        head += data[start + 12 : start + 17]
        overwrite(path, start, head + struct.pack(">I", zlib.crc32(head)))
        start = data.find(b"IHDR", start + 21)
    return path


def set_mov_size(path: Path, kind: bytes, width: int, height: int) -> Path:
    """Write another size into the sample description of a mov's track (``stsd``)."""
    data = path.read_bytes()
    start = data.index(kind, data.index(b"stsd")) + 28  # ISO/IEC 14496-12, 12.1.3
    return overwrite(path, start, struct.pack(">HH", width, height))


def set_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write the display matrix of a file's first track (in its ``tkhd`` box)."""
    # Type, version and flags, then 36 bytes to the matrix (ISO/IEC 14496-12, 8.3.2, version 0).
    start = path.read_bytes().index(b"tkhd") + 4 + 4 + 36
    one = 1 << 16
    matrix = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    return overwrite(path, start, matrix)
