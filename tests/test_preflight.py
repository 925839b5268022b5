"""Will this work? What the preflight finds in videos and pairs whose faults are known."""

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import STANDING
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from test_contracts import check_schema_heading, check_types, documented

from edn_core.config import EvaluationConfig
from edn_core.frames import FrameReader, FramesInfo, FrameWriter
from edn_core.keypoints import Keypoints, from_people, write_keypoints
from edn_core.preflight import PairFiles, coverage, footage, pair, poses, preflight_pair
from edn_core.preflight import preflight_video as look_into
from edn_core.preflight.coverage import body_poses, measure_coverage, nearest_poses
from edn_core.preflight.describe import commoner_words, describe_pose
from edn_core.preflight.finding import Finding, Measure, make_finding, reasons, worst_verdict
from edn_core.preflight.pair import find_gaps
from edn_core.preflight.poses import JOINTS, pose_findings
from edn_core.skeleton import BODY_25, COCO_18, convert
from edn_core.split import Split, split_frames
from edn_core.store import read_json

DOCUMENT = Path(__file__).parent.parent / "docs" / "preflight.md"
WIDTH, HEIGHT = 200, 400
INFO = FramesInfo("ann", 1, Fraction(25), WIDTH, HEIGHT, WIDTH, HEIGHT, 1.0, (0, 0))
UPPER = ("nose", "shoulder", "elbow", "wrist", "hip")
LOWER = ("hip", "knee", "ankle")


def dancer(n_frames: int, video: str = "ann", **places: tuple[float, float]) -> Keypoints:
    """The standing dancer of conftest, n times, with these joints elsewhere."""
    at = STANDING | places
    body = np.array([(*at[name], 0.9) for name in BODY_25.keypoints], np.float32)
    return from_people(
        [{"body": body.copy()} for _ in range(n_frames)],
        BODY_25,
        width=WIDTH,
        height=HEIGHT,
        fps=Fraction(25),
        video=video,
    )


def joined(*parts: Keypoints) -> Keypoints:
    """One dancer after the other."""
    first = parts[0]
    xy = {name: np.concatenate([one.xy[name] for one in parts]) for name in first.xy}
    score = {name: np.concatenate([one.score[name] for one in parts]) for name in first.score}
    return first.replaced(xy=xy, score=score, n_people=np.ones(len(xy["body"]), np.int16))


def lose(keypoints: Keypoints, name: str, frames: slice | list[int]) -> Keypoints:
    """These body keypoints (all whose name ends so) are not found in these frames."""
    for row, one in enumerate(keypoints.skeleton.keypoints):
        if one.endswith(name):
            keypoints.xy["body"][frames, row] = np.nan
            keypoints.score["body"][frames, row] = 0
    return keypoints


def moved(keypoints: Keypoints, x: float, y: float) -> Keypoints:
    return keypoints.replaced(xy={p: v + np.float32([x, y]) for p, v in keypoints.xy.items()})


ARMS_UP = {"left_wrist": (130, 20), "left_elbow": (130, 60), "right_wrist": (70, 20),
           "right_elbow": (70, 60)}  # fmt: skip


def found_in(raw: Keypoints, smoothed: Keypoints | None = None, info=INFO) -> dict[str, Finding]:
    return {one.name: one for one in pose_findings(raw, smoothed or raw, info)}


# Verdicts


def test_more_is_better_where_good_lies_above_fair_and_worse_where_below():
    found = Measure("found", "%", 95, 80, "")
    assert [found.judge(value) for value in (95, 94.9, 80, 79)] == ["good", "fair", "fair", "poor"]
    shakes = Measure("shakes", "%", 1, 3, "")
    assert [shakes.judge(value) for value in (1, 2, 3, 3.1)] == ["good", "fair", "fair", "poor"]


def test_what_could_not_be_measured_is_no_reproach_and_says_so():
    finding = make_finding(
        "face", {"face": Measure("face", "px", 20, 10, "come")}, np.nan, "nan px"
    )
    assert (finding.verdict, finding.advice, finding.shown()) == ("good", "", "–")
    assert finding.says == "face: nothing was there to measure"


