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
from tiny import N_FRAMES, SIZE, SPLIT, cut_out, paint, tiny_dancer, tiny_info, without

from edn_core.config import ForensicsConfig
from edn_core.forensics import (
    SubjectFiles,
    examine_video,
    fit_detector,
    load_detector,
    open_subject,
    train_detector,
)
from edn_core.forensics.__main__ import main
from edn_core.forensics.crops import crop_corners, crop_size
from edn_core.forensics.detector import SCHEMA
from edn_core.forensics.folds import HELD_OUT, SAME_SUBJECT, plan_folds
from edn_core.forensics.pairs import Subject, couples, seen_pairs, split_in_time
from edn_core.forensics.training import measure_detector
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import Keypoints, write_keypoints
from edn_core.provenance import Provenance, to_metadata
from edn_core.store import file_sha256, read_json
from edn_core.synthesize import synthesize_frames
from edn_core.video import decode, encode

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


def film(path: Path, keypoints: Keypoints, is_other: bool, seed: int) -> list[np.ndarray]:
    """A video of the dancer, and its frames as they come out of it."""
    images = [photograph(keypoints, frame, is_other, seed) for frame in range(N_FRAMES)]
    encode(path, images, keypoints.fps)
    return list(decode(path, keypoints.clip))


def write_store(path: Path, images: list[np.ndarray], first: int = 0) -> Path:
    """Painted pictures whose mattes cover all of the room; a generator's are JPEG 98."""
    info = tiny_info(len(images))
    info = info.replaced(start_s=first / float(info.fps), channels=4)
    with FrameWriter(path, info, 98) as writer:
        for image in images:
            writer.append(np.dstack([image, np.full((SIZE, SIZE), 255, np.uint8)]))
    return path


def make_files(folder: Path, name: str, synthesize, is_other: bool = False) -> SubjectFiles:
    """A film, the held-out frames as synthesized, and a transfer."""
    keypoints = dancer(is_other)
    place = folder / name
    place.mkdir()
    write_keypoints(place / "keypoints.h5", keypoints)
    film(place / "film.mp4", keypoints, is_other, seed=0)
    made = [synthesize(one) for one in film(place / "other.mp4", keypoints, is_other, seed=1)]
    cv2.imwrite(str(place / "room.png"), np.zeros((SIZE, SIZE, 3), np.uint8))
    with FrameWriter(place / "frames.zip", tiny_info()) as writer:
        for _ in range(N_FRAMES):
            writer.append(None)  # only where its window lies is asked for
    return SubjectFiles(
        name,
        place / "film.mp4",
        place / "keypoints.h5",
        place / "frames.zip",
        write_store(place / "own.zip", made[FIRST_HELD_OUT:], FIRST_HELD_OUT),
        place / "room.png",
        ((write_store(place / "transfer.zip", made), place / "keypoints.h5"),),
    )


def make_subject(folder: Path, name: str, synthesize, is_other: bool = False) -> Subject:
    return open_subject(make_files(folder, name, synthesize, is_other))


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
    """Two subjects whose "synthetic" frames are filmed too, only stored as synthetic ones."""
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


def test_photographs_are_not_told_from_photographs_by_how_they_were_stored(alike, tmp_path):
    anna, ben = alike
    entry, _ = measure_detector(fit_detector([anna], SMALL, CPU, tmp_path), ben, SMALL.pairs, CPU)
    assert 0.3 < entry["auc"] < 0.7


def test_of_one_subject_the_same_seed_gives_the_same_bytes(different, tmp_path):
    found = []
    for folder in ("one", "two"):
        detector, *others = (tmp_path / folder / name for name in ("d", "metrics.json", "e.png"))
        brief = replace(SMALL, steps=2)
        metrics = train_detector(different[:1], brief, CPU, detector, *others)
        assert metrics["protocol"] == SAME_SUBJECT
        assert metrics["subjects"][0]["trained_on"] == ["anna"]
        found.append(file_sha256(detector))
    assert found[0] == found[1]


# Who is learned from


def test_the_parts_of_one_subject_share_no_frame(different):
    earlier, later = split_in_time(different[0])
    # Frames 18 to 24 are held out; two thirds of them end at 22.
    assert earlier.real.first == tuple(range(21)) and later.real.first == (22,)
    assert earlier.own.first == (0, 1, 2) and later.own.first == (4,)
    assert earlier.transfers[0].first == tuple(range(15))
    assert later.transfers[0].first == tuple(range(16, 23))


def test_named_subjects_are_one_fold_and_none_to_test_on_is_refused(different):
    protocol, folds = plan_folds(different, replace(SMALL, test=("ben",)))
    (((train,), (test,)),) = folds
    assert (protocol, train.name, test.name) == (HELD_OUT, "anna", "ben")
    with pytest.raises(ValueError, match="none to test on"):
        plan_folds(different, replace(SMALL, train=("anna", "ben")))


# Pairs


def test_the_own_dance_is_coupled_with_the_same_frames(different):
    anna = different[0]
    found = couples(anna, 1000)
    own = [(real, synthetic) for real, store, synthetic in found if store is anna.own]
    assert own == [(18 + i, i) for i in range(5)]
    assert len(found) == 5 + 23  # and every pair of the transfer with one of the target


