"""The one door to HDF5 files: sealed when written, checked before anything in them is believed.

A store may be damaged, or come from a stranger. So a reader says first what the file must look like
(its `Layout`), and this module opens nothing else: no link to another file or place, no data
outside the file, no filter but those written here, no shape beyond what the file's own bytes can
hold. HDF5 checks sums over its own structure (file format 3) and over the pieces of arrays
(Fletcher-32); the attributes' texts and variable-length data have none, hence the digest.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from edn_core.artefact import check_schema, remake
from edn_core.disk import WatchedFile

DIGEST = "content_sha256"
"""Root attribute: SHA-256 over all other attributes and all arrays (see `digest_of`)."""
MAX_ARRAYS_BYTES = 4 * 2**30
"""All arrays of a store together; half a day of keypoints at 60 frames per second."""
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
_REFERENCE = np.dtype([("length", "<u4"), ("heap", "<u8"), ("index", "<u4")])
"""How HDF5 keeps one item of variable length (file format specification, VIII.B)."""
_HEAP = b"GCOL\1\0\0\0"
"""How a global heap collection begins."""
_HEAPS_BYTES = 2**20
_MOST_HEAP_BYTES = 2**26
_CONTIGUOUS_OR_CHUNKED = (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)


@dataclass(frozen=True)
class Layout:
    """What a store must look like.

    Attributes:
        schema: its name.
        version: of the schema.
        arrays: path -> dtype and number of dimensions.
        images: path of a (T,) dataset of variable-length bytes; "" where there is none.
        optional: paths of arrays that earlier releases did not write.
    """

    schema: str
    version: int
    arrays: dict[str, tuple[str, int]]
    images: str = ""
    optional: frozenset[str] = frozenset()

    @property
    def datasets(self) -> set[str]:
        """Paths of all datasets."""
        return {*self.arrays, *([self.images] if self.images else [])}

    @property
    def groups(self) -> set[str]:
        """Paths of all groups; "" is the root."""
        return {path.rpartition("/")[0] for path in self.datasets} | {""}


@dataclass
class Content:
    """What was read of a store.

    Attributes:
        attributes: path of a group or dataset -> its attributes; "" is the root.
        arrays: path -> array.
        is_sealed: whether the file carries a digest; those of earlier releases do not.
    """

    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    is_sealed: bool = False


def create_store(stream: WatchedFile) -> h5py.File:
    """A new HDF5 file in the format that checks its own structure (HDF5 from 1.10 on reads it)."""
    return h5py.File(stream, "w", libver=("v110", "v110"))


def seal_store(store: h5py.File, layout: Layout) -> None:
    """Write the digest over all that the store holds, as its last attribute."""
    content = Content()
    for path in sorted(layout.groups | layout.datasets):
        content.attributes[path] = _plain_attributes(store[path or "/"])
    content.arrays = {path: store[path][()] for path in layout.arrays}
    store.attrs[DIGEST] = digest_of(content)


def digest_of(content: Content) -> str:
    """SHA-256 over the attributes, as sorted JSON, and each array's name, dtype, shape and bytes.

    Variable-length images are not in it: their CRC-32s are, as an array.
    """
    digest = hashlib.sha256()
    attributes = {path: dict(about) for path, about in content.attributes.items()}
    attributes.get("", {}).pop(DIGEST, None)
    digest.update(json.dumps(attributes, sort_keys=True).encode("utf-8", "surrogatepass"))
    for path, values in sorted(content.arrays.items()):
        digest.update(f"{path} {values.dtype.str} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def has_digest(path: str | Path) -> bool:
    """Whether a store carries a digest; those of earlier releases do not."""
    with h5py.File(path, "r") as store:
        return DIGEST in store.attrs


@contextmanager
def refusals_named(path: str | Path, schema: str) -> Iterator[None]:
    """Turn whatever HDF5 raises into one ValueError that names the file and what remakes it."""
    try:
        yield
    except FileNotFoundError as error:
        raise ValueError(
            f"{path}: not readable as {schema} (no such file); run `snakemake {path}` to write it"
        ) from error
    except Exception as error:  # h5py raises half a dozen kinds for a damaged file
        if isinstance(error, ValueError) and str(error).startswith(f"{path}: "):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: not readable as {schema} ({reason}); {remake(path)}") from error


def open_store(path: str | Path, layout: Layout) -> tuple[h5py.File, Content]:
    """Open a store, check it against its layout and digest, and read all but its images.

    Args:
        path: the file.
        layout: what it must look like.

    Returns:
        The open file, and what was read of it.

    Raises:
        ValueError: not such a file, another version, damaged, or with something in it that does
            not belong there; says how to remake it.
    """
    with refusals_named(path, layout.schema):
        _check_heaps(Path(path))
        store = h5py.File(path, "r")
        try:
            return store, _read(Path(path), store, layout)
        except BaseException:
            store.close()
            raise


def _check_heaps(path: Path) -> None:
    """Refuse a damaged heap of texts: HDF5 would go round in it for ever.

    Attributes are written before and after everything else, so their heaps lie near both ends.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        for start in {0, max(0, size - _HEAPS_BYTES)}:
            stream.seek(start)
            content = stream.read(_HEAPS_BYTES)
            for found in re.finditer(re.escape(_HEAP), content):
                if not is_heap_whole(content[found.start() :]):
                    raise ValueError(f"{path}: is damaged: not what was written; {remake(path)}")


