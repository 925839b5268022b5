import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from edn_core.band import dancer_band
from edn_core.keypoints import Person, missing_person
from edn_core.metrics import (
    ALL_COLUMNS,
    SHORT_COLUMNS,
    region_mean,
    ssim_map,
    temporal_difference_error,
)
from edn_core.metrics.colours import colour_distance, colour_intersection, lab_histogram
from edn_core.metrics.images import MAX_PSNR, l1_map, psnr, squared_error_map
from edn_core.metrics.motion import backward_flow, flow_warping_error
from edn_core.metrics.poses import (
    closest_person,
    nearest_pose,
    pose_errors,
    torso_length,
)
from edn_core.metrics.table import markdown_table, mean_columns, metrics_table
from edn_core.skeleton import BODY_25, HAND_21


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


def test_the_similarity_of_two_flat_images_is_that_of_their_brightness():
    # (2 a b + C1) / (a^2 + b^2 + C1) with C1 = (0.01 * 255)^2; flat images have no structure.
    c1 = 2.55**2
    expected = (2 * 100 * 200 + c1) / (100**2 + 200**2 + c1)
    np.testing.assert_allclose(ssim_map(grey(100), grey(200)), expected, rtol=1e-9)


def test_the_similarity_is_that_of_scikit_image_to_the_last_digits():
    one, other = np.random.default_rng(0).integers(256, size=(2, 40, 30, 3), dtype=np.uint8)
    other[:20] = one[:20] // 2
    about = {"win_size": 7, "data_range": 255, "channel_axis": 2, "full": True}
    expected = structural_similarity(one, other, **about)[1].mean(axis=2)
    np.testing.assert_allclose(ssim_map(other, one), expected, atol=1e-12)


def test_similarity_is_low_where_the_images_differ_and_1_elsewhere():
    truth, output = noise(0, (32, 32)), noise(0, (32, 32))
    output[:, :10] = noise(1, (32, 10))
    similarity = ssim_map(output, truth)
    assert similarity[:, :10].mean() < 0.3
    np.testing.assert_allclose(similarity[:, 13:], 1, atol=1e-12)  # 3 px is half the window


def test_a_tenth_of_the_range_is_a_tenth_in_l1():
    assert l1_map(grey(0), grey(51))[3, 4] == pytest.approx(0.2)
    assert l1_map(grey(51), grey(0))[3, 4] == pytest.approx(0.2)  # no wrap-around of uint8


def test_the_mean_over_a_region_looks_at_that_region_only():
    values = np.array([[1.0, 2.0], [3.0, 100.0]])
    assert region_mean(values, np.array([[True, True], [True, False]])) == 2
    assert np.isnan(region_mean(values, np.zeros((2, 2), bool)))


def test_psnr_is_that_of_scikit_image_and_averages_the_error_of_the_frames_first():
    error = squared_error_map(noise(0), noise(1)).mean()
    assert psnr(error) == pytest.approx(peak_signal_noise_ratio(noise(1), noise(0)), rel=1e-9)
    # Nine frames of error 0.1 and one of 0: mean 0.09, 10.46 dB; a mean of decibels would drop it.
    rows = [{"squared_error": 0.1}] * 9 + [{"squared_error": 0.0}]
    assert mean_columns(rows, 1)["psnr"] == pytest.approx(-10 * np.log10(0.09), abs=1e-5)
    assert mean_columns(rows[-1:], 1)["psnr"] == MAX_PSNR


def test_a_still_picture_errs_by_the_true_movement_and_the_same_movement_not_at_all():
    assert temporal_difference_error(grey(10), grey(30), grey(110), grey(130)) == 0
    assert temporal_difference_error(grey(9), grey(9), grey(0), grey(51)) == pytest.approx(0.2)
    assert temporal_difference_error(grey(255), grey(0), grey(0), grey(255)) == 2


def test_the_nearest_pose_has_the_least_mean_distance_over_points_found_in_both():
    persons = [
        missing_person(),
        pose(nose=(10, 0)),
        pose(nose=(2, 0), neck=(0, 30)),
        pose(nose=(9, 0)),
    ]
    assert nearest_pose(pose(nose=(0, 0)), persons) == 2
    assert nearest_pose(pose(nose=(0, 0), neck=(0, 0)), persons) == 3  # 16 for the other
    assert nearest_pose(missing_person(), persons) == 0


def test_the_person_is_a_band_around_its_limbs():
    mask = dancer_band(pose(neck=(50, 20), mid_hip=(50, 70)), BODY_25, (100, 100), 9)
    assert mask[45, 47]  # 9 px wide: 4 to either side
    assert not mask[45, 58] and not mask[90, 50]
    assert not dancer_band(missing_person(), BODY_25, (40, 60), 4).any()


def texture(shift: float = 0.0, size: tuple[int, int] = (64, 96)) -> np.ndarray:
    """Smooth waves that move to the right by some pixels."""
    y, x = np.indices(size)
    waves = np.sin((x - shift) / 4) + np.sin(y / 5) + np.sin((x - shift + y) / 7)
    return np.repeat((127 + 40 * waves).round().astype(np.uint8)[..., None], 3, axis=2)


def test_the_flow_leads_back_to_where_a_pixel_was():
    flow, seen = backward_flow(texture(0), texture(3))
    inner = (slice(12, -12), slice(16, -16))
    np.testing.assert_allclose(np.median(flow[inner], axis=(0, 1)), [-3, 0], atol=0.1)
    assert seen[inner].mean() > 0.95
    assert not seen[:, :2].any()  # came from outside the picture


