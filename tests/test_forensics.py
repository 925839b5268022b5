"""The detector of synthetic frames: it sees what differs, and not how frames were stored."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from board import curves
from test_contracts import check_heading, check_json, check_tensors, check_types, types
from tiny import N_FRAMES, SIZE, SPLIT, frames_info, paint, tiny_dancer, without

from edn_core.config import ForensicsConfig
from edn_core.forensics import (
    Subject,
    examine_video,
    fit_detector,
    list_subjects,
    load_detector,
    synthesize_own_dance,
    train_detector,
)
from edn_core.forensics.__main__ import main
from edn_core.forensics.compression import compress_again
from edn_core.forensics.detector import SCHEMA
from edn_core.forensics.folds import HELD_OUT, SAME_SUBJECT, plan_folds
from edn_core.forensics.pairs import couples, find_pairs, split_in_time
from edn_core.forensics.training import measure_detector
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import Keypoints, write_keypoints
from edn_core.provenance import Provenance, to_metadata
from edn_core.store import file_sha256, read_json
from edn_core.video import encode

CPU = torch.device("cpu")
SMALL = ForensicsConfig(steps=20, batch_size=8, channels=4, learning_rate=3e-3)
FIRST_HELD_OUT = SPLIT.test.start  # 18 of 24


def dancer(is_other: bool) -> Keypoints:
    """The tiny dancer; the other one dances the same backwards, on the other side."""
    one = tiny_dancer()
    if not is_other:
        return one
    xy = {part: values[::-1].copy() for part, values in one.xy.items()}
    for values in xy.values():
        values[..., 0] = SIZE - 1 - values[..., 0]
    return one.replaced(xy=xy, score={part: s[::-1].copy() for part, s in one.score.items()})


def photograph(keypoints: Keypoints, frame: int, is_other: bool, seed: int) -> np.ndarray:
    """A picture with a camera's noise, new in every frame; the other dancer's colours differ."""
    image = paint(keypoints, frame)
    if is_other:
        image = 255 - image[..., ::-1]
    noise = np.random.default_rng([seed, frame]).normal(0, 6, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def blurred(image: np.ndarray) -> np.ndarray:
    """What a poor generator makes of a picture."""
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def unchanged(image: np.ndarray) -> np.ndarray:
    return image


def write_store(path: Path, images: list[np.ndarray], quality: int, first: int = 0) -> Path:
    start_s = first / float(frames_info().fps)
    info = frames_info(len(images)).replaced(start_s=start_s)
    with FrameWriter(path, info, "jpeg", quality) as writer:
        for image in images:
            writer.append(image)
    return path


def make_subject(folder: Path, name: str, synthesize, is_other: bool = False) -> Subject:
    """Frames as filmed (JPEG 95), the held-out ones as synthesized, and a transfer (JPEG 98)."""
    keypoints = dancer(is_other)
    place = folder / name
    write_keypoints(place / "keypoints.h5", keypoints)
    images = [photograph(keypoints, frame, is_other, seed=0) for frame in range(N_FRAMES)]
    write_store(place / "frames.zip", images, 95)
    made = [synthesize(photograph(keypoints, i, is_other, seed=1)) for i in range(N_FRAMES)]
    write_store(place / "own.zip", made[FIRST_HELD_OUT:], 98, FIRST_HELD_OUT)
    write_store(place / "transfer.zip", made, 98)
    (subject,) = list_subjects(
        [name],
        [place / "frames.zip"],
        [place / "keypoints.h5"],
        [place / "own.zip"],
        [(name, place / "transfer.zip", place / "keypoints.h5"), ("somebody", "no", "such")],
    )
    return subject


@pytest.fixture(scope="module")
def different(tmp_path_factory) -> list[Subject]:
    """Two subjects whose synthetic frames are blurred."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("different")
    return [
        make_subject(folder, "anna", blurred),
        make_subject(folder, "ben", blurred, is_other=True),
    ]


