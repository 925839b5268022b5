"""Keypoint files against what is known of their video: its frames, its size, a body's anatomy."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import STANDING
from keypoint_files import document, made, people_in, standing, write_all
from tiny import film

from edn_core.keypoints import Doubt, read_keypoints, write_keypoints
from edn_core.pictures import write_preview
from edn_core.preflight.poses import pose_findings
from edn_core.skeleton import COCO_18, EDN_23, WHOLEBODY_133
from edn_core.video import decode, probe

NOSE, NECK, WRIST = map(COCO_18.index, ("nose", "neck", "left_wrist"))
LAST = np.array([199, 399])  # the centre of the video's last pixel


def scaled(body: np.ndarray, by: float | np.ndarray, shift: float = 0.0) -> np.ndarray:
    return np.column_stack([body[:, :2] * by + shift, body[:, 2]])


def walk(n_frames: int, first: int = 0) -> dict[int, np.ndarray]:
    """Numbered bodies, the nose of the first at x = 100, of each half a pixel further."""
    return {first + i: standing() + [i / 2, 0, 0] for i in range(n_frames)}


def noses(path: Path, n_frames: int, **changes: object) -> list[float | None]:
    """x of the nose in every frame of the video, None for nobody."""
    found = made(path, n_frames, **changes).find([np.zeros(0)] * n_frames, 0)
    return [float(people[0]["body"][NOSE, 0]) if people else None for people in found]


def doubts(path: Path, n_frames: int = 20, **changes: object) -> dict[str, Doubt]:
    return {one.what: one for one in made(path, n_frames, **changes).doubts}


# The scale


def test_a_stray_point_of_low_score_does_not_make_fractions_signed(tmp_path, log):
    fractions = {i: scaled(standing(), 1 / LAST) for i in range(90)}
    fractions[40][WRIST] = -0.08, 0.5, 0.05
    write_all(tmp_path, fractions)
    body = people_in(tmp_path, 40, 90)[0]["body"]
    expected = standing()
    expected[WRIST] = np.nan, np.nan, 0
    np.testing.assert_allclose(body, expected, atol=1e-3)
    assert "coordinates are fraction: 1619 of 1620 points lie in 0..1" in log()
    says = (
        "1 of 1620 points lie outside the picture and are missing, in 1 frames, first in frame 40"
    )
    assert doubts(tmp_path, 90) == {"points outside": Doubt("points outside", 1 / 90, says)}
    for i in range(40):  # 41 of 1620 points, and sure
        fractions[i][WRIST, 0] = -0.1
    write_all(tmp_path, fractions)
    with pytest.raises(
        ValueError, match=r"2\.5% of the points outside of 0\.\.1; .* pose\.coordin"
    ):
        made(tmp_path, 90)


@pytest.mark.parametrize(("coordinates", "by", "shift"), [("fraction", 1, 0), ("signed", 2, -1)])
@pytest.mark.parametrize("is_told", [True, False])
def test_what_lies_in_the_whole_picture_becomes_pixels(tmp_path, coordinates, by, shift, is_told):
    # Of the first frame alone all points are positive: all files together say what they are.
    bodies = {0: standing() * [0.5, 0.2, 1] + [100, 200, 0], 1: standing()}
    write_all(tmp_path, {i: scaled(one, by / LAST, shift) for i, one in bodies.items()})
    settings = {"coordinates": coordinates} if is_told else {}
    np.testing.assert_allclose(people_in(tmp_path, 1, **settings)[0]["body"], standing(), atol=1e-3)


@pytest.mark.parametrize("low_and_high", [(0.0, 1.3), (-1.3, 0.9), (150.0, 0.9)])
def test_numbers_that_may_be_one_or_the_other_are_asked_for(tmp_path, low_and_high):
    body = scaled(standing(), 1 / LAST)
    body[:2, 0] = low_and_high
    write_all(tmp_path, {0: body})
    with pytest.raises(ValueError, match=r"the coordinates lie in .*pose\.coordinates: pixels, fr"):
        made(tmp_path)


@pytest.mark.parametrize(("told", "x"), [("fraction", 1), ("signed", 0.5)])
def test_positive_numbers_that_may_be_the_lower_right_quarter_are_asked_for(tmp_path, told, x):
    # A third as large and far off: as -1..1 he stands in the lower right.
    write_all(tmp_path, {i: scaled(standing(), 0.3 / LAST, 0.6) for i in range(5)})
    with pytest.raises(ValueError, match=r"or -1\.\.1 of its lower right quarter; say which: pose"):
        made(tmp_path)
    nose = people_in(tmp_path, coordinates=told)[0]["body"][NOSE, 0]
    assert nose == pytest.approx(199 - x * (0.4 * 199 - 0.3 * 100), abs=1e-3)


def test_an_unsure_point_outside_is_missing_and_many_sure_ones_are_refused(tmp_path):
    bodies = walk(10)
    bodies[3][WRIST], bodies[4][WRIST] = (-30, 200, 0.05), (-3, 200, 0.05)
    bodies[5][WRIST] = -3, 200, 0.9
    write_all(tmp_path, bodies)
    wrists = [people_in(tmp_path, i)[0]["body"][WRIST, 0] for i in (2, 3, 4, 5)]
    np.testing.assert_allclose(wrists, [141, np.nan, np.nan, -3])
    assert doubts(tmp_path)["points outside"].share == pytest.approx(0.2)
    write_all(tmp_path, {i: scaled(one, 1.5) for i, one in bodies.items()})  # of 300 x 600 px
    with pytest.raises(ValueError, match=r"0\.json: a point lies at .* 200x400; so do \d+%; give"):
        made(tmp_path)
    write_all(tmp_path, {i: scaled(standing(), 0.5) for i in bodies})  # of 100 x 200 px
    assert doubts(tmp_path)["smaller picture"].share == 1


@pytest.mark.parametrize(
    # The video's 200 x 400 px on 400 x 400: twice as wide; between bars; twice as large, cut.
    ("fit", "there"),
    [("stretched", (200.5, 200)), ("letterboxed", (200, 200)), ("cropped", (200.5, 200.5))],
)
def test_a_canvas_of_another_aspect_is_asked_about_and_undone(tmp_path, fit, there):
    body = scaled(standing(), 0.5, 150)
    body[NOSE, :2] = there
    write_all(tmp_path, {0: body}, canvas_width=400, canvas_height=400)
    found = r"0\.json: points on a canvas of 400x400, the video is 200x400, .*pose\.canvas_fit"
    with pytest.raises(ValueError, match=found):
        made(tmp_path)
    nose = people_in(tmp_path, canvas_fit=fit)[0]["body"][NOSE, :2]
    np.testing.assert_allclose(nose, [100, 200], atol=1e-3)


# The numbers


@pytest.mark.parametrize(
    ("files", "first_seen"),
    [((84, 6), 6), ((90, 30003), 0), ((90, 1), 0), ((85, 6), 5), ((91, 0), 0)],
)
def test_the_videos_90_frames_say_which_file_is_the_first(tmp_path, files, first_seen):
    write_all(tmp_path, walk(*files))
    expected = [None] * first_seen + [100 + i / 2 for i in range(files[0])]
    assert noses(tmp_path, 90) == expected[:90]


def test_numbers_that_may_be_or_fit_in_no_way_are_told_or_asked_for(tmp_path):
    write_all(tmp_path, walk(84, 6))
    doubt = doubts(tmp_path, 90)["numbers from 0 or 1"]
    assert doubt.share == pytest.approx(6 / 90)
    assert doubt.says.startswith(
        "files 6 to 89 were counted from 0, but may be from 1: say in pose"
    )
    assert noses(tmp_path, 90, first_number=1)[4:7] == [None, 100, 100.5]
    write_all(tmp_path / "own", walk(84, 6), "a_{:012d}_keypoints.json")  # OpenPose's of a video
    assert doubts(tmp_path / "own", 90) == {}
    write_all(tmp_path / "far", walk(30, 100))
    message = (
        r"files 100 to 129, but the video has 90 frames; say in pose\.first_number \(or videos"
    )
    with pytest.raises(ValueError, match=message):
        made(tmp_path / "far", 90)
    found = noses(tmp_path / "far", 90, first_number=110)
    assert found[:2] + found[19:21] == [105, 105.5, 114.5, None]
    told = doubts(tmp_path / "far", 90, first_number=110)
    assert told["files beyond video"].says == "10 of 30 files lie beyond the video's 90 frames"
    assert told["files end early"].share == pytest.approx(70 / 90)


def test_a_list_of_frames_in_one_file_is_an_entry_a_frame(tmp_path):
    bodies = [{"pose_keypoints_2d": one.ravel().tolist()} for one in walk(5).values()]
    frames = [json.loads(document(one)) for one in bodies]
    frames[2]["people"] = []
    path = tmp_path / "pose.json"
    path.write_text(json.dumps(frames))
    assert noses(tmp_path, 5) == noses(path, 5) == [100, 100.5, None, 101.5, 102]
    for wrong, message in (
        (json.dumps([*frames, []]), r"pose\.json, entry 5: has no list 'people'"),
        (document(), "frames in it: 1, expected a numbered file for each"),
    ):
        path.write_text(wrong)
        with pytest.raises(ValueError, match=message):
            made(path)


# The points of a body


@pytest.mark.parametrize(
    ("names", "skeleton", "found"),
    [
        ((*WHOLEBODY_133.keypoints[:17], "neck"), COCO_18, "of COCO's 17 and the neck"),
        (WHOLEBODY_133.keypoints[:23], EDN_23, "of COCO-WholeBody's body and feet"),
        (np.random.default_rng(0).permutation(COCO_18.keypoints), COCO_18, "100% of the frames"),
    ],
)
def test_points_in_another_order_are_refused_and_it_is_named(tmp_path, names, skeleton, found):
    write_all(tmp_path, dict.fromkeys(range(6), np.array([(*STANDING[one], 1) for one in names])))
    expected = f"{found}, expected the order of {skeleton.name}: {skeleton.keypoints[0]}, "
    with pytest.raises(ValueError, match=expected):
        made(tmp_path)


def test_a_wrong_neck_a_mirrored_body_and_a_wild_arm_are_told_with_their_shares(tmp_path):
    bodies = walk(20)
    for i in range(4):
        bodies[i][NECK, :2] = 100, 170
    for i in range(6, 8):
        bodies[i][WRIST, :2] = 20, 380
    write_all(tmp_path, {i: one * [-1, 1, 1] + [199, 0, 0] for i, one in bodies.items()})
    expected = {"neck off": 0.2, "limbs too long": 0.1, "left is right": 1}
    found = doubts(tmp_path)
    assert {what: round(one.share, 2) for what, one in found.items()} == expected
    says = "left is right (were they mirrored?) in 100% of the frames"
    assert found["left is right"].says == says
    for one in bodies.values():
        one[NECK, :2] = 100, 170
    write_all(tmp_path, bodies)
    with pytest.raises(
        ValueError, match=r"neck is not between the shoulders in 100% of the frames"
    ):
        made(tmp_path)


def test_scores_in_per_cent_are_told_and_scores_of_0_are_named(tmp_path):
    write_all(tmp_path, {i: one * [1, 1, 100] for i, one in walk(5).items()})
    says = "scores run to 90, not to 1, in 100% of the frames: such are 1"
    assert doubts(tmp_path)["scores above 1"].says == says
    assert people_in(tmp_path)[0]["body"][NOSE, 2] == 1
    write_all(tmp_path, {i: one * [1, 1, 0] for i, one in walk(5).items()})
    with pytest.raises(
        ValueError, match=r"nobody .* 5 frames; 5 bodies have a score of 0 at every"
    ):
        made(tmp_path)


def test_doubts_stand_in_the_keypoints_the_preflight_and_the_preview(tmp_path, standing_dancer):
    told = Doubt("left is right", 0.95, "in 95% of the frames"), Doubt("neck off", 0.2, "in 20%")
    keypoints = standing_dancer.replaced(doubts=told)
    write_keypoints(tmp_path / "k.h5", keypoints)
    assert read_keypoints(tmp_path / "k.h5").doubts == told
    one, other = pose_findings(keypoints, keypoints)[-2:]
    assert (one.name, one.value, one.verdict) == ("left_is_right", 95, "poor")
    assert (other.says, other.value, other.verdict) == ("in 20%", 20, "fair")
    film(tmp_path / "a.mkv", [np.full((400, 200, 3), 90, np.uint8)] * 5)
    corners = []
    for which in (keypoints, standing_dancer):
        write_preview(tmp_path / "a.mkv", which, tmp_path / "preview.mp4")
        shown = next(decode(tmp_path / "preview.mp4", probe(tmp_path / "preview.mp4").timeline()))
        corners.append(shown[:50, :100].mean())
    assert corners[1] == pytest.approx(90, abs=3) and corners[0] < 70  # white on two black bars