def test_what_cannot_spoil_a_transfer_is_never_poor():
    assert Measure("hands", "%", 50, 25, "", worst="fair").judge(0) == "fair"


def test_the_worst_that_matters_for_a_role_decides_and_stands_first():
    measures = {
        "light": Measure("light", "", 1, 2, "lamp", roles=("target",)),
        "found": Measure("found", "", 9, 5, "come", roles=("source", "target")),
    }
    findings = [
        make_finding("found", measures, 6, "seldom"),
        make_finding("light", measures, 3, "dim"),
    ]
    assert worst_verdict(findings, "source") == "fair"
    assert worst_verdict(findings, "target") == "poor"
    assert reasons(findings) == "dim; seldom"
    assert reasons(findings, "source") == "seldom"
    assert worst_verdict([]) == "good"


# Keypoints


def test_a_dancer_who_is_always_seen_whole_is_good_in_everything_but_length_and_face():
    found = found_in(dancer(50))
    bad = {name for name, one in found.items() if one.verdict != "good"}
    assert bad == {"length", "face_found", "hands_found"}
    assert found["length"].value == 2  # 50 frames at 25 a second
    assert found["dancer_height"].value == pytest.approx(67.5)  # 340 - 70 of 400 px


def test_a_joint_that_is_missing_is_named():
    found = found_in(lose(dancer(10), "left_wrist", slice(3)))["joints_found"]
    assert (found.value, found.verdict) == (pytest.approx(70), "poor")
    assert found.says == "rarely found: left wrist (70 %)"


def test_appearing_and_vanishing_joints_are_counted_per_second():
    # 26 frames are 25 steps, a second; lost in three single frames: three times away, three back.
    found = found_in(lose(dancer(26), "left_wrist", [4, 10, 16]))["flicker"]
    assert (found.value, found.verdict) == (6, "fair")


def test_a_joint_far_from_where_it_was_smoothed_to_has_jumped():
    smoothed = dancer(100)
    raw = joined(dancer(98), dancer(2, left_ankle=(80, 340), right_ankle=(120, 340)))
    found = found_in(raw, smoothed)
    # 2 ankles in 2 of 100 frames with 13 joints; 40 px are 0.4 of the torso.
    assert found["jumps"].value == pytest.approx(100 * 4 / 1300)
    assert found["jitter"].value == 0


def test_a_dancer_at_the_border_is_cut_off_and_a_hidden_hand_is_not():
    assert found_in(moved(dancer(4), 0, -45))["head_in_picture"].value == 0
    assert found_in(moved(dancer(4), 0, 50))["feet_in_picture"].value == 0
    assert found_in(moved(dancer(4), 62, 0))["arms_in_picture"].value == 0
    hidden = found_in(lose(dancer(4), "left_wrist", slice(4)))
    assert hidden["arms_in_picture"].value == 100


def test_feet_below_the_picture_are_cut_off_although_nothing_of_them_is_seen():
    close = lose(lose(moved(dancer(4), 0, 130), "ankle", slice(4)), "knee", slice(2))
    found = found_in(close)
    assert found["feet_in_picture"].value == 0  # the hips are at 330 of 400 px
    far = lose(dancer(4), "ankle", slice(4))
    assert found_in(far)["feet_in_picture"].value == 100


def test_the_padding_of_the_canvas_is_no_picture():
    padded = INFO.replaced(source_height=352)  # the picture ends at 352 px, the feet at 358
    assert found_in(dancer(4), info=padded)["feet_in_picture"].value == 0


def test_other_people_are_counted():
    crowd = dancer(10)
    crowd.n_people[:4] = 2
    found = found_in(crowd)["several_people"]
    assert (found.value, found.verdict) == (40, "fair")


def test_nobody_at_all_is_poor_and_does_not_crash():
    found = found_in(lose(dancer(5), "", slice(5)))
    assert found["dancer_found"].verdict == "poor" and found["length"].value == 0


