"""The central contract: the store refuses, names the frame, and leaves nothing behind."""

from fractions import Fraction

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edn_core.config import SmoothingConfig
from edn_core.errors import Refused
from edn_core.keypoints import (
    Keypoints,
    check_keypoints,
    from_people,
    read_keypoints,
    write_keypoints,
)
from edn_core.skeleton import BODY_25, COCO_18, HAND_21, PARTS, part_skeleton
from edn_core.smoothing import smooth_keypoints

ABOUT = {"width": 256, "height": 512, "fps": Fraction(30000, 1001), "video": "alice"}


@pytest.fixture
def fleeting_dancer() -> Keypoints:
    """Four frames: every keypoint found, but in frame 3 no right hand, and nobody in frame 1."""
    person = {
        part: np.stack(
            [np.arange(count) + 10.0, np.arange(count) + 100.0, np.full(count, 0.5)], axis=1
        ).astype(np.float32)
        for part, count in ((part, len(part_skeleton(part))) for part in PARTS)
    }
    one_handed = {part: points for part, points in person.items() if part != "hand_right"}
    return from_people([person, None, person, one_handed], BODY_25, **ABOUT)


def assert_same(found: Keypoints, expected: Keypoints) -> None:
    """Every attribute equal, NaN where NaN."""
    for part in PARTS:
        np.testing.assert_array_equal(found.xy[part], expected.xy[part])
        np.testing.assert_array_equal(found.score[part], expected.score[part])
        assert found.xy[part].dtype == found.score[part].dtype == np.float32
    arrays = ("n_people", "figure_height", "bystanders", "bystander_frames")
    for name in arrays:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    for name in set(vars(expected)) - {"xy", "score", *arrays}:
        assert getattr(found, name) == getattr(expected, name), name


def test_what_was_written_is_read_back(tmp_path, fleeting_dancer):
    written = fleeting_dancer.replaced(
        n_people=np.array([1, 0, 2, 1], np.int16),
        backend="mediapipe",
        weights_sha256="ab",
        smoothed=True,
        normalized_to="bob",
        start_s=1.5,
        figure_height=np.array([300, 301, np.nan, 302], np.float32),
    )
    write_keypoints(tmp_path / "keypoints.h5", written)
    assert_same(read_keypoints(tmp_path / "keypoints.h5"), written)


def test_the_same_keypoints_give_the_same_bytes(tmp_path, fleeting_dancer):
    write_keypoints(tmp_path / "one.h5", fleeting_dancer)
    write_keypoints(tmp_path / "two.h5", fleeting_dancer)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


@pytest.mark.parametrize(
    ("array", "part", "place", "value", "message"),
    [
        ("score", "hand_left", 2, 1.5, "hand_left has a score outside 0..1 in frame 2"),
        ("xy", "hand_right", 2, np.inf, "hand_right has an infinite position in frame 2"),
        ("xy", "body", (3, 1, 1), np.nan, "body has a score but no position in frame 3"),
    ],
)
def test_a_broken_contract_is_refused_before_anything_is_written(
    tmp_path, fleeting_dancer, array, part, place, value, message
):
    getattr(fleeting_dancer, array)[part][place] = value
    with pytest.raises(ValueError, match=f"keypoints.h5: {message}"):
        write_keypoints(tmp_path / "keypoints.h5", fleeting_dancer)
    assert list(tmp_path.iterdir()) == []


def test_arrays_of_another_length_are_refused(fleeting_dancer):
    for name in ("n_people", "figure_height"):
        changed = fleeting_dancer.replaced(**{name: np.ones(3, np.int16)})
        with pytest.raises(ValueError, match=rf"{name} has shape \(3,\), expected \(4,\)"):
            check_keypoints(changed, "")
    fleeting_dancer.xy["face"] = fleeting_dancer.xy["face"][:3]
    with pytest.raises(ValueError, match=r"face has shapes \(3, 70, 2\) and \(4, 70\)"):
        check_keypoints(fleeting_dancer, "")