def is_image_heap_whole(images: h5py.Dataset, frame: int) -> bool:
    """Whether HDF5 can read one image without going round in its heap for ever.

    Args:
        images: the dataset of images, one of variable-length bytes.
        frame: number of the image.
    """
    handle = images.file.id.get_vfd_handle()  # the open file: another may have taken its name
    place = images.id.get_offset() + frame * _REFERENCE.itemsize
    heap = int.from_bytes(os.pread(handle, _REFERENCE.itemsize, place)[4:12], "little")
    if heap + 16 > os.fstat(handle).st_size:
        return False
    length = int.from_bytes(os.pread(handle, 16, heap)[8:], "little")
    return is_heap_whole(os.pread(handle, min(length, _MOST_HEAP_BYTES), heap))


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


def _read(path: Path, store: h5py.File, layout: Layout) -> Content:
    content = Content()
    root = content.attributes[""] = _checked_attributes(path, store)
    found = root.get("schema"), root.get("schema_version")
    check_schema(path, found, (layout.schema, layout.version))
    there = _checked_paths(path, store, layout)
    for name in sorted(there - {""}):
        content.attributes[name] = _checked_attributes(path, store[name])
    if layout.images:
        _check_images(path, store[layout.images])
    total = 0
    for name, (dtype, n_dims) in layout.arrays.items():
        if name in there:
            total += _checked_size(path, store[name], np.dtype(dtype), n_dims)
    if total > MAX_ARRAYS_BYTES:
        raise _refused(path, f"its arrays are of {total} bytes", f"at most {MAX_ARRAYS_BYTES}")
    content.arrays = {name: store[name][()] for name in layout.arrays if name in there}
    content.is_sealed = DIGEST in root
    if content.is_sealed and root[DIGEST] != digest_of(content):
        raise ValueError(f"{path}: is damaged: not what was written; {remake(path)}")
    if not content.is_sealed and layout.optional & there:
        raise ValueError(f"{path}: is damaged: has lost its digest; {remake(path)}")
    return content


def _refused(path: str | Path, found: str, expected: str) -> ValueError:
    return ValueError(f"{path}: {found}, expected {expected}; {remake(path)}")


def _checked_paths(path: Path, store: h5py.File, layout: Layout) -> set[str]:
    """Groups and datasets of the layout that are there; everything else is refused unopened."""
    there = {""}
    wanted = layout.groups | layout.datasets
    for group in sorted(layout.groups):
        if group not in there:
            continue
        known = {one for one in wanted if one and one.rpartition("/")[0] == group}
        links = store[group or "/"]
        if len(links) > len(wanted):
            raise _refused(path, f"holds {len(links)} entries in /{group}", f"{len(known)}")
        for name in links:
            full = f"{group}/{name}".lstrip("/")
            if full not in known:
                raise _refused(path, f"holds {full!r:.80}", f"only {', '.join(sorted(known))}")
            link = links.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise _refused(path, f"{full} is a link to another place", "the data themselves")
            kind = h5py.Group if full in layout.groups else h5py.Dataset
            if links.get(name, getclass=True) is not kind:
                raise _refused(path, f"{full} is of another kind", f"a {kind.__name__.lower()}")
            there.add(full)
    missing = wanted - there - layout.optional
    if missing:
        raise _refused(path, f"has no {', '.join(sorted(missing))}", f"an {layout.schema} file")
    return there