def test_frames_in_which_nobody_is_seen_are_left_out():
    keypoints = without(tiny_dancer(), [3, 20])
    found = seen_pairs(keypoints, 0, N_FRAMES)
    assert set(range(N_FRAMES - 1)) - set(found) == {2, 3, 19, 20}
    assert seen_pairs(keypoints, FIRST_HELD_OUT, 6) == (0, 3, 4)


def test_a_subject_never_seen_is_refused(tmp_path):
    files = make_files(tmp_path, "anna", unchanged)
    write_keypoints(files.keypoints, without(tiny_dancer(), list(range(N_FRAMES))))
    with pytest.raises(ValueError, match="anna is seen in no two frames in a row"):
        open_subject(replace(files, transfers=()))


def test_a_crop_is_as_large_as_the_window_follows_it_and_stays_in_the_frame():
    # Three windows of 64 x 64 px at half the size, about x = 50, 30 and 95 of 100 x 80 px.
    to_frame = np.array([[[0.5, 0, x - 15.75], [0, 0.5, 24.25]] for x in (50, 30, 95)])
    info = tiny_info()
    assert crop_size(to_frame, info, (80, 100)) == (32, 32)
    assert crop_size(4 * to_frame, info, (81, 101)) == (80, 100)
    corners = crop_corners(to_frame, info, (32, 32), (80, 100))
    assert corners.tolist() == [[34, 24], [14, 24], [68, 24]]


def test_a_painted_dancer_is_looked_at_in_his_room_in_the_crop_of_the_filmed_one(tmp_path):
    files = make_files(tmp_path, "anna", unchanged)
    cv2.imwrite(str(files.room), np.full((SIZE, SIZE, 3), (30, 20, 10), np.uint8))
    with FrameWriter(files.own, tiny_info(6).replaced(start_s=18 / 25, channels=4), 98) as writer:
        for frame in range(FIRST_HELD_OUT, N_FRAMES):
            writer.append(cut_out(tiny_dancer(), frame))
    subject = open_subject(files)
    painted, filmed = subject.own.pair(0)[0], subject.real.pair(FIRST_HELD_OUT)[0]
    matte = cut_out(tiny_dancer(), FIRST_HELD_OUT)[..., 3]
    assert painted.shape == filmed.shape == (SIZE, SIZE, 3)
    bare = cv2.dilate(matte, np.ones((17, 17))) == 0  # by more than a block of JPEG
    assert bare.mean() > 0.2 and (painted[bare] == (10, 20, 30)).all()
    # Colours of the film, but for its noise.
    assert np.abs(painted.astype(int) - filmed)[matte == 255].mean() < 12


def test_a_picture_painted_whole_is_looked_at_as_it_is(tmp_path):
    files = make_files(tmp_path, "anna", unchanged)
    info, picture = tiny_info(6).replaced(start_s=18 / 25), paint(tiny_dancer(), 0)
    with FrameWriter(files.own, info, 98) as writer:
        for _ in range(6):
            writer.append(picture)
    painted, _ = open_subject(replace(files, room=None, transfers=())).own.pair(0)
    assert np.abs(painted.astype(int) - picture).mean() < 2


def test_own_frames_are_the_held_out_ones_of_the_generator(tiny_target, tiny_body, tmp_path):
    path, labels = tmp_path / "own.zip", FrameReader(tiny_target.labels)
    with FrameWriter(tmp_path / "labels.zip", labels.info) as writer:
        for frame in range(N_FRAMES):
            writer.append(None if frame == 20 else labels[frame])
    files = tiny_body, writer.path, tiny_target.keypoints, path
    synthesize_frames(*files, CPU, held_out=SPLIT.test)
    own = FrameReader(path)
    assert (own.info.n_frames, own.info.start_s) == (6, 18 / 25)
    assert own.info.to_video.shape == (6, 2, 3)
    assert own.info.generator_sha256 == file_sha256(tiny_body)
    assert [own.has(frame) for frame in range(6)] == [True, True, False, True, True, True]
    assert own[0].shape == (SIZE, SIZE, 4)


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
    filmed = film(folder / "real.mp4", dancer(True), True, seed=7)
    about = to_metadata(Provenance("alice", "bob", "ab" * 32))
    encode(folder / "made.mp4", [blurred(one) for one in filmed], Fraction(25), metadata=about)
    return folder


def test_a_made_video_is_more_suspicious_than_a_film(trained, videos):
    found = load_detector(trained / "detector.safetensors")
    real, made = (examine_video(videos / f"{name}.mp4", found, CPU) for name in ("real", "made"))
    assert len(real) == len(made) == N_FRAMES - 1
    assert (made > 0.5).mean() > 0.8 and (real > 0.5).mean() < 0.2


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
    asked = [str(videos / "none.mp4"), "--detector", str(trained / "detector.safetensors")]
    with pytest.raises(SystemExit, match=r"none\.mp4: no such video"):
        main(asked)