@pytest.fixture
def watched_dancer(fleeting_dancer) -> Keypoints:
    """The dancer of four frames, with one bystander in frame 1 and two in frame 3."""
    bodies = np.tile(np.array([7, 8, 0.5], np.float32), (3, len(BODY_25), 1))
    bodies[2, BODY_25.index("nose")] = (np.nan, np.nan, 0)
    return fleeting_dancer.replaced(
        bystanders=bodies, bystander_frames=np.array([1, 3, 3], np.int32)
    )


def test_bystanders_are_read_back_and_asked_for_by_frame(tmp_path, watched_dancer):
    write_keypoints(tmp_path / "keypoints.h5", watched_dancer)
    found = read_keypoints(tmp_path / "keypoints.h5")
    assert_same(found, watched_dancer)
    assert [len(found.bystanders_in(frame)) for frame in range(4)] == [0, 1, 0, 2]


def test_bystanders_outlive_smoothing_and_any_other_change_until_they_are_dropped(watched_dancer):
    for changed in (
        watched_dancer.replaced(video="bob"),
        smooth_keypoints(watched_dancer, SmoothingConfig()),
    ):
        np.testing.assert_array_equal(changed.bystanders, watched_dancer.bystanders)
        np.testing.assert_array_equal(changed.bystander_frames, [1, 3, 3])
    alone = watched_dancer.without_bystanders()
    check_keypoints(alone, "")
    assert alone.bystanders.shape == (0, 25, 3) and len(alone.bystander_frames) == 0
    assert alone.bystanders_in(3).shape == (0, 25, 3)
    assert len(watched_dancer.bystanders) == 3


@pytest.mark.parametrize(
    ("frames", "spoil", "message"),
    [
        ([1, 3], (), r"bystanders have shape \(3, 25, 3\), expected \(2, 25, 3\)"),
        ([3, 1, 3], (), "frames of bystanders run from 1 to 3, expected ascending numbers in 0..3"),
        ([1, 3, 3], (7, np.nan, 1), "a bystander has a score but no position in frame 3"),
    ],
)
def test_broken_bystanders_are_refused(tmp_path, watched_dancer, frames, spoil, message):
    if spoil:
        watched_dancer.bystanders[1, BODY_25.index("neck")] = spoil
    broken = watched_dancer.replaced(bystander_frames=np.array(frames, np.int32))
    with pytest.raises(ValueError, match=message):
        write_keypoints(tmp_path / "keypoints.h5", broken)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_changed_afterwards_is_refused(tmp_path, fleeting_dancer):
    path = tmp_path / "keypoints.h5"
    write_keypoints(path, fleeting_dancer)
    with h5py.File(path, "r+") as store:
        store["body/score"][2] = 0.25  # HDF5 has nothing against it
    with pytest.raises(Refused, match=r"keypoints.h5: is damaged: .*`snakemake"):
        read_keypoints(path)


def test_a_store_of_an_earlier_release_is_refused_by_that_name(tmp_path):
    with h5py.File(tmp_path / "keypoints.h5", "w") as store:
        store["body/xy"] = np.zeros((3, 25, 2))
    with pytest.raises(Refused, match=r"keypoints.h5: is of a release before 0.5; .*snakemake"):
        read_keypoints(tmp_path / "keypoints.h5")


def test_another_version_is_refused(tmp_path, fleeting_dancer, monkeypatch):
    monkeypatch.setattr("edn_core.keypoints.file.SCHEMA_VERSION", 3)
    write_keypoints(tmp_path / "keypoints.h5", fleeting_dancer)
    monkeypatch.undo()
    with pytest.raises(Refused, match="version 3, expected .* version 4; .*snake"):
        read_keypoints(tmp_path / "keypoints.h5")


