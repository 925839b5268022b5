"""Mode edn_release against what the released code computed, number for number.

``fixtures/posenorm_reference.npz`` holds its results on the drawn dancers of ``posenorm.npz``:
which frames it drew, statistics, levels, scales, and for one case all body keypoints. Those of the
others, faces and hands are read from ../shared/golden where that folder is. The rules are those of
spec algorithms 3.2 (normalization) and 2.2 (median); the worked example is that of 3.3.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from walkers import (
    CASES,
    FIXTURE,
    UNFILTERED,
    dancer,
    fixture_video,
    in_skeleton,
    moved,
    walking,
    with_ears,
    without,
)
from walkers import transfer as transfer_with

from edn_core.config import NormalizationConfig
from edn_core.keypoints import check_keypoints
from edn_core.normalize.release import (
    measure_release_frames,
    measure_release_video,
    move_by_release,
    place_by_release,
    release_median,
)
from edn_core.skeleton import BODY_25, COCO_18, EDN_23

REFERENCE = FIXTURE.with_name("posenorm_reference.npz")
GOLDEN = Path(__file__).parents[2] / "shared" / "golden" / "posenorm.npz"
RELEASE = NormalizationConfig(mode="edn_release")


@cache
def store(path):
    with np.load(path) as opened:
        return dict(opened)


def reference(case, name):
    return store(REFERENCE)[f"{case}/ref/{name}"]


def measured(case):
    """The statistics of both videos, from the frames that the released code happened to draw."""
    statistics = []
    for role in ("source", "target"):
        drawn = store(REFERENCE)[f"{case}/{role}_sample_idx"]
        video = fixture_video(case, role)
        xy = {part: one[drawn] for part, one in video.xy.items()}
        score = {part: one[drawn] for part, one in video.score.items()}
        statistics.append(measure_release_video(video.replaced(xy=xy, score=score)))
    return statistics


def placed(case):
    """Frames kept, their scale and shift, the pivot."""
    _, toe = measure_release_frames(fixture_video(case, "source"))
    scale, shift = place_by_release(toe, *measured(case))
    kept = np.flatnonzero(np.isfinite(scale))
    return kept, scale[kept], shift[kept], np.array([1920 // 2, toe[np.isfinite(toe)][0]])


def transformed(case, inputs, part="pose"):
    """(M, K, 3) of the frames kept; points that were not found are moved too, as there."""
    kept, scale, shift, pivot = placed(case)
    triples = store(inputs)[f"{case}/source/{part}"][kept].astype(np.float64)
    triples[..., :2] = move_by_release(triples[..., :2], scale, shift, pivot)
    return triples


@pytest.mark.parametrize("case", CASES)
def test_statistics_scales_shifts_and_frames_kept_are_the_releases(case):
    source, target = measured(case)
    names = {"median": "median", "maxtoe": "close", "horizon": "far", "height": "tallest"}
    for role, one in (("source", source), ("target", target)):
        for theirs, ours in names.items():
            assert getattr(one, ours) == reference(case, f"{role}_{theirs}")
    kept, scale, shift, pivot = placed(case)
    np.testing.assert_array_equal(kept, reference(case, "kept_source_frames"))
    np.testing.assert_array_equal(
        np.stack([scale, shift], axis=1), reference(case, "frame_scale_dy")
    )
    np.testing.assert_array_equal(pivot, reference(case, "pivot_xy"))


def test_keypoints_and_medians_are_the_releases_also_where_points_are_missing():
    triples = transformed("messy", FIXTURE)
    np.testing.assert_array_equal(triples, reference("messy", "transformed_pose"))
    np.testing.assert_array_equal(release_median(triples), reference("messy", "median7_pose"))


@pytest.mark.skipif(
    not GOLDEN.exists(),
    reason="all keypoints, with faces and hands, lie in ../shared/golden, which is not here",
)
def test_all_parts_of_all_cases_are_the_releases():
    parts = [(case, "pose") for case in CASES] + [("messy", one) for one in ("face", "rhand")]
    for case, part in parts:
        triples = transformed(case, GOLDEN, part)
        for found, name in ((triples, "transformed"), (release_median(triples), "median7")):
            np.testing.assert_array_equal(found, store(GOLDEN)[f"{case}/ref/{name}_{part}"])


def test_a_hidden_left_ear_drops_the_frame_and_a_left_ankle_not_found_lies_in_the_corner():
    heads = with_ears(dancer([300.0] * 3, height=150))
    _, toe = measure_release_frames(without(heads, "left_ear", frames=[1]))
    np.testing.assert_array_equal(np.isnan(toe), [False, True, False])
    height, toe = measure_release_frames(without(heads, "left_ankle", frames=[1]))
    # Right ankle (90, 300) and (0, 0): feet at (45, 150), nose at (100, 150).
    np.testing.assert_allclose(height, [150, 55, 150])
    np.testing.assert_allclose(toe, 300)


def transfer(source, target):
    return transfer_with(source, target, RELEASE, UNFILTERED)


def test_the_pipeline_gives_the_medians_of_every_good_frame_measured_once():
    source, target = fixture_video("clean", "source"), fixture_video("clean", "target")
    result = transfer(source, target)
    check_keypoints(result, "normalized")
    _, toe = measure_release_frames(source)
    scale, shift = place_by_release(toe, *map(measure_release_video, (source, target)))
    moved_xy = move_by_release(source.xy["body"], scale, shift, np.array([960, toe[0]]))
    triples = np.concatenate([moved_xy, source.score["body"][..., None]], axis=-1)
    np.testing.assert_allclose(result.xy["body"][3:-3], release_median(triples)[..., :2], rtol=1e-6)
    # The first and the last three of 161 frames have no window.
    np.testing.assert_array_equal(
        (result.score["body"] > 0).any(axis=1), [False] * 3 + [True] * 155 + [False] * 3
    )


@pytest.mark.parametrize("skeleton", [COCO_18, EDN_23], ids=lambda one: one.name)
def test_any_skeleton_and_any_canvas_will_do(skeleton):
    source, target = with_ears(walking()), moved(with_ears(walking(video="big")), 2.5)
    result = transfer(in_skeleton(source, skeleton), target)
    np.testing.assert_array_equal(
        result.xy["body"], in_skeleton(transfer(source, target), skeleton).xy["body"]
    )
    assert (result.width, result.height) == (1000, 1000)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (
            fixture_video("sparse", "source"),
            fixture_video("sparse", "target"),
            "comes out as 0, expected",
        ),
        (walking(), with_ears(walking()), "walk: no frame shows head, left ear"),
        (with_ears(dancer([300.0] * 9)), with_ears(walking()), "walk: no frame has its lower foot"),
        (
            # A large picture: else the small-range rule takes the target off its frames.
            moved(without(with_ears(walking(12)), *BODY_25.keypoints, frames=range(6)), 9.0),
            with_ears(walking()),
            "keeps 6 frames",
        ),
    ],
)
def test_what_the_release_cannot_do_is_refused_and_mode_paper_named(source, target, message):
    with pytest.raises(ValueError, match=message) as refusal:
        transfer(source, target)
    assert "use normalization.mode: paper" in str(refusal.value)