# Pictures


def film(path: Path, pictures: list[np.ndarray]) -> FrameReader:
    high, wide = pictures[0].shape[:2]
    info = FramesInfo("ann", len(pictures), Fraction(25), wide, high, wide, high, 1.0, (0, 0))
    with FrameWriter(path, info, "png") as writer:
        for picture in pictures:
            writer.append(picture)
    return FrameReader(path)


def room(seed: int = 0, sigma: float = 2.0) -> np.ndarray:
    """A wall of spots, 100 x 160 px, larger than the camera's view."""
    noise = np.random.default_rng(seed).normal(0, 1, (100, 160))
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    grey = np.clip(128 + 40 * smooth / smooth.std(), 30, 225).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def view(picture: np.ndarray, x: int = 30) -> np.ndarray:
    return picture[2:98, x : x + 96]


def nobody(n_frames: int) -> Keypoints:
    lost = lose(dancer(n_frames), "", slice(n_frames))
    return lost.replaced(width=96, height=96)


def looked(path: Path, pictures: list[np.ndarray]) -> dict[str, Finding]:
    frames = film(path / "frames.zip", pictures)
    look = footage.look_at_frames(frames, nobody(len(frames)))
    return {one.name: one for one in footage.footage_findings(look)}


def test_a_camera_on_a_tripod_stands_still(tmp_path):
    noise = np.random.default_rng(1)
    pictures = [
        cv2.add(view(room()), noise.integers(0, 6, (96, 96, 3)).astype(np.uint8)) for _ in range(12)
    ]
    found = looked(tmp_path, pictures)
    assert found["camera_drift"].value < 0.1 and found["camera_shake"].value < 0.1
    assert found["room_moves"].value == 0
    assert {one.verdict for one in found.values()} == {"good"}


def test_a_camera_that_was_pushed_is_noticed_and_by_how_much(tmp_path):
    found = looked(tmp_path, [view(room())] * 14 + [view(room(), 36)] * 6)
    # 6 of 96 px, less what counts as noise; it moved once, so it does not shake.
    assert found["camera_drift"].value == pytest.approx(100 * (6 - footage.NOISE_PX) / 96, abs=0.2)
    assert found["camera_drift"].verdict == "poor"
    assert found["camera_shake"].verdict == "good"


def test_a_hand_held_camera_shakes(tmp_path):
    found = looked(tmp_path, [view(room(), 30 + 2 * (frame % 2)) for frame in range(12)])
    assert found["camera_shake"].value == pytest.approx(100 * (2 - footage.NOISE_PX) / 96, abs=0.2)


def test_a_cut_to_another_room_is_a_camera_that_moved(tmp_path):
    found = looked(tmp_path, [view(room())] * 10 + [view(room(seed=5))] * 5)["camera_drift"]
    assert found.verdict == "poor" and found.shown() == "–"
    assert "another one in" in found.says


def test_a_plain_wall_shows_no_movement_and_is_no_reproach(tmp_path):
    found = looked(tmp_path, [np.full((96, 96, 3), 120, np.uint8)] * 6)
    assert found["camera_drift"].shown() == "–" and found["camera_drift"].verdict == "good"


def test_light_that_changes_is_measured_in_grey_levels_and_is_no_movement(tmp_path):
    found = looked(tmp_path, [view(room())] * 10 + [cv2.add(view(room()), (25, 25, 25, 0))] * 10)
    assert found["light_drift"].value == pytest.approx(25, abs=0.5)
    assert found["light_drift"].verdict == "poor"
    assert found["light_flicker"].verdict == "good"
    assert found["camera_drift"].value < 0.1


def test_light_that_flickers_with_the_mains_is_noticed(tmp_path):
    pictures = [view(room()), cv2.add(view(room()), (5, 5, 5, 0))] * 6
    assert looked(tmp_path, pictures)["light_flicker"].value == pytest.approx(5, abs=0.2)


