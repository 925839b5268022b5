"""Labels drawn by torch are those that are stored."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edn_core.config import LabelConfig
from edn_core.dataset import label_to_tensor
from edn_core.keypoints import missing_person
from edn_core.render import LABEL_STYLES, render_label
from edn_core.render_torch import render_labels_torch
from edn_core.skeleton import BODY_25, COCO_18, EDN_23, PARTS, part_skeleton

BODIES = [BODY_25, COCO_18, EDN_23]
GREY_LEVEL = 1 / 255
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device"
))]  # fmt: skip


def somebody(rng, skeleton, size, border=0.06, reach=0.3) -> dict:
    """A person at random, every point at least ``border`` heights inside the picture."""
    height, width = size
    person = missing_person(skeleton)
    for part, points in person.items():
        middle = rng.uniform(0.3, 0.7, 2) * (width, height)
        spread = reach * height * (1 if part == "body" else 0.15)
        points[:, :2] = middle + rng.uniform(-spread, spread, (len(points), 2))
        low, high = border * height, np.array([width - 1, height - 1]) - border * height
        points[:, :2] = np.clip(points[:, :2], low, high)
        if rng.random() < 0.3:
            points[:, :2] = np.round(points[:, :2])
        points[:, 2] = rng.random(len(points))
        points[rng.random(len(points)) < 0.15] = np.nan, np.nan, 0
    return person


def batch_of(people) -> dict[str, torch.Tensor]:
    return {part: torch.from_numpy(np.stack([one[part] for one in people])) for part in people[0]}


def stored(people, skeleton, size, config) -> torch.Tensor:
    style = LABEL_STYLES[config.style]
    return torch.stack(
        [label_to_tensor(render_label(one, skeleton, size, config), style) for one in people]
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("size", "thickness"), [((128, 96), 2.0), ((224, 160), 1.0), ((1120, 160), 1.0)]
)
@pytest.mark.parametrize("skeleton", BODIES, ids=lambda one: one.name)
def test_the_figure_is_the_stored_one_to_a_grey_level(skeleton, size, thickness, device):
    rng = np.random.default_rng(len(skeleton))
    people = [somebody(rng, skeleton, size) for _ in range(3)]
    config = LabelConfig(thickness=thickness)
    points = {part: one.to(device) for part, one in batch_of(people).items()}
    drawn = render_labels_torch(points, skeleton, size, config)
    assert drawn.device.type == device
    assert drawn.shape == (3, 3, *size) and drawn.dtype == torch.float32
    apart = (drawn.cpu() - stored(people, skeleton, size, config)).abs()
    assert apart.max() <= GREY_LEVEL + 1e-6
    # A canvas of 1080 / 224 has weights that float32 cannot hold; the others agree throughout.
    assert (apart > 1e-6).float().mean() <= (1e-4 if size[0] == 224 else 0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [(512, 256), (96, 128)])
@pytest.mark.parametrize("skeleton", BODIES, ids=lambda one: one.name)
def test_limb_classes_are_the_stored_ones(skeleton, size, device):
    rng = np.random.default_rng(len(skeleton))
    people = [somebody(rng, skeleton, size) for _ in range(4)]
    config = LabelConfig(style="limb_index")
    points = {part: one.to(device) for part, one in batch_of(people).items()}
    drawn = render_labels_torch(points, skeleton, size, config)
    assert drawn.shape == (4, 18, *size) and drawn.dtype == torch.float32
    assert torch.equal(drawn.cpu(), stored(people, skeleton, size, config))


@pytest.mark.parametrize("style", ["edn", "limb_index"])
def test_people_who_leave_the_picture_differ_in_hardly_any_pixel(style):
    rng = np.random.default_rng(0)
    people = [somebody(rng, COCO_18, (96, 96), border=-0.3, reach=0.7) for _ in range(3)]
    config = LabelConfig(style=style, thickness=2.0)
    drawn = render_labels_torch(batch_of(people), COCO_18, (96, 96), config)
    apart = (drawn - stored(people, COCO_18, (96, 96), config)).abs()
    assert (apart > GREY_LEVEL + 1e-6).float().mean() < 2e-3


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    reach=st.sampled_from([0.0, 1e3, 1e12, 3e38]),
    style=st.sampled_from(["edn", "limb_index"]),
)
def test_no_half_seen_or_far_away_person_upsets_it(seed, reach, style):
    rng = np.random.default_rng(seed)
    person = missing_person()
    for values in person.values():
        values[:] = rng.uniform(-1, 1, values.shape) * reach
        values[:, 2] = rng.choice([np.nan, np.inf, -1, 0, 0.05, 0.5, 7], len(values))
        values[rng.random(len(values)) < 0.3, 0] = rng.choice([np.nan, np.inf, 40.0])
    drawn = render_labels_torch(batch_of([person]), BODY_25, (64, 32), LabelConfig(style=style))
    assert drawn.shape[2:] == (64, 32)
    assert ((drawn >= 0) & (drawn <= 1)).all()


@pytest.mark.parametrize("style", ["edn", "limb_index"])
def test_nobody_is_drawn_as_nobody(style):
    people, config = [missing_person()] * 2, LabelConfig(style=style)
    drawn = render_labels_torch(batch_of(people), BODY_25, (64, 96), config)
    assert torch.equal(drawn, stored(people, BODY_25, (64, 96), config))


def test_parts_may_be_left_out():
    person = somebody(np.random.default_rng(0), BODY_25, (96, 96))
    body = {"body": batch_of([person])["body"]}
    faceless = missing_person() | {"body": person["body"]}
    drawn = render_labels_torch(body, BODY_25, (96, 96), LabelConfig())
    assert torch.equal(drawn, stored([faceless], BODY_25, (96, 96), LabelConfig()))
    assert set(PARTS) > set(body)
    assert len(part_skeleton("body")) == body["body"].shape[1]


def test_each_item_of_a_batch_is_drawn_by_itself():
    rng = np.random.default_rng(0)
    people = [somebody(rng, BODY_25, (96, 96)) for _ in range(2)]
    together = render_labels_torch(batch_of(people), BODY_25, (96, 96), LabelConfig())
    for one, person in zip(together, people, strict=True):
        alone = render_labels_torch(batch_of([person]), BODY_25, (96, 96), LabelConfig())
        assert torch.equal(alone[0], one)


def test_the_points_are_left_as_they_were_and_no_gradient_flows():
    points = batch_of([somebody(np.random.default_rng(0), BODY_25, (96, 96))])
    before = {part: one.clone() for part, one in points.items()}
    points["body"].requires_grad_()
    assert not render_labels_torch(points, BODY_25, (96, 96), LabelConfig()).requires_grad
    for part, one in points.items():
        torch.testing.assert_close(one.detach(), before[part], equal_nan=True)


def test_a_style_that_torch_does_not_draw_is_refused_with_those_it_does():
    points = batch_of([missing_person()])
    with pytest.raises(ValueError, match="'facing', which torch does not draw; .* edn, limb_index"):
        render_labels_torch(points, BODY_25, (64, 64), LabelConfig(style="facing"))
