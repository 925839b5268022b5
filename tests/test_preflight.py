"""Will this work? What the preflight finds in videos and pairs whose faults are known."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import STANDING
from test_contracts import check_json, check_types, types
from tiny import film
from walkers import moved, without

from edn_core.config import EvaluationConfig, NormalizationConfig, StatisticsConfig
from edn_core.footage import Footage
from edn_core.keypoints import Keypoints, from_people, read_keypoints, write_keypoints
from edn_core.normalize import enlarged, measure_video, write_statistics
from edn_core.preflight import PairFiles, footage, pair, poses, preflight_pair
from edn_core.preflight import preflight_video as look_into
from edn_core.preflight.coverage import body_poses, measure_coverage
from edn_core.preflight.describe import commoner_words, pose_words
from edn_core.preflight.finding import Finding, Measure, reasons, worst_verdict
from edn_core.preflight.poses import pose_findings
from edn_core.preflight.video import cut_outs
from edn_core.skeleton import BODY_25
from edn_core.split import split_frames
from edn_core.store import read_json, write_json
from edn_core.window import plan_window, write_window

UNCHANGED = 0.0, ""
DOCUMENT = Path(__file__).parent.parent / "docs" / "preflight.md"
WIDTH, HEIGHT = 200, 400


def dancer(n_frames: int, video: str = "ann", **places: tuple[float, float]) -> Keypoints:
    """The standing dancer of conftest, n times, with these joints elsewhere."""
    at = STANDING | places
    body = np.array([(*at[name], 0.9) for name in BODY_25.keypoints], np.float32)
    people = [{"body": body.copy()} for _ in range(n_frames)]
    about = {"width": WIDTH, "height": HEIGHT, "fps": Fraction(25)}
    return from_people(people, BODY_25, video=video, **about)


def joined(*parts: Keypoints) -> Keypoints:
    """One dancer after the other."""
    first = parts[0]
    xy = {name: np.concatenate([one.xy[name] for one in parts]) for name in first.xy}
    score = {name: np.concatenate([one.score[name] for one in parts]) for name in first.score}
    n_frames = len(xy["body"])
    return first.replaced(
        xy=xy,
        score=score,
        n_people=np.ones(n_frames, np.int16),
        figure_height=np.full(n_frames, np.nan, np.float32),
    )


ARMS_UP = {"left_wrist": (130, 20), "left_elbow": (130, 60), "right_wrist": (70, 20),
           "right_elbow": (70, 60)}  # fmt: skip


def found_in(raw: Keypoints, smoothed: Keypoints | None = None) -> dict[str, Finding]:
    return {one.name: one for one in pose_findings(raw, smoothed or raw)}


def test_the_worst_that_matters_for_a_role_decides_and_stands_first():
    found = Finding("found", Measure("found", "", 9, 5, "come"), 6, "seldom")
    light = Finding("light", Measure("light", "", 1, 2, "lamp", roles=("target",)), 3, "dim")
    unknown = Finding("face", Measure("face", "px", 20, 10, "come"), np.nan, "nan px")
    findings = [found, light, unknown]
    assert worst_verdict(findings, "source") == "fair"
    assert worst_verdict(findings, "target") == "poor"
    assert reasons(findings) == "dim; seldom"
    assert (unknown.verdict, unknown.says) == ("good", "face: nothing was there to measure")


def test_a_dancer_who_is_always_seen_whole_is_good_in_everything_but_length_and_face():
    found = found_in(dancer(50))
    bad = {name for name, one in found.items() if one.verdict != "good"}
    assert bad == {"length", "face_found", "hands_found", "filmed_height"}
    assert found["length"].value == 2  # 50 frames at 25 a second
    assert found["dancer_height"].value == pytest.approx(67.5)  # 340 - 70 of 400 px
    assert found["filmed_height"].value == 270
    # From wrist to wrist 80 px, from eyes to toes 296, and 270 x (0.06 + 0.06, and 0.1 for hair).
    assert found["filmed_height"].says.endswith("canvas.pixels above 40,000 show no more")


def test_a_joint_that_is_missing_is_named():
    found = found_in(without(dancer(10), "left_wrist", frames=slice(3)))["joints_found"]
    assert (found.value, found.verdict) == (pytest.approx(70), "poor")
    assert found.says == "rarely found: left wrist (70 %)"


def test_a_joint_far_from_where_it_was_smoothed_to_has_jumped():
    smoothed = dancer(100)
    raw = joined(dancer(98), dancer(2, left_ankle=(80, 340), right_ankle=(120, 340)))
    found = found_in(raw, smoothed)
    # 2 ankles in 2 of 100 frames with 13 joints; 40 px are 0.4 of the torso.
    assert found["jumps"].value == pytest.approx(100 * 4 / 1300)
    assert found["jitter"].value == 0


def test_a_dancer_at_the_border_is_cut_off_and_a_hidden_hand_is_not():
    assert found_in(moved(dancer(4), offset=(0, -45)))["head_in_picture"].value == 0
    assert found_in(moved(dancer(4), offset=(0, 50)))["feet_in_picture"].value == 0
    assert found_in(moved(dancer(4), offset=(62, 0)))["arms_in_picture"].value == 0
    hidden = found_in(without(dancer(4), "left_wrist"))
    assert hidden["arms_in_picture"].value == 100


def filmed_as(path: Path, pictures: list[np.ndarray], keypoints: Keypoints) -> Footage:
    return Footage(film(path, pictures), keypoints.clip)


def room(seed: int = 0) -> np.ndarray:
    """A wall of spots, 100 x 160 px, larger than the camera's view."""
    noise = np.random.default_rng(seed).normal(0, 1, (100, 160))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    grey = np.clip(128 + 40 * smooth / smooth.std(), 30, 225).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def view(picture: np.ndarray, x: int = 30) -> np.ndarray:
    return picture[2:98, x : x + 96]


