"""Grouping: the golden cases, the plain way, numbers by hand, drawn people found again.

The golden cases lie in tests/fixtures with what is nearly 0 (heatmaps below 0.005, fields below
0.01) set to 0, which makes them small; whole they are read from ../shared/golden where that folder
stands beside the repository.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain_grouping import enlarge, group_plainly, plain_peaks, rounding_decides
from scipy.ndimage import gaussian_filter

from edn_core.config import OpenposeConfig
from edn_core.pose.grouping import (
    PAF_LAYOUTS,
    assemble_people,
    find_peaks,
    group_people,
    score_limbs,
)
from edn_core.pose.heatmap_peaks import BLUR_SIGMA, Peaks, read_enlarged
from edn_core.pose.openpose_targets import heatmap_targets, paf_targets
from edn_core.skeleton import BODY_25, COCO_18, EDN_23, Skeleton

FIXTURES = Path(__file__).parent / "fixtures"
GOLDEN = Path(__file__).parents[2] / "shared" / "golden"
CASES = (
    "coco192 coco257 coco294 coco360 coco415 coco536 ipercore_akun_1_f186 openpose_video_f174"
).split()
CONFIG = OpenposeConfig()
COCO = PAF_LAYOUTS["COCO_18"]

needs_golden = pytest.mark.skipif(
    not (GOLDEN / "paf_coco192.npz").exists(),
    reason="the whole golden cases lie in ../shared/golden, which is not here",
)

Case = tuple[np.ndarray, np.ndarray, tuple[int, int], np.ndarray]


def small_case(name: str) -> Case:
    """Heatmaps, fields, (H, W) and the people to be found of a case of the repository."""
    with np.load(FIXTURES / f"paf_{name}.npz") as case:
        heatmaps = case["heatmaps"].astype(np.float32)
        background = np.zeros((1, *heatmaps.shape[1:]), np.float32)
        width, height = case["size_wh"].tolist()
        return (
            np.concatenate([heatmaps, background]),
            case["pafs"].astype(np.float32),
            (height, width),
            case["keypoints"],
        )


def whole_case(name: str) -> Case:
    """The same of a case of ../shared/golden."""
    with np.load(GOLDEN / f"paf_{name}.npz") as case:
        heatmaps, pafs = (
            case[key].astype(np.float32).transpose(2, 0, 1) for key in ("heat", "paf")
        )
        width, height = case["size_wh"].tolist()
        return heatmaps, pafs, (height, width), case["keypoints"]


def check_people(found: list[np.ndarray], expected: np.ndarray, px: float, score: float) -> None:
    assert len(found) == len(expected)
    for person, other in zip(found, expected, strict=True):
        is_found = other[:, 2] > 0
        np.testing.assert_array_equal(person[:, 2] > 0, is_found)
        assert np.isnan(person[~is_found, :2]).all()
        np.testing.assert_allclose(person[is_found, :2], other[is_found, :2], rtol=0, atol=px)
        np.testing.assert_allclose(person[:, 2], other[:, 2], rtol=0, atol=score)


# --- the golden cases ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_the_people_of_a_golden_case_are_found(name):
    """The parser's rules and its outputs: spec pose C3, C4."""
    heatmaps, pafs, size, expected = small_case(name)
    check_people(group_people(heatmaps, pafs, COCO_18, CONFIG, size), expected, px=1, score=1e-3)


@needs_golden
@pytest.mark.parametrize("name", CASES)
def test_the_people_of_a_whole_golden_case_are_found(name):
    """The parser's rules and its outputs: spec pose C3, C4."""
    heatmaps, pafs, size, expected = whole_case(name)
    check_people(group_people(heatmaps, pafs, COCO_18, CONFIG, size), expected, px=1, score=1e-3)


@pytest.mark.parametrize("name", ["coco294", "coco415", "coco536"])
def test_the_plain_way_gives_a_golden_case_exactly(name):
    """The parser's rules, spec pose C3: what the random maps below are compared with is right."""
    heatmaps, pafs, size, expected = small_case(name)
    check_people(group_plainly(heatmaps, pafs, COCO, CONFIG, size), expected, px=0, score=1e-5)


# --- against the plain way -----------------------------------------------------------------------


