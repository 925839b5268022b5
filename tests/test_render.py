"""Labels: storing, and that nothing half-seen upsets any style."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edn_core import REVISIONS
from edn_core.config import LabelConfig
from edn_core.frames import FrameReader, FramesInfo
from edn_core.keypoints import from_people, missing_person
from edn_core.render import LABEL_STYLES, draw_stick_figure, render_label, render_labels
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
def test_what_lies_outside_the_canvas_is_not_drawn_into_it(style):
    # Two joints above the canvas: discs and the limb between them end before its first row.
    person = person_with(right_elbow=(10, -60), right_wrist=(90, -60), neck=(1e9, 1e9))
    draw = LABEL_STYLES[style].draw
    label = draw(person, BODY_25, (64, 96), 1.0)
    np.testing.assert_array_equal(label, draw(missing_person(), BODY_25, (64, 96), 1.0))


def test_an_unknown_style_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'oil'; known styles: edn, facing, limb_index"):
        render_label(missing_person(), BODY_25, (64, 64), LabelConfig(style="oil"))


def two_frames():
    people = [person_with(nose=(10, 10)), None]
    return from_people(people, BODY_25, width=96, height=64, fps=Fraction(25), video="walk")


def target_canvas(width):
    return FramesInfo(
        video="her", n_frames=500, fps=Fraction(30), width=width, height=64,
        source_width=900, source_height=600, scale=0.1, offset=(3, 2), source_sha256="abc",
    )  # fmt: skip


def test_labels_are_stored_one_per_frame_with_their_style_on_the_targets_canvas(tmp_path):
    render_labels(
        two_frames(), LabelConfig(thickness=3.0), tmp_path / "labels.zip", target_canvas(96)
    )
    labels = FrameReader(tmp_path / "labels.zip")
    info = labels.info
    assert (len(labels), info.n_frames, info.fps, info.video) == (2, 2, 25, "walk")
    assert (info.offset, info.scale, info.source_sha256) == ((3, 2), 0.1, "")
    config = {"style": "edn", "thickness": 3.0}
    drawn = config | {"skeleton": "BODY_25", "revision": REVISIONS["labels"]}
    assert (info.style, info.style_config) == ("edn", drawn)
    expected = draw_stick_figure(two_frames().person(0), BODY_25, (64, 96), 3.0)
    np.testing.assert_array_equal(labels[0], expected)
    assert (labels[1] == 255).all()


def test_labels_for_another_canvas_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match="normalize them to her first"):
        render_labels(two_frames(), LabelConfig(), tmp_path / "labels.zip", target_canvas(128))
    assert list(tmp_path.iterdir()) == []