def test_a_screen_in_the_room_is_something_that_moves(tmp_path):
    pictures = [view(room()).copy() for _ in range(12)]
    for number, picture in enumerate(pictures):
        picture[:24, :48] = 60 + 120 * (number % 2)
    assert looked(tmp_path, pictures)["room_moves"].value == pytest.approx(12.5)  # 24 x 48 of 96^2


def test_a_blurred_dancer_is_told_from_a_sharp_one(tmp_path):
    keypoints = dancer(6).replaced(width=96, height=96)
    small = keypoints.replaced(xy={p: v / 4 for p, v in keypoints.xy.items()})
    values = []
    y, x = np.mgrid[:96, :96] // 12
    board = np.repeat((60 + 120 * ((x + y) % 2)).astype(np.uint8)[..., None], 3, axis=2)
    for sigma in (0.6, 1.0, 2.0):
        picture = cv2.GaussianBlur(board, (0, 0), sigma)
        frames = film(tmp_path / f"{sigma}.h5", [picture] * 6)
        found = footage.footage_findings(footage.look_at_frames(frames, small))
        values.append({one.name: one for one in found})
    assert [one["blur"].verdict for one in values] == ["good", "fair", "poor"]
    assert [one["blurred_frames"].value for one in values][::2] == [0, 100]


def test_a_bounded_number_of_frames_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(footage, "LOOKED_AT", 10)
    frames = film(tmp_path / "frames.zip", [view(room())] * 60)
    look = footage.look_at_frames(frames, nobody(60))
    assert len(look.frames) == len(look.drift) == 10
    assert (look.frames[0], look.frames[-1]) == (0, 58)  # each is looked at with the next


# Coverage


@given(st.floats(-500, 500), st.floats(-500, 500), st.floats(0.3, 3))
def test_a_pose_is_the_same_wherever_the_dancer_stands_and_however_large(x, y, zoom):
    here = dancer(2)
    there = here.replaced(xy={p: v * np.float32(zoom) + [x, y] for p, v in here.xy.items()})
    np.testing.assert_allclose(body_poses(there), body_poses(here), atol=2e-3)


def test_a_pose_is_measured_from_the_hips_in_torso_lengths():
    pose = body_poses(dancer(1))[0]
    # The torso is 100 px long, the middle of the hips at (100, 200), the left wrist at (140, 195).
    np.testing.assert_allclose(pose[JOINTS.index("left_wrist")], [0.4, -0.05], atol=1e-6)


def test_skeletons_are_compared_by_the_names_of_the_joints():
    here = dancer(3)
    points = np.concatenate([here.xy["body"], here.score["body"][..., None]], axis=-1)
    coco = from_people(
        [{"body": np.nan_to_num(one)} for one in convert(points, BODY_25, COCO_18)], COCO_18,
        width=WIDTH, height=HEIGHT, fps=Fraction(25), video="coco",
    )  # fmt: skip
    np.testing.assert_allclose(body_poses(coco), body_poses(here), atol=1e-6)


@given(
    arrays(np.float32, (7, 13, 2), elements=st.floats(-2, 2, width=32)),
    arrays(np.float32, (5, 13, 2), elements=st.floats(-2, 2, width=32)),
    st.sampled_from([1, 6, 1000]),
)
def test_the_nearest_pose_is_that_of_the_plain_distance_in_blocks_of_any_size(asked, known, block):
    before, coverage._BLOCK = coverage._BLOCK, block
    try:
        found = nearest_poses(asked, known)
    finally:
        coverage._BLOCK = before
    plain = cdist(asked.reshape(7, 26), known.reshape(5, 26)) / np.sqrt(13)
    np.testing.assert_allclose(found.distance, plain.min(axis=1), atol=1e-3)
    np.testing.assert_allclose(
        found.weight, np.exp(-(plain**2) / (2 * 0.125**2)).sum(axis=1), atol=5e-3
    )