def nobody(n_frames: int) -> Keypoints:
    return without(dancer(n_frames), *BODY_25.keypoints).replaced(width=96, height=96)


def looked(path: Path, pictures: list[np.ndarray]) -> dict[str, Finding]:
    there = nobody(len(pictures))
    look = footage.look_at_frames(filmed_as(path / "ann.mkv", pictures, there), there)
    return {one.name: one for one in footage.footage_findings(look)}


def test_a_camera_that_was_pushed_is_noticed_and_by_how_much(tmp_path):
    found = looked(tmp_path, [view(room())] * 14 + [view(room(), 36)] * 6)
    # 6 of 96 px, less what counts as noise; it moved once, so it does not shake.
    assert found["camera_drift"].value == pytest.approx(100 * (6 - footage.NOISE_PX) / 96, abs=0.2)
    assert found["camera_drift"].verdict == "poor"
    assert found["camera_shake"].verdict == "good"


def test_a_cut_to_another_room_is_a_camera_that_moved(tmp_path):
    found = looked(tmp_path, [view(room())] * 10 + [view(room(seed=5))] * 5)["camera_drift"]
    assert found.verdict == "poor" and np.isinf(found.value)
    assert "another one in" in found.says


def test_light_that_changes_is_measured_in_grey_levels_and_is_no_movement(tmp_path):
    found = looked(tmp_path, [view(room())] * 10 + [cv2.add(view(room()), (25, 25, 25, 0))] * 10)
    assert found["light_drift"].value == pytest.approx(25, abs=0.5)
    assert found["light_drift"].verdict == "poor"
    assert found["light_flicker"].verdict == "good"
    assert found["camera_drift"].value < 0.1


def test_a_blurred_dancer_is_told_from_a_sharp_one(tmp_path):
    keypoints = dancer(6).replaced(width=96, height=96)
    small = keypoints.replaced(xy={p: v / 4 for p, v in keypoints.xy.items()})
    values = []
    y, x = np.mgrid[:96, :96] // 12
    board = np.repeat((60 + 120 * ((x + y) % 2)).astype(np.uint8)[..., None], 3, axis=2)
    for sigma in (0.6, 1.0, 2.0):
        picture = cv2.GaussianBlur(board, (0, 0), sigma)
        frames = filmed_as(tmp_path / f"{sigma}.mkv", [picture] * 6, small)
        found = footage.footage_findings(footage.look_at_frames(frames, small))
        values.append({one.name: one for one in found})
    assert [one["blur"].verdict for one in values] == ["good", "fair", "poor"]
    assert [one["blurred_frames"].value for one in values][::2] == [0, 100]


