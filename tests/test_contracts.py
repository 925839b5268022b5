"""docs/data_contracts.md says what is really written: its tables against files of the library."""

import io
import json
import re
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from tiny import (
    N_FRAMES,
    NETWORK,
    NO_LEVELS,
    SIZE,
    SPLIT,
    STAGE,
    TinyTarget,
    tiny_dancer,
    train_tiny,
)

from edn_core import preset as presets
from edn_core.checkpoint import load_generator, save_generator
from edn_core.compose import read_room
from edn_core.config import MatteConfig, RuntimeConfig, StatisticsConfig
from edn_core.evaluate import (
    EvaluationFiles,
    TransferFiles,
    evaluate_target,
    evaluate_transfer,
)
from edn_core.frames import FrameReader, FramesInfo, FrameWriter
from edn_core.keypoints import from_people, write_keypoints
from edn_core.matte import find_matte
from edn_core.networks import face_generator
from edn_core.normalize import figure_heights, measure_video, write_statistics
from edn_core.room import build_room
from edn_core.skeleton import BODY_25, COCO_18
from edn_core.store import json_digest
from edn_core.video import encode
from edn_core.window import frames_info, hips_of, plan_window, write_window

DOCUMENT = Path(__file__).parent.parent / "docs" / "data_contracts.md"
SECTIONS = {
    part.splitlines()[0]: part for part in re.split(r"^## ", DOCUMENT.read_text(), flags=re.M)[1:]
}
CPU = torch.device("cpu")


def rows(start: str, table: str) -> dict[str, dict[str, str]]:
    """Name -> its row, in the table that begins with this heading, of the section that begins so.

    `a`, `b` in the first column makes two rows.
    """
    (text,) = (text for heading, text in SECTIONS.items() if heading.startswith(start))
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()]
        if lines[0][0] == table:
            found = [
                (name, dict(zip(lines[0], cells, strict=True)))
                for cells in lines[2:]
                for name in re.findall(r"`([^`]+)`", cells[0])
            ]
            assert len(found) == len(dict(found)), f"{start}: a name stands twice in {table}"
            return dict(found)
    raise AssertionError(f"{start}: no table of {table}")


def types(start: str, table: str = "Key") -> dict[str, str]:
    """Name -> the type that the table gives."""
    return {name: row["type"] for name, row in rows(start, table).items()}


def type_name(value: Any) -> str:
    """The document's word for a value of a JSON object."""
    if isinstance(value, list) and value:
        return "list of lists" if isinstance(value[0], list) else f"list of {type_name(value[0])}s"
    words = {bool: "true or false", int: "integer", float: "number", str: "text", dict: "object"}
    return (words | {list: "list"}).get(type(value), "null")


def check_types(expected: dict[str, str], *found: dict[str, Any]) -> None:
    """Names agree in every object; all types found over them are those the table names."""
    for one in found:
        assert set(one) == set(expected)
    for name, words in expected.items():
        there = {type_name(one[name]) for one in found}
        allowed = set(re.split(r",? or (?!false)", words))
        if "list" in there:  # empty
            there = {one for one in there if one != "list"} or allowed
        assert there == allowed, f"{name}: the table says {words}, the files hold {there}"


def check_heading(start: str, schema: str, version: int) -> None:
    """The section's heading names the schema and version the file has."""
    (heading,) = (heading for heading in SECTIONS if heading.startswith(start))
    assert heading.endswith(f"`{schema}` version {version}")


def sealed_json(path: Path) -> dict[str, Any]:
    """A JSON file without its last member, the digest that every one has."""
    content = json.loads(path.read_text())
    assert list(content)[-1] == "content_sha256"
    assert content.pop("content_sha256") == json_digest(content)
    return content


def check_json(start: str, *paths: Path, table: str = "Key") -> list[dict[str, Any]]:
    """The files hold what the section's table names, dotted rows aside."""
    contents = [sealed_json(path) for path in paths]
    check_types({k: v for k, v in types(start, table).items() if "." not in k}, *contents)
    check_heading(start, contents[0]["schema"], contents[0]["schema_version"])
    return contents


