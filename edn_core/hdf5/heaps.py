"""Global heaps: where HDF5 keeps texts and images, and goes round for ever if a length is wrong.

File format specification, III.E and VIII.B. So they are walked here before HDF5 does.
"""

import os
import re
from pathlib import Path

import h5py
import numpy as np

from edn_core.store import remake

REFERENCE = np.dtype([("length", "<u4"), ("heap", "<u8"), ("index", "<u4")])
"""How HDF5 keeps one item of variable length (file format specification, VIII.B)."""
_HEAP = re.compile(rb"GCOL\x01(...)(.{8})", re.DOTALL)
"""How a global heap collection begins: three bytes that are 0, and its length."""
_PIECE_BYTES = 2**20
MOST_HEAP_BYTES = 2**26


def check_heaps(path: Path, has_images: bool) -> None:
    """Refuse a damaged heap of texts: HDF5 would go round in it for ever.

    Args:
        path: the store.
        has_images: they take most of it, in heaps of their own that are looked at when they are
            read; attributes are written before and after them, so only both ends are looked at.
    """
    size = path.stat().st_size
    starts = {0, max(0, size - _PIECE_BYTES)} if has_images else range(0, size, _PIECE_BYTES)
    with open(path, "rb") as stream:
        for start in starts:
            content = os.pread(stream.fileno(), _PIECE_BYTES + 15, start)
            for found in _HEAP.finditer(content):
                place = start + found.start()
                length = int.from_bytes(found[2], "little")
                # Packed values may look like a heap, but for the zeros or a length that fits.
                if any(found[1]) and length > size - place:
                    continue
                heap = os.pread(stream.fileno(), min(length, MOST_HEAP_BYTES), place)
                if not is_heap_whole(heap):
                    raise ValueError(f"{path}: is damaged: not what was written; {remake(path)}")


def is_image_heap_whole(images: h5py.Dataset, frame: int) -> bool:
    """Whether HDF5 can read one image without going round in its heap for ever.

    Args:
        images: the dataset of images, one of variable-length bytes.
        frame: number of the image.
    """
    handle = images.file.id.get_vfd_handle()  # the open file: another may have taken its name
    place = images.id.get_offset() + frame * REFERENCE.itemsize
    heap = int.from_bytes(os.pread(handle, REFERENCE.itemsize, place)[4:12], "little")
    if heap + 16 > os.fstat(handle).st_size:
        return False
    length = int.from_bytes(os.pread(handle, 16, heap)[8:], "little")
    return is_heap_whole(os.pread(handle, min(length, MOST_HEAP_BYTES), heap))


def is_heap_whole(content: bytes) -> bool:
    """Whether the items of a global heap collection follow each other to its end.

    Args:
        content: from the collection's first byte on; what of it is missing counts as whole
            (file format specification, III.E).
    """
    end, place = int.from_bytes(content[8:16], "little"), 16
    while place + 16 <= min(end, len(content)):
        index = int.from_bytes(content[place : place + 2], "little")
        length = int.from_bytes(content[place + 8 : place + 16], "little")
        # Item 0 is the free rest, and its length counts its own head.
        step = 16 + -(-length // 8) * 8 if index else length
        if step < 16 or place + step > end:
            return False
        place += step
    return True