def noise(seed: int, channels: int, height: int, width: int, sigma: float) -> np.ndarray:
    """Smooth random maps, -1..1."""
    white = np.random.default_rng(seed).standard_normal((channels, height, width))
    smooth = gaussian_filter(white, (0, sigma, sigma))
    return (smooth / np.abs(smooth).max()).astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.integers(2, 14), st.integers(2, 14), st.floats(0.3, 2))
@settings(deadline=None, max_examples=80)
def test_peaks_of_random_maps_are_those_of_the_plain_way(seed, height, width, sigma):
    size = (8 * height, 8 * width)
    heatmaps = noise(seed, 2, height, width, sigma)
    assume(not any(rounding_decides(heatmap, size, 0.1) for heatmap in heatmaps))
    for heatmap, found in zip(heatmaps, find_peaks(heatmaps, 0.1), strict=True):
        expected = plain_peaks(heatmap, size, 0.1, apart_px=BLUR_SIGMA)
        assert found.pixel.tolist() == [[x, y] for x, y, _ in expected]
        np.testing.assert_allclose(found.score, [one[2] for one in expected], rtol=0, atol=1e-5)
        blurred = gaussian_filter(enlarge(heatmap, size).astype(np.float64), sigma=3)
        offsets = [parabola_top(blurred, x, y) for x, y, _ in expected]
        np.testing.assert_allclose(found.offset, np.reshape(offsets, (-1, 2)), rtol=0, atol=0.02)


def parabola_top(blurred: np.ndarray, x: int, y: int) -> list[float]:
    """Where three values in a row and three in a column have their tops; 0 at the edge."""
    tops = []
    for line, at in ((blurred[y], x), (blurred[:, x], y)):
        if at in (0, len(line) - 1):
            tops.append(0.0)
        else:
            bend, _, _ = parabola = np.polyfit([-1, 0, 1], line[at - 1 : at + 2], 2)
            tops.append(-parabola[1] / (2 * bend))
    return tops


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(2, 9))
@settings(deadline=None, max_examples=20)
def test_a_map_is_read_as_if_it_had_been_enlarged(seed, height, width):
    heatmap = noise(seed, 1, height, width, sigma=0.5)[0]
    pixel = np.stack(np.meshgrid(np.arange(8 * width), np.arange(8 * height)), axis=-1)
    large = enlarge(heatmap, (8 * height, 8 * width))
    np.testing.assert_allclose(read_enlarged(heatmap, pixel), large, rtol=0, atol=1e-5)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=12)
def test_people_in_disturbed_maps_are_those_of_the_plain_way(seed):
    # Three people who stand in each other's way, under noise that adds and takes away joints.
    size = (176, 208)
    random = np.random.default_rng(seed)
    people = np.stack(
        [standing(COCO_18, 0.5, x, 88) + random.normal(0, 5, (18, 2)) for x in (70, 104, 138)]
    )
    heatmaps = heatmap_targets(people, size) + 0.5 * noise(seed, 19, 22, 26, sigma=1.5)
    pafs = paf_targets(people, size, COCO_18) + 0.5 * noise(seed + 1, 38, 22, 26, sigma=1.5)
    assume(not any(rounding_decides(heatmap, size, CONFIG.min_peak) for heatmap in heatmaps[:-1]))
    config = OpenposeConfig(min_parts=2, min_person=0)
    expected = group_plainly(heatmaps, pafs, COCO, config, size, apart_px=BLUR_SIGMA)
    assert expected
    found = group_people(heatmaps, pafs, COCO_18, config, size)
    for person in expected:
        person[:, 2] = np.minimum(person[:, 2], 1)
    check_people(found, np.array(expected), px=0.5001, score=1e-5)


# --- find_peaks ----------------------------------------------------------------------------------


def hot(*cells: tuple[int, int], shape: tuple[int, int] = (10, 12)) -> np.ndarray:
    """One map that is 1 in some cells (row, column) and else 0."""
    heatmap = np.zeros((1, *shape), np.float32)
    for row, column in cells:
        heatmap[0, row, column] = 1
    return heatmap


def test_a_hot_cell_is_one_peak_in_the_middle_of_its_pixels():
    (found,) = find_peaks(hot((2, 5)), 0.1)
    # Cell 5 is of pixels 40 to 47, cell 2 of 16 to 23.
    np.testing.assert_allclose(found.pixel + found.offset, [[43.5, 19.5]], atol=1e-3)
    assert found.score == pytest.approx(1, abs=0.02)


