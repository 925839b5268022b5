"""Refusals, before memory is taken: links, filters, shapes, texts and canvases that do not belong.

All raise a ValueError that names the file and how to remake it.
"""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from edn_core.hdf5.heaps import REFERENCE
from edn_core.hdf5.layout import Layout, refused
from edn_core.store import remake

MAX_CHUNK_BYTES = 8 * 2**20
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_BYTES = 64 * 2**10
MAX_TEXT = 2**16
MAX_SIDE = 16_384
"""Of a canvas, px."""
MAX_PIXELS = 2**26
"""Of a canvas: 8192 x 8192."""
MAX_FPS = 1000
MAX_RATIO = 1032
"""Deflate makes at most this many bytes of one (zlib's technical details)."""
_FILTERS = {
    h5py.h5z.FILTER_DEFLATE: "deflate",
    h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32",
}
_CONTIGUOUS_OR_CHUNKED = (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)


def checked_paths(path: Path, store: h5py.File, layout: Layout) -> set[str]:
    """Groups and datasets of the layout that are there; everything else is refused unopened."""
    there = {""}
    wanted = layout.groups | layout.datasets
    for group in sorted(layout.groups):
        if group not in there:
            continue
        known = {one for one in wanted if one and one.rpartition("/")[0] == group}
        links = store[group or "/"]
        if len(links) > len(wanted):
            raise refused(path, f"holds {len(links)} entries in /{group}", f"{len(known)}")
        for name in links:
            full = f"{group}/{name}".lstrip("/")
            if full not in known:
                raise refused(path, f"holds {full!r:.80}", f"only {', '.join(sorted(known))}")
            link = links.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise refused(path, f"{full} is a link to another place", "the data themselves")
            kind = h5py.Group if full in layout.groups else h5py.Dataset
            if links.get(name, getclass=True) is not kind:
                raise refused(path, f"{full} is of another kind", f"a {kind.__name__.lower()}")
            there.add(full)
    missing = wanted - there - layout.optional
    if missing:
        raise refused(path, f"has no {', '.join(sorted(missing))}", f"an {layout.schema} file")
    return there


def checked_size(path: Path, dataset: h5py.Dataset, dtype: np.dtype, n_dims: int) -> int:
    """Bytes of an array in memory, once all is known to be plain."""
    name = dataset.name
    if dataset.dtype != dtype or dataset.dtype.metadata or dataset.ndim != n_dims:
        found = f"{name} is {dataset.dtype} of {dataset.ndim} dimensions"
        raise refused(path, found, f"{dtype} of {n_dims}")
    _check_storage(path, dataset)
    stored = int(dataset.id.get_storage_size())
    if dataset.nbytes > stored * (MAX_RATIO if dataset.chunks else 1):
        found = f"{name} of {dataset.shape} is stored in {stored} bytes"
        raise refused(path, found, "as many as hold that many values")
    return int(dataset.nbytes)


def check_images(path: Path, images: h5py.Dataset) -> None:
    """Refuse lengths that the file cannot hold: HDF5 takes memory before it looks."""
    length = h5py.check_vlen_dtype(images.dtype)
    if images.ndim != 1 or length != np.uint8 or h5py.check_string_dtype(images.dtype):
        found = f"{images.name} is {images.dtype} of {images.ndim} dimensions"
        raise refused(path, found, "variable-length bytes of 1")
    _check_storage(path, images)
    if images.id.get_type().get_size() != REFERENCE.itemsize:
        raise refused(path, f"{images.name} has references of another size", "16 bytes")
    offset, size = images.id.get_offset(), path.stat().st_size
    if images.chunks or offset is None or offset + len(images) * REFERENCE.itemsize > size:
        raise refused(path, f"{images.name} is not in one piece of the file", "it to be")
    with open(path, "rb") as stream:
        stream.seek(offset)
        references = np.frombuffer(stream.read(len(images) * REFERENCE.itemsize), REFERENCE)
    # Each length by itself and all together: the same bytes are not to be had many times over.
    if int(references["length"].sum(dtype=np.uint64)) > size:
        raise ValueError(f"{path}: is damaged: not what was written; {remake(path)}")


