"""Poses found anew in pictures, transfers without a truth, and the tables of it all.

The pose backend here finds two keypoints by their colours, so that every number is known.
"""

import csv
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import SPLIT, film, tiny_info

from edn_core.config import PoseConfig
from edn_core.evaluate import (
    EvaluationFiles,
    Measures,
    TransferFiles,
    evaluate_target,
    evaluate_transfer,
    evaluate_truth,
)
from edn_core.evaluate.__main__ import main
from edn_core.evaluate.compare import Shown, Truth, compare_methods
from edn_core.evaluate.transfer import MEASURES
from edn_core.frames import FrameWriter
from edn_core.keypoints import from_people, missing_person, read_keypoints, write_keypoints
from edn_core.metrics import read_table
from edn_core.metrics.parts import hand_changes, missing_parts
from edn_core.pose import BACKENDS
from edn_core.pose.backend import Backend
from edn_core.skeleton import BODY_25
from edn_core.store import read_json

CPU = torch.device("cpu")
SIZE, N_FRAMES = 64, 24
COLOURS = {"nose": (255, 0, 0), "neck": (0, 0, 255)}
DOTS = PoseConfig(backend="dots")


def make_dots(config, video, threads=1, device="auto"):
    """A backend for whom a person is a red and a blue pixel; without both there is nobody."""

    def find(images, first):
        people = []
        for image in images:
            person = missing_person()
            for name, colour in COLOURS.items():
                places = np.argwhere((image == colour).all(axis=2))
                if len(places):
                    y, x = places[0]
                    person["body"][BODY_25.index(name)] = x, y, 1
            people.append([person] if (person["body"][:, 2] > 0).any() else [])
        return people

    return Backend(BODY_25, "", find)


@pytest.fixture(autouse=True)
def _backend(monkeypatch):
    monkeypatch.setitem(BACKENDS, "dots", make_dots)


def place(frame: int) -> dict[str, tuple[int, int]]:
    """Where the dots are: they walk to the right, the neck 20 px below the nose."""
    return {"nose": (10 + frame, 15), "neck": (10 + frame, 35)}


def picture(frame: int, shift: int = 0, without: str = "") -> np.ndarray:
    image = np.full((SIZE, SIZE, 3), 120, np.uint8)
    for name, (x, y) in place(frame).items():
        if name != without:
            image[y, x + shift] = COLOURS[name]
    return image


def dancer(video: str = "tiny", n_frames: int = N_FRAMES):
    """Who is there: the two points."""
    people = []
    for frame in range(n_frames):
        person = missing_person()
        for name, (x, y) in place(frame).items():
            person["body"][BODY_25.index(name)] = x, y, 1
        people.append(person)
    return from_people(people, BODY_25, width=SIZE, height=SIZE, fps=Fraction(25), video=video)


def write_video(folder: Path, images: list[np.ndarray], keypoints) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    write_keypoints(folder / "keypoints.h5", keypoints)
    return film(folder / "film.mkv", images), folder / "keypoints.h5"


def write_made(folder: Path, images: list[np.ndarray], keypoints) -> tuple[Path, Path]:
    """Synthesized pictures that show all of the target's video, and what was asked for."""
    write_keypoints(folder / "keypoints.h5", keypoints)
    with FrameWriter(folder / "frames.zip", tiny_info(len(images), codec="png")) as writer:
        for image in images:
            writer.append(image)
    return folder / "frames.zip", folder / "keypoints.h5"


@pytest.fixture
def files(tiny_target, tmp_path) -> EvaluationFiles:
    """A target whose truth was looked at."""
    video, points = write_video(tmp_path, [picture(frame) for frame in range(N_FRAMES)], dancer())
    truth = tmp_path / "truth_keypoints.h5"
    evaluate_truth(video, points, SPLIT, DOTS, truth)
    room = tmp_path / "room.png"
    Image.fromarray(np.full((SIZE, SIZE, 3), 120, np.uint8)).save(room)
    return EvaluationFiles(video, points, tiny_target.labels, room=room, truth=truth)


def test_the_truth_is_looked_at_in_the_held_out_frames_only(files):
    truth = read_keypoints(files.truth)
    assert len(truth) == N_FRAMES
    assert np.flatnonzero((truth.score["body"] > 0).any(axis=1)).tolist() == list(SPLIT.test)
    np.testing.assert_array_equal(truth.point("nose")[20], place(20)["nose"])
    assert (truth.backend, truth.smoothed) == ("dots", False)


def rows_of(files, images):
    truth = Truth(files, SPLIT, Measures(DOTS), CPU)
    shown = truth.with_poses(map(Shown, images), 1)
    return [one.rows["model"] for one in compare_methods(truth, {"model": shown})]


def test_a_shift_of_the_output_is_its_pose_distance_and_a_lost_point_is_missed(files):
    images = [picture(frame, 3) for frame in SPLIT.test]
    images[-1] = picture(SPLIT.test[-1], without="neck")
    images[-2] = np.zeros_like(images[0])  # nobody
    rows = rows_of(files, images)
    assert [row["pose_body_px"] for row in rows[:-2]] == [3] * (len(rows) - 2)
    assert (rows[-1]["pose_all_px"], rows[-1]["missed_body"]) == (0, 1)
    assert np.isnan(rows[-2]["pose_all_px"])
    assert rows[-2]["missed_all"] == 2
    assert rows[0]["missed_all"] == rows[0]["missed_face"] == 0


def table_of(files, generators, folder):
    places = folder / "table.json", folder / "comparison.png"
    return evaluate_target(files, generators, SPLIT, CPU, *places, Measures(DOTS, threads=2))