def test_peaks_come_row_by_row():
    (found,) = find_peaks(hot((7, 2), (2, 9), (2, 1)), 0.1)
    middles = [[11.5, 19.5], [75.5, 19.5], [19.5, 59.5]]
    np.testing.assert_allclose(found.pixel + found.offset, middles, atol=1e-3)


def test_what_is_not_above_the_threshold_is_no_peak():
    # The blur leaves about 3/4 of a single hot cell.
    (found,) = find_peaks(0.1 * hot((2, 5)), 0.1)
    assert len(found) == 0
    (found,) = find_peaks(0.2 * hot((2, 5)), 0.1)
    assert len(found) == 1


def test_a_peak_at_the_edge_of_the_picture_stays_inside():
    (found,) = find_peaks(hot((0, 0), (9, 11)), 0.1)
    assert (found.pixel + found.offset).tolist() == [[0, 0], [95, 79]]


def test_what_is_high_beside_the_rectangle_of_another_is_its_own_peak_only():
    # Around an L of cells is a rectangle; a blob below its foot reaches into its margin.
    shape = (24, 40)
    ell = [(row, 5) for row in range(4, 9)] + [(4, column) for column in range(6, 31)]
    blob = [(10, 28), (11, 28)]
    alone = [find_peaks(hot(*some, shape=shape), 0.1)[0].pixel.tolist() for some in (ell, blob)]
    (found,) = find_peaks(hot(*ell, *blob, shape=shape), 0.1)
    assert found.pixel.tolist() == sorted(alone[0] + alone[1], key=lambda pixel: pixel[::-1])


def test_a_slanting_ridge_is_one_peak():
    row, column = np.mgrid[:10, :12]
    # A blob around cell (5, 5), longer along the diagonal than across it.
    heatmap = np.exp(-((row + column - 10) ** 2) / 4 - (row - column) ** 2 / 2).astype(np.float32)
    assert [one[:2] for one in plain_peaks(heatmap, (80, 96), 0.1)] == [(43, 43), (44, 44)]
    (found,) = find_peaks(heatmap[None], 0.1)
    assert len(found) == 1
    np.testing.assert_allclose(found.pixel + found.offset, [[43.5, 43.5]], atol=0.2)


def test_a_map_that_is_high_everywhere_has_no_end_of_peaks_but_an_end_of_those_kept():
    (found,) = find_peaks(np.full((1, 40, 40), 0.5, np.float32), 0.1)
    assert 1 <= len(found) <= 127


# --- score_limbs ---------------------------------------------------------------------------------


def peaks_at(**places: list[tuple[int, int]]) -> list[Peaks]:
    """Peaks of score 0.5 for some keypoints of COCO_18, none for the others."""
    found = []
    for name in COCO_18.keypoints:
        pixel = np.array(places.get(name, []), int).reshape(-1, 2)
        flat = np.full(len(pixel), 0.5, np.float32)
        found.append(Peaks(pixel, np.zeros(pixel.shape, np.float32), flat))
    return found


def field_of(limb: str, x: float, y: float, height: int = 30) -> np.ndarray:
    """Fields that are 0 but for one limb's, which is the same everywhere."""
    fields = np.zeros((38, height, 20), np.float32)
    channel = next(one.channel for one in COCO.limbs if f"{one.start} {one.end}" == limb)
    fields[channel], fields[channel + 1] = x, y
    return fields


FOREARM = "right_elbow right_wrist"
N_FOREARM = [f"{limb.start} {limb.end}" for limb in COCO.limbs].index(FOREARM)


def forearms(fields: np.ndarray, elbows: list, wrists: list) -> list[tuple[int, int, float]]:
    peaks = peaks_at(right_elbow=elbows, right_wrist=wrists)
    connections = score_limbs(fields, peaks, COCO, 0.05)
    assert not any(found for i, found in enumerate(connections) if i != N_FOREARM)
    return connections[N_FOREARM]