def _checked_size(path: Path, dataset: h5py.Dataset, dtype: np.dtype, n_dims: int) -> int:
    """Bytes of an array in memory, once all is known to be plain."""
    name = dataset.name
    if dataset.dtype != dtype or dataset.dtype.metadata or dataset.ndim != n_dims:
        found = f"{name} is {dataset.dtype} of {dataset.ndim} dimensions"
        raise _refused(path, found, f"{dtype} of {n_dims}")
    _check_storage(path, dataset)
    stored = int(dataset.id.get_storage_size())
    if dataset.nbytes > stored * (MAX_RATIO if dataset.chunks else 1):
        found = f"{name} of {dataset.shape} is stored in {stored} bytes"
        raise _refused(path, found, "as many as hold that many values")
    return int(dataset.nbytes)


def _check_images(path: Path, images: h5py.Dataset) -> None:
    """Refuse lengths that the file cannot hold: HDF5 takes memory before it looks."""
    length = h5py.check_vlen_dtype(images.dtype)
    if images.ndim != 1 or length != np.uint8 or h5py.check_string_dtype(images.dtype):
        found = f"{images.name} is {images.dtype} of {images.ndim} dimensions"
        raise _refused(path, found, "variable-length bytes of 1")
    _check_storage(path, images)
    if images.id.get_type().get_size() != _REFERENCE.itemsize:
        raise _refused(path, f"{images.name} has references of another size", "16 bytes")
    offset, size = images.id.get_offset(), path.stat().st_size
    if images.chunks or offset is None or offset + len(images) * _REFERENCE.itemsize > size:
        raise _refused(path, f"{images.name} is not in one piece of the file", "it to be")
    with open(path, "rb") as stream:
        stream.seek(offset)
        references = np.frombuffer(stream.read(len(images) * _REFERENCE.itemsize), _REFERENCE)
    # Each length by itself and all together: the same bytes are not to be had many times over.
    if int(references["length"].sum(dtype=np.uint64)) > size:
        raise ValueError(f"{path}: is damaged: not what was written; {remake(path)}")


def _check_storage(path: str | Path, dataset: h5py.Dataset) -> None:
    """Refuse a dataset whose data lie elsewhere, or are packed by filters not written here."""
    name, properties = dataset.name, dataset.id.get_create_plist()
    if properties.get_layout() not in _CONTIGUOUS_OR_CHUNKED or dataset.external:
        raise _refused(path, f"{name} is kept outside this file", "its data inside")
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if len(set(filters)) < len(filters) or not set(filters) <= set(_FILTERS):
        found = f"{name} is packed by HDF5 filters {filters}"
        raise _refused(path, found, f"each at most once of {', '.join(_FILTERS.values())}")
    if dataset.chunks:
        chunk = int(np.prod(dataset.chunks, dtype=object)) * dataset.dtype.itemsize
        if chunk > MAX_CHUNK_BYTES:
            found = f"{name} is stored in pieces of {chunk} bytes"
            raise _refused(path, found, f"at most {MAX_CHUNK_BYTES}")


def _checked_attributes(path: Path, item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    if len(item.attrs) > MAX_ATTRIBUTES:
        found = f"{item.name} has {len(item.attrs)} attributes"
        raise _refused(path, found, f"at most {MAX_ATTRIBUTES}")
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        is_text = h5py.check_string_dtype(attribute.dtype) is not None
        if not is_text and attribute.dtype.kind not in "biuf":
            found = f"attribute {name!r:.80} of {item.name} is of type {attribute.dtype}"
            raise _refused(path, found, "text or numbers")
        if attribute.get_storage_size() > MAX_ATTRIBUTE_BYTES:
            found = f"attribute {name!r:.80} has {attribute.get_storage_size()} bytes"
            raise _refused(path, found, f"at most {MAX_ATTRIBUTE_BYTES}")
    return _plain_attributes(item)


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
            raise _refused(path, f"{name} is {text!r:.40}", f"a text up to {MAX_TEXT} long")


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
            raise _refused(path, f"{name} is {about[name]!r:.40}", f"1 to {MAX_SIDE} px")
    if about["width"] * about["height"] > MAX_PIXELS:
        found = f"its canvas is {about['width']}x{about['height']}"
        raise _refused(path, found, f"at most {MAX_PIXELS} px")
    text = about["fps"]
    if not isinstance(text, str) or not re.fullmatch(r"\d{1,9}(/0*[1-9]\d{0,8})?", text):
        raise _refused(path, f"fps is {text!r:.40}", "a fraction such as '30000/1001'")
    if not 0 < Fraction(text) <= MAX_FPS:
        raise _refused(path, f"fps is {text!r:.40}", f"above 0 and at most {MAX_FPS}")


def _plain_attributes(item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Attributes as texts, numbers and lists of them."""
    found = {name: item.attrs[name] for name in item.attrs}
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in found.items()
    }
