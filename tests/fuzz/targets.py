"""What people and other programs write as text: settings, names, keypoints as JSON and YAML."""

import dataclasses
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from keypoint_files import IMAGE, archive, document, frame_name, made
from mutate import spoiled, spoiled_json

from edn_core.config import Config, read_config, read_yaml
from edn_core.intake import Intake, check_name, videos_of_transfer
from edn_core.pose.keypoint_files import parse_matrix, parse_people
from edn_core.pose.openpose_files import number_files
from edn_core.preset import settle_preset
from edn_core.skeleton import PARTS, part_skeleton

PERSON = {
    "pose_keypoints_2d": [1.5, 2, 0.5] * 25,
    "face_keypoints_2d": [],
    "hand_left_keypoints_2d": [3, 4, 1] * 21,
}
PEOPLE = json.dumps(
    {"version": 1.3, "people": [PERSON], "canvas_width": 640, "canvas_height": 480}
).encode()
MATRIX = (
    b"%YAML:1.0\n---\npose_0: !!opencv-nd-matrix\n   sizes: [ 1, 2, 3 ]\n   dt: f\n"
    b"   data: [ 1.0e+00, 2., .Nan, 4., 5., 1. ]\n"
)
SETTINGS: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(Config()))) | {
    "preset": "8gb",
    "transfers": [{"source": "dance", "target": "me"}],
    "videos": {"me": {"start_s": 1.0, "stop_s": 9.0, "held_out": [10, 20]}},
}
SHORT = {name: SETTINGS[name] for name in ("preset", "transfers", "videos", "assembly", "pose")}


@dataclass(frozen=True)
class Target:
    """Something that reads what others wrote.

    Attributes:
        read: what a case is given to; may raise ValueError with one line, and nothing else.
        seeds: good cases, to be spoiled.
        cases: how many a whole run makes.
        spoil: makes a case of good ones.
    """

    read: Callable[[bytes], object]
    seeds: list[bytes]
    cases: int
    spoil: Callable[..., bytes] = spoiled


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of files as a reader of bytes."""

    def of_bytes(case: bytes) -> object:
        with tempfile.TemporaryDirectory(prefix="edn-fuzz-") as folder:
            path = Path(folder) / name
            path.write_bytes(case)
            return read(path)

    return of_bytes


def read_settings(values: Any) -> object:
    return read_config(values, "8gb")


def read_video_name(case: bytes) -> None:
    """A name that passes stays inside its folder and means nothing to a shell."""
    name = case.decode("utf-8", "surrogateescape")
    check_name(name, "videos/x.mp4")
    assert re.fullmatch("[A-Za-z0-9_-]+", name, re.ASCII)


def read_target(case: bytes) -> None:
    word = case.decode("utf-8", "surrogateescape")
    found = Intake(Path("videos"), {"dance": "videos/dance.mp4"}, {})
    found.check_asked(videos_of_transfer(word) or ())


def read_keypoints(path: Path) -> None:
    """All that lies in a file or an archive; who is found keeps the contract."""
    coordinates = ("auto", "pixels", "fraction", "signed")[path.stat().st_size % 4]
    backend = made(path, coordinates=coordinates)
    for person in backend.find([IMAGE], 0)[0]:
        assert set(person) == set(PARTS)
        for part, values in person.items():
            assert values.shape == (len(part_skeleton(part, backend.skeleton)), 3)
            assert values.dtype == np.float32
            is_missing = np.isnan(values[:, :2]).any(axis=1)
            np.testing.assert_array_equal(is_missing, values[:, 2] == 0)
            assert np.isfinite(values[~is_missing]).all()
            assert values[:, 2].min() >= 0 and values[:, 2].max() <= 1


def packed(name: str) -> bytes:
    """An archive of one frame."""
    with tempfile.TemporaryDirectory() as folder:
        return archive(Path(folder) / name, {frame_name(0): document(PERSON)}).read_bytes()


TARGETS = {
    "settings, values": Target(
        lambda case: read_settings(json.loads(case)),
        [json.dumps(SETTINGS).encode()],
        100_000,
        spoiled_json,
    ),
    "config.yaml, bytes": Target(
        in_file("config.yaml", lambda path: read_settings(read_yaml(path))),
        [yaml.safe_dump(SHORT).encode(), b"a: &a [1]\nb: [*a, *a]\n", b"videos:\n  me: {}\n"],
        15_000,
    ),
    "preset.yaml": Target(
        in_file("preset.yaml", settle_preset),
        [b"because: no GPU\npreset: cpu\n", b"preset: gpu"],
        30_000,
    ),
    "names of videos": Target(
        read_video_name,
        [b"dance", b"me_to_you", b"../a", "tänzer".encode(), b"a\n", b"-rf", b"$(x)"],
        200_000,
    ),
    "paths on the command line": Target(
        read_target,
        [
            b"results/transfer/dance_to_me.mp4",
            b"results/transfer/a_to_b/frames.zip",
            b"results/models/../x",
        ],
        150_000,
    ),
    "names in a keypoint archive": Target(
        lambda case: number_files(case.decode("utf-8", "replace").split("\n"), "a.zip"),
        [b"a_000000000001_keypoints.json\na_000000000002_keypoints.json", b"f1_pose.yml"],
        50_000,
    ),
    "OpenPose's JSON, bytes": Target(
        lambda case: parse_people(case, "0_keypoints.json"),
        [PEOPLE, b'{"people": []}', b'{"people": [{}]}'],
        250_000,
    ),
    "OpenPose's JSON, values": Target(
        in_file("0.json", read_keypoints), [PEOPLE], 50_000, spoiled_json
    ),
    **{
        f"keypoints, {name}": Target(in_file(name, read_keypoints), [packed(name)], 10_000)
        for name in ("a.zip", "a.tar.gz")
    },
    "OpenCV's YAML": Target(lambda case: parse_matrix(case, "0_pose.yml"), [MATRIX], 250_000),
}