def test_each_elbow_gets_the_wrist_its_field_points_to():
    # Slanting pairs score cos 45 degrees = 0.7, level ones 1.
    found = forearms(field_of(FOREARM, 1, 0), [(20, 20), (20, 60)], [(60, 60), (60, 20)])
    assert [pair[:2] for pair in found] == [(0, 1), (1, 0)]
    assert [pair[2] for pair in found] == pytest.approx([1, 1])


def test_a_field_that_points_the_other_way_joins_nothing():
    assert forearms(field_of(FOREARM, -1, 0), [(20, 20)], [(60, 20)]) == []


def test_the_score_is_the_part_of_the_field_that_lies_along_the_limb():
    # 3-4-5: the limb runs (0.6, 0.8), the field straight down.
    ((_, _, score),) = forearms(field_of(FOREARM, 0, 1), [(20, 20)], [(50, 60)])
    assert score == pytest.approx(0.8)


def test_a_limb_longer_than_half_the_height_is_marked_down():
    # 80 px high: 40 px long costs nothing, 80 px long 1 - 40 / 80.
    flat = field_of(FOREARM, 1, 0, height=10)
    assert forearms(flat, [(10, 20)], [(50, 20)])[0][2] == pytest.approx(1)
    assert forearms(flat, [(10, 20)], [(90, 20)])[0][2] == pytest.approx(0.5)


@pytest.mark.parametrize(("silent_cells", "joined"), [(0, True), (1, True), (2, False)])
def test_nine_of_ten_samples_must_speak_for_a_limb(silent_cells, joined):
    # From 4 to 76 a sample falls into every cell from the first to the tenth.
    fields = field_of(FOREARM, 1, 0)
    fields[:, :, :silent_cells] = 0
    assert bool(forearms(fields, [(4, 20)], [(76, 20)])) == joined


def test_peaks_in_one_place_are_no_limb():
    assert forearms(field_of(FOREARM, 1, 0), [(20, 20)], [(20, 20)]) == []


# --- assemble_people -----------------------------------------------------------------------------


def assembled(config: OpenposeConfig = CONFIG, **connections: list[tuple[int, int, float]]) -> list:
    """People of COCO_18 made of connections named start__end; every keypoint has two peaks."""
    peaks = peaks_at(**{name: [(10, 20), (30, 40)] for name in COCO_18.keypoints})
    by_limb = [connections.pop(f"{limb.start}__{limb.end}", []) for limb in COCO.limbs]
    assert not connections
    return assemble_people(peaks, by_limb, COCO, config)


def names_of(person: np.ndarray) -> set[str]:
    return {name for name, row in zip(COCO_18.keypoints, person, strict=True) if row[2] > 0}


ARM = {
    "right_shoulder__right_elbow": [(0, 0, 1.0)],
    "right_elbow__right_wrist": [(0, 0, 1.0)],
}
HEAD = {"nose__right_eye": [(0, 0, 1.0)], "right_eye__right_ear": [(0, 0, 1.0)]}
LINK = {"right_shoulder__right_ear": [(0, 0, 1.0)]}


def test_a_limb_that_only_links_starts_no_person():
    few = OpenposeConfig(min_parts=1, min_person=0)
    assert assembled(few, **LINK) == []
    assert [names_of(one) for one in assembled(few, **HEAD)] == [{"nose", "right_eye", "right_ear"}]


def test_a_limb_that_only_links_makes_one_person_of_two():
    few = OpenposeConfig(min_parts=1, min_person=0)
    assert len(assembled(few, **ARM, **HEAD)) == 2
    (person,) = assembled(few, **ARM, **HEAD, **LINK)
    assert names_of(person) == {
        "nose",
        "right_eye",
        "right_ear",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
    }


def test_people_joined_count_all_their_keypoints_and_limbs():
    # Six keypoints of 0.5, four limbs and the link of 1: 8 / 6 = 1.333.
    assert len(assembled(OpenposeConfig(min_parts=6, min_person=1.33), **ARM, **HEAD, **LINK)) == 1
    assert assembled(OpenposeConfig(min_parts=6, min_person=1.34), **ARM, **HEAD, **LINK) == []
    assert assembled(OpenposeConfig(min_parts=7, min_person=1.33), **ARM, **HEAD, **LINK) == []