def test_a_file_of_another_kind_is_refused_and_named(tmp_path):
    (tmp_path / "keypoints.h5").write_text("not HDF5")
    with pytest.raises(Refused, match=r"keypoints.h5: is damaged.*snakemake"):
        read_keypoints(tmp_path / "keypoints.h5")
    with pytest.raises(FileNotFoundError, match=r"nowhere.h5"):
        read_keypoints(tmp_path / "nowhere.h5")


def test_the_part_of_the_video_that_they_are_of_is_known(fleeting_dancer):
    clip = fleeting_dancer.replaced(start_s=1.5).clip
    assert (clip.video, clip.n_frames, clip.fps, clip.start_s) == ("alice", 4, ABOUT["fps"], 1.5)
    assert (clip.width, clip.height, clip.size) == (256, 512, (512, 256))


def test_the_dancer_is_moved_into_another_picture_alone_and_in_every_frame_elsewhere(
    watched_dancer,
):
    to = np.tile([[2.0, 0, 1], [0, 2, -1]], (4, 1, 1))
    to[3, 0, 2] = 5
    tall = watched_dancer.replaced(figure_height=np.full(4, 100, np.float32))
    found = tall.moved(to, (900, 500))
    check_keypoints(found, "")
    # The nose lies at (10, 100); nobody is in frame 1.
    np.testing.assert_array_equal(
        found.point("nose"), [[21, 199], [np.nan, np.nan], [21, 199], [25, 199]]
    )
    np.testing.assert_array_equal(found.score["body"], watched_dancer.score["body"])
    np.testing.assert_array_equal(found.figure_height, 200)
    assert (found.height, found.width, len(found.bystanders)) == (900, 500, 0)
    np.testing.assert_array_equal(watched_dancer.moved(to[0], (1, 1)).point("nose")[3], [21, 199])


def test_nobody_and_a_part_left_out_are_nan_with_score_0_and_counted_as_nobody(fleeting_dancer):
    assert np.isnan(fleeting_dancer.xy["body"][1]).all()
    assert (fleeting_dancer.score["body"][1] == 0).all()
    assert np.isnan(fleeting_dancer.xy["hand_right"][3]).all()
    assert fleeting_dancer.n_people.tolist() == [1, 0, 1, 1]
    assert fleeting_dancer.is_seen.tolist() == [True, False, True, True]


def test_a_keypoint_is_asked_for_by_name_and_one_the_skeleton_lacks_was_never_found(
    fleeting_dancer,
):
    assert fleeting_dancer.point("nose")[0].tolist() == [10, 100]
    assert fleeting_dancer.xy["hand_left"][3, HAND_21.index("wrist")].tolist() == [10, 100]
    assert fleeting_dancer.point_score("neck").tolist() == [0.5, 0, 0.5, 0.5]
    keypoints = from_people([None, None], COCO_18, **ABOUT)
    assert np.isnan(keypoints.point("left_heel")).all()
    assert keypoints.point_score("left_heel").tolist() == [0, 0]


def test_people_are_stacked_and_taken_apart_again(fleeting_dancer):
    people = [fleeting_dancer.person(frame) for frame in range(len(fleeting_dancer))]
    assert people[0]["face"].shape == (70, 3)
    assert_same(from_people(people, BODY_25, **ABOUT), fleeting_dancer)


@settings(deadline=None, max_examples=30)
@given(
    frames=st.lists(st.lists(st.booleans(), min_size=18, max_size=18), min_size=1, max_size=5),
    score=st.floats(0.125, 1, width=32),
)
def test_whatever_was_found_survives_the_file(tmp_path_factory, frames, score):
    people = []
    for found in np.array(frames):
        body = np.where(found[:, None], [3.25, -7.5, score], [np.nan, np.nan, 0])
        people.append({"body": body.astype(np.float32)})
    written = from_people(people, COCO_18, **ABOUT)
    path = tmp_path_factory.mktemp("store") / "keypoints.h5"
    write_keypoints(path, written)
    assert_same(read_keypoints(path), written)