def check_tensors(
    start: str, *paths: Path, about: str = "Key", table: str = "Tensor"
) -> list[set[str]]:
    """Safetensors files have one entry, and the description and tensors of the section's tables.

    Returns:
        For each file the rows of the table of tensors that it has some of.
    """
    descriptions, described, seen = [], rows(start, table), []
    for path in paths:
        with safe_open(path, "pt") as file:
            assert list(file.metadata()) == ["edn"]
            entry = json.loads(file.metadata()["edn"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        assert set(entry) == set(rows("Files of tensors", "Key"))
        descriptions.append(entry["description"])
        seen.append(set())
        for name, tensor in tensors.items():
            row = next(one for one in described if name.startswith(one.rstrip("…")))
            dtype = str(tensor.dtype).removeprefix("torch.")
            assert dtype in described[row]["dtype"].split(" or "), name
            seen[-1].add(row)
    check_types(types(start, about), *descriptions)
    return seen


@pytest.fixture(scope="module")
def trained(tiny_target, tmp_path_factory) -> Path:
    """The folder of a body stage, and in state.safetensors what it would have resumed from.

    A folder in the discriminator's place stops the training after its last checkpoint.
    """
    model = tmp_path_factory.mktemp("trained") / "generator.safetensors"
    in_the_way = model.with_name("discriminator.safetensors")
    in_the_way.mkdir()
    config, runtime = replace(STAGE, validations=1), RuntimeConfig(device="cpu", log_every_s=0)
    with pytest.raises((OSError, ValueError)):
        train_tiny(tiny_target, model, config=config, runtime=runtime)
    in_the_way.rmdir()
    model.with_name("training_state.safetensors").rename(model.with_name("state.safetensors"))
    return train_tiny(tiny_target, model, config=config, runtime=runtime).parent


def test_a_store_of_images_is_as_documented(tmp_path, tiny_target):
    to_video = np.tile([[2.0, 0, 9], [0, 2, 5]], (3, 1, 1))
    info = FramesInfo("walk", 3, Fraction(30000, 1001), 96, 64, 300, 200, to_video, figure_px=40.0)
    share = np.array([0, 51, 255], np.uint8)  # 0, 0.2 and 1
    dancer = np.zeros((64, 96, 4), np.uint8)
    dancer[..., 3] = np.repeat(share, 32)
    dancer[..., :3] = (127.5 * (1 - dancer[..., 3:] / 255) + 200 * (dancer[..., 3:] / 255)).round()
    for name, about, picture in (
        ("frames.zip", info.replaced(channels=4), dancer),
        ("masks.zip", info.replaced(channels=1, codec="png"), dancer[..., 3]),
    ):
        with FrameWriter(tmp_path / name, about) as writer:
            for one in (picture, None, picture):
                writer.append(one)
    abouts = []
    for path, names in (
        (tmp_path / "frames.zip", ["000000.png", "000000.jpg", "000002.png", "000002.jpg"]),
        (tmp_path / "masks.zip", ["000000.png", "000002.png"]),
        (tiny_target.labels, [f"{i:06}.png" for i in range(N_FRAMES)]),
    ):
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == ["info.json", *names]
            assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}
            abouts.append(json.loads(archive.read("info.json")))
            assert np.shape(abouts[-1]["to_video"]) == (abouts[-1]["n_frames"], 2, 3)
    check_types(types("Images"), *abouts)
    check_heading("Images", abouts[0]["schema"], abouts[0]["schema_version"])
    assert [about["fps"] for about in abouts] == ["30000/1001", "30000/1001", "25"]
    # Where a point lies, and what a matted picture holds, as the document says.
    np.testing.assert_array_equal(info.to_video[0] @ [3, 4, 1], [15, 13])
    picture, matte = (cv2.imread(str(path)) for path in unzipped(tmp_path))
    assert set(np.unique(matte)) == {*share}
    np.testing.assert_allclose(picture[20, [10, 50, 90], 0], [128, 142, 200], atol=3)


def unzipped(folder: Path) -> tuple[Path, Path]:
    """Frame 2 of frames.zip: the dancer on his ground, and his matte."""
    with zipfile.ZipFile(folder / "frames.zip") as archive:
        archive.extractall(folder)
    return folder / "000002.jpg", folder / "000002.png"


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18], ids=lambda one: one.name)
def test_keypoints_are_as_documented(tmp_path, skeleton):
    n_points = len(skeleton)
    people = [{"body": np.full((n_points, 3), 0.5)}] * 4
    about = {"width": 32, "height": 32, "fps": Fraction(25), "video": "walk"}
    about |= {"bystanders": np.full((3, n_points, 3), 0.5, np.float32)}
    keypoints = from_people(people, skeleton, bystander_frames=np.array([1, 2, 2]), **about)
    write_keypoints(tmp_path / "keypoints.h5", keypoints)
    described = rows("Keypoints", "Dataset")
    content = (tmp_path / "keypoints.h5").read_bytes()
    with h5py.File(io.BytesIO(content)) as file:
        assert (file.userblock_size, list(file.attrs)) == (512, ["description"])
        check_types(types("Keypoints"), description := json.loads(file.attrs["description"]))
        found: dict[str, h5py.Dataset] = {}
        file.visititems(lambda k, v: found.update({k: v}) if isinstance(v, h5py.Dataset) else None)
        assert set(found) == set(described)
        for name, dataset in found.items():
            row = described[name]
            sizes = {"T": 4, "K": n_points, "M": 3}
            shape = tuple(int(sizes.get(n, n)) for n in re.findall(r"\w+", row["shape"]))
            assert (dataset.dtype.str[1:], dataset.shape) == (row["dtype"], shape), name
            attributes = {key: value.decode() for key, value in dataset.attrs.items()}
            assert attributes == {"dims": row["dims"], "unit": row["unit"]}, name
    check_heading("Keypoints", description["schema"], description["schema_version"])
    sizes = {part: len(names) for part, names in description["keypoint_names"].items()}
    assert sizes == {"body": n_points, "face": 70, "hand_left": 21, "hand_right": 21}


