"""Files that make a folder, the marker, as soon as anything in them is unpickled."""

import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch


class Bomb:
    """Whoever unpickles it makes the marker."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.marker,)


def plain(path: Path, marker: Path, protocol: int = 4) -> None:
    path.write_bytes(pickle.dumps({"weights": Bomb(marker)}, protocol))


def torch_file(path: Path, marker: Path, is_zip: bool = True) -> None:
    """As torch writes it, with a schema that the readers expect and a bomb beside it."""
    content = {
        "schema": "edn-generator",
        "schema_version": 2,
        "weights": {"model.1.weight": torch.zeros(4, 3, 7, 7)},
        "conv1_1.weight": Bomb(marker),
    }
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)


def numpy_file(path: Path, marker: Path) -> None:
    """An npz of objects; given a path, NumPy would put .npz after the name."""
    with open(path, "wb") as stream:
        np.savez(stream, weights=np.array([Bomb(marker)], dtype=object))


def single_array(path: Path, marker: Path) -> None:
    with open(path, "wb") as stream:
        np.save(stream, np.array([Bomb(marker)], dtype=object), allow_pickle=True)


def zipped(path: Path, marker: Path) -> None:
    """A zip of files that a careless reader would take for keypoints."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("0_keypoints.json", "1_keypoints.json", "data.pkl", "archive/data.pkl"):
            archive.writestr(name, pickle.dumps(Bomb(marker)))


def tarred(path: Path, marker: Path) -> None:
    content = pickle.dumps(Bomb(marker))
    with tarfile.open(path, "w") as archive:
        for name in ("0_keypoints.json", "pickle", "storages", "tensors"):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def script_archive(path: Path, marker: Path) -> None:
    """A zip that looks like a network that brings its own code (TorchScript)."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/constants.pkl", pickle.dumps((), 2))
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb(marker), 2))
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


def hdf5_file(path: Path, marker: Path, schema: str = "edn-keypoints") -> None:
    """Pickles in every kind of HDF5 value that could hold one."""
    content = pickle.dumps(Bomb(marker))
    opaque = np.array([content], dtype=f"V{len(content)}")
    with h5py.File(path, "w") as store:
        store.attrs.update(schema=schema, schema_version=1, video=np.void(content), width=64)
        store.attrs.update(height=64, fps="25", style_config=np.void(content), n_frames=1)
        store.create_dataset("images", data=opaque)
        store.create_dataset("n_people", data=opaque)
        for part in ("body", "face", "hand_left", "hand_right", "bystanders"):
            group = store.create_group(part)
            group.attrs["skeleton"] = np.void(content)
            for name in ("xy", "score", "body", "frame"):
                group.create_dataset(name, data=opaque)


def yaml_file(path: Path, marker: Path) -> None:
    """PyYAML's own way to name a function to call."""
    path.write_text(f"preset: !!python/object/apply:os.mkdir ['{marker}']\n")


BOMBS: dict[str, Callable[[Path, Path], None]] = {
    "pickle 0": lambda path, marker: plain(path, marker, 0),
    "pickle 2": lambda path, marker: plain(path, marker, 2),
    "pickle 5": lambda path, marker: plain(path, marker, 5),
    "torch zip": torch_file,
    "torch legacy": lambda path, marker: torch_file(path, marker, is_zip=False),
    "torch script": script_archive,
    "npz": numpy_file,
    "npy": single_array,
    "zip": zipped,
    "tar": tarred,
    "keypoint store": hdf5_file,
    "frame store": lambda path, marker: hdf5_file(path, marker, "edn-frames"),
    "yaml": yaml_file,
}
