"""docs/data_contracts.md says what is really written: its tables against files of the library."""

import json
import re
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

from edn_core import preset as presets
from edn_core.background import build_background
from edn_core.checkpoint import load_generator, save_generator
from edn_core.config import (
    EvaluationConfig,
    LabelConfig,
    NetworkConfig,
    RuntimeConfig,
    SmoothingConfig,
    StageConfig,
    StatisticsConfig,
)
from edn_core.evaluate import (
    EvaluationFiles,
    TransferFiles,
    evaluate_baselines,
    evaluate_model,
    evaluate_target,
    evaluate_transfer,
)
from edn_core.frames import FramesInfo, FrameWriter
from edn_core.keypoints import Keypoints, from_people, write_keypoints
from edn_core.networks import face_generator
from edn_core.normalize import measure_video, write_statistics
from edn_core.render import render_labels
from edn_core.skeleton import BODY_25, COCO_18, FACE_70, HAND_21
from edn_core.smoothing import smooth_keypoints
from edn_core.split import split_frames
from edn_core.store import json_digest
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, train

DOCUMENT = Path(__file__).parent.parent / "docs" / "data_contracts.md"
N_FRAMES, SIZE = 16, 64
TINY = NetworkConfig(
    generator_channels=2,
    downsamplings=1,
    residual_blocks=1,
    discriminator_channels=2,
    discriminator_scales=1,
    discriminator_layers=1,
    face_generator_channels=2,
    face_downsamplings=1,
    face_residual_blocks=1,
    face_discriminator_channels=2,
)

Row = dict[str, str]


def tables(text: str) -> dict[str, list[Row]]:
    """Every table of a section by the heading of its first column; `a`, `b` makes two rows."""
    found: dict[str, list[Row]] = {}
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()]
        heading, rows = lines[0], lines[2:]
        found[heading[0]] = [
            dict(zip(heading, [name, *cells[1:]], strict=True))
            for cells in rows
            for name in re.findall(r"`([^`]+)`", cells[0])
        ]
    return found


SECTIONS = {
    part.splitlines()[0]: part for part in re.split(r"^## ", DOCUMENT.read_text(), flags=re.M)[1:]
}


def section(start: str) -> dict[str, list[Row]]:
    """The tables of the one section whose heading begins so."""
    (text,) = (text for heading, text in SECTIONS.items() if heading.startswith(start))
    return tables(text)


def documented(start: str, table: str, column: str = "type") -> dict[str, str]:
    """Name -> what the table says of it."""
    rows = section(start)[table]
    names = [row[table] for row in rows]
    assert len(names) == len(set(names)), f"{start}: a name stands twice in {names}"
    return {row[table]: row[column] for row in rows}


def type_name(value: Any) -> str:
    """The document's word for a value of an attribute, a JSON file or a checkpoint."""
    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return (
            f"{kind} ({', '.join({SIZE: 'H', SIZE + 32: 'W'}.get(n, str(n)) for n in value.shape)})"
        )
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        is_weights = value and all(isinstance(one, torch.Tensor) for one in value.values())
        return "tensors by name" if is_weights and "plate" not in value else "object"
    if isinstance(value, list):
        return f"list of {type_name(value[0])}s" if value else "list"
    for kind, name in (
        ((bool, np.bool_), "true or false"),
        ((int, np.integer), "integer"),
        ((float, np.floating), "number"),
        (str, "text"),
        (type(None), "null"),
    ):
        if isinstance(value, kind):
            return name
    raise TypeError(type(value))


def sealed_json(path: Path) -> dict[str, Any]:
    """A JSON file without its last member, the digest that every one has."""
    content = json.loads(path.read_text())
    assert list(content)[-1] == "content_sha256"
    assert content.pop("content_sha256") == json_digest(content)
    return content


def check_types(expected: dict[str, str], *found: dict[str, Any]) -> None:
    """Names agree in every file; all types found over the files are those the table names."""
    for one in found:
        assert set(one) == set(expected)
    for name, words in expected.items():
        types = {type_name(one[name]) for one in found}
        allowed = set(re.split(r",? or (?!false)", words))
        if "list" in types:  # empty
            types = {one for one in types if one != "list"} or allowed
        assert types == allowed, f"{name}: the table says {words}, the files hold {types}"