def test_statistics_are_as_documented(tmp_path):
    paths = []
    for name, hidden in {"paper": (), "torso": ("ankle",), "feet": ("hip", "neck")}.items():
        dancer = tiny_dancer()
        for row, keypoint in enumerate(BODY_25.keypoints):
            if any(word in keypoint for word in hidden):
                dancer.xy["body"][:, row], dancer.score["body"][:, row] = np.nan, 0
        statistics = measure_video(dancer, StatisticsConfig(min_frames=2, level_window_s=0))
        paths.append(tmp_path / f"{name}.json")
        write_statistics(paths[-1], statistics)
    check_json("Statistics", *paths)


def test_a_generator_is_as_documented(trained, tmp_path):
    path, whole = trained / "generator.safetensors", tmp_path / "generator.safetensors"
    body = load_generator(path)
    face = face_generator(body.label_channels, NETWORK).state_dict()
    painted = replace(body, stage="face", face_weights=face, has_matte=False, window=None)
    save_generator(whole, painted)
    parts = check_tensors("Generator", path, whole)
    assert parts == [{"generator/…"}, {"generator/…", "face_generator/…"}]
    assert set(body.window) == set(types("Window")) - {"schema", "schema_version"}


def test_what_lies_beside_a_generator_is_as_documented(trained):
    state = trained / "state.safetensors"
    (parts,) = check_tensors("Beside", state, about="Key of the state", table="Tensor of the state")
    assert parts == set(rows("Beside", "Tensor of the state"))
    left = {path.name for path in trained.iterdir()} - {"generator.safetensors", state.name}
    assert left == set(rows("Beside", "File")) - {"training_state.safetensors"}


def test_a_line_of_metrics_is_as_documented(trained):
    described = rows("Beside", "Key of a line")
    here = ("always", "body, temporal", "without `training.vgg19`")
    expected = {name: row["type"] for name, row in described.items() if row["when"] in here}
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    validations = [line for line in lines if "validation_score" in line]
    assert set(lines.pop()) == {"step", "memory/process_mb"}
    steps = [line for line in lines if line not in validations]
    assert [line["step"] for line in steps] == [1, 2, 3, 4]
    check_types(expected, *steps)
    check_types(types("Beside", "Key of a validation"), *validations)


def columns(start: str, table: str, prefix: str = "") -> list[str]:
    """The measures that a table names, behind a prefix."""
    names = [name for name in rows(start, table) if name.startswith(prefix)]
    return sorted(name.removeprefix(prefix) for name in names)


