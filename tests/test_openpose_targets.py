"""Training targets of heatmaps and part affinity fields, with numbers by hand.

The rules are those of spec algorithms 4.7: sigma 7 px, stride 8, exponents above 4.6052 cut off,
fields of half width 1 cell, averaged where people overlap.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edn_core.pose.openpose_targets import heatmap_targets, paf_targets
from edn_core.pose.paf_layout import PAF_LAYOUTS
from edn_core.skeleton import BODY_25, COCO_18, EDN_23

SIZE = (80, 96)
NECK, SHOULDER = COCO_18.index("neck"), COCO_18.index("right_shoulder")
FIELD = slice(12, 14)  # from neck to right shoulder, spec pose C2


def middle(row: float, column: float) -> tuple[float, float]:
    """x, y of the middle of a cell."""
    return 8 * column + 3.5, 8 * row + 3.5


def person(**places: tuple[float, float]) -> np.ndarray:
    """(K, 2) px of COCO_18: a few keypoints, the others missing."""
    points = np.full((len(COCO_18), 2), np.nan)
    for name, place in places.items():
        points[COCO_18.index(name)] = place
    return points


def fields(*people: np.ndarray, **settings: float) -> np.ndarray:
    """The two channels of neck to right shoulder."""
    return paf_targets(np.stack(people), SIZE, COCO_18, **settings)[FIELD]


# --- heatmap_targets -----------------------------------------------------------------------------


def test_a_keypoint_is_1_in_its_cell_and_falls_off_as_a_gaussian():
    maps = heatmap_targets(person(neck=middle(3, 5))[None], SIZE)
    assert maps.shape == (19, 10, 12)
    assert maps.dtype == np.float32
    # 0, 8, 8 sqrt 2 and 16 px away; 24 px are beyond 7 sqrt(2 * 4.6052) = 21.2 px.
    assert maps[NECK, 3, 5] == 1
    assert maps[NECK, 3, 6] == pytest.approx(np.exp(-64 / 98))
    assert maps[NECK, 2, 4] == pytest.approx(np.exp(-128 / 98))
    assert maps[NECK, 5, 5] == pytest.approx(np.exp(-256 / 98))
    assert maps[NECK, 3, 8] == 0


def test_what_is_below_a_hundredth_is_cut_off():
    # 21.2 px from the cell's middle the exponent is 4.586, 21.3 px from it 4.629.
    x, y = middle(3, 5)
    near, far = (
        heatmap_targets(person(neck=(x + distance, y))[None], SIZE)[NECK, 3, 5]
        for distance in (21.2, 21.3)
    )
    assert near == pytest.approx(0.0102, abs=1e-4)
    assert far == 0


def test_where_two_people_overlap_the_higher_counts_not_the_sum():
    both = np.stack([person(neck=middle(3, 5)), person(neck=middle(3, 6))])
    maps = heatmap_targets(both, SIZE)
    assert maps[NECK, 3, 5] == maps[NECK, 3, 6] == 1
    assert maps[NECK, 3, 4] == pytest.approx(np.exp(-64 / 98))


def test_the_background_is_what_the_highest_keypoint_leaves():
    maps = heatmap_targets(person(neck=middle(3, 5), nose=middle(3, 7))[None], SIZE)
    assert maps[-1, 3, 5] == maps[-1, 3, 7] == 0
    assert maps[-1, 3, 6] == pytest.approx(1 - np.exp(-64 / 98))
    assert maps[-1, 9, 0] == 1


def test_nobody_is_background_only():
    maps = heatmap_targets(np.zeros((0, 18, 3)), SIZE)
    assert (maps[:-1] == 0).all()
    assert (maps[-1] == 1).all()
    assert (paf_targets(np.zeros((0, 18, 3)), SIZE, COCO_18) == 0).all()


def test_a_missing_keypoint_leaves_its_map_and_its_limbs_empty():
    found = np.stack([person(neck=middle(3, 5)), person()])
    maps = heatmap_targets(found, SIZE)
    assert maps[NECK].max() == 1
    assert (np.delete(maps[:-1], NECK, axis=0) == 0).all()
    assert (paf_targets(found, SIZE, COCO_18) == 0).all()


def test_the_score_is_not_read():
    people = person(neck=middle(3, 5), right_shoulder=middle(3, 2))[None]
    scored = np.concatenate([people, np.full((1, 18, 1), 0.3)], axis=2)
    np.testing.assert_array_equal(heatmap_targets(scored, SIZE), heatmap_targets(people, SIZE))
    np.testing.assert_array_equal(
        paf_targets(scored, SIZE, COCO_18), paf_targets(people, SIZE, COCO_18)
    )


def test_stride_and_sigma_are_settings():
    # At stride 4 the cell (3, 5) has its middle at x = 21.5, y = 13.5.
    maps = heatmap_targets(person(neck=(21.5, 13.5))[None], SIZE, stride=4, sigma_px=2)
    assert maps.shape == (19, 20, 24)
    assert maps[NECK, 3, 5] == 1
    assert maps[NECK, 3, 6] == pytest.approx(np.exp(-2))


# --- paf_targets ---------------------------------------------------------------------------------


def test_a_field_points_along_its_limb_as_far_as_a_cell_from_it():
    x, y = fields(person(neck=middle(4, 3), right_shoulder=middle(4, 8)))
    assert (y == 0).all()
    expected = np.zeros((10, 12))
    expected[4, 2:10] = 1  # one cell beyond both ends
    expected[3, 3:9] = expected[5, 3:9] = 1  # the corners beyond are farther than a cell
    np.testing.assert_array_equal(x, expected)


def test_a_field_is_a_unit_vector_from_start_to_end():
    # 3-4-5: 24 px to the left, 32 px up.
    x, y = fields(person(neck=middle(7, 8), right_shoulder=middle(3, 5)))
    is_on = (x != 0) | (y != 0)
    assert is_on[7, 8]
    assert is_on[3, 5]
    np.testing.assert_allclose(x[is_on], -0.6, rtol=1e-6)
    np.testing.assert_allclose(y[is_on], -0.8, rtol=1e-6)


def test_where_limbs_of_two_people_cross_the_field_is_their_mean():
    level = person(neck=middle(4, 1), right_shoulder=middle(4, 9))
    upright = person(neck=middle(1, 5), right_shoulder=middle(8, 5))
    field = fields(level, upright)
    assert field[:, 4, 5].tolist() == [0.5, 0.5]
    assert field[:, 4, 2].tolist() == [1, 0]
    assert field[:, 7, 5].tolist() == [0, 1]
    assert field[:, 0, 0].tolist() == [0, 0]


def test_limbs_that_run_against_each_other_cancel():
    there = person(neck=middle(4, 1), right_shoulder=middle(4, 9))
    back = person(neck=middle(4, 9), right_shoulder=middle(4, 1))
    assert (fields(there, back) == 0).all()


def test_the_half_width_is_a_setting():
    limb = person(neck=middle(4, 3), right_shoulder=middle(4, 8))
    assert (fields(limb, half_width_cells=0.5)[0] != 0).sum(axis=0).max() == 1
    assert (fields(limb, half_width_cells=2)[0] != 0).sum(axis=0).max() == 5


def test_keypoints_in_one_place_have_no_direction():
    assert (fields(person(neck=middle(4, 3), right_shoulder=middle(4, 3))) == 0).all()


def test_a_limbs_field_is_in_its_own_channels_only():
    maps = paf_targets(person(neck=middle(4, 3), right_shoulder=middle(4, 8))[None], SIZE, COCO_18)
    assert maps.shape == (38, 10, 12)
    assert maps.dtype == np.float32
    assert [channel for channel in range(38) if maps[channel].any()] == [12]


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25], ids=lambda one: one.name)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
@settings(deadline=None, max_examples=30)
def test_targets_are_finite_and_within_their_ranges(skeleton, seed, n_people):
    random = np.random.default_rng(seed)
    people = random.uniform(-30, 120, (n_people, len(skeleton), 2))
    people[random.random(people.shape) < 0.2] = np.nan
    maps, field = heatmap_targets(people, SIZE), paf_targets(people, SIZE, skeleton)
    assert maps.shape == (len(skeleton) + 1, 10, 12)
    assert (maps >= 0).all()
    assert (maps <= 1).all()
    assert field.shape == (2 * len(PAF_LAYOUTS[skeleton.name].limbs), 10, 12)
    assert (np.hypot(field[::2], field[1::2]) <= 1 + 1e-6).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="80 x 90 px does not divide into cells of 8 px"):
        heatmap_targets(np.zeros((1, 18, 2)), (80, 90))
    with pytest.raises(ValueError, match=r"people must be .*, got \(18, 2\)"):
        heatmap_targets(np.zeros((18, 2)), SIZE)
    with pytest.raises(ValueError, match=r"people \(1, 18, 2\) of skeleton BODY_25"):
        paf_targets(np.zeros((1, 18, 2)), SIZE, BODY_25)
    with pytest.raises(ValueError, match="EDN_23"):
        paf_targets(np.zeros((1, 23, 2)), SIZE, EDN_23)