def test_joints_that_one_of_two_poses_lacks_do_not_count():
    known = body_poses(dancer(1))
    asked = body_poses(lose(dancer(1, left_wrist=(10, 10)), "right_knee", slice(1)))
    found = nearest_poses(asked, known)
    apart = np.hypot(1.3, 1.85)  # the wrist is at (10, 10) instead of (140, 195); 12 joints left
    assert found.distance[0] == pytest.approx(apart / np.sqrt(12), abs=1e-5)


def test_a_pose_without_enough_of_the_same_joints_is_near_to_nothing():
    upper, lower = dancer(30, "upper"), dancer(30, "lower")
    for name in ("knee", "ankle"):
        lose(upper, name, slice(30))
    for name in ("nose", "elbow", "wrist"):
        lose(lower, name, slice(30))
    found = measure_coverage(lose(lower, "left_shoulder", [3]), upper, list(range(20)))
    assert np.isinf(found.distance).all() and (found.nearest == -1).all()
    assert found.uncovered.all()
    finding = pair.pair_findings(found, lower, canvas_of(lower), [])[1]
    assert finding.says == "for many poses no known one has the same joints"


def canvas_of(keypoints: Keypoints) -> FramesInfo:
    return INFO.replaced(n_frames=len(keypoints))


def test_a_dance_made_of_the_targets_own_poses_is_covered():
    target = joined(dancer(30), dancer(30, **ARMS_UP))
    found = measure_coverage(target, target, list(range(60)))
    np.testing.assert_allclose(found.distance, 0, atol=1e-6)
    np.testing.assert_allclose(found.seen_s, 30 / 25, atol=1e-3)  # each pose is held 30 frames
    assert not found.uncovered.any()


def test_only_frames_that_are_trained_on_count():
    target = joined(dancer(30), dancer(30, **ARMS_UP))
    found = measure_coverage(target, target, list(range(30)))
    assert found.uncovered.tolist() == [False] * 30 + [True] * 30
    assert (found.nearest[30:] < 30).all()


def test_what_the_target_never_does_is_named_with_its_share_and_the_part_that_is_off():
    source = joined(dancer(15), dancer(5, **ARMS_UP))
    found = measure_coverage(source, dancer(60, "bob"), list(range(60)))
    words = commoner_words(body_poses(source), found.uncovered, body_poses(dancer(1)))
    assert words == [("both arms above the head", 0.25)]
    finding = pair.pair_findings(found, source, canvas_of(source), words)[0]
    assert (finding.value, finding.verdict) == (25, "fair")
    assert "25 % of the dance" in finding.says and "arm" in finding.says
    assert finding.advice.startswith("film the target with: both arms above the head (25 % of")


def test_the_yardstick_compares_no_pose_with_its_own_neighbours_in_time():
    target = joined(dancer(25), dancer(25, **ARMS_UP), dancer(25))
    found = measure_coverage(target, target, list(range(75)))
    # Frame 0 has 26 of its kind a second or more away (50 to 74 and, at 25 .. 49, arms up), and
    # nothing else shows raised arms.
    assert found.own_seen_s[0] == pytest.approx(1, abs=1e-3)
    assert found.own_seen_s[37] == pytest.approx(0, abs=1e-3)
    short = measure_coverage(dancer(5), dancer(20), list(range(20)))
    assert np.isinf(short.own_distance).all() and not short.own_seen_s.any()


def test_another_place_in_the_room_is_measured_apart_from_the_pose():
    found = measure_coverage(moved(dancer(4), 80, 0), dancer(10), list(range(10)))
    np.testing.assert_allclose(found.distance, 0, atol=1e-6)
    np.testing.assert_allclose(found.place_distance, 0.8, atol=1e-6)  # 80 px of a torso of 100


def test_frames_that_show_nobody_are_neither_covered_nor_not():
    found = measure_coverage(lose(dancer(4), "", [1]), dancer(10), list(range(10)))
    assert np.isnan(found.distance[1]) and found.compared.tolist() == [True, False, True, True]
    assert not found.uncovered.any()