def check_hdf5(
    store: h5py.File, start: str, sizes: dict[str, int], groups: dict[str, int] | None = None
) -> None:
    """Datasets, dims, shapes, units and attributes are those of the section's tables."""
    rows = {row["Dataset"]: row for row in section(start)["Dataset"]}
    found: dict[str, h5py.Dataset] = {}
    store.visititems(
        lambda name, one: found.update({name: one}) if isinstance(one, h5py.Dataset) else None
    )
    assert set(found) == set(rows)
    for name, dataset in found.items():
        row, length = rows[name], h5py.check_vlen_dtype(dataset.dtype)
        dtype = f"variable-length {length.str[1:]}" if length else dataset.dtype.str[1:]
        shape = tuple(int(sizes.get(n, n)) for n in re.findall(r"\w+", row["shape"]))
        assert (dtype, dataset.shape) == (row["dtype"], shape), name
        assert ", ".join(dataset.attrs["dims"]) == row["dims"], name
        assert dataset.attrs.get("unit", "none") in row["unit"].split(", or "), name
        assert set(dataset.attrs) == ({"dims"} if row["unit"] == "none" else {"dims", "unit"}), name
    check_types(documented(start, "Attribute"), dict(store.attrs))
    check_schema_heading(start, store.attrs)
    for name, n_keypoints in (groups or {}).items():
        check_types(documented(start, "Group attribute"), dict(store[name].attrs))
        assert len(store[name].attrs["keypoint_names"]) == n_keypoints


def check_schema_heading(start: str, about: Any) -> None:
    """The section's heading names the schema and version the file has."""
    (heading,) = (heading for heading in SECTIONS if heading.startswith(start))
    assert heading.endswith(f"`{about['schema']}` version {about['schema_version']}")


def moving_dancer(with_face: bool = True) -> Keypoints:
    """A person of 40 px who walks 8 px down and back, face (and hands) in sight."""
    people = []
    for frame in range(N_FRAMES):
        y = 8 + 4 * (1 - np.cos(2 * np.pi * frame / N_FRAMES))
        height = np.linspace(0, 40, len(BODY_25))
        body = np.stack([40 + 6 * np.sin(height), y + height, np.full(len(height), 0.9)], axis=1)
        person = {"body": body}
        for part, skeleton in (("face", FACE_70), ("hand_left", HAND_21)):
            row = [40.0, y + 4, 0.9 if with_face else 0]
            person[part] = np.tile(row if with_face else [np.nan, np.nan, 0], (len(skeleton), 1))
        people.append(person)
    return from_people(
        people, BODY_25, width=SIZE + 32, height=SIZE, fps=Fraction(30000, 1001), video="walk"
    )