def test_a_flow_of_two_pixels_to_the_right_takes_the_colour_from_there():
    before, after = grey(0, (40, 40)), grey(0, (40, 40))
    before[10, 12] = after[10, 10] = 255
    flow = np.zeros((40, 40, 2), np.float32)
    flow[..., 0] = 2
    seen = np.zeros((40, 40), bool)
    seen[5:15, 5:15] = True
    assert flow_warping_error(before, after, flow, seen) == 0
    assert flow_warping_error(before, after, 0 * flow, seen) == pytest.approx(2 / 100)
    assert np.isnan(flow_warping_error(before, after, flow, np.zeros_like(seen)))


def test_a_picture_too_small_for_optical_flow_is_refused():
    with pytest.raises(
        ValueError, match=r"16 x 20 px, expected at least 32 x 32 px.*canvas.pixels"
    ):
        backward_flow(grey(0), grey(0))


def test_pose_errors_count_distance_where_both_are_found_and_misses_where_one_is_not():
    expected = pose(nose=(0, 0), neck=(0, 10), left_knee=(5, 5), right_knee=(9, 9))
    found = pose(nose=(3, 4), neck=(0, 11), left_ankle=(1, 1))
    for row, side in enumerate(("hand_left", "hand_right")):
        expected[side][HAND_21.index("wrist")] = 10, 10, 1
        found[side][HAND_21.index("wrist")] = 10 + 2 * row, 10, 1
    expected["face"][:7] = 1, 1, 0.5
    errors = pose_errors(found, expected)
    assert errors["pose_body_px"] == (5 + 1) / 2
    assert errors["pose_hands_px"] == (0 + 2) / 2
    assert np.isnan(errors["pose_face_px"])
    assert errors["pose_all_px"] == (5 + 1 + 0 + 2) / 4
    missed = {name: errors[f"missed_{name}"] for name in ("body", "face", "hands", "all")}
    assert missed == {"body": 2, "face": 7, "hands": 0, "all": 9}


def test_of_several_people_the_one_who_is_expected_is_compared():
    expected = pose(nose=(10, 10), neck=(10, 20))
    other, right = pose(nose=(90, 10), neck=(90, 20)), pose(nose=(12, 10), neck=(12, 20))
    chosen = closest_person([other, {"body": right["body"]}], expected, BODY_25)
    np.testing.assert_array_equal(chosen["body"], right["body"])
    assert chosen["face"].shape == (70, 3)
    assert not closest_person([], expected, BODY_25)["body"][:, 2].any()


def test_the_torso_reaches_from_shoulders_to_hips_and_unseen_is_as_long_as_the_picture(
    standing_dancer,
):
    assert torso_length(standing_dancer) == 100
    standing_dancer.xy["body"][:, BODY_25.index("left_hip")] = np.nan
    assert torso_length(standing_dancer) == standing_dancer.height


def colours(image: np.ndarray) -> np.ndarray:
    return lab_histogram(image, np.ones(image.shape[:2], bool))


def test_the_same_colours_have_all_in_common_wherever_they_stand():
    histogram, turned = colours(noise(0)), colours(noise(0)[::-1])
    assert histogram.sum() == 16 * 20
    assert colour_intersection(histogram, turned) == pytest.approx(1)
    assert colour_distance(histogram, 3 * turned) == pytest.approx(0)  # shares, not counts
    assert np.isnan(colour_intersection(histogram, 0 * histogram))
    assert np.isnan(colour_distance(histogram, 0 * histogram))


def test_black_and_white_have_nothing_in_common_and_half_of_each_a_half():
    dark, light = colours(grey(0)), colours(grey(255))
    assert colour_intersection(dark, light) < 1e-6
    assert colour_intersection(dark, dark + light) == pytest.approx(0.5)
    # Lightness from 0 to 100, bins of 4, hence 96; a and b do not differ: a third of it.
    assert colour_distance(dark, light) == pytest.approx(96 / 3)


def test_a_mean_is_over_the_frames_that_have_the_number():
    rows = [{"ssim": 0.5, "ssim_face": np.nan, "pose_body_px": np.nan, "missed_body": 3}]
    rows += [{"ssim": 1.0, "ssim_face": 0.8, "pose_body_px": 5.0, "missed_body": 0}]
    means = mean_columns(rows, torso_px=50)
    assert list(means) == list(ALL_COLUMNS) and set(SHORT_COLUMNS) < set(ALL_COLUMNS)
    assert (means["ssim"], means["ssim_face"], means["missed_body"]) == (0.75, 0.8, 1.5)
    assert (means["pose_body_px"], means["pose_body_percent"]) == (5, 10)
    assert means["lpips"] is means["pose_face_px"] is means["flow_warping"] is None


def test_the_table_has_a_line_per_method_and_a_dash_for_nothing():
    lines = metrics_table({"model": {"ssim": 0.5, "psnr": 21.234}}, ["ssim", "psnr", "lpips"])
    assert [line.split() for line in lines.splitlines()] == [
        ["ssim", "psnr", "lpips"],
        ["model", "0.5000", "21.23", "-"],
    ]


def test_the_best_of_a_column_is_bold_and_the_truth_does_not_compete():
    rows = {"a": {"ssim": 0.5, "lpips": 0.2}, "b": {"ssim": 0.7}, "(truth)": {"ssim": 1.0}}
    lines = markdown_table(rows, ["ssim", "lpips"]).splitlines()
    assert lines[0] == "| | SSIM, whole frame ↑ | LPIPS, whole frame ↓ |"
    assert lines[2:] == [
        "| a | 0.5000 | **0.2000** |",
        "| b | **0.7000** | - |",
        "| (truth) | 1.0000 | - |",
    ]