def test_what_the_target_never_does_is_named_with_its_share_and_the_part_that_is_off():
    source = joined(dancer(15), dancer(5, **ARMS_UP))
    found = measure_coverage(source, dancer(60, "bob"), list(range(60)))
    words = commoner_words(body_poses(source), found.uncovered, body_poses(dancer(1)))
    assert words == [("both arms above the head", 0.25)]
    finding = pair.pair_findings(found, source, None, words, UNCHANGED, None)[0]
    assert (finding.value, finding.verdict) == (25, "fair")
    assert "25 % of the dance" in finding.says and "arm" in finding.says
    assert finding.advice.startswith("film the target with: both arms above the head (25 % of")


def test_a_hand_beyond_the_window_is_told():
    source = joined(dancer(15), dancer(5, left_wrist=(199, 150)))
    found = measure_coverage(source, dancer(60, "bob"), list(range(60)))
    placed = source.moved(np.array([[1, 0, -10], [0, 1, 0.0]]), (400, 180))
    finding = pair.pair_findings(found, source, placed, [], UNCHANGED, None)[3]
    assert (finding.name, finding.value, finding.verdict) == ("leaves_window", 25, "poor")
    # Where the film shows no window and no room none is judged.
    others = pair.pair_findings(found, source, None, [], UNCHANGED, None)[3:]
    assert [one.verdict for one in others] == ["good"] * 4


def test_a_target_without_hips_is_refused_by_name():
    blind = without(dancer(9, "bob"), "left_hip", "right_hip", "mid_hip")
    with pytest.raises(ValueError, match=r"bob: none of 6 frames shows a dancer with hips"):
        measure_coverage(dancer(3), blind, list(range(6)))


def test_a_pose_has_a_name():
    crouching = {"left_ankle": (120, 310), "right_ankle": (80, 310),
                 "left_knee": (130, 250), "right_knee": (70, 250)}  # fmt: skip
    named = {
        "both arms hanging down": {},
        "left arm stretched out sideways": {"left_wrist": (210, 100), "left_elbow": (165, 100)},
        "right arm across the body": {"right_wrist": (120, 150)},
        "knees bent, crouching": crouching,
        "back to the camera": {"left_shoulder": (75, 100), "right_shoulder": (125, 100)},
        "leaning far over": {"left_shoulder": (185, 130), "right_shoulder": (135, 130)},
    }
    for name, places in named.items():
        assert pose_words(body_poses(dancer(1, **places)))[name][0], name


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> Path:
    """A folder of two videos, a pair and their preflights: ann raises her arms, bob never does."""
    folder = tmp_path_factory.mktemp("filmed")
    wall = cv2.resize(room(), (WIDTH, HEIGHT))
    people = {
        "ann": joined(dancer(50), dancer(30, **ARMS_UP)),
        "bob": joined(dancer(40), moved(dancer(40), offset=(20, 0))).replaced(video="bob"),
    }
    for name, keypoints in people.items():
        write_keypoints(folder / f"{name}.raw.h5", keypoints)
        write_keypoints(folder / f"{name}.h5", keypoints)
        pictures = []
        for points in keypoints.xy["body"]:
            pictures.append(wall.copy())
            for first, second in pairwise(points.astype(int).tolist()):
                cv2.line(pictures[-1], first, second, (200, 60, 40), 5)
        film(folder / f"{name}.mkv", pictures)
        preflight(folder, name)
    moved_source = people["ann"].replaced(normalized_to="bob")
    write_keypoints(folder / "moved.h5", moved_source)
    levels = measure_video(people["bob"], StatisticsConfig())
    write_statistics(folder / "statistics.json", levels)
    window = plan_window(people["bob"], levels, SPLIT.train_frames, 12_288)
    write_window(folder / "window.json", window)
    about = {"schema": "edn-room", "schema_version": 2, "never_bare": 0.05, "moving": 0.3}
    write_json(folder / "room.json", about)
    preflight_pair(pair_files(folder), SPLIT, DANCED, folder / "pair.json", folder / "pair.png")
    return folder


SPLIT = split_frames(80, EvaluationConfig())
DANCED = NormalizationConfig(as_shown=0)


def preflight(folder: Path, name: str, suffix: str = "") -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(footage, "LOOKED_AT", 8)
        look_into(
            folder / f"{name}.mkv", folder / f"{name}.raw.h5", folder / f"{name}.h5",
            folder / f"{name}{suffix}.json", folder / f"{name}{suffix}.png",
        )  # fmt: skip


