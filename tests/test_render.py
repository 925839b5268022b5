"""Labels: storing, and that nothing half-seen upsets any style."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edn_core import REVISIONS
from edn_core.config import LabelConfig
from edn_core.frames import FrameReader, FramesInfo, FrameWriter
from edn_core.keypoints import from_people, missing_person
from edn_core.render import (
    LABEL_STYLES,
    draw_label,
    draw_stick_figure,
    find_style,
    line_width,
    render_labels,
)
from edn_core.skeleton import BODY_25, COCO_18, EDN_23


def person_with(skeleton=BODY_25, **points):
    """A person of whom these body points are seen."""
    person = missing_person(skeleton)
    for name, (x, y) in points.items():
        person["body"][skeleton.index(name)] = x, y, 0.9
    return person


@pytest.mark.parametrize("style", LABEL_STYLES)
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    reach=st.sampled_from([0.0, 100.0, 1e4, 1e12, 3e38]),
    skeleton=st.sampled_from([BODY_25, COCO_18, EDN_23]),
    size=st.sampled_from([(64, 96), (32, 32), (96, 32), (1088, 32)]),
    thickness=st.sampled_from([0.01, 1.0, 20.0]),
)
def test_no_half_seen_or_far_away_person_upsets_a_style(
    style, seed, reach, skeleton, size, thickness
):
    rng = np.random.default_rng(seed)
    person = missing_person(skeleton)
    odd = [np.nan, np.inf, -np.inf, -1, 0, 0.05, 1e-30, 7, 3e38]
    for values in person.values():
        values[:] = rng.uniform(-1, 1, values.shape) * reach
        values[:, 2] = rng.random(len(values))
        values[rng.random(len(values)) < 0.3, :2] = np.nan
        values[rng.random(len(values)) < 0.1, 0] = np.inf
        few = rng.random(len(values)) < 0.3
        values[few, 2] = rng.choice(odd, few.sum())
    label = LABEL_STYLES[style].draw(person, skeleton, size, thickness)
    assert label.shape == (*size, 3) and label.dtype == np.uint8
    if LABEL_STYLES[style].is_index:
        assert label.max() < LABEL_STYLES[style].channels


@pytest.mark.parametrize("style", LABEL_STYLES)
def test_what_lies_outside_the_picture_is_not_drawn_into_it(style):
    # Two joints above the picture: discs and the limb between them end before its first row.
    person = person_with(right_elbow=(10, -60), right_wrist=(90, -60), neck=(1e9, 1e9))
    draw = LABEL_STYLES[style].draw
    label = draw(person, BODY_25, (64, 96), 1.0)
    np.testing.assert_array_equal(label, draw(missing_person(), BODY_25, (64, 96), 1.0))


def test_an_unknown_style_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'oil'; known styles: edn, limb_index"):
        find_style("oil")


def two_frames():
    people = [person_with(nose=(110, 60)), None]
    return from_people(people, BODY_25, width=200, height=100, fps=Fraction(25), video="walk")


def window_of(figure_px):
    """Pictures of 96 x 64 at half the video's size; their corner lies at (90, 40), then farther."""
    to_video = np.array([[[2.0, 0, 90], [0, 2, 40]], [[2.0, 0, 94], [0, 2, 40]]])
    return FramesInfo(
        "walk", 2, Fraction(25), 96, 64, 200, 100, to_video, figure_px=figure_px, channels=3
    )


def test_labels_are_stored_one_per_frame_with_their_style_in_the_targets_window(tmp_path):
    window = window_of(figure_px=0)
    render_labels(two_frames(), LabelConfig(thickness=3.0), tmp_path / "labels.zip", window)
    labels = FrameReader(tmp_path / "labels.zip")
    config = {"style": "edn", "thickness": 3.0}
    drawn = config | {"skeleton": "BODY_25", "revision": REVISIONS["labels"]}
    assert labels.info == window.replaced(style="edn", style_config=drawn, codec="png")
    np.testing.assert_array_equal(labels.info.to_video, window.to_video)
    # (110, 60) is 20 px to the right of the corner and 20 below it, at half the size.
    expected = draw_stick_figure(person_with(nose=(10, 10)), BODY_25, (64, 96), 3.0)
    np.testing.assert_array_equal(labels[0], expected)
    assert (labels[1] == 255).all()


def test_in_a_window_that_follows_the_dancer_a_frame_without_him_has_no_label(tmp_path):
    config = LabelConfig(thickness=3.0)
    render_labels(two_frames(), config, tmp_path / "labels.zip", window_of(figure_px=41.6))
    labels = FrameReader(tmp_path / "labels.zip")
    assert [labels.has(frame) for frame in range(2)] == [True, False]
    # The figure fills 0.65 of 64 px: lines as in the whole picture of a dancer.
    expected = draw_stick_figure(person_with(nose=(10, 10)), BODY_25, (64, 96), 3.0)
    np.testing.assert_array_equal(labels[0], expected)


def test_lines_are_as_thick_as_the_figure_is_tall():
    widths = [line_width(3.0, window_of(figure_px)) for figure_px in (41.6, 20.8, 0)]
    np.testing.assert_allclose(widths, [3, 1.5, 3])


def test_a_label_is_shown_at_its_place_and_one_that_is_not_there_leaves_the_paper(tmp_path):
    label = np.full((64, 96, 3), 255, np.uint8)
    label[10:20, 5:15] = 255, 0, 0
    info = window_of(figure_px=41.6).replaced(codec="png", style="edn")
    with FrameWriter(tmp_path / "labels.zip", info) as writer:
        writer.append(label)
        writer.append(None)
    labels, paper = FrameReader(tmp_path / "labels.zip"), np.full((150, 150, 3), 120, np.uint8)
    to_paper = np.array([[1.0, 0, 8], [0, 1, 32]])  # 8 px to the right, 32 px down
    expected = paper.copy()
    expected[42:52, 13:23] = 255, 0, 0
    np.testing.assert_array_equal(draw_label(labels, 0, to_paper, paper), expected)
    np.testing.assert_array_equal(draw_label(labels, 1, to_paper, paper), paper)
