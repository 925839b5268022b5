"""The one door to HDF5 files: sealed when written, checked before anything in them is believed.

A store may be damaged, or come from a stranger. So a reader says first what the file must look like
(its `Layout`), and this module opens nothing else: no link to another file or place, no data
outside the file, no filter but those written here, no shape beyond what the file's own bytes can
hold. HDF5 checks sums over its own structure (file format 3) and over the pieces of arrays
(Fletcher-32); the attributes' texts and variable-length data have none, hence the digest.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from edn_core.disk import WatchedFile
from edn_core.hdf5.checks import (
    MAX_CHUNK_BYTES,
    check_images,
    check_picture_claims,
    check_texts,
    checked_attributes,
    checked_paths,
    checked_size,
    plain_attributes,
)
from edn_core.hdf5.heaps import MOST_HEAP_BYTES, check_heaps, is_image_heap_whole
from edn_core.hdf5.layout import DIGEST, Content, Layout, refused
from edn_core.shortage import raise_if_short_of_memory
from edn_core.store import check_schema, remake

__all__ = [
    "DIGEST",
    "Content",
    "Layout",
    "check_picture_claims",
    "check_texts",
    "create_store",
    "digest_of",
    "has_digest",
    "is_image_heap_whole",
    "open_store",
    "refusals_named",
    "seal_store",
]

MAX_ARRAYS_BYTES = 4 * 2**30
"""All arrays of a store together; half a day of keypoints at 60 frames per second."""
MOST_AT_ONCE = MOST_HEAP_BYTES + 2 * MAX_CHUNK_BYTES
"""What HDF5 itself needs at most to read a store that is whole."""


def create_store(stream: WatchedFile) -> h5py.File:
    """A new HDF5 file in the format that checks its own structure (HDF5 from 1.10 on reads it)."""
    return h5py.File(stream, "w", libver=("v110", "v110"))


def seal_store(store: h5py.File, layout: Layout) -> None:
    """Write the digest over all that the store holds, as its last attribute."""
    content = Content()
    for path in sorted(layout.groups | layout.datasets):
        content.attributes[path] = plain_attributes(store[path or "/"])
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
        raise_if_short_of_memory(error, path, MOST_AT_ONCE)
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
        check_heaps(Path(path), bool(layout.images))
        store = h5py.File(path, "r")
        try:
            return store, _read(Path(path), store, layout)
        except BaseException:
            store.close()
            raise


def _read(path: Path, store: h5py.File, layout: Layout) -> Content:
    # The heaps that were looked at are read so; with numbers of another size HDF5 sees others.
    if store.id.get_create_plist().get_sizes() != (8, 8) or store.userblock_size:
        raise refused(path, "its places and lengths are of another size", "8 bytes each")
    content = Content()
    root = content.attributes[""] = checked_attributes(path, store)
    found = root.get("schema"), root.get("schema_version")
    check_schema(path, found, (layout.schema, layout.version))
    there = checked_paths(path, store, layout)
    for name in sorted(there - {""}):
        content.attributes[name] = checked_attributes(path, store[name])
    if layout.images:
        check_images(path, store[layout.images])
    total = 0
    for name, (dtype, n_dims) in layout.arrays.items():
        if name in there:
            total += checked_size(path, store[name], np.dtype(dtype), n_dims)
    if total > MAX_ARRAYS_BYTES:
        raise refused(path, f"its arrays are of {total} bytes", f"at most {MAX_ARRAYS_BYTES}")
    content.arrays = {name: store[name][()] for name in layout.arrays if name in there}
    content.is_sealed = DIGEST in root
    if content.is_sealed and root[DIGEST] != digest_of(content):
        raise ValueError(f"{path}: is damaged: not what was written; {remake(path)}")
    if not content.is_sealed and layout.optional & there:
        raise ValueError(f"{path}: is damaged: has lost its digest; {remake(path)}")
    return content