def test_the_baselines_have_poses_too(files, tmp_path):
    result = table_of(files, [], tmp_path)
    assert result["n_poses"] == len(SPLIT.test) == 6
    # The last training frame is 15, 16 is for validation: the nearest pose stands still there.
    last = SPLIT.train_frames[-1]
    expected = np.mean([frame - last for frame in SPLIT.test])
    nearest, mean, _ = result["rows"]
    assert nearest["pose_body_px"] == pytest.approx(expected)
    assert mean["pose_body_px"] is None
    assert mean["missed_body"] == 2
    assert not any(name.startswith("pose") for name in result["absent"])
    # Nothing of a torso was seen: the height of the picture stands in.
    assert result["torso_px"] == 64


# Transfers


@pytest.fixture
def transfer(files, tmp_path) -> TransferFiles:
    """The target shown 2 px off where it was asked to be; the source is a black room."""
    made = write_made(
        tmp_path / "out", [picture(frame, 2) for frame in range(N_FRAMES)], dancer("walk")
    )
    dark = [np.zeros((SIZE, SIZE, 3), np.uint8)] * N_FRAMES
    source = write_video(tmp_path / "source", dark, dancer("walk"))
    return TransferFiles(*made, files.video, files.keypoints, *source, truth=files.truth)


def judged(transfer, folder, pose=DOTS):
    return evaluate_transfer(transfer, SPLIT, pose, folder / "metrics.json", folder / "m.png")


def test_a_transfer_is_judged_beside_its_references(transfer, tmp_path):
    result = judged(transfer, tmp_path)
    assert read_json(tmp_path / "metrics.json") == result
    assert (result["schema"], result["schema_version"]) == ("edn-fidelity", 2)
    assert result["n_frames"] == N_FRAMES
    assert (result["output"]["pose_body_px"], result["own_video"]["pose_body_px"]) == (2, 0)
    assert result["output"]["pose_body_percent"] == pytest.approx(100 * 2 / 64, abs=1e-4)
    assert result["output"]["missed_all"] == result["own_video"]["missed_all"] == 0
    assert result["output"]["colour_intersection"] > 0.95
    assert result["stranger"]["colour_intersection"] < 0.01
    assert result["stranger"]["colour_distance"] > 10 > result["output"]["colour_distance"]
    assert result["output"]["background_flicker"] == 0
    for column in ("output", "own_video", "stranger"):
        assert tuple(result[column]) == MEASURES
    with Image.open(tmp_path / "m.png") as plot:
        assert plot.width > 1000


def test_a_flickering_room_is_noticed_also_where_no_backend_looks_for_poses(transfer, tmp_path):
    images = [picture(frame, 2) for frame in range(N_FRAMES)]
    images[1::2] = [np.where(image == 120, 130, image).astype(np.uint8) for image in images[1::2]]
    frames, _ = write_made(tmp_path / "out", images, dancer("walk"))
    files = replace(transfer, frames=frames, truth=None)
    result = judged(files, tmp_path, PoseConfig(backend="openpose_files"))
    assert result["output"]["background_flicker"] == pytest.approx(10, abs=0.01)
    assert result["own_video"]["background_flicker"] == 0
    assert result["output"]["flow_warping"] > 5 * result["own_video"]["flow_warping"]
    assert "openpose_files" in result["absent"]["missed_body"]
    assert result["output"]["pose_all_px"] is None


def test_a_head_that_was_not_painted_is_missing_and_one_outside_of_the_picture_is_not(
    standing_dancer,
):
    matte = np.zeros((400, 200), np.uint8)
    matte[90:] = 255  # all below the chin
    found = missing_parts(matte, standing_dancer, 0)
    assert found == {"missing_head": 1, "missing_hands": 0, "missing_feet": 0}
    assert missing_parts(np.full_like(matte, 255), standing_dancer, 0)["missing_head"] == 0
    up = standing_dancer.moved(np.array([[1, 0, 0], [0, 1, -120.0]]), (400, 200))
    assert np.isnan(missing_parts(matte, up, 0)["missing_head"])


# Tables


@pytest.fixture
def table(files, tiny_body, tmp_path):
    """A folder of results with a table of one stage."""

    def make(name: str):
        table_of(files, [tiny_body], tmp_path / name / "evaluation" / "tiny")
        return tmp_path / name

    return make


def test_a_table_holds_the_baselines_then_the_stages(table):
    folder = table("results") / "evaluation" / "tiny"
    content = read_table(folder / "table.json")
    assert [row["name"] for row in content["rows"]] == [
        *("nearest_pose", "mean_frame", "body", "truth")
    ]
    text = (folder / "table.md").read_text()
    assert "| nearest pose |" in text and "| body |" in text
    assert "Not measured:" in text and "evaluation.alexnet is not set" in text
    with open(folder / "table.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[2]["name"] == "body"
    assert float(rows[2]["missed_all"]) == content["rows"][2]["missed_all"] == 2
    assert rows[2]["lpips"] == ""


def test_two_folders_of_results_stand_side_by_side(table, capsys):
    room, paint = table("room"), table("paint")
    main(["compare", str(room), str(paint)])
    text = capsys.readouterr().out
    assert text.startswith("# tiny\n")
    assert f"| {room}: body |" in text and f"| {paint}: body |" in text
    with pytest.raises(SystemExit, match=r"edn: error: .*nowhere: .*snakemake evaluation"):
        main(["compare", "nowhere"])


@pytest.mark.parametrize(("scores", "changes"), [([1, 0, 1, 1, 1], 2), ([1, 0.15, 0.05, 0, 0], 1)])
def test_a_hand_that_comes_and_goes_is_counted_and_one_that_fades_counts_once(
    standing_dancer, scores, changes
):
    standing_dancer.score["hand_left"][:] = np.array(scores)[:, None]
    assert hand_changes(standing_dancer) == changes / 0.2  # five frames are a fifth of a second
