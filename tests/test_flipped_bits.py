"""A bit flipped anywhere in a finished file is found when it is read, or changes nothing of it."""

import os
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from edn_core.compose import read_room
from edn_core.frames import FrameReader, FramesInfo, FrameWriter
from edn_core.keypoints import from_people, read_keypoints, write_keypoints
from edn_core.skeleton import COCO_18
from edn_core.store import read_json, write_json
from edn_core.tensors import read_tensors, write_tensors

SCHEMA = "edn-test", 1
INFO = FramesInfo("walk", 3, Fraction(25), 32, 32, 64, 64, np.tile(2.0 * np.eye(2, 3), (3, 1, 1)))


def write_frames(path: Path, info: FramesInfo) -> None:
    with FrameWriter(path, info) as writer:
        for level in (0, None, 7):
            writer.append(None if level is None else np.full(info.shape, level, np.uint8))


def read_frames(path: Path) -> Any:
    with FrameReader(path) as reader:
        has = [reader.has(frame) for frame in range(len(reader))]
        pictures = [reader[frame].tobytes() for frame in (0, 2)]
        return reader.info, reader.info.to_video.tobytes(), has, pictures


def write_room(path: Path) -> None:
    path.write_bytes(cv2.imencode(".png", np.full((16, 16, 3), 7, np.uint8))[1].tobytes())


def write_dancer(path: Path) -> None:
    body = np.full((18, 3), 0.5, np.float32)
    about = {"width": 32, "height": 32, "fps": Fraction(25), "video": "walk"}
    write_keypoints(path, from_people([{"body": body}, None], COCO_18, **about))


def read_dancer(path: Path) -> Any:
    found = read_keypoints(path)
    return found.video, found.fps, found.xy["body"].tobytes(), found.score["body"].tobytes()


def write_some_tensors(path: Path) -> None:
    write_tensors(path, SCHEMA, {"steps": 3}, {"weight": torch.ones(2, 2), "step": torch.tensor(3)})


def read_some_tensors(path: Path) -> Any:
    description, tensors = read_tensors(path, SCHEMA)
    return description, {name: tensor.tolist() for name, tensor in tensors.items()}


FORMATS: dict[str, tuple[Callable[[Path], None], Callable[[Path], Any]]] = {
    "labels.zip": (partial(write_frames, info=INFO.replaced(codec="png")), read_frames),
    "masks.zip": (partial(write_frames, info=INFO.replaced(codec="png", channels=1)), read_frames),
    "frames.zip": (partial(write_frames, info=INFO.replaced(channels=4)), read_frames),
    "room.png": (write_room, lambda path: read_room(path).tobytes()),
    "keypoints.h5": (write_dancer, read_dancer),
    "generator.safetensors": (write_some_tensors, read_some_tensors),
    "statistics.json": (lambda path: write_json(path, {"height": 1.5, "video": "é"}), read_json),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_byte(name, tmp_path):
    path, (write, read) = tmp_path / name, FORMATS[name]
    write(path)
    expected, content = read(path), path.read_bytes()
    n_found = 0
    stream = os.open(path, os.O_RDWR)
    for place, byte in enumerate(content):
        os.pwrite(stream, bytes([byte ^ 1 << place % 8]), place)
        try:
            assert read(path) == expected, f"byte {place} of {len(content)} went unnoticed"
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
            n_found += 1
        os.pwrite(stream, bytes([byte]), place)
    os.close(stream)
    assert n_found > len(content) / 2


@pytest.mark.parametrize("name", FORMATS)
def test_every_end_that_is_missing_is_found(name, tmp_path):
    path, (write, read) = tmp_path / name, FORMATS[name]
    write(path)
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 97):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=f"{name}: "):
            read(path)