@pytest.fixture(scope="module")
def filmed(tiny_target: TinyTarget, tmp_path_factory) -> EvaluationFiles:
    """The tiny target's video, mattes and room."""
    folder = tmp_path_factory.mktemp("filmed")
    dancer, whole = tiny_target.dancer, FrameReader(tiny_target.whole)
    encode(folder / "tiny.mp4", (whole[frame] for frame in range(N_FRAMES)), dancer.fps)
    models = "unused"
    find_matte(
        folder / "tiny.mp4", dancer, MatteConfig(by="skeleton"), models, folder / "masks.zip"
    )
    room, report = folder / "room.png", folder / "room.json"
    frames = SPLIT.train_frames
    masks = folder / "masks.zip"
    tall = replace(NO_LEVELS, height_median=54.0, fallback="single scale")
    build_room(folder / "tiny.mp4", dancer, tall, masks, frames, room, report)
    stores = tiny_target.keypoints, tiny_target.labels
    return EvaluationFiles(folder / "tiny.mp4", *stores, masks=folder / "masks.zip", room=room)


def test_tables_are_as_documented(trained, filmed, tmp_path):
    table, generators = tmp_path / "table.json", [trained / "generator.safetensors"]
    evaluate_target(filmed, generators, SPLIT, CPU, table, tmp_path / "comparison.png")
    (content,) = check_json("Table", table)
    assert [row["name"] for row in content["rows"]] == [
        *("nearest_pose", "mean_frame", "body", "truth")
    ]
    for row in content["rows"]:
        assert sorted(row) == columns("Table", "Key", "rows.*.")
        assert {type_name(value) for value in row.values()} <= {"number", "null", "text"}
    assert {key for column in content["columns"] for key in column} == {
        *("name", "title", "unit", "better")
    }


def test_the_fidelity_of_a_transfer_is_as_documented(tiny_target: TinyTarget, filmed, tmp_path):
    video = filmed.video, filmed.keypoints
    files = TransferFiles(tiny_target.frames, filmed.keypoints, *video, *video, filmed.room)
    path = tmp_path / "metrics.json"
    evaluate_transfer(files, SPLIT, None, path, tmp_path / "metrics.png")
    (content,) = check_json("Fidelity", path)
    for one in ("output", "own_video", "stranger"):
        assert sorted(content[one]) == columns("Fidelity", "Measure")


def test_windows_are_as_documented(tiny_target: TinyTarget, tmp_path):
    dancer = tiny_dancer()
    statistics = measure_video(dancer, StatisticsConfig(min_frames=2, level_window_s=0))
    window = plan_window(dancer, statistics, range(N_FRAMES), 4096)
    write_window(tmp_path / "window.json", window)
    check_json("Window", tmp_path / "window.json", tiny_target.window)
    # Where a point lies, as the document says: the hips of frame 5, and a figure's height above.
    info = frames_info(window, dancer, statistics)
    hips, tall = hips_of(dancer)[5], figure_heights(dancer, statistics)[5]
    middle = window.x, window.y, 1
    np.testing.assert_allclose(info.to_video[5] @ middle, hips)
    above = window.x, window.y - window.figure_px, 1
    np.testing.assert_allclose(info.to_video[5] @ above, hips - [0, tall])


def test_the_room_is_as_documented(filmed):
    (report,) = check_json("Room", filmed.room.with_name("room.json"))
    # What the band leaves bare of her legs goes along with her feet, as a shadow does.
    assert np.shape(report["shadow"]) == (22, 30)
    assert 0 <= report["never_bare"] <= 1
    room = cv2.imread(str(filmed.room), cv2.IMREAD_UNCHANGED)
    assert (room.dtype, room.shape) == (np.uint8, (SIZE, SIZE, 3))
    np.testing.assert_array_equal(read_room(filmed.room), room[..., ::-1])


def test_the_preset_is_as_documented(tmp_path):
    path = tmp_path / "preset.yaml"
    presets.keep_preset(path, *presets.settle_preset(path))
    check_types(types("The preset"), yaml.safe_load(path.read_text()))


def test_every_schema_of_the_library_has_a_section():
    schemas = {
        schema
        for path in (DOCUMENT.parents[1] / "edn_core").rglob("*.py")
        for schema in re.findall(r'^[A-Z]+ = "(edn-[a-z-]+)"', path.read_text(), re.M)
    }
    said = set(re.findall(r"`(edn-[a-z-]+)` version \d+", DOCUMENT.read_text()))
    assert schemas <= said
