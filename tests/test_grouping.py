"""Grouping: the golden cases, numbers by hand, drawn people found again.

The golden cases lie in tests/fixtures with what is nearly 0 (heatmaps below 0.005, fields below
0.01) set to 0, which makes them small.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import STANDING
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from tiny_openpose import draw_maps

from edn_core.config import OpenposeConfig
from edn_core.pose.grouping import PAF_LIMBS, assemble_people, group_people, score_limbs
from edn_core.pose.heatmap_peaks import Peaks, find_peaks, read_enlarged
from edn_core.skeleton import BODY_25, COCO_18, SKELETONS, Skeleton

FIXTURES = Path(__file__).parent / "fixtures"
CASES = (
    "coco192 coco257 coco294 coco360 coco415 coco536 ipercore_akun_1_f186 openpose_video_f174"
).split()
CONFIG = OpenposeConfig()
LIMBS = PAF_LIMBS["COCO_18"]


@pytest.mark.parametrize("name", CASES)
def test_the_people_of_a_golden_case_are_found(name):
    """Maps of a published network and the people its parser made of them: within 1 px."""
    with np.load(FIXTURES / f"paf_{name}.npz") as case:
        heatmaps, pafs = (case[key].astype(np.float32) for key in ("heatmaps", "pafs"))
        expected = case["keypoints"]
    heatmaps = np.concatenate([heatmaps, np.zeros_like(heatmaps[:1])])  # the background
    found = group_people(heatmaps, pafs, COCO_18, CONFIG)
    assert len(found) == len(expected)
    for person, other in zip(found, expected, strict=True):
        is_found = other[:, 2] > 0
        np.testing.assert_array_equal(person[:, 2] > 0, is_found)
        assert np.isnan(person[~is_found, :2]).all()
        np.testing.assert_allclose(person[is_found, :2], other[is_found, :2], rtol=0, atol=1)
        np.testing.assert_allclose(person[:, 2], other[:, 2], rtol=0, atol=1e-3)


# Peaks


@given(st.integers(0, 2**32 - 1), st.integers(2, 14), st.integers(2, 14))
@settings(deadline=None, max_examples=20)
def test_peaks_are_those_of_the_whole_map_enlarged_and_blurred(seed, height, width):
    white = np.random.default_rng(seed).standard_normal((height, width))
    heatmap = (gaussian_filter(white, 1.0) * 3).astype(np.float32)
    large = cv2.resize(heatmap, (8 * width, 8 * height), interpolation=cv2.INTER_CUBIC)
    blurred = gaussian_filter(large.astype(np.float64), sigma=3)
    found = find_peaks(heatmap, 0.1)
    around = np.pad(blurred, 1)
    x, y = found.pixel.T
    neighbours = [around[y, x + 1], around[y + 2, x + 1], around[y + 1, x], around[y + 1, x + 2]]
    assert (blurred[y, x] > 0.1 - 1e-5).all()
    assert (blurred[y, x] >= np.max(neighbours, axis=0, initial=-9) - 1e-5).all()
    # None is missing: the highest pixel is among them, and each other high one is lower than one.
    if blurred.max() > 0.1 + 1e-5:
        assert blurred[y, x].max() == pytest.approx(blurred.max(), abs=1e-5)
    pixels = np.stack(np.meshgrid(np.arange(8 * width), np.arange(8 * height)), axis=-1)
    np.testing.assert_allclose(read_enlarged(heatmap, pixels), large, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.score, large[y, x], rtol=0, atol=1e-4)


# Limbs


def peaks_at(**places: list[tuple[int, int]]) -> list[Peaks]:
    """Peaks of score 0.5 for some keypoints of COCO_18, none for the others."""
    found = []
    for name in COCO_18.keypoints:
        pixel = np.array(places.get(name, []), int).reshape(-1, 2)
        flat = np.full(len(pixel), 0.5, np.float32)
        found.append(Peaks(pixel, np.zeros(pixel.shape, np.float32), flat))
    return found


def forearm_field(x: float, y: float, height: int = 30) -> np.ndarray:
    """Fields that are 0 but for that of the right forearm, which is the same everywhere."""
    fields = np.zeros((38, height, 20), np.float32)
    fields[16], fields[17] = x, y
    return fields


def forearms(fields: np.ndarray, elbows: list, wrists: list) -> list[tuple[int, int, float]]:
    peaks = peaks_at(right_elbow=elbows, right_wrist=wrists)
    return [pair for limb in score_limbs(fields, peaks, COCO_18, 0.05) for pair in limb]


def test_the_score_is_the_part_of_the_field_that_lies_along_the_limb():
    # 3-4-5: the limb runs (0.6, 0.8), the field straight down.
    ((_, _, score),) = forearms(forearm_field(0, 1), [(20, 20)], [(50, 60)])
    assert score == pytest.approx(0.8)


def test_a_limb_longer_than_half_the_height_is_marked_down():
    # 80 px high: 40 px long costs nothing, 80 px long 1 - 40 / 80.
    flat = forearm_field(1, 0, height=10)
    assert forearms(flat, [(10, 20)], [(50, 20)])[0][2] == pytest.approx(1)
    assert forearms(flat, [(10, 20)], [(90, 20)])[0][2] == pytest.approx(0.5)


@pytest.mark.parametrize(("silent_cells", "joined"), [(1, True), (2, False)])
def test_nine_of_ten_samples_must_speak_for_a_limb(silent_cells, joined):
    # From 4 to 76 a sample falls into every cell from the first to the tenth.
    fields = forearm_field(1, 0)
    fields[:, :, :silent_cells] = 0
    assert bool(forearms(fields, [(4, 20)], [(76, 20)])) == joined


# People


def assembled(config: OpenposeConfig = CONFIG, **connections: list[tuple[int, int, float]]) -> list:
    """People of COCO_18 made of connections named start__end; every keypoint has two peaks."""
    peaks = peaks_at(**{name: [(10, 20), (30, 40)] for name in COCO_18.keypoints})
    by_limb = [connections.pop(f"{limb.start}__{limb.end}", []) for limb in LIMBS]
    assert not connections
    return assemble_people(peaks, by_limb, COCO_18, config)


def names_of(person: np.ndarray) -> set[str]:
    return {name for name, row in zip(COCO_18.keypoints, person, strict=True) if row[2] > 0}


FEW = OpenposeConfig(min_parts=1, min_person=0)
ARM = {
    "right_shoulder__right_elbow": [(0, 0, 1.0)],
    "right_elbow__right_wrist": [(0, 0, 1.0)],
}
HEAD = {"nose__right_eye": [(0, 0, 1.0)], "right_eye__right_ear": [(0, 0, 1.0)]}
LINK = {"right_shoulder__right_ear": [(0, 0, 1.0)]}
HEAD_AND_ARM = {"nose", *(f"right_{one}" for one in ("eye", "ear", "shoulder", "elbow", "wrist"))}


def test_a_limb_that_only_links_starts_no_person_but_makes_one_of_two():
    assert assembled(FEW, **LINK) == []
    assert len(assembled(FEW, **ARM, **HEAD)) == 2
    (person,) = assembled(FEW, **ARM, **HEAD, **LINK)
    assert names_of(person) == HEAD_AND_ARM


def test_people_joined_count_all_their_keypoints_and_limbs():
    # Six keypoints of 0.5, four limbs and the link of 1: 8 / 6 = 1.333.
    assert len(assembled(OpenposeConfig(min_parts=6, min_person=1.33), **ARM, **HEAD, **LINK)) == 1
    assert assembled(OpenposeConfig(min_parts=6, min_person=1.34), **ARM, **HEAD, **LINK) == []
    assert assembled(OpenposeConfig(min_parts=7, min_person=1.33), **ARM, **HEAD, **LINK) == []


def standing(skeleton: Skeleton, scale: float, x: float, y: float) -> np.ndarray:
    """(K, 2) px: conftest's dancer, the middle of the hips at x, y."""
    points = np.array([STANDING[name] for name in skeleton.keypoints])
    return scale * (points - STANDING["mid_hip"]) + [x, y]