def with_bystanders(keypoints: Keypoints) -> Keypoints:
    """Three sightings of somebody else: one in frame 2, two in frame 5."""
    bodies = np.tile(np.array([10, 20, 0.5], np.float32), (3, len(keypoints.skeleton), 1))
    return keypoints.replaced(bystanders=bodies, bystander_frames=np.array([2, 5, 5], np.int32))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A folder of files of one tiny target, each written by the function that always writes it."""
    folder = tmp_path_factory.mktemp("written")
    raw = with_bystanders(moving_dancer())
    keypoints = smooth_keypoints(raw, SmoothingConfig())
    write_keypoints(folder / "keypoints.raw.h5", raw)
    write_keypoints(folder / "keypoints.h5", keypoints)
    info = FramesInfo(
        video="walk",
        n_frames=N_FRAMES,
        fps=keypoints.fps,
        width=SIZE + 32,
        height=SIZE,
        source_width=SIZE + 32,
        source_height=SIZE,
        scale=1.0,
        offset=(0, 0),
        stop_s=N_FRAMES / float(keypoints.fps),
        source_sha256="ab" * 32,
    )
    noise = np.random.default_rng(0)
    room = np.full((SIZE, SIZE + 32, 3), 100, np.uint8)
    with FrameWriter(folder / "frames.zip", info, "jpeg", 95) as writer:
        for _ in range(N_FRAMES):
            writer.append(room + noise.integers(4, size=room.shape).astype(np.uint8))
    render_labels(keypoints, LabelConfig(), folder / "labels.zip", info)
    build_background(folder / "frames.zip", keypoints, range(10), folder / "background.png")
    return folder


@pytest.fixture(scope="module")
def trained(written) -> Path:
    """The folder of a body stage of three steps, and in state.pt what it would have resumed from.

    A folder in the discriminator's place stops the training after its last checkpoint.
    """
    files = TrainingFiles(
        frames=written / "frames.zip",
        labels=written / "labels.zip",
        keypoints=written / "keypoints.h5",
        background=written / "background.png",
        start=None,
        generator=written / "models" / "generator.safetensors",
    )
    settings = TrainingSettings(
        stage=StageConfig(steps=3, validations=1),
        network=TINY,
        split=split_frames(N_FRAMES, EvaluationConfig(test_fraction=0.25, validation_fraction=0.2)),
    )
    folder = files.generator.parent
    in_the_way = folder / "discriminator.safetensors"
    in_the_way.mkdir(parents=True)
    arguments = STAGES["body"], files, settings, RuntimeConfig(log_every_s=0), torch.device("cpu")
    with pytest.raises((OSError, ValueError)):
        train(*arguments)
    in_the_way.rmdir()
    (folder / "state.pt").write_bytes((folder / "training_state.safetensors").read_bytes())
    train(*arguments)
    return folder


@pytest.mark.parametrize("name", ["frames.zip", "labels.zip"])
def test_an_image_store_is_as_documented(written, name):
    with h5py.File(written / name) as store:
        check_hdf5(store, "Images", {"T": N_FRAMES})
        assert store["images"].attrs["unit"] == f"bytes of one {store.attrs['codec']} image"


def test_a_point_lies_in_the_canvas_where_the_document_says():
    info = FramesInfo("walk", 1, Fraction(25), 96, 64, 180, 120, 0.5, (3, 2))
    np.testing.assert_allclose(info.to_canvas(np.array([9.5, 19.5])), [7.5, 11.5])  # 10/2 - .5 + 3


@pytest.mark.parametrize("name", ["keypoints.raw.h5", "keypoints.h5"])
def test_a_keypoint_store_is_as_documented(written, name):
    with h5py.File(written / name) as store:
        groups = {"body": 25, "face": 70, "hand_left": 21, "hand_right": 21}
        check_hdf5(store, "Keypoints", {"T": N_FRAMES, "K": 25, "M": 3}, groups)
        assert store.attrs["smoothed"] == (name == "keypoints.h5")
        missing = store["hand_right/score"][:] == 0
        assert missing.all() and np.isnan(store["hand_right/xy"][:]).all()


def test_a_keypoint_store_of_another_skeleton_is_as_documented(tmp_path):
    people = [{"body": np.ones((18, 3))}] * 2
    about = {"width": 32, "height": 32, "fps": Fraction(25), "video": "coco"}
    write_keypoints(tmp_path / "keypoints.h5", from_people(people, COCO_18, **about))
    with h5py.File(tmp_path / "keypoints.h5") as store:
        check_hdf5(store, "Keypoints", {"T": 2, "K": 18, "M": 0}, {"body": 18})


def test_statistics_are_as_documented(tmp_path):
    walk = moving_dancer()
    hidden = {"paper": (), "torso": ("ankle",), "feet only": ("hip", "shoulder", "neck")}
    contents = []
    for name, missing in hidden.items():
        keypoints = moving_dancer()
        for row, keypoint in enumerate(BODY_25.keypoints):
            if any(word in keypoint for word in missing):
                keypoints.xy["body"][:, row], keypoints.score["body"][:, row] = np.nan, 0
        statistics = measure_video(keypoints, StatisticsConfig(min_frames=2, level_window_s=0))
        write_statistics(tmp_path / f"{name}.json", statistics)
        contents.append(sealed_json(tmp_path / f"{name}.json"))
    assert [content["fallback"] for content in contents] == ["", "torso", ""]
    assert contents[0]["n_frames"] == len(walk)
    check_types(documented("Statistics", "Key"), *contents)
    check_schema_heading("Statistics", contents[0])


def test_a_generator_is_as_documented(trained, tmp_path):
    with_plate = load_generator(trained / "generator.safetensors")
    face = face_generator(with_plate.label_channels, TINY).state_dict()
    painted = replace(with_plate, stage="face", face_weights=face, background=None)
    save_generator(tmp_path / "generator.safetensors", painted)
    contents = [
        torch.load(path, weights_only=True)
        for path in (trained / "generator.safetensors", tmp_path / "generator.safetensors")
    ]
    expected = documented("Generator", "Key")
    inside = {name: expected.pop(name) for name in list(expected) if "." in name}
    check_types(expected, *contents)
    check_types(
        {name.split(".")[1]: words for name, words in inside.items()}, contents[0]["background"]
    )
    check_schema_heading("Generator", contents[0])


def check_columns(start: str, prefix: str, *found: dict[str, Any]) -> None:
    """Names of measures are those documented, and their values numbers or null."""
    table = "Key" if prefix else "Measure"
    rows = {name: words for name, words in documented(start, table).items() if prefix in name}
    names = [name.removeprefix(prefix) for name in rows if not prefix or name.count(".") == 2]
    for one in found:
        assert sorted(one) == sorted(names)
        assert {type_name(value) for value in one.values()} <= {"number", "null"}


def test_metrics_and_tables_are_as_documented(written, trained, tmp_path):
    split = split_frames(N_FRAMES, EvaluationConfig(test_fraction=0.25))
    files = EvaluationFiles(
        trained / "generator.safetensors",
        *(written / name for name in ("frames.zip", "labels.zip", "keypoints.h5")),
    )
    model, baselines = tmp_path / "metrics.json", tmp_path / "baselines.json"
    evaluate_model(files, split, torch.device("cpu"), model, tmp_path / "plot.png")
    evaluate_baselines(files, split, torch.device("cpu"), baselines, tmp_path / "plot.png")
    expected = {n: words for n, words in documented("Metrics", "Key").items() if "." not in n}
    contents = [sealed_json(path) for path in (model, baselines)]
    check_types(expected, *contents)
    check_schema_heading("Metrics", contents[0])
    described = re.findall(r"`methods\.(\w+)`", SECTIONS["Metrics: `edn-metrics` version 2"])
    methods = contents[0]["methods"] | contents[1]["methods"]
    assert list(methods) == described
    check_columns("Metrics", "methods.*.", *methods.values())
    assert methods["model"]["ssim_face"] is not None
    evaluate_target(
        baselines, [model], *(tmp_path / f"table.{one}" for one in ("md", "json", "csv"))
    )
    table = sealed_json(tmp_path / "table.json")
    check_types(documented("Table", "Key"), table)
    check_schema_heading("Table", table)
    for row in table["rows"]:
        columns = {name: value for name, value in row.items() if name not in ("name", "title")}
        check_columns("Metrics", "methods.*.", columns)
    assert [set(column) for column in table["columns"]] == [
        {"name", "title", "unit", "better"}
    ] * len(columns)


def test_the_fidelity_of_a_transfer_is_as_documented(written, tmp_path):
    video = written / "frames.zip", written / "keypoints.h5"
    split = split_frames(N_FRAMES, EvaluationConfig(test_fraction=0.25))
    places = tmp_path / "metrics.json", tmp_path / "metrics.png"
    evaluate_transfer(TransferFiles(*video, *video, *video), split, None, *places)
    content = sealed_json(places[0])
    check_types(documented("Fidelity", "Key"), content)
    check_schema_heading("Fidelity", content)
    check_columns("Fidelity", "", *(content[one] for one in ("output", "own_video", "stranger")))


def test_the_background_plate_is_as_documented(written):
    plate = cv2.imread(str(written / "background.png"), cv2.IMREAD_UNCHANGED)
    assert (plate.dtype, plate.shape) == (np.uint8, (SIZE, SIZE + 32, 4))
    assert set(np.unique(plate[..., 3])) == {0, 255}
    assert not plate[plate[..., 3] == 0].any()


def test_the_preset_is_as_documented(tmp_path):
    path = tmp_path / "preset.yaml"
    presets.keep_preset(path, *presets.settle_preset(path))
    check_types(documented("The preset", "Key"), yaml.safe_load(path.read_text()))


def test_what_lies_beside_a_generator_is_as_documented(trained):
    state = torch.load(trained / "state.pt", weights_only=True)
    expected = documented("Beside", "Key of the state")
    unscored = dict(state, best_score=None)  # a validation slice that shows nobody
    check_types(expected, state, unscored)
    discriminator = torch.load(trained / "discriminator.safetensors", weights_only=True)
    check_types(documented("Beside", "Key of the discriminator"), discriminator)
    left = {path.name for path in trained.iterdir()} - {"generator.safetensors", "state.pt"}
    assert left == {"discriminator.safetensors", "metrics.jsonl", "tensorboard", "lock", "samples"}


def test_a_line_of_metrics_is_as_documented(trained):
    types = documented("Beside", "Key of a line")
    when = documented("Beside", "Key of a line", "when")
    here = ("always", "body, temporal", "without `training.vgg19`")
    expected = {name: words for name, words in types.items() if when[name] in here}
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    validations = [line for line in lines if "validation_ssim" in line]
    assert [line["step"] for line in lines if line not in validations] == [1, 2, 3]
    check_types(expected, *(line for line in lines if line not in validations))
    check_types(documented("Beside", "Key of a validation"), *validations)


def test_every_schema_of_the_library_has_a_section():
    source = Path(__file__).parent.parent / "edn_core"
    schemas = {
        match
        for path in source.rglob("*.py")
        for match in re.findall(r'^SCHEMA = "(edn-\w+)"', path.read_text(), re.M)
    }
    assert schemas == set(re.findall(r"^## .*`(edn-\w+)` version \d+$", DOCUMENT.read_text(), re.M))


def test_a_wrong_table_is_noticed():
    with pytest.raises(AssertionError, match="fps: the table says number"):
        check_types({"fps": "number"}, {"fps": "25"})
    with pytest.raises(AssertionError):
        check_types({"fps": "text"}, {"fps": "25", "width": 32})
    with pytest.raises(AssertionError, match="null"):
        check_types({"ankle_far": "number or null"}, {"ankle_far": 3.0})
