"""Which frames come when, and how they are mirrored and moved, on the tiny dancer."""

import shutil
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
    batch_of,
    feed_of,
    make_target,
    run_of,
)

from edn_core.config import (
    AugmentationConfig,
    RuntimeConfig,
    StageConfig,
    TrainingConfig,
)
from edn_core.dataset import images_to_tensor, label_to_tensor
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import mirror_person
from edn_core.networks import halve_image, halve_label
from edn_core.render import LABEL_STYLES
from edn_core.skeleton import BODY_25
from edn_core.training import TrainingSettings
from edn_core.training.augmentation import moved
from edn_core.training.feed import order_of_pairs

STYLES = list(LABEL_STYLES)
MIRRORED = {"augmentation": AugmentationConfig(mirror=0.5)}
MOVED = {"augmentation": AugmentationConfig(shift=0.3)}
BOTH = {"augmentation": AugmentationConfig(mirror=0.5, shift=0.2)}


# Which pairs come


def order(first, total, n_pairs=10, batch_size=3, **options):
    stage = StageConfig(steps=1, batch_size=batch_size)
    settings = TrainingSettings(stage, NETWORK, SPLIT, TrainingConfig(**options))
    return list(order_of_pairs(n_pairs, settings, first, total))


def test_which_pairs_come_follows_from_seed_and_step_alone():
    whole = order(0, 20)
    assert len(whole) == 20
    for step in (0, 1, 3, 8, 19, 20):
        assert order(step, 20) == whole[step:]
    assert order(0, 20, seed=1) != whole


def test_every_epoch_shows_every_pair_once_in_another_order():
    epochs = [order(0, 15, n_pairs=15)[5 * i : 5 * i + 5] for i in range(3)]
    for epoch in epochs:
        assert sorted(pair for batch in epoch for pair in batch) == list(range(15))
    assert epochs[0] != epochs[1] != epochs[2]


def test_which_pairs_are_mirrored_follows_from_seed_and_step_and_all_are_shown():
    plain, mirrored = (order(0, 24, 40, 5, **more) for more in ({}, MIRRORED))
    assert order(7, 24, 40, 5, **MIRRORED) == mirrored[7:]
    for epoch in range(3):
        numbers = [i for batch in mirrored[8 * epoch : 8 * epoch + 8] for i in batch]
        assert sorted(i % 40 for i in numbers) == list(range(40))
        assert 8 < sum(i >= 40 for i in numbers) < 32
    assert [[i % 40 for i in batch] for batch in mirrored[:8]] == plain[:8]


# What is in a batch


def test_a_batch_holds_two_frames_in_a_row_with_their_labels(tiny_target):
    batch = batch_of(tiny_target, 9, 2)
    frames, labels = FrameReader(tiny_target.frames), FrameReader(tiny_target.labels)
    assert batch["label"].shape == batch["image"].shape == (2, 2, 3, SIZE, SIZE)
    assert (batch["face_box"].shape, batch["face_box"].dtype) == ((2, 2, 4), torch.int64)
    for i, first in enumerate((9, 2)):
        for j, frame in enumerate((first, first + 1)):
            image = images_to_tensor(torch.from_numpy(frames[frame][..., :3])[None])[0]
            assert torch.equal(batch["image"][i, j], image)
            matte = torch.from_numpy(frames[frame][..., 3] / np.float32(255))
            assert torch.equal(batch["matte"][i, j, 0], matte)
            assert torch.equal(
                batch["label"][i, j], label_to_tensor(labels[frame], LABEL_STYLES["edn"])
            )