def found_again(people: np.ndarray, skeleton: Skeleton, size: tuple[int, int]) -> list[np.ndarray]:
    """What is found in the maps of drawn people, from left to right."""
    found = group_people(*draw_maps(people, size, skeleton), skeleton, CONFIG)
    return sorted(found, key=lambda person: np.nanmean(person[:, 0]))


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25], ids=lambda one: one.name)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
@settings(deadline=None, max_examples=5)
def test_drawn_people_are_found_again_but_for_what_is_hidden(skeleton, seed, n_people):
    random = np.random.default_rng(seed)
    people = np.array(
        [
            standing(skeleton, random.uniform(0.8, 1.1), 80 + 160 * number, 175)
            + random.uniform(-4, 4, (len(skeleton), 2))
            for number in range(n_people)
        ]
    ).reshape(-1, len(skeleton), 2)
    for person in people:  # of whom one keypoint is hidden, on which no other hangs
        person[skeleton.index(random.choice(["left_wrist", "right_ear", "left_ear"]))] = np.nan
    found = found_again(people, skeleton, (368, 160 * max(1, n_people)))
    assert len(found) == n_people
    for person, drawn in zip(found, people, strict=True):
        np.testing.assert_allclose(person[:, :2], drawn, rtol=0, atol=1)


# The table of channels


@pytest.mark.parametrize("name", PAF_LIMBS)
def test_every_channel_is_there_once_and_only_ears_are_linked(name):
    limbs = PAF_LIMBS[name]
    assert sorted(limb.channel for limb in limbs) == list(range(0, 2 * len(limbs), 2))
    links = {(limb.start, limb.end) for limb in limbs if limb.only_links}
    assert links == {(f"{side}_shoulder", f"{side}_ear") for side in ("left", "right")}
    drawn = {frozenset(limb[:2]) for limb in limbs if not limb.only_links}
    assert drawn == {frozenset(limb) for limb in SKELETONS[name].limbs}


@pytest.mark.parametrize(
    ("name", "start", "end", "channel"),
    [
        *(("COCO_18", 1, 2, 12), ("BODY_25", 1, 8, 0), ("BODY_25", 2, 17, 20)),
        *(("BODY_25", 13, 14, 12), ("BODY_25", 19, 20, 42), ("BODY_25", 11, 24, 50)),
    ],
)
def test_channels_are_those_of_the_published_networks(name, start, end, channel):
    names = SKELETONS[name].keypoints
    ends = (names[start], names[end])
    (found,) = (limb for limb in PAF_LIMBS[name] if (limb.start, limb.end) == ends)
    assert found.channel == channel
