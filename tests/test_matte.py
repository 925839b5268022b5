"""The dancer's matte, against a dancer whose outline is drawn."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from outline import draw_outline
from tiny import without

from edn_core.band import dancer_size
from edn_core.config import MatteConfig
from edn_core.demo import DANCERS, Dancer, draw_frame, film_demo
from edn_core.errors import Refused
from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints, from_people, read_keypoints
from edn_core.matte import SIDE, find_matte, follow_square
from edn_core.skeleton import BODY_25
from edn_core.video import encode

TIMES = (0.5, 1.2, 2.6, 4.1, 5.3)  # s of the demo's dance
BY_SKELETON = MatteConfig(by="skeleton")


def film(path: Path, dancer: Dancer, beside: Dancer | None = None) -> tuple[Path, Keypoints]:
    """A few frames of a dancer and perhaps of another close beside him; his keypoints."""
    people, images = [], []
    for time_s in TIMES:
        image, person = draw_frame(dancer, time_s)
        if beside:
            other = draw_frame(beside, time_s)[0][: dancer.height, beside.width // 3 :]
            image = np.hstack([image[: beside.height], other])
        images.append(image)
        people.append(person)
    encode(path, images, Fraction(2))
    height, width = images[0].shape[:2]
    about = {"width": width, "height": height, "fps": Fraction(2), "video": path.stem}
    return path, from_people(people, BODY_25, **about)


def in_video(masks: FrameReader, frame: int) -> np.ndarray:
    """A matte in the video's picture: (H, W) 0..1."""
    info = masks.info
    size = info.video_width, info.video_height
    return cv2.warpAffine(masks[frame], info.to_video[frame], size) / 255


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> tuple[Path, Keypoints]:
    return film(tmp_path_factory.mktemp("alone") / "her.mp4", DANCERS["target"])


@pytest.mark.parametrize("name", DANCERS)
def test_the_network_finds_the_outline_that_was_drawn(name, pose_models, tmp_path):
    video, poses, masks = (tmp_path / file for file in ("a.mp4", "a.h5", "masks.zip"))
    film_demo(DANCERS[name], 3.0, Fraction(5), video, poses)
    keypoints = read_keypoints(poses)
    find_matte(video, keypoints, MatteConfig(), pose_models, masks)
    found, shares = FrameReader(masks), []
    info = found.info
    assert (info.codec, info.channels, info.size) == ("png", 1, (SIDE, SIDE))
    assert info.clip == keypoints.clip
    for frame in range(15):
        true, there = draw_outline(DANCERS[name], frame / 5) > 127, in_video(found, frame) > 0.5
        shares.append((there & true).sum() / (there | true).sum())
    # Over 60 frames: mean 0.961 of both dancers, worst 0.935 and 0.945.
    assert np.mean(shares) > 0.95 and min(shares) > 0.92


def test_nobody_else_is_taken_along(pose_models, tmp_path):
    video, keypoints = film(tmp_path / "two.mp4", DANCERS["source"], DANCERS["target"])
    find_matte(video, keypoints, MatteConfig(), pose_models, tmp_path / "masks.zip")
    masks = FrameReader(tmp_path / "masks.zip")
    width = DANCERS["source"].width
    for frame in range(len(TIMES)):
        matte = in_video(masks, frame)
        assert matte[:, width:].sum() < 0.01 * matte.sum()


def test_the_result_is_the_same_with_more_threads(alone, pose_models, tmp_path):
    video, keypoints = alone
    for threads in (1, 2):
        path = tmp_path / f"{threads}.zip"
        find_matte(video, keypoints, MatteConfig(), pose_models, path, threads)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_a_frame_without_the_dancer_has_no_matte(alone, tmp_path):
    video, keypoints = alone
    lost = without(keypoints, [0, 3])
    find_matte(video, lost, BY_SKELETON, "nowhere", tmp_path / "masks.zip", threads=2)
    masks = FrameReader(tmp_path / "masks.zip")
    assert [masks.has(frame) for frame in range(5)] == [False, True, True, False, True]


def test_without_the_network_the_widened_skeleton_stands_in(alone, tmp_path, log):
    video, keypoints = alone
    find_matte(video, keypoints, BY_SKELETON, "nowhere", tmp_path / "masks.zip")
    assert "no network; the skeleton, widened, stands in for the matte" in log()
    masks = FrameReader(tmp_path / "masks.zip")
    for frame, time_s in enumerate(TIMES):
        found, truth = in_video(masks, frame) > 0.5, draw_outline(DANCERS["target"], time_s) > 127
        assert (found & truth).sum() > 0.9 * truth.sum()
        assert found.sum() < 2 * truth.sum()


def test_a_missing_network_is_refused_and_nothing_is_left(alone, tmp_path):
    video, keypoints = alone
    with pytest.raises(Refused, match=r"pose_\w+\.tflite: is missing"):
        find_matte(video, keypoints, MatteConfig(), tmp_path, tmp_path / "masks.zip")
    assert list(tmp_path.iterdir()) == []


def test_the_square_holds_all_that_was_found_and_keeps_its_size_when_a_limb_is_lost():
    dancer = DANCERS["target"]
    people = [draw_frame(dancer, number / 10)[1] for number in range(12)]
    about = {"width": dancer.width, "height": dancer.height, "fps": Fraction(10), "video": "her"}
    keypoints = from_people(people, BODY_25, **about)
    squares, seen = follow_square(keypoints)
    assert seen.all()
    for square, person in zip(squares, people, strict=True):
        distance = np.hypot(*(person["body"][:, :2] - [square.x, square.y]).T)
        assert np.nanmax(distance) < square.size / 2
    legs = [BODY_25.index(f"{side}_{joint}") for side in ("left", "right") for joint in (
        "knee", "ankle", "heel", "big_toe", "small_toe")]  # fmt: skip
    lost = [{part: points.copy() for part, points in person.items()} for person in people]
    lost[6]["body"][legs] = np.nan, np.nan, 0
    sizes = [square.size for square in follow_square(from_people(lost, BODY_25, **about))[0]]
    np.testing.assert_allclose(sizes, [square.size for square in squares], rtol=0.02)


def test_a_dancers_size_is_the_longer_side_of_the_body(standing_dancer):
    # From the eyes, y = 62, to the toes, y = 358.
    assert dancer_size(standing_dancer) == 358 - 62