def test_a_target_without_hips_is_refused_by_name():
    blind = lose(dancer(9, "bob"), "hip", slice(9))
    with pytest.raises(ValueError, match=r"bob: none of 6 frames shows a dancer with hips"):
        measure_coverage(dancer(3), blind, list(range(6)))


def test_gaps_are_runs_with_short_breaks_closed_and_the_gravest_first():
    up = dancer(1, **ARMS_UP)
    half = dancer(1, left_wrist=(150, 60))
    calm = dancer(1)
    source = joined(*[calm] * 10, *[half] * 2, *[calm] * 20, *[up] * 3, calm, *[up] * 4)
    found = measure_coverage(source, dancer(60, "bob"), list(range(60)))
    assert [(gap.first, gap.last) for gap in find_gaps(found, 25.0)] == [(32, 39), (10, 11)]
    assert find_gaps(measure_coverage(calm, dancer(60), list(range(60))), 25.0) == []


# Words


WORDS = {
    "both arms hanging down": {},
    "both arms above the head": ARMS_UP,
    "left arm stretched out sideways": {"left_wrist": (210, 100), "left_elbow": (165, 100)},
    "right arm across the body": {"right_wrist": (120, 150)},
    "left leg lifted": {"left_ankle": (130, 300), "left_knee": (130, 240)},
    "legs wide apart": {"left_ankle": (180, 330), "right_ankle": (60, 330)},
    "knees bent, crouching": {"left_ankle": (120, 310), "right_ankle": (80, 310),
                              "left_knee": (130, 250), "right_knee": (70, 250)},
    "back to the camera": {"left_shoulder": (75, 100), "right_shoulder": (125, 100)},
    "turned sideways": {"left_shoulder": (105, 100), "right_shoulder": (95, 100)},
    "leaning far over": {"left_shoulder": (185, 130), "right_shoulder": (135, 130)},
}  # fmt: skip


@pytest.mark.parametrize("words", WORDS)
def test_a_pose_has_a_name(words):
    said = coverage_words(dancer(1, **WORDS[words]))
    assert words in said


def coverage_words(keypoints: Keypoints) -> list[str]:
    from edn_core.preflight.describe import pose_words

    return [word for word, is_so in pose_words(body_poses(keypoints)).items() if is_so[0]]


def test_a_pose_of_missing_joints_has_no_name():
    assert describe_pose(np.full((13, 2), np.nan)) == ""


# Files


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> Path:
    """A folder of two videos, a pair and their preflights: ann raises her arms, bob never does."""
    folder = tmp_path_factory.mktemp("filmed")
    wall = cv2.resize(room(), (WIDTH, HEIGHT))
    people = {
        "ann": joined(dancer(50), dancer(30, **ARMS_UP)),
        "bob": joined(dancer(40), moved(dancer(40), 20, 0)).replaced(video="bob"),
    }
    for name, keypoints in people.items():
        write_keypoints(folder / f"{name}.raw.h5", keypoints)
        write_keypoints(folder / f"{name}.h5", keypoints)
        info = INFO.replaced(video=name, n_frames=80)
        with FrameWriter(folder / f"{name}.frames.zip", info, "png") as writer:
            for points in keypoints.xy["body"]:
                picture = wall.copy()
                for first, second in pairwise(points.astype(int).tolist()):
                    cv2.line(picture, first, second, (200, 60, 40), 5)
                writer.append(picture)
        preflight(folder, name)
    moved_source = people["ann"].replaced(normalized_to="bob")
    write_keypoints(folder / "moved.h5", moved_source)
    preflight_pair(pair_files(folder), SPLIT, folder / "pair.json", folder / "pair.png")
    return folder


SPLIT = split_frames(80, EvaluationConfig())


def preflight(folder: Path, name: str, suffix: str = "") -> None:
    look_into(
        folder / f"{name}.frames.zip", folder / f"{name}.raw.h5", folder / f"{name}.h5",
        folder / f"{name}{suffix}.json", folder / f"{name}{suffix}.png",
    )  # fmt: skip


