import sys
from subprocess import run

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edn_core.keypoints import Person, missing_person
from edn_core.metrics import (
    METRICS,
    l1_map,
    nearest_pose,
    person_mask,
    pose_distance,
    psnr,
    region_mean,
    ssim_map,
    temporal_difference_error,
)
from edn_core.skeleton import BODY_25, COCO_18, FACE_70


def grey(level: int, size: tuple[int, int] = (16, 20)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def noise(seed: int, size: tuple[int, int] = (16, 20)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def pose(**points: tuple[float, float]) -> Person:
    """A person of whom only these body keypoints were found."""
    person = missing_person(BODY_25)
    for name, (x, y) in points.items():
        person["body"][BODY_25.index(name)] = x, y, 1
    return person


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_a_map_of_the_frame_that_an_equal_image_satisfies(name):
    found = METRICS[name](noise(0), noise(0))
    assert found.shape == (16, 20)
    np.testing.assert_allclose(found, 1 if name == "ssim" else 0, atol=1e-12)


@pytest.mark.parametrize("metric", [*METRICS.values(), psnr])
def test_images_of_different_sizes_are_refused(metric):
    with pytest.raises(ValueError, match=r"\(16, 20, 3\) uint8 and \(16, 21, 3\) uint8"):
        metric(grey(0), grey(0, (16, 21)))


def test_images_that_are_not_uint8_are_refused():
    with pytest.raises(ValueError, match="float64"):
        l1_map(grey(0) / 255, grey(0))


def test_the_similarity_of_two_flat_images_is_that_of_their_brightness():
    # (2 a b + C1) / (a^2 + b^2 + C1) with C1 = (0.01 * 255)^2; flat images have no structure.
    c1 = 2.55**2
    expected = (2 * 100 * 200 + c1) / (100**2 + 200**2 + c1)
    np.testing.assert_allclose(ssim_map(grey(100), grey(200)), expected, rtol=1e-9)


def test_similarity_is_low_where_the_images_differ_and_1_elsewhere():
    truth, output = noise(0, (32, 32)), noise(0, (32, 32))
    output[:, :10] = noise(1, (32, 10))
    similarity = ssim_map(output, truth)
    assert similarity[:, :10].mean() < 0.3
    np.testing.assert_allclose(similarity[:, 13:], 1, atol=1e-12)  # 3 px is half the window


def test_an_image_smaller_than_the_window_is_refused():
    with pytest.raises(ValueError, match="at least 7 x 7 px, got 6 x 20"):
        ssim_map(grey(0, (6, 20)), grey(0, (6, 20)))


def test_a_tenth_of_the_range_is_a_tenth_in_l1():
    assert l1_map(grey(0), grey(51))[3, 4] == pytest.approx(0.2)
    assert l1_map(grey(51), grey(0))[3, 4] == pytest.approx(0.2)  # no wrap-around of uint8


def test_the_mean_over_a_region_looks_at_that_region_only():
    values = np.array([[1.0, 2.0], [3.0, 100.0]])
    assert region_mean(values, np.array([[True, True], [True, False]])) == 2
    assert np.isnan(region_mean(values, np.zeros((2, 2), bool)))
    with pytest.raises(ValueError, match=r"shape \(2, 2\), the region \(2, 3\)"):
        region_mean(values, np.zeros((2, 3), bool))


def test_psnr_of_full_contrast_is_0_db_and_of_a_tenth_of_its_power_10_db():
    assert psnr(grey(0), grey(255)) == 0
    assert psnr(
        grey(255, (10, 10)),
        np.where(np.eye(10)[..., None] > 0, 0, grey(255, (10, 10))).astype(np.uint8),
    ) == pytest.approx(10)
    assert psnr(noise(0), noise(0)) == np.inf


def test_the_same_movement_has_no_temporal_error_whatever_the_brightness():
    assert temporal_difference_error(grey(10), grey(30), grey(110), grey(130)) == 0


def test_a_still_picture_errs_by_the_true_movement_and_the_opposite_one_by_twice_that():
    assert temporal_difference_error(grey(9), grey(9), grey(0), grey(51)) == pytest.approx(0.2)
    assert temporal_difference_error(grey(51), grey(0), grey(0), grey(51)) == pytest.approx(0.4)
    assert temporal_difference_error(grey(255), grey(0), grey(0), grey(255)) == 2


def test_the_pose_distance_is_the_mean_over_points_found_in_both():
    first = pose(nose=(0, 0), neck=(0, 10), left_knee=(5, 5))
    second = pose(nose=(3, 4), neck=(0, 11), right_knee=(500, 500))
    assert pose_distance(first, second) == (5 + 1) / 2


def test_poses_with_nothing_in_common_are_infinitely_far_apart():
    assert pose_distance(pose(nose=(0, 0)), pose(neck=(0, 0))) == np.inf
    assert pose_distance(missing_person(), missing_person()) == np.inf


@given(dx=st.floats(-100, 100), dy=st.floats(-100, 100))
def test_a_shifted_pose_is_as_far_as_it_was_shifted(dx, dy):
    first = pose(nose=(50, 20), neck=(50, 40))
    second = pose(nose=(50 + dx, 20 + dy), neck=(50 + dx, 40 + dy))
    assert pose_distance(first, second) == pytest.approx(np.hypot(dx, dy), abs=1e-4)
    assert pose_distance(second, first) == pose_distance(first, second)


def test_the_nearest_pose_is_found_among_missing_ones():
    persons = [missing_person(), pose(nose=(10, 0)), pose(nose=(2, 0)), pose(nose=(2, 0))]
    assert nearest_pose(pose(nose=(0, 0)), persons) == 2
    assert nearest_pose(missing_person(), persons) == 0


def test_no_poses_and_poses_of_other_skeletons_are_refused():
    with pytest.raises(ValueError, match="at least one frame"):
        nearest_pose(missing_person(), [])
    with pytest.raises(ValueError, match="different skeletons"):
        pose_distance(missing_person(BODY_25), missing_person(COCO_18))


def test_the_person_is_a_band_around_its_limbs():
    mask = person_mask(pose(neck=(50, 20), mid_hip=(50, 70)), BODY_25, (100, 100))
    assert mask.shape == (100, 100)
    assert mask.dtype == bool
    assert mask[45, 50]  # on the limb
    assert mask[45, 47]  # 9 px wide: 4 to either side
    assert not mask[45, 58]
    assert not mask[90, 50]  # below the hip


def test_points_of_face_and_hands_belong_to_the_person():
    person = missing_person()
    person["face"][FACE_70.index("left_pupil")] = 30, 40, 1
    mask = person_mask(person, BODY_25, (100, 100))
    assert mask[40, 30]
    assert not mask[40, 60]


def test_nobody_is_an_empty_mask():
    assert not person_mask(missing_person(), BODY_25, (40, 60)).any()


def test_metrics_are_measured_without_torch():
    code = "import sys; import edn_core.metrics; sys.exit('torch' in sys.modules)"
    run([sys.executable, "-c", code], check=True)
