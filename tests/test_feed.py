"""Which frames come when, and what is in them, on the tiny dancer."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import (
    NETWORK,
    SIZE,
    SPLIT,
    batch_of,
    feed_of,
    make_target,
)

from edn_core.config import (
    RuntimeConfig,
    StageConfig,
    TrainingConfig,
)
from edn_core.dataset import images_to_tensor, label_to_tensor
from edn_core.frames import FrameReader, FrameWriter
from edn_core.networks import halve_image, halve_label
from edn_core.render import LABEL_STYLES
from edn_core.training import TrainingSettings
from edn_core.training.feed import order_of_pairs

STYLES = list(LABEL_STYLES)


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
    plain, other = (feed_of(tiny_target, one, batch_size=3) for one in (None, runtime))
    count = 0
    for one, same in zip(plain.batches(2, 9), other.batches(2, 9), strict=True):
        assert all(torch.equal(one[name], same[name]) for name in one)
        same["image"].zero_()  # what a training does to its batch is its own affair
        count += 1
    assert count == 7
    assert bool(other._kept) == (runtime.resident_frames == "always")


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
    batch = feed_of(reaching_out).batch([4])
    assert (batch["filmed"][..., :16] == 0).all() and (batch["filmed"][..., 16:] == 1).all()
    assert (batch["image"][..., :16] == 0).all() and (batch["image"][..., 16:] != 0).any()
    assert "filmed" not in feed_of(tiny_target).batch([4])
    half = feed_of(reaching_out, is_halved=True).batch([4])["filmed"]
    assert (half[..., :8] == 0).all() and (half[..., 8:] == 1).all()