def pair_files(folder: Path, **changes: Path) -> PairFiles:
    names = {
        "keypoints": "moved.h5", "target_keypoints": "bob.h5", "source_keypoints": "ann.h5",
        "source_frames": "ann.frames.zip", "target_frames": "bob.frames.zip",
        "source_report": "ann.json", "target_report": "bob.json",
    }  # fmt: skip
    return PairFiles(**{name: folder / path for name, path in names.items()} | changes)


def test_a_pair_is_judged_by_its_match_and_by_both_videos(filmed):
    report = read_json(filmed / "pair.json")
    # 30 of 80 frames have the arms up, far from everything; bob's 3 s are too few, faces are none.
    assert report["findings"][0]["value"] == pytest.approx(37.5)
    assert report["missing_poses"][0] == {"what": "both arms above the head", "share": 0.375}
    assert [one["verdict"] for one in report["findings"]] == ["fair", "poor", "good", "good"]
    assert (report["of_pair"], report["of_source"], report["of_target"]) == ("poor", "fair", "poor")
    (gap,) = report["gaps"]
    assert (gap["first_frame"], gap["last_frame"], gap["start_s"]) == (50, 79, 2.0)
    assert gap["nearest_frame"] in SPLIT.train_frames
    assert gap["pose"] == "both arms above the head"


def test_a_pair_is_compared_with_the_frames_that_are_trained_on_and_no_others(filmed, tmp_path):
    # ann against herself: her arms are up from frame 50 on, and 25 frames are trained on.
    files = pair_files(
        filmed, target_keypoints=filmed / "ann.h5", target_frames=filmed / "ann.frames.zip"
    )
    report = preflight_pair(files, one_second(), tmp_path / "pair.json", tmp_path / "pair.png")
    assert report["n_known"] == 25
    assert report["findings"][0]["value"] == pytest.approx(37.5)


def test_a_target_of_a_second_is_no_yardstick_for_itself(filmed, tmp_path):
    found = measure_coverage(dancer(5), dancer(20), list(range(20)))
    says = pair.pair_findings(found, dancer(5), canvas_of(dancer(5)), [])[0].says
    assert says == (
        "0 % of the dance shows poses that the target's video shows for less than 0.2 s"
    )
    preflight_pair(pair_files(filmed), one_second(), tmp_path / "pair.json", tmp_path / "pair.png")
    assert cv2.imread(str(tmp_path / "pair.png")) is not None


def test_a_good_match_of_poor_videos_is_said_to_be_one(filmed, tmp_path, log):
    files = pair_files(filmed, keypoints=filmed / "bob.h5")
    preflight_pair(files, SPLIT, tmp_path / "pair.json", tmp_path / "pair.png")
    assert "preflight bob_to_bob: poor: the match is good; the source by" in log()


def test_sheets_are_pictures_people_can_read_and_the_same_each_time(filmed):
    preflight(filmed, "ann", ".again")
    again = filmed / "again.png"
    preflight_pair(pair_files(filmed), SPLIT, filmed / "again.json", again)
    for first, second in (("ann", "ann.again"), ("pair", "again")):
        picture = cv2.imread(str(filmed / f"{first}.png"))
        assert picture.shape[1] == 1400 and picture.shape[0] > 1000 and picture.std() > 20
        for suffix in ("png", "json"):
            paths = (filmed / f"{name}.{suffix}" for name in (first, second))
            assert len({path.read_bytes() for path in paths}) == 1


def test_the_log_says_the_verdict_and_why_in_a_line(filmed, log):
    preflight(filmed, "ann", ".log")
    preflight_pair(pair_files(filmed), SPLIT, filmed / "log.json", filmed / "log.png")
    assert "preflight ann: as target poor, as source fair: 3 s of the video show" in log()
    line = next(line for line in log().splitlines() if line.startswith("preflight ann_to_bob"))
    assert re.match(r"preflight ann_to_bob: poor: nine of ten poses .*; 38 % of the dance", line)
    assert line.endswith("the source by itself is fair; the target by itself is poor")


