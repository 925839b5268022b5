"""What people and other programs write as text: settings, names, JSON, YAML."""

import dataclasses
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from engine import Target
from mutate import spoiled_json

from edn_core.config import Config, check_config, read_section, read_yaml, with_preset
from edn_core.intake import check_asked, check_name, videos_in_target
from edn_core.pose.opencv_yaml import parse_matrix
from edn_core.pose.openpose_files import number_files
from edn_core.pose.openpose_json import parse_people
from edn_core.preset import settle_preset

ROOT = Path(__file__).resolve().parents[2]
PERSON = {
    "pose_keypoints_2d": [1.5, 2, 0.5] * 25,
    "face_keypoints_2d": [],
    "hand_left_keypoints_2d": [3, 4, 1] * 21,
}
PEOPLE = {"version": 1.3, "people": [PERSON], "canvas_width": 640, "canvas_height": 480}
MATRIX = (
    b"%YAML:1.0\n---\npose_0: !!opencv-nd-matrix\n   sizes: [ 1, 2, 3 ]\n   dt: f\n"
    b"   data: [ 1.0e+00, 2., .Nan, 4., 5., 1. ]\n"
)
SETTINGS: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(Config()))) | {
    "preset": "8gb",
    "transfers": [{"source": "dance", "target": "me"}],
    "videos": {"me": {"start_s": 1.0, "stop_s": 9.0, "held_out": [10, 20]}},
}


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of files as a reader of bytes; the file lies in memory where that can be."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="edn-fuzz-", dir=memory if memory.is_dir() else None)
    path = Path(folder) / name

    def of_bytes(case: bytes) -> object:
        path.write_bytes(case)
        return read(path)

    return of_bytes


def openpose_json() -> Target:
    seeds = [json.dumps(PEOPLE).encode(), b'{"people": []}', b'{"people": [{}]}']
    return Target(lambda case: parse_people(case, "0_keypoints.json"), seeds, 250_000, True)


def openpose_json_values() -> Target:
    seeds = [json.dumps(PEOPLE).encode()]
    return Target(lambda case: parse_people(case, "f"), seeds, 50_000, spoil=spoiled_json)


def opencv_yaml() -> Target:
    return Target(lambda case: parse_matrix(case, "0_pose.yml"), [MATRIX], 250_000, True)


def names() -> Target:
    """A name that passes stays inside its folder and means nothing to a shell."""

    def read(case: bytes) -> None:
        name = case.decode("utf-8", "surrogateescape")
        check_name(name, "videos/x.mp4")
        assert re.fullmatch("[A-Za-z0-9_-]+", name, re.ASCII)

    seeds = [b"dance", b"me_to_you", b"../a", b"a b", "tänzer".encode(), b"a\n", b"-rf", b"$(x)"]
    return Target(read, seeds, 200_000, True)


def command_line() -> Target:
    def read(case: bytes) -> None:
        word = case.decode("utf-8", "surrogateescape")
        check_asked(videos_in_target(word), {"dance": "videos/dance.mp4"}, "videos")

    seeds = [
        b"results/transfer/dance_to_me.mp4",
        b"results/transfer/a_to_b/frames.zip",
        b"results/videos/dance/frames.zip",
        b"results/models/../x",
    ]
    return Target(read, seeds, 150_000, True)


def archive_names() -> Target:
    def read(case: bytes) -> object:
        return number_files(case.decode("utf-8", "replace").split("\n"), "a.zip")

    seeds = [b"a_000000000001_keypoints.json\na_000000000002_keypoints.json", b"f1_pose.yml"]
    return Target(read, seeds, 50_000, True)


def settings() -> Target:
    def read(case: bytes) -> object:
        return read_section(Config, with_preset(json.loads(case), "8gb"), "")

    return Target(read, [json.dumps(SETTINGS).encode()], 100_000, spoil=spoiled_json)


def settings_and_schema() -> Target:
    schema = ROOT / "workflow/schemas/config.schema.yaml"

    def read(case: bytes) -> object:
        return check_config(json.loads(case), schema)

    return Target(read, [json.dumps(SETTINGS).encode()], 300, spoil=spoiled_json)


def settings_yaml() -> Target:
    def read(path: Path) -> object:
        return read_section(Config, with_preset(read_yaml(path), "8gb"), "")

    short = {name: SETTINGS[name] for name in ("preset", "transfers", "videos", "assembly", "pose")}
    seeds = [yaml.safe_dump(short).encode(), b"a: &a [1]\nb: [*a, *a]\n", b"videos:\n  me: {}\n"]
    return Target(in_file("config.yaml", read), seeds, 15_000)


def preset_yaml() -> Target:
    seeds = [b"because: no GPU\npreset: cpu\n", b"preset: gpu"]
    return Target(in_file("preset.yaml", settle_preset), seeds, 30_000)


TARGETS = {
    "settings, values": settings,
    "settings and their schema": settings_and_schema,
    "config.yaml, bytes": settings_yaml,
    "preset.yaml": preset_yaml,
    "names of videos": names,
    "paths on the command line": command_line,
    "names in a keypoint archive": archive_names,
    "OpenPose's JSON, bytes": openpose_json,
    "OpenPose's JSON, values": openpose_json_values,
    "OpenCV's YAML": opencv_yaml,
}