def _check_storage(path: str | Path, dataset: h5py.Dataset) -> None:
    """Refuse a dataset whose data lie elsewhere, or are packed by filters not written here."""
    name, properties = dataset.name, dataset.id.get_create_plist()
    if properties.get_layout() not in _CONTIGUOUS_OR_CHUNKED or dataset.external:
        raise refused(path, f"{name} is kept outside this file", "its data inside")
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if len(set(filters)) < len(filters) or not set(filters) <= set(_FILTERS):
        found = f"{name} is packed by HDF5 filters {filters}"
        raise refused(path, found, f"each at most once of {', '.join(_FILTERS.values())}")
    if dataset.chunks:
        chunk = int(np.prod(dataset.chunks, dtype=object)) * dataset.dtype.itemsize
        if chunk > MAX_CHUNK_BYTES:
            found = f"{name} is stored in pieces of {chunk} bytes"
            raise refused(path, found, f"at most {MAX_CHUNK_BYTES}")


def checked_attributes(path: Path, item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Attributes, once they are known to be few, short, and texts or numbers."""
    if len(item.attrs) > MAX_ATTRIBUTES:
        found = f"{item.name} has {len(item.attrs)} attributes"
        raise refused(path, found, f"at most {MAX_ATTRIBUTES}")
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        is_text = h5py.check_string_dtype(attribute.dtype) is not None
        if not is_text and attribute.dtype.kind not in "biuf":
            found = f"attribute {name!r:.80} of {item.name} is of type {attribute.dtype}"
            raise refused(path, found, "text or numbers")
        if attribute.get_storage_size() > MAX_ATTRIBUTE_BYTES:
            found = f"attribute {name!r:.80} has {attribute.get_storage_size()} bytes"
            raise refused(path, found, f"at most {MAX_ATTRIBUTE_BYTES}")
    return plain_attributes(item)


def check_texts(path: str | Path, about: dict[str, Any], *names: str) -> None:
    """Refuse attributes that are no text, or a longer one than is written here.

    Raises:
        ValueError: names the attribute.
    """
    for name in names:
        text = about[name]
        # h5py gives bytes that are no UTF-8 as halves of characters.
        is_text = isinstance(text, str) and text == text.encode(errors="replace").decode()
        if not is_text or len(text) > MAX_TEXT:
            raise refused(path, f"{name} is {text!r:.40}", f"a text up to {MAX_TEXT} long")


def check_picture_claims(path: str | Path, about: dict[str, Any]) -> None:
    """Refuse a canvas or a frame rate that no video has, before memory is taken for pictures.

    Args:
        path: the file.
        about: root attributes; of these ``width``, ``height`` and ``fps`` are looked at.

    Raises:
        ValueError: says what was found and what is possible.
    """
    for name in ("width", "height"):
        if type(about[name]) is not int or not 1 <= about[name] <= MAX_SIDE:
            raise refused(path, f"{name} is {about[name]!r:.40}", f"1 to {MAX_SIDE} px")
    if about["width"] * about["height"] > MAX_PIXELS:
        found = f"its canvas is {about['width']}x{about['height']}"
        raise refused(path, found, f"at most {MAX_PIXELS} px")
    text = about["fps"]
    if not isinstance(text, str) or not re.fullmatch(r"\d{1,9}(/0*[1-9]\d{0,8})?", text):
        raise refused(path, f"fps is {text!r:.40}", "a fraction such as '30000/1001'")
    if not 0 < Fraction(text) <= MAX_FPS:
        raise refused(path, f"fps is {text!r:.40}", f"above 0 and at most {MAX_FPS}")


def plain_attributes(item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Attributes as texts, numbers and lists of them."""
    found = {name: item.attrs[name] for name in item.attrs}
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in found.items()
    }