@pytest.fixture(scope="module")
def alike(tmp_path_factory) -> list[Subject]:
    """Two subjects whose "synthetic" frames are photographs too, only stored as synthetic ones."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("alike")
    return [
        make_subject(folder, "anna", unchanged),
        make_subject(folder, "ben", unchanged, is_other=True),
    ]


@pytest.fixture(scope="module")
def trained(different, tmp_path_factory) -> Path:
    """A folder with everything that train_detector writes about the different subjects."""
    folder = tmp_path_factory.mktemp("trained")
    places = (folder / name for name in ("detector.safetensors", "metrics.json", "examples.png"))
    train_detector(different, SMALL, CPU, *places)
    return folder


# What it finds


def test_blurred_frames_of_a_subject_never_seen_are_told_from_photographs(trained):
    metrics = read_json(trained / "metrics.json")
    assert metrics["protocol"] == HELD_OUT
    assert [(one["name"], one["trained_on"]) for one in metrics["subjects"]] == [
        ("anna", ["ben"]),
        ("ben", ["anna"]),
    ]
    assert min(one["auc"] for one in metrics["subjects"]) > 0.9
    assert metrics["mean"]["auc"] > 0.9
    assert metrics["detector_trained_on"] == ["anna", "ben"]
    assert cv2.imread(str(trained / "examples.png")).std() > 10
    board = trained / "tensorboard"
    assert {path.name for path in board.iterdir()} == {"without_anna", "without_ben", "detector"}
    found = curves(board / "detector")
    assert set(found) == {"loss", "learning_rate"}
    assert [step for step, _ in found["loss"]] == [10, 20]


def test_photographs_are_not_told_from_photographs_by_how_they_were_stored(alike):
    anna, ben = alike
    entry, _ = measure_detector(fit_detector([anna], SMALL, CPU), ben, SMALL.pairs, CPU)
    assert 0.3 < entry["auc"] < 0.7


def test_of_one_subject_the_same_seed_gives_the_same_bytes(different, tmp_path):
    found = []
    for folder, seed in (("one", 0), ("two", 0), ("three", 1)):
        detector, *others = (tmp_path / folder / name for name in ("d", "metrics.json", "e.png"))
        brief = replace(SMALL, steps=2, seed=seed)
        metrics = train_detector(different[:1], brief, CPU, detector, *others)
        assert metrics["protocol"] == SAME_SUBJECT
        assert metrics["subjects"][0]["trained_on"] == ["anna"]
        found.append(file_sha256(detector))
    assert found[0] == found[1] != found[2]


# Who is learned from


def test_the_parts_of_one_subject_share_no_frame(different):
    earlier, later = split_in_time(different[0])
    # Frames 18 to 24 are held out; two thirds of them end at 22.
    assert earlier.real.first == tuple(range(21)) and later.real.first == (22,)
    assert earlier.own.first == (0, 1, 2) and later.own.first == (4,)
    assert earlier.transfers[0].first == tuple(range(15))
    assert later.transfers[0].first == tuple(range(16, 23))


def test_named_subjects_are_one_fold(different):
    for chosen in (
        {"train": ("anna",)},
        {"test": ("ben",)},
        {"train": ("anna",), "test": ("ben",)},
    ):
        protocol, folds = plan_folds(different, replace(SMALL, **chosen))
        assert protocol == HELD_OUT
        ((train,), (test,)) = folds[0].train, folds[0].test
        assert (len(folds), train.name, test.name) == (1, "anna", "ben")


def test_a_subject_that_is_unknown_and_nobody_left_to_test_on_are_refused(different):
    with pytest.raises(ValueError, match="forensics: names 'carl'; known targets: anna, ben"):
        plan_folds(different, replace(SMALL, train=("carl",)))
    with pytest.raises(ValueError, match="none to test on"):
        plan_folds(different, replace(SMALL, train=("anna", "ben")))


# Pairs


def test_the_own_dance_is_coupled_with_the_same_frames(different):
    anna = different[0]
    found = couples(anna, 1000)
    own = [(real, synthetic) for real, store, synthetic in found if store is anna.own]
    assert own == [(18 + i, i) for i in range(5)]
    assert len(found) == 5 + 23  # and every pair of the transfer with one of the target


def test_frames_in_which_nobody_is_seen_are_left_out(different, tmp_path):
    write_keypoints(tmp_path / "keypoints.h5", without(tiny_dancer(), [3, 20]))
    found = find_pairs(different[0].real.frames.path, tmp_path / "keypoints.h5")
    assert set(range(N_FRAMES - 1)) - set(found.first) == {2, 3, 19, 20}
    own = find_pairs(different[0].own.frames.path, tmp_path / "keypoints.h5", FIRST_HELD_OUT)
    assert own.first == (0, 3, 4)


def test_a_subject_never_seen_is_refused(different, tmp_path):
    write_keypoints(tmp_path / "keypoints.h5", without(tiny_dancer(), list(range(N_FRAMES))))
    anna = different[0]
    with pytest.raises(ValueError, match="anna is seen in no two frames in a row"):
        files = [anna.real.frames.path], [tmp_path / "keypoints.h5"], [anna.own.frames.path]
        list_subjects(["anna"], *files, [])


def test_what_is_compressed_again_keeps_its_colours_and_loses_its_noise():
    noise = np.random.default_rng(0).normal(0, 10, (2, 32, 48, 3))
    images = [np.clip(one + (180, 90, 40), 0, 255).astype(np.uint8) for one in noise]
    again = compress_again(images, 30)
    assert [one.shape for one in again] == [(32, 48, 3)] * 2
    np.testing.assert_allclose(again[1].mean(axis=(0, 1)), (180, 90, 40), atol=3)
    assert again[1].std(axis=(0, 1)).max() < 8
    np.testing.assert_array_equal(again, compress_again(images, 30))


def test_own_frames_are_the_held_out_ones_of_the_generator(tiny_target, tiny_body, tmp_path):
    path = tmp_path / "own.zip"
    synthesize_own_dance(tiny_body, tiny_target.labels, tiny_target.keypoints, path, SPLIT, CPU)
    info = FrameReader(path).info
    assert (info.n_frames, info.start_s) == (6, 18 / 25)
    assert info.generator_sha256 == file_sha256(tiny_body)


# Files


def test_the_files_are_as_documented(trained):
    found = load_detector(trained / "detector.safetensors")
    assert (found.channels, found.pixels, found.threshold) == (4, SIZE * SIZE, 0.5)
    assert found.trained_on == ("anna", "ben")
    check_tensors("Detector", trained / "detector.safetensors")
    check_heading("Detector", *SCHEMA)
    (content,) = check_json("Forensics", trained / "metrics.json")
    anna, _ = content["subjects"]
    without_own = anna | {"auc_own": None}
    check_types(types("Forensics", "Key of a subject"), anna, without_own)
    assert [one["n_pairs"] for one in content["subjects"]] == [56, 56]
    with pytest.raises(ValueError, match="no such detector; `snakemake forensics` trains one"):
        load_detector(trained / "none")


def test_the_metadata_of_a_video_is_as_documented():
    expected = types("What a finished video says", "Key of a video's metadata")
    check_types(expected, dict(to_metadata(Provenance("a", "b", "c")).texts))


# On videos


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """A film of the other dancer, and one as the poor generator would make it, marked as such."""
    folder = tmp_path_factory.mktemp("videos")
    film = [photograph(dancer(True), frame, True, seed=7) for frame in range(N_FRAMES)]
    encode(folder / "real.mp4", film, Fraction(25))
    about = to_metadata(Provenance("alice", "bob", "ab" * 32))
    encode(folder / "made.mp4", [blurred(one) for one in film], Fraction(25), metadata=about)
    return folder


def test_a_made_video_is_more_suspicious_than_a_film(trained, videos):
    found = load_detector(trained / "detector.safetensors")
    real, made = (examine_video(videos / f"{name}.mp4", found, CPU) for name in ("real", "made"))
    assert len(real.scores) == len(made.scores) == N_FRAMES - 1
    assert made.share > 0.8 and real.share < 0.2


def test_the_command_says_first_what_the_file_says_and_last_what_it_cannot_know(
    trained, videos, capsys
):
    main([str(videos / "made.mp4"), "--detector", str(trained / "detector.safetensors")])
    printed = capsys.readouterr().out
    places = [
        printed.index(words)
        for words in ("synthetic, says the file", "ab" * 32, "suspicious: ", "verdict: ", "limits:")
    ]
    assert places == sorted(places)
    assert "trained on anna, ben" in printed


def test_the_command_ends_in_one_line_where_there_is_no_video(trained, tmp_path):
    asked = [str(tmp_path / "none.mp4"), "--detector", str(trained / "detector.safetensors")]
    with pytest.raises(SystemExit, match=r"none\.mp4: no such video"):
        main(asked)
