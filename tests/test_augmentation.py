"""Training frames mirrored, moved and hidden from the discriminator, on the tiny dancer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import (
    N_FRAMES,
    NETWORK,
    SIZE,
    SPLIT,
    STAGE,
    batch_of,
    make_target,
    run_of,
    train_tiny,
    without,
)
from torch.utils.data import default_collate

from edn_core.background import read_plate
from edn_core.checkpoint import load_generator
from edn_core.config import (
    AugmentationConfig,
    LabelConfig,
    RuntimeConfig,
    StageConfig,
    TrainingConfig,
    training_options,
)
from edn_core.dataset import FrameSequences, image_to_tensor, label_to_tensor
from edn_core.keypoints import from_people, mirror_person, write_keypoints
from edn_core.networks import PlatedGenerator
from edn_core.render import LABEL_STYLES, render_label
from edn_core.skeleton import BODY_25, HAND_21
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, train
from edn_core.training.augmentation import as_judged, draw, draw_views, moved, moved_boxes
from edn_core.training.crops import crop_hands
from edn_core.training.feed import Batches, feed
from edn_core.training.prepare import prepare
from edn_core.training.stage import Weighting

STYLES = list(LABEL_STYLES)


def settings_of(seed: int = 0, **augmentation) -> TrainingSettings:
    training = TrainingConfig(seed=seed, augmentation=AugmentationConfig(**augmentation))
    return TrainingSettings(STAGE, NETWORK, SPLIT, training)


def handed_dancer(target):
    """The tiny dancer with hands that cannot be taken for one another."""
    rng = np.random.default_rng(0)
    people = []
    for frame in range(N_FRAMES):
        person = target.dancer.person(frame)
        for side in ("left", "right"):
            wrist = person["body"][BODY_25.index(f"{side}_wrist"), :2]
            points = wrist + rng.uniform(-4, 4, (len(HAND_21), 2))
            score = np.full((len(HAND_21), 1), 0.9)
            person[f"hand_{side}"] = np.concatenate([points, score], axis=1).astype(np.float32)
        people.append(person)
    dancer = target.dancer
    return from_people(people, BODY_25, width=SIZE, height=SIZE, fps=dancer.fps, video="tiny")


@pytest.fixture(scope="module", params=STYLES)
def mirroring(request, tiny_target, tmp_path_factory):
    """A target with hands in each label style, and its runs, mirrored ones too."""
    folder = tmp_path_factory.mktemp(f"mirror_{request.param}")
    target = make_target(folder, handed_dancer(tiny_target), style=request.param)
    runs = FrameSequences(
        target.frames, target.labels, target.keypoints, range(N_FRAMES), has_mirrored=True
    )
    return target, runs, request.param


# Mirrored


def test_a_mirrored_label_is_the_label_drawn_of_the_mirrored_keypoints(mirroring):
    target, runs, style = mirroring
    config, size = LabelConfig(style=style, thickness=3.0), (SIZE, SIZE)
    for item in (0, 11, 22):
        mirrored = runs[item + len(runs)]
        assert mirrored["is_mirrored"] and mirrored["frame"] == runs[item]["frame"]
        for i, frame in enumerate((item, item + 1)):
            person = mirror_person(target.dancer.person(frame), BODY_25, SIZE)
            drawn = render_label(person, BODY_25, size, config)
            assert torch.equal(mirrored["label"][i], label_to_tensor(drawn, LABEL_STYLES[style]))


def test_a_mirrored_label_is_not_the_flipped_one_for_left_is_not_right(mirroring):
    _, runs, style = mirroring
    mirrored, flipped = runs[5 + len(runs)]["label"], runs[5]["label"].flip(-1)
    # The figure stands where the flipped one stands ...
    if style != "limb_index":
        drawn, expected = ((one < 1).any(dim=1).float() for one in (mirrored, flipped))
        assert (drawn - expected).abs().mean() < 0.02
    # ... in the colours of the other side.
    assert (mirrored - flipped).abs().amax(dim=1).gt(0.1).float().mean() > 0.01


def test_a_mirrored_picture_is_flipped_and_its_boxes_show_what_they_showed(mirroring):
    _, runs, _ = mirroring
    plain, mirrored = runs[9], runs[9 + len(runs)]
    assert torch.equal(mirrored["image"], plain["image"].flip(-1))

    def shown(item, frame, box):
        x0, y0, x1, y1 = box.tolist()
        return item["image"][frame, :, y0:y1, x0:x1]

    for frame in range(2):
        face, other = (one["face_box"][frame] for one in (plain, mirrored))
        assert torch.equal(shown(mirrored, frame, other), shown(plain, frame, face).flip(-1))
        for hand in range(2):  # the picture's left hand is the right one of before
            box, other = plain["hand_box"][frame, hand], mirrored["hand_box"][frame, 1 - hand]
            assert torch.equal(shown(mirrored, frame, other), shown(plain, frame, box).flip(-1))


def test_no_box_stays_no_box_when_mirrored(tiny_target, tmp_path):
    dancer = without(tiny_target.dancer, [4], ("face",))
    write_keypoints(tmp_path / "keypoints.h5", dancer)
    runs = FrameSequences(
        tiny_target.frames,
        tiny_target.labels,
        tmp_path / "keypoints.h5",
        range(N_FRAMES),
        has_mirrored=True,
    )
    assert (runs[3 + len(runs)]["face_box"][1] == -1).all()
    assert (runs[3 + len(runs)]["face_box"][0] >= 0).all()


def test_without_mirroring_there_are_no_more_items_than_runs(tiny_target):
    runs = FrameSequences(
        tiny_target.frames, tiny_target.labels, tiny_target.keypoints, range(N_FRAMES)
    )
    assert len(list(runs)) == len(runs)
    with pytest.raises(IndexError):
        runs[len(runs)]


def test_which_runs_are_mirrored_follows_from_seed_and_step_and_all_are_shown():
    def order(first, **augmentation):
        settings = settings_of(**augmentation)
        settings = replace(settings, stage=StageConfig(steps=1, batch_size=5))
        return list(Batches(40, settings, first, 24))

    plain, mirrored = order(0), order(0, mirror=0.5)
    assert order(7, mirror=0.5) == mirrored[7:]
    for epoch in range(3):
        numbers = [i for batch in mirrored[8 * epoch : 8 * epoch + 8] for i in batch]
        assert sorted(i % 40 for i in numbers) == list(range(40))
        assert 8 < sum(i >= 40 for i in numbers) < 32
    assert [[i % 40 for i in batch] for batch in mirrored[:8]] == plain[:8]
    assert all(i >= 40 for batch in order(0, mirror=1.0) for i in batch)


# Moved


@given(st.integers(-7, 7), st.integers(-5, 5))
def test_what_is_moved_is_found_where_it_was_moved_to(dx, dy):
    image = torch.arange(2 * 3 * 10 * 12, dtype=torch.float32).reshape(2, 3, 10, 12)
    result = moved(image, dx, dy)
    blank = moved(image, dx, dy, torch.full((3, 1, 1), -1.0))
    for y in range(10):
        for x in range(12):
            source_y, source_x = min(max(y - dy, 0), 9), min(max(x - dx, 0), 11)
            assert torch.equal(result[..., y, x], image[..., source_y, source_x])
            is_inside = (source_y, source_x) == (y - dy, x - dx)
            expected = image[..., source_y, source_x] if is_inside else torch.full((2, 3), -1.0)
            assert torch.equal(blank[..., y, x], expected)


def test_boxes_move_along_and_those_that_leave_the_canvas_are_none():
    boxes = torch.tensor([[0, 0, 4, 4], [6, 8, 10, 12], [-1, -1, -1, -1], [2, 3, 6, 7]])
    expected = [[-1] * 4, [-1] * 4, [-1] * 4, [1, 5, 5, 9]]
    assert moved_boxes(boxes, -1, 2, (12, 10)).tolist() == expected


def test_a_moved_batch_shows_the_same_in_its_face_boxes(tiny_target):
    run, batch = run_of(tiny_target, "body"), batch_of(tiny_target, *range(3, 15))
    result = prepare(batch, settings_of(shift=0.3), 5, run.networks["generator"])
    offsets = (result["face_box"] - batch["face_box"])[..., :2]
    assert torch.equal(offsets[:, 0], offsets[:, 1])  # both frames of a run alike
    assert len({tuple(one) for one in offsets[:, 0].tolist()}) > 6
    assert offsets.abs().max() > 8
    for i in range(12):
        for frame in range(2):
            (x0, y0, x1, y1), (a0, b0, a1, b1) = (
                one["face_box"][i, frame].tolist() for one in (batch, result)
            )
            assert 0 <= a0 < a1 <= SIZE and 0 <= b0 < b1 <= SIZE
            for name in ("label", "image"):
                here = result[name][i, frame, :, b0:b1, a0:a1]
                assert torch.equal(here, batch[name][i, frame, :, y0:y1, x0:x1])


def test_what_a_moved_label_leaves_behind_is_the_label_of_nobody(tmp_path):
    for style in STYLES:
        (tmp_path / style).mkdir()
        target = make_target(tmp_path / style, style=style)
        runs = FrameSequences(target.frames, target.labels, target.keypoints, range(N_FRAMES))
        batch = default_collate([runs[2]])
        result = prepare(batch, settings_of(seed=2, shift=0.4), 0, torch.nn.Identity())
        x = int((result["face_box"] - batch["face_box"])[0, 0, 0])
        assert x < -5
        behind = result["label"][0, 0, :, :, x:]
        nobody = torch.tensor([1.0, 1, 1] if style != "limb_index" else [1.0] + 17 * [0.0])
        assert torch.equal(behind, nobody[:, None, None].expand_as(behind))


def test_the_plate_moves_and_turns_with_each_picture(tiny_target):
    run = run_of(tiny_target, "body")
    generator = run.networks["generator"]
    assert isinstance(generator, PlatedGenerator)
    runs = FrameSequences(
        tiny_target.frames, tiny_target.labels, tiny_target.keypoints, range(N_FRAMES),
        has_mirrored=True,
    )  # fmt: skip
    batch = default_collate([runs[4], runs[4 + len(runs)], runs[7]])
    result = prepare(batch, settings_of(mirror=0.5, shift=0.2), 3, generator)
    plate, seen = result["background"]
    assert plate.shape == (3, 3, SIZE, SIZE) and seen.shape == (3, 1, SIZE, SIZE)
    stored, known = read_plate(tiny_target.background)
    tensor = image_to_tensor(stored)
    for i, source in enumerate((tensor, tensor.flip(-1), tensor)):
        dx, dy = (result["face_box"] - batch["face_box"])[i, 0, :2].tolist()
        assert torch.equal(plate[i], moved(source[None], dx, dy)[0])
    # Where no dancer is painted, the output is each item's own plate.
    with torch.no_grad():
        for one in generator.network.parameters():
            one.zero_()
        generator.network.model[-2].bias[3] = -20  # the mask
        painted = generator(torch.zeros(3, 6, SIZE, SIZE), result["background"])
        assert torch.allclose(painted[seen.expand(3, 3, -1, -1) == 1],
                              plate[seen.expand(3, 3, -1, -1) == 1], atol=1e-5)  # fmt: skip
        own = generator(torch.zeros(3, 6, SIZE, SIZE))
    assert not torch.allclose(own, painted)
    assert known.any()


def test_without_augmentation_a_batch_is_the_same(tiny_target):
    run, batch = run_of(tiny_target, "body"), batch_of(tiny_target, 3)
    assert prepare(batch, settings_of(), 7, run.networks["generator"]) is batch


def test_what_is_drawn_follows_from_seed_step_and_frame_alone(tiny_target):
    generator = run_of(tiny_target, "body").networks["generator"]
    settings = settings_of(shift=0.3, discriminator=("colour", "cutout"))
    together = prepare(batch_of(tiny_target, 3, 8, 12), settings, 9, generator)
    alone = prepare(batch_of(tiny_target, 8), settings, 9, generator)
    for name in ("image", "label", "face_box", "hand_box"):
        assert torch.equal(together[name][1], alone[name][0])
    for name in ("colour", "cutout"):
        assert torch.equal(together["view"][name][1], alone["view"][name][0])
    others = [
        prepare(batch_of(tiny_target, 8), settings, 10, generator),
        prepare(batch_of(tiny_target, 8), replace(settings, training=replace(
            settings.training, seed=1)), 9, generator),
    ]  # fmt: skip
    for other in others:
        assert not torch.equal(other["image"], alone["image"])
        assert not torch.equal(other["view"]["colour"], alone["view"]["colour"])
    assert draw(-1, 0, 0, 0, 2).shape == (2,)


# What the discriminator sees


def view(**drawn) -> dict[str, torch.Tensor]:
    return {name: torch.tensor([values]) for name, values in drawn.items()}


def test_labels_and_images_lose_the_same_rectangle_and_move_alike():
    labels, images = torch.ones(1, 2, 16, 8), torch.full((1, 6, 16, 8), 0.5)
    # 7/8 of the way: round(0.75 / 8 * 16) = 2 px down; to the left by 1/8 of 8 = 1 px.
    seen = as_judged(labels, images, view(translation=[0.0, 0.875]))
    for one, value in zip(seen, (1.0, 0.5), strict=True):
        assert (one[..., 2:, :-1] == value).all()
        assert (one[..., :2, :] == 0).all() and (one[..., -1] == 0).all()
    # A hole of 4 x 8 around the middle of the left edge, half of it outside.
    for one in as_judged(labels, images, view(cutout=[0.0, 0.5])):
        assert (one[..., 4:12, :2] == 0).all()
        assert (one == 0).sum() == 8 * 2 * one.shape[1]


def test_a_translated_picture_is_the_picture_elsewhere():
    images = torch.arange(3.0 * 16 * 16).reshape(1, 3, 16, 16) + 1
    _, seen = as_judged(torch.zeros(1, 1, 16, 16), images, view(translation=[0.75, 0.5]))
    assert torch.equal(seen[..., 1:], images[..., :-1])  # round(0.5 / 8 * 16) = 1


def test_colours_change_by_known_amounts_and_each_frame_by_itself():
    labels = torch.rand(1, 3, 4, 4)
    frames = [torch.full((1, 3, 4, 4), value) for value in (0.25, -0.5)]
    pair = torch.cat(frames, dim=1)
    same, brighter = as_judged(labels, pair, view(colour=[0.75, 0.5, 0.5]))
    assert torch.equal(same, labels)
    torch.testing.assert_close(brighter, pair + 0.25)
    colours = torch.tensor([0.4, 0.2, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    _, grey = as_judged(labels, colours, view(colour=[0.5, 0.0, 0.5]))
    torch.testing.assert_close(grey, torch.full_like(grey, 0.2))
    _, vivid = as_judged(labels, colours, view(colour=[0.5, 1.0, 0.5]))
    torch.testing.assert_close(vivid[0, :, 0, 0], torch.tensor([0.6, 0.2, -0.2]))
    half = torch.cat([torch.zeros(1, 3, 4, 2), torch.ones(1, 3, 4, 2)], dim=3)
    _, flat = as_judged(labels, half, view(colour=[0.5, 0.5, 0.0]))
    torch.testing.assert_close(flat, 0.25 + half / 2)


def test_gradients_pass_through_what_the_discriminator_sees():
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    drawn = {"translation": torch.rand(2, 2), "cutout": torch.rand(2, 2)}
    _, seen = as_judged(torch.rand(2, 3, 8, 8), images, drawn)
    (gradient,) = torch.autograd.grad(seen.sum(), images)
    # What is cut out or has left the picture teaches nothing, all else its own pixel.
    assert set(gradient.unique().tolist()) == {0, 1}
    _, seen = as_judged(torch.rand(2, 3, 8, 8), images, {"colour": torch.rand(2, 3)})
    (gradient,) = torch.autograd.grad(seen.square().sum(), images)
    assert gradient.abs().min() > 0


def test_every_item_is_seen_in_its_own_way(tiny_target):
    drawn = draw_views(batch_of(tiny_target, *range(8)), 0, 0, ("colour", "translation", "cutout"))
    assert {name: tuple(one.shape) for name, one in drawn.items()} == {
        "colour": (8, 3),
        "translation": (8, 2),
        "cutout": (8, 2),
    }
    for one in drawn.values():
        assert ((one >= 0) & (one < 1)).all()
        assert len(one.unique()) == one.numel()


def test_real_and_fake_are_judged_through_the_same_view():
    labels, image = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    seen = []

    def judge(pictures):
        seen.append(pictures)
        return [[pictures]]

    drawn = view(translation=[0.9, 0.1], cutout=[0.2, 0.8], colour=[0.1, 0.2, 0.3])
    Weighting(STAGE, None).judged(judge, labels, image, image, drawn)  # type: ignore[arg-type]
    real, fake = seen  # on a GPU both at once
    assert torch.equal(real, fake)
    assert not torch.equal(real, torch.cat([labels, image], dim=1))


# Hands


def test_hands_are_cut_where_their_boxes_are_and_only_those_that_are_there():
    fake, real = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    boxes = torch.tensor([[[0, 1, 3, 4], [-1] * 4], [[-1] * 4, [5, 4, 8, 7]]])
    crops = crop_hands(fake, real, boxes)
    assert crops is not None
    for crop, whole in zip(crops, (fake, real), strict=True):
        assert torch.equal(crop[0], whole[0, :, 1:4, 0:3])
        assert torch.equal(crop[1], whole[1, :, 4:7, 5:8])
    assert crop_hands(fake, real, torch.full((2, 2, 4), -1)) is None


def test_the_hands_term_is_the_image_term_of_the_crops_alone():
    weighting = Weighting(STAGE, None, hand_crops=0.5)  # l1 20
    fake, real = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    real[..., 4:, 4:] = 1
    boxes = torch.tensor([[[2, 2, 6, 6], [4, 4, 8, 8]]])
    # One crop is a quarter wrong, the other all of it.
    term = weighting.hand_term(fake, real, boxes, frames=2)["hands"]
    assert term.item() == pytest.approx(0.5 * 2 * 20 * (0.25 + 1) / 2)
    none = weighting.hand_term(fake, real, torch.full((1, 2, 4), -1))
    assert none["hands"].item() == 0


@pytest.mark.parametrize("name", ["body", "temporal"])
def test_with_hand_crops_a_stage_has_one_more_term(tiny_target, tiny_body, name):
    run = run_of(tiny_target, name, None if name == "body" else tiny_body)
    batch = batch_of(tiny_target, 3, 9)
    plain, _ = run.stage.losses(run.networks, batch, run.weighting)
    with_hands = replace(run.weighting, hand_crops=1.0)
    terms, _ = run.stage.losses(run.networks, batch, with_hands)
    assert set(terms) - set(plain) == {"hands"}
    assert terms["hands"] > 0
    for one, value in plain.items():
        assert torch.equal(terms[one], value)


# Trainings


def train_with(target, model, stage="body", start=None, is_halved=False, **options):
    torch.set_num_threads(1)
    files = TrainingFiles(
        target.frames, target.labels, target.keypoints, target.background, start, model
    )
    settings = TrainingSettings(STAGE, NETWORK, SPLIT, TrainingConfig(**options), is_halved)
    train(STAGES[stage], files, settings, RuntimeConfig(device="cpu"), torch.device("cpu"))
    return model


EVERYTHING = {
    "augmentation": AugmentationConfig(
        mirror=0.5, shift=0.2, discriminator=("colour", "translation", "cutout")
    ),
    "hand_crops": 0.5,
    "doubtful_fraction": 0.2,
    "unroll_frames": 3,
    "warm_up_frames": 1,
}


@pytest.mark.parametrize("name", [*STAGES, "halved body"])
def test_with_every_option_a_stage_trains_to_the_same_bytes_again(
    tiny_target, tiny_body, tmp_path, name
):
    is_halved, start = name == "halved body", tiny_body
    if name == "enhance":
        start = train_tiny(tiny_target, tmp_path / "body" / "generator.safetensors", is_halved=True)
        start = train_tiny(
            tiny_target,
            tmp_path / "temporal" / "generator.safetensors",
            "temporal",
            start,
            is_halved=True,
        )
    if name.endswith("body"):
        name, start = "body", None
    more = {"is_halved": is_halved}
    files = [
        train_with(
            tiny_target,
            tmp_path / f"{i}" / "generator.safetensors",
            name,
            start,
            **more,
            **EVERYTHING,
        )
        for i in range(2)
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    plain = train_with(
        tiny_target, tmp_path / "plain" / "generator.safetensors", name, start, **more
    )
    assert plain.read_bytes() != files[0].read_bytes()


@pytest.mark.parametrize("options", [
    {"augmentation": AugmentationConfig(mirror=1.0)},
    {"augmentation": AugmentationConfig(shift=0.2)},
    {"augmentation": AugmentationConfig(discriminator=("translation",))},
    {"hand_crops": 1.0},
    {"doubtful_fraction": 0.4},
], ids=str)  # fmt: skip
def test_each_option_by_itself_changes_what_is_learned(tiny_target, tiny_body, tmp_path, options):
    model = train_with(tiny_target, tmp_path / "generator.safetensors", **options)
    one, other = load_generator(model), load_generator(tiny_body)
    assert any(not torch.equal(one.weights[name], value) for name, value in other.weights.items())


@pytest.mark.parametrize("name", ["body", "temporal", "face"])
def test_a_training_that_goes_on_from_a_state_draws_what_it_would_have_drawn(
    tiny_target, tiny_body, name
):
    training = TrainingConfig(**EVERYTHING)

    def start():
        run = run_of(tiny_target, name, None if name == "body" else tiny_body)
        run.settings = replace(run.settings, training=training)
        sequences = FrameSequences(
            tiny_target.frames,
            tiny_target.labels,
            tiny_target.keypoints,
            SPLIT.train_frames,
            length=run.settings.run_length(run.stage.is_unrolled),
            has_mirrored=True,
        )
        return run, sequences

    def go_on(run, sequences, first, last):
        runtime, cpu = RuntimeConfig(), torch.device("cpu")
        for batch in feed(sequences, run.settings, runtime, cpu, first, last):
            run.train_step(batch, 5)

    whole, sequences = start()
    go_on(whole, sequences, 0, 5)
    before, sequences = start()
    go_on(before, sequences, 0, 2)
    after, sequences = start()
    after.restore(before.state())
    go_on(after, sequences, 2, 5)
    for one, value in whole.networks[whole.stage.generator].state_dict().items():
        assert torch.equal(after.networks[whole.stage.generator].state_dict()[one], value)


def test_doubtful_frames_are_left_out_and_the_log_says_how_many(tiny_target, tmp_path, log):
    train_with(tiny_target, tmp_path / "generator.safetensors", doubtful_fraction=0.25)
    # 16 frames are trained on.
    assert "tiny: 4 of 16 training frames are left out: their pose is the most doubtful" in log()


def test_the_last_checkpoint_is_kept_if_that_is_wanted(tiny_target):
    run = run_of(tiny_target, "body")
    run.settings = replace(run.settings, training=TrainingConfig(keep="last"))
    for run.step, score in ((1, 0.9), (2, 0.5), (3, None), (4, 0.3)):
        run.keep_if_best(score)
    assert (run.best_step, run.best_score) == (4, 0.3)


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (AugmentationConfig, {"mirror": 1.5}, r"mirror must lie in 0\.\.1, got 1\.5"),
        (AugmentationConfig, {"shift": 0.6}, r"shift must lie in 0\.\.0\.5, got 0\.6"),
        (AugmentationConfig, {"discriminator": ("color",)}, "names 'color'; known: colour, tran"),
        (TrainingConfig, {"hand_crops": -1.0}, "hand_crops must not be negative, got -1"),
        (TrainingConfig, {"warm_up_frames": -1}, "warm_up_frames must not be negative"),
        (TrainingConfig, {"doubtful_fraction": 0.7}, r"doubtful_fraction must lie in 0\.\.0\.5"),
        (TrainingConfig, {"keep": "first"}, "keep is 'first'; known: best, last"),
    ],
)
def test_an_impossible_option_is_refused(section, values, message):
    with pytest.raises(ValueError, match=message):
        section(**values)


def test_a_mirrored_person_has_the_hands_of_the_other_side(tiny_target):
    person = handed_dancer(tiny_target).person(3)
    mirrored = mirror_person(person, BODY_25, SIZE)
    np.testing.assert_array_equal(mirrored["hand_left"][:, 1:], person["hand_right"][:, 1:])
    np.testing.assert_array_equal(mirrored["hand_left"][:, 0], 63 - person["hand_right"][:, 0])
    wrist, other = (BODY_25.index(f"{side}_wrist") for side in ("left", "right"))
    np.testing.assert_array_equal(mirrored["body"][wrist, 1:], person["body"][other, 1:])
    again = mirror_person(mirrored, BODY_25, SIZE)
    for part, points in person.items():
        np.testing.assert_allclose(again[part], points, atol=1e-5)


def test_options_concern_the_stages_that_read_them():
    body, face = (training_options(TrainingConfig(), stage) for stage in ("body", "face"))
    assert "hand_crops" in body and "hand_crops" not in face
    assert not {"unroll_frames", "warm_up_frames"} & set(body)
    assert {"augmentation", "keep", "doubtful_fraction"} <= set(body) & set(face)