def test_people_of_few_keypoints_are_left_out():
    three = {"neck__right_shoulder": [(0, 0, 1.0)], "neck__nose": [(0, 0, 1.0)]}
    assert assembled(**three) == []
    assert len(assembled(**three, neck__left_shoulder=[(0, 0, 1.0)])) == 1


def test_people_of_low_mean_score_are_left_out():
    # Four keypoints of 0.5 and three limbs of 0.1: 2.3 / 4 = 0.575.
    limbs = ("neck__right_shoulder", "neck__left_shoulder", "neck__nose")
    weak = {limb: [(0, 0, 0.1)] for limb in limbs}
    assert len(assembled(OpenposeConfig(min_person=0.57), **weak)) == 1
    assert assembled(OpenposeConfig(min_person=0.58), **weak) == []


def test_what_is_missing_is_nan_with_score_0():
    (person,) = assembled(OpenposeConfig(min_parts=3), **ARM)
    assert person.dtype == np.float32
    assert person[COCO_18.index("right_wrist")].tolist() == [10, 20, 0.5]
    missing = person[COCO_18.index("left_wrist")]
    assert np.isnan(missing[:2]).all()
    assert missing[2] == 0


connection_lists = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.floats(0.01, 2)), max_size=4
)


@given(st.lists(connection_lists, min_size=19, max_size=19))
@settings(max_examples=100)
def test_no_set_of_connections_is_too_tangled(by_limb):
    peaks = peaks_at(**{name: [(10, 20), (30, 40)] for name in COCO_18.keypoints})
    for person in assemble_people(peaks, by_limb, COCO, CONFIG):
        assert len(names_of(person)) >= 1
        assert (np.isnan(person[:, 0]) == (person[:, 2] == 0)).all()


# --- group_people --------------------------------------------------------------------------------

STANDING = {  # x to the person's left, y down, px at scale 1 from the middle of the hips
    "nose": (0, -120),
    "neck": (0, -90),
    "mid_hip": (0, 5),
    "shoulder": (35, -88),
    "elbow": (48, -45),
    "wrist": (52, 0),
    "hip": (22, 10),
    "knee": (26, 70),
    "ankle": (28, 125),
    "eye": (12, -132),
    "ear": (26, -125),
    "big_toe": (45, 140),
    "small_toe": (58, 135),
    "heel": (18, 140),
}


def standing(skeleton: Skeleton, scale: float, x: float, y: float) -> np.ndarray:
    """(K, 2) px: a person seen from the front."""
    points = []
    for name in skeleton.keypoints:
        side = -1 if name.startswith("right_") else 1
        across, down = STANDING[name.removeprefix("right_").removeprefix("left_")]
        points.append((x + side * scale * across, y + scale * down))
    return np.array(points, float)


def found_again(people: np.ndarray, skeleton: Skeleton, size: tuple[int, int]) -> list[np.ndarray]:
    """What is found in the maps of drawn people, from left to right."""
    maps = heatmap_targets(people, size), paf_targets(people, size, skeleton)
    found = group_people(*maps, skeleton, CONFIG, size)
    return sorted(found, key=lambda person: np.nanmean(person[:, 0]))


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25], ids=lambda one: one.name)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@settings(deadline=None, max_examples=15)
def test_drawn_people_are_found_again(skeleton, seed, n_people):
    random = np.random.default_rng(seed)
    size = (368, 160 * n_people)
    people = np.stack(
        [
            standing(skeleton, random.uniform(0.8, 1.1), 80 + 160 * number, 190)
            + random.uniform(-4, 4, (len(skeleton), 2))
            for number in range(n_people)
        ]
    )
    for person in people:  # of whom one keypoint is hidden, on which no other hangs
        person[skeleton.index(random.choice(["left_wrist", "right_ear", "left_ear"]))] = np.nan
    found = found_again(people, skeleton, size)
    assert len(found) == n_people
    for person, drawn in zip(found, people, strict=True):
        np.testing.assert_allclose(person[:, :2], drawn, rtol=0, atol=1)