def test_at_half_the_window_pictures_and_boxes_are_halved(tmp_path):
    target = make_target(tmp_path, style="limb_index")
    whole, half = batch_of(target, 4), batch_of(target, 4, is_halved=True)
    assert half["label"].shape == (1, 2, 18, SIZE // 2, SIZE // 2)
    # Shares of the classes: of each pixel they add up to one.
    torch.testing.assert_close(half["label"].sum(dim=2), torch.ones(1, 2, SIZE // 2, SIZE // 2))
    assert torch.equal(half["label"][:, 1], halve_label(whole["label"][:, 1]))
    assert torch.equal(half["image"][:, 1], halve_image(whole["image"][:, 1]))
    assert torch.equal(half["face_box"], whole["face_box"] // 2)


@pytest.mark.parametrize(
    "runtime",
    [
        RuntimeConfig(frame_cache_mb=0, loader_workers=2),
        RuntimeConfig(resident_frames="always", frame_cache_mb=0),
    ],
    ids=["ahead, never", "always"],
)
def test_where_frames_stay_and_who_decodes_them_changes_no_batch(tiny_target, runtime):
    plain, other = (feed_of(tiny_target, one, batch_size=3, **BOTH) for one in (None, runtime))
    count = 0
    for one, same in zip(plain.batches(2, 9), other.batches(2, 9), strict=True):
        assert all(torch.equal(one[name], same[name]) for name in one)
        same["image"].zero_()  # what a training does to its batch is its own affair
        count += 1
    assert count == 7
    assert bool(other._kept) == (runtime.resident_frames == "always")


# Mirrored


@pytest.mark.parametrize("style", STYLES)
def test_a_mirrored_label_is_drawn_of_the_mirrored_keypoints_and_is_not_the_flipped_one(
    tmp_path, style
):
    target = make_target(tmp_path, style=style)
    feed, n_pairs = feed_of(target, **MIRRORED), N_FRAMES - 1
    plain, mirrored = feed.batch([5], 0)["label"], feed.batch([5 + n_pairs], 0)["label"]
    for i, frame in enumerate((5, 6)):
        person = mirror_person(target.dancer.person(frame), BODY_25, SIZE)
        drawn = LABEL_STYLES[style].draw(person, BODY_25, (SIZE, SIZE), 3.0)
        assert torch.equal(mirrored[0, i], label_to_tensor(drawn, LABEL_STYLES[style]))
    # The colours are those of the other side.
    difference = (mirrored - plain.flip(-1)).abs().amax(dim=2)
    assert difference.gt(0.1).float().mean() > 0.01


def test_a_mirrored_picture_is_flipped_and_its_face_boxes_show_what_they_showed(tiny_target):
    feed = feed_of(tiny_target, **MIRRORED)
    plain, mirrored = feed.batch([9], 0), feed.batch([9 + N_FRAMES - 1], 0)
    for name in ("image", "matte"):
        assert torch.equal(mirrored[name], plain[name].flip(-1))
    for frame in range(2):
        shown = []
        for batch in (plain, mirrored):
            x0, y0, x1, y1 = batch["face_box"][0, frame].tolist()
            shown.append(batch["image"][0, frame, :, y0:y1, x0:x1])
        assert torch.equal(shown[1], shown[0].flip(-1))


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


def test_a_moved_batch_shows_the_same_in_its_face_boxes(tiny_target):
    items = [*range(3, 15)]
    batch, result = (feed_of(tiny_target, **more).batch(items, 5) for more in ({}, MOVED))
    offsets = (result["face_box"] - batch["face_box"])[..., :2]
    assert torch.equal(offsets[:, 0], offsets[:, 1])  # both frames of a pair alike
    assert len({tuple(one) for one in offsets[:, 0].tolist()}) > 6
    assert offsets.abs().max() > 8
    for i in range(12):
        for frame in range(2):
            (x0, y0, x1, y1), (a0, b0, a1, b1) = (
                one["face_box"][i, frame].tolist() for one in (batch, result)
            )
            assert 0 <= a0 < a1 <= SIZE and 0 <= b0 < b1 <= SIZE
            for name in ("label", "image", "matte"):
                here = result[name][i, frame, :, b0:b1, a0:a1]
                assert torch.equal(here, batch[name][i, frame, :, y0:y1, x0:x1])


@pytest.mark.parametrize("style", STYLES)
def test_what_a_moved_label_leaves_behind_is_the_label_of_nobody(tmp_path, style):
    target = make_target(tmp_path, style=style)
    options = {"seed": 2, "augmentation": AugmentationConfig(shift=0.4)}
    batch, result = (feed_of(target, **more).batch([2], 0) for more in ({}, options))
    x = int((result["face_box"] - batch["face_box"])[0, 0, 0])
    assert x < -5
    behind = result["label"][0, 0, :, :, x:]
    nobody = torch.tensor([1.0, 1, 1] if style != "limb_index" else [1.0] + 17 * [0.0])
    assert torch.equal(behind, nobody[:, None, None].expand_as(behind))


def test_a_moved_dancer_leaves_ground_behind_and_a_moved_room_its_edge(tiny_target, tmp_path):
    options = {"seed": 2, "augmentation": AugmentationConfig(shift=0.4)}
    batch, result = (feed_of(tiny_target, **more).batch([2], 0) for more in ({}, options))
    x = int((result["face_box"] - batch["face_box"])[0, 0, 0])
    assert x < -5
    assert (result["image"][..., x:] == 0).all() and (result["matte"][..., x:] == 0).all()
    whole = replace(tiny_target, folder=tmp_path)
    for name in ("labels", "keypoints", "window"):
        shutil.copy(getattr(tiny_target, name), tmp_path)
    shutil.copy(tiny_target.whole, whole.frames)
    result = feed_of(whole, **options).batch([2], 0)
    assert "matte" not in result
    edge = result["image"][..., x - 1 : x]
    assert torch.equal(result["image"][..., x:], edge.expand(-1, -1, -1, -1, -x))


@pytest.fixture
def reaching_out(tiny_target, tmp_path):
    """The tiny target, whose windows begin 16 px left of the video."""
    to_video = FrameReader(tiny_target.frames).info.to_video.copy()
    to_video[:, 0, 2] -= 16
    for name in ("frames", "labels"):
        store = FrameReader(getattr(tiny_target, name))
        info = store.info.replaced(to_video=to_video)
        with FrameWriter(tmp_path / f"{name}.zip", info) as writer:
            for frame in range(len(store)):
                writer.append(store[frame])
    shutil.copy(tiny_target.keypoints, tmp_path)
    return replace(tiny_target, folder=tmp_path)


def test_a_batch_says_where_a_window_lies_outside_of_the_video(tiny_target, reaching_out):
    batch = feed_of(reaching_out).batch([4], 0)
    assert (batch["filmed"][..., :16] == 0).all() and (batch["filmed"][..., 16:] == 1).all()
    assert (batch["image"][..., :16] == 0).all() and (batch["image"][..., 16:] != 0).any()
    assert "filmed" not in feed_of(tiny_target).batch([4], 0)
    half = feed_of(reaching_out, is_halved=True).batch([4], 0)["filmed"]
    assert (half[..., :8] == 0).all() and (half[..., 8:] == 1).all()


def test_what_was_filmed_is_mirrored_and_moved_with_the_picture(reaching_out):
    mirrored = feed_of(reaching_out, **MIRRORED).batch([4 + N_FRAMES - 1], 0)["filmed"]
    assert (mirrored[..., :48] == 1).all() and (mirrored[..., 48:] == 0).all()
    plain, result = (feed_of(reaching_out, **more).batch([9], 0) for more in ({}, MOVED))
    x, y = (result["face_box"] - plain["face_box"])[0, 0, :2].tolist()
    assert x and y
    assert torch.equal(
        result["filmed"], torch.stack([moved(plain["filmed"][0], x, y, torch.zeros(1, 1, 1))])
    )


def test_what_is_drawn_follows_from_seed_step_and_frame_alone(tiny_target):
    together = feed_of(tiny_target, **MOVED).batch([3, 8, 12], 9)
    alone = feed_of(tiny_target, **MOVED).batch([8], 9)
    for name in ("image", "label", "face_box"):
        assert torch.equal(together[name][1], alone[name][0])
    for other in (
        feed_of(tiny_target, **MOVED).batch([8], 10),
        feed_of(tiny_target, seed=-1, **MOVED).batch([8], 9),
    ):
        assert not torch.equal(other["image"], alone["image"])


# Trainings


@pytest.mark.parametrize("name", ["temporal", "face"])
def test_an_augmented_training_goes_on_to_what_it_would_have_become(tiny_target, tiny_starts, name):
    options = TrainingConfig(**BOTH)

    def started():
        run = run_of(tiny_target, name, tiny_starts[name], options=options)
        return run, feed_of(tiny_target, **BOTH)

    def go_on(run, feed, first, last):
        for batch in feed.batches(first, last):
            run.train_step(batch, 4)

    (whole, feed), (before, first_feed), (after, second_feed) = (started() for _ in range(3))
    go_on(whole, feed, 0, 4)
    go_on(before, first_feed, 0, 2)
    after.restore(*before.state())
    go_on(after, second_feed, 2, 4)
    trained = after.networks[name_of := whole.stage.generator].state_dict()
    for key, value in whole.networks[name_of].state_dict().items():
        assert torch.equal(trained[key], value)