def test_keypoints_of_another_video_are_refused(filmed, tmp_path):
    write_keypoints(tmp_path / "short.h5", dancer(7))
    for path in (tmp_path / "report.json", tmp_path / "sheet.png"):
        assert not path.exists()
    with pytest.raises(ValueError, match=r"short.h5: has 7 frames of 200x400, expected the 80"):
        look_into(
            filmed / "ann.frames.zip", tmp_path / "short.h5", filmed / "ann.h5",
            tmp_path / "report.json", tmp_path / "sheet.png",
        )  # fmt: skip
    files = pair_files(filmed, keypoints=tmp_path / "short.h5")
    with pytest.raises(ValueError, match=r"short.h5: has 7 frames, expected the 80"):
        preflight_pair(files, SPLIT, tmp_path / "report.json", tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == [tmp_path / "short.h5"]


def test_a_report_of_another_version_is_refused(filmed, tmp_path):
    (tmp_path / "old.json").write_text('{"schema": "edn-preflight", "schema_version": 0}')
    with pytest.raises(ValueError, match="expected schema edn-preflight version 1"):
        preflight_pair(
            pair_files(filmed, source_report=tmp_path / "old.json"),
            SPLIT,
            tmp_path / "report.json",
            tmp_path / "sheet.png",
        )


def test_a_pair_that_has_nothing_in_common_still_gets_its_sheet(filmed, tmp_path):
    source, target = dancer(80), dancer(80, "bob")
    for name in ("nose", "elbow", "wrist"):
        lose(source, name, slice(5, 80))
    for name in ("knee", "ankle"):
        lose(target, name, slice(80))
    write_keypoints(tmp_path / "source.h5", lose(source, "", [79]))
    write_keypoints(tmp_path / "target.h5", target)
    files = pair_files(
        filmed, keypoints=tmp_path / "source.h5", target_keypoints=tmp_path / "target.h5"
    )
    report = preflight_pair(files, one_second(), tmp_path / "pair.json", tmp_path / "pair.png")
    assert report["findings"][0]["verdict"] == "poor"
    assert report["distance"]["p90"] is None and report["n_compared"] == 79
    assert cv2.imread(str(tmp_path / "pair.png")) is not None
    gap = report["gaps"][0]
    assert (gap["distance"], gap["nearest_frame"]) == (None, -1)


def one_second() -> Split:
    return Split(train=(range(25),), validation=range(25, 30), test=range(30, 80))


# Documents


def test_the_files_are_as_documented(filmed, tmp_path):
    videos = [read_json(filmed / f"{name}.json") for name in ("ann", "bob")]
    together = read_json(filmed / "pair.json")
    check_types(documented("Preflight", "Key of a video"), *videos)
    check_types(documented("Preflight", "Key of a pair"), together)
    findings = [one for report in (*videos, together) for one in report["findings"]]
    check_types(documented("Preflight", "Key of a finding"), *findings)
    nothing_near = {**together["gaps"][0], "distance": None}
    check_types(documented("Preflight", "Key of a gap"), *together["gaps"], nothing_near)
    for report in (*videos, together):
        check_schema_heading("Preflight", report)


@pytest.mark.parametrize(
    ("measures", "heading"),
    [
        (poses.MEASURES | footage.MEASURES, "Measure of a video"),
        (pair.MEASURES, "Measure of a pair"),
    ],
)
def test_the_thresholds_people_read_are_those_that_judge(measures, heading):
    rows = {}
    lines = DOCUMENT.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {heading} "))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, unit, good, fair, roles, _ = (cell.strip() for cell in line.split("|")[1:-1])
        rows[name.strip("`")] = unit, good, fair, roles
    expected = {}
    for name, one in measures.items():
        sign = "≥" if one.good > one.fair else "≤"
        fair = "else" if one.worst == "fair" else f"{sign} {one.fair:g}"
        who = "both" if len(one.roles) == 2 else "target"
        expected[name] = one.unit, f"{sign} {one.good:g}", fair, who
    assert rows == expected