def test_people_whose_arms_cross_keep_their_own_wrists():
    people = np.stack([standing(COCO_18, 1, x, 190) for x in (80, 240)])
    left_wrist, right_wrist = COCO_18.index("left_wrist"), COCO_18.index("right_wrist")
    # Each reaches past the other's elbow: the forearms cross in the middle.
    people[0, COCO_18.index("left_elbow")] = (130, 120)
    people[0, left_wrist] = (190, 180)
    people[1, COCO_18.index("right_elbow")] = (190, 120)
    people[1, right_wrist] = (130, 180)
    found = found_again(people, COCO_18, (368, 320))
    assert len(found) == 2
    np.testing.assert_allclose(found[0][left_wrist, :2], (190, 180), atol=1)
    np.testing.assert_allclose(found[1][right_wrist, :2], (130, 180), atol=1)


def test_a_missing_wrist_costs_nothing_but_the_wrist():
    person = standing(COCO_18, 1, 80, 190)[None]
    person[0, COCO_18.index("left_wrist")] = np.nan
    (found,) = found_again(person, COCO_18, (368, 160))
    assert names_of(found) == set(COCO_18.keypoints) - {"left_wrist"}


def test_nobody_is_an_empty_list():
    assert found_again(np.zeros((0, 18, 2)), COCO_18, (80, 96)) == []


def test_half_precision_and_turned_maps_do_as_well():
    heatmaps, pafs, size, _ = small_case("coco415")
    turned = [np.asfortranarray(maps.astype(np.float16)) for maps in (heatmaps, pafs)]
    expected = group_people(heatmaps, pafs, COCO_18, CONFIG, size)
    np.testing.assert_array_equal(group_people(*turned, COCO_18, CONFIG, size), expected)


def test_maps_that_do_not_fit_are_refused():
    heatmaps, pafs = np.zeros((19, 10, 12), np.float32), np.zeros((38, 10, 12), np.float32)
    assert group_people(heatmaps, pafs, COCO_18, CONFIG, (80, 96)) == []
    with pytest.raises(ValueError, match=r"do not fit an input of 80 x 100 px"):
        group_people(heatmaps, pafs, COCO_18, CONFIG, (80, 100))
    with pytest.raises(ValueError, match=r"expected \(26, 10, 12\) and \(52, 10, 12\)"):
        group_people(heatmaps, pafs, BODY_25, CONFIG, (80, 96))
    with pytest.raises(ValueError, match="EDN_23 has no known part affinity fields"):
        group_people(heatmaps, pafs, EDN_23, CONFIG, (80, 96))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_maps_with_values_that_are_no_numbers_are_refused(value):
    heatmaps, pafs = np.zeros((19, 10, 12), np.float32), np.zeros((38, 10, 12), np.float32)
    pafs[3, 4, 5] = value
    with pytest.raises(ValueError, match="no finite numbers"):
        group_people(heatmaps, pafs, COCO_18, CONFIG, (80, 96))


# --- PAF_LAYOUTS ---------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", PAF_LAYOUTS.values(), ids=list(PAF_LAYOUTS))
def test_a_layout_has_every_channel_once_and_only_ears_are_linked(layout):
    """The tables of channels, spec pose C2."""
    channels = sorted(limb.channel for limb in layout.limbs)
    assert channels == list(range(0, 2 * len(layout.limbs), 2))
    assert {(limb.start, limb.end) for limb in layout.limbs if limb.only_links} == {
        ("right_shoulder", "right_ear"),
        ("left_shoulder", "left_ear"),
    }
    drawn = {frozenset((limb.start, limb.end)) for limb in layout.limbs if not limb.only_links}
    assert drawn == {frozenset(limb) for limb in layout.skeleton.limbs}


@pytest.mark.parametrize(
    ("skeleton", "start", "end", "channel"),
    [
        ("COCO_18", 1, 2, 12),
        ("COCO_18", 9, 10, 4),
        ("COCO_18", 15, 17, 36),
        ("COCO_18", 2, 16, 18),
        ("BODY_25", 1, 8, 0),
        ("BODY_25", 2, 17, 20),
        ("BODY_25", 13, 14, 12),
        ("BODY_25", 19, 20, 42),
        ("BODY_25", 11, 24, 50),
    ],
)
def test_channels_are_those_of_the_published_networks(skeleton, start, end, channel):
    """The tables of channels, spec pose C2."""
    layout = PAF_LAYOUTS[skeleton]
    names = layout.skeleton.keypoints
    (found,) = (x for x in layout.limbs if (x.start, x.end) == (names[start], names[end]))
    assert found.channel == channel