def pair_files(folder: Path) -> PairFiles:
    names = (
        "moved.h5 bob.h5 ann.h5 ann.mkv bob.mkv statistics.json statistics.json window.json "
        "room.json ann.json bob.json"
    )
    return PairFiles(*(folder / name for name in names.split()))


def test_a_pair_is_judged_by_its_match_and_by_both_videos(filmed):
    report = read_json(filmed / "pair.json")
    # 30 of 80 frames have the arms up, far from everything; bob's 3 s are too few, faces are none.
    assert report["findings"][0]["value"] == pytest.approx(37.5)
    assert report["missing_poses"][0] == {"what": "both arms above the head", "share": 0.375}
    # Of bob's room 5 % are made up, and 30 % move.
    verdicts = [one["verdict"] for one in report["findings"]]
    assert verdicts == ["fair", "poor", "good", "good", "good", "fair", "fair"]
    assert report["findings"][5]["says"] == "5.0 % of the room is always behind the dancer"
    assert report["findings"][5]["advice"].startswith("step aside once, or film the empty room")
    assert (report["of_pair"], report["of_source"], report["of_target"]) == ("poor", "fair", "poor")
    assert report["verdict"] == "poor"


def test_sheets_are_the_same_each_time_and_the_log_says_why_in_a_line(filmed, log):
    preflight(filmed, "ann", ".again")
    preflight_pair(pair_files(filmed), SPLIT, DANCED, filmed / "again.json", filmed / "again.png")
    assert "preflight ann: as target poor, as source fair: 3 s of the video show" in log()
    line = next(line for line in log().splitlines() if line.startswith("preflight ann_to_bob"))
    assert line.startswith("preflight ann_to_bob: poor: nine of ten poses")
    assert line.endswith("the source by itself is fair; the target by itself is poor")
    for first, second in (("ann", "ann.again"), ("pair", "again")):
        picture = cv2.imread(str(filmed / f"{first}.png"))
        assert picture.shape[1] == 1400 and picture.shape[0] > 1000 and picture.std() > 20
        for suffix in ("png", "json"):
            paths = (filmed / f"{name}.{suffix}" for name in (first, second))
            assert len({path.read_bytes() for path in paths}) == 1


def test_a_large_video_is_measured_and_shown_halved(filmed, tmp_path):
    filmed_small = read_keypoints(filmed / "ann.h5")
    twice = enlarged(filmed_small, 2)
    for kind in ("raw.h5", "h5"):
        write_keypoints(tmp_path / f"ann.{kind}", twice)
    small = list(Footage(filmed / "ann.mkv", filmed_small.clip))
    film(tmp_path / "ann.mkv", [one.repeat(2, axis=0).repeat(2, axis=1) for one in small])
    preflight(tmp_path, "ann")
    before, after = (
        {one["name"]: one["value"] for one in read_json(folder / "ann.json")["findings"]}
        for folder in (filmed, tmp_path)
    )
    assert after.pop("filmed_height") == 2 * before.pop("filmed_height") == 540
    assert after == before
    shown = cut_outs(tmp_path / "ann.mkv", twice, [70, 3])
    expected = cut_outs(filmed / "ann.mkv", filmed_small, [3, 70])
    assert [*shown] == [*expected] == [3, 70]
    for frame in shown:
        np.testing.assert_array_equal(shown[frame], expected[frame])


def test_the_files_are_as_documented(filmed):
    videos = [filmed / f"{name}.json" for name in ("ann", "bob")]
    reports = check_json("Preflight", *videos, table="Key of a video")
    reports += check_json("Preflight", filmed / "pair.json", table="Key of a pair")
    findings = [one for report in reports for one in report["findings"]]
    check_types(types("Preflight", "Key of a finding"), *findings)


def test_the_thresholds_people_read_are_those_that_judge():
    rows, expected = {}, {}
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("| `"):
            name, unit, good, fair, roles, _ = (cell.strip() for cell in line.split("|")[1:-1])
            rows[name.strip("`")] = unit, good, fair, roles
    for name, one in (poses.MEASURES | footage.MEASURES | pair.MEASURES).items():
        fair = "else" if one.worst == "fair" else f"{one.sign} {one.fair:g}"
        who = "both" if len(one.roles) == 2 else "target"
        expected[name] = one.unit, f"{one.sign} {one.good:g}", fair, who
    assert rows == expected
