"""What training sees, on the drawn dancer of 64 x 64 px."""

import numpy as np
import pytest
import torch
from tiny import N_FRAMES, frames_info, make_target, paint, tiny_dancer, without
from torch.utils.data import DataLoader

from edn_core.dataset import (
    FrameSequences,
    crop_faces,
    image_to_tensor,
    label_to_tensor,
    paste_faces,
)
from edn_core.face import face_box_size, face_boxes
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import write_keypoints
from edn_core.render import LABEL_STYLES

BOXES = torch.tensor([[0, 0, 3, 3], [5, 4, 8, 7]])


@pytest.fixture
def pairs_of(tiny_target, tmp_path):
    """A function that makes pairs of the tiny target, of other keypoints if given."""

    def make(keypoints=None, frames=range(N_FRAMES), **more) -> FrameSequences:
        path = tiny_target.keypoints
        if keypoints is not None:
            path = tmp_path / "keypoints.h5"
            write_keypoints(path, keypoints)
        return FrameSequences(tiny_target.frames, tiny_target.labels, path, frames, **more)

    return make


def test_a_pair_holds_two_frames_in_a_row_with_their_labels(pairs_of, tiny_target):
    pairs = pairs_of()
    frames, labels = FrameReader(tiny_target.frames), FrameReader(tiny_target.labels)
    assert len(pairs) == N_FRAMES - 1
    item = pairs[9]
    assert item["frame"] == 10
    assert item["label"].shape == item["image"].shape == (2, 3, 64, 64)
    for i, frame in enumerate((9, 10)):
        assert torch.equal(item["image"][i], image_to_tensor(frames[frame]))
        assert torch.equal(item["label"][i], label_to_tensor(labels[frame]))


def test_images_lie_in_minus_one_to_one_and_labels_in_nought_to_one():
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0] = 255, 51, 0
    assert image_to_tensor(image).shape == (3, 2, 3)
    torch.testing.assert_close(image_to_tensor(image)[:, 0, 0], torch.tensor([1, -0.6, -1]))
    torch.testing.assert_close(label_to_tensor(image)[:, 0, 0], torch.tensor([1, 0.2, 0]))
    assert image_to_tensor(image).dtype == torch.float32


def test_labels_of_classes_are_read_one_hot():
    style = LABEL_STYLES["limb_index"]
    label = np.zeros((2, 3, 3), np.uint8)
    label[0, 1], label[1, 2] = 1, 17
    tensor = label_to_tensor(label, style)
    assert tensor.shape == (18, 2, 3) and tensor.dtype == torch.float32
    assert torch.equal(tensor.argmax(dim=0), torch.tensor([[0, 1, 0], [0, 0, 17]]))
    assert torch.equal(tensor.sum(dim=0), torch.ones(2, 3))


def test_a_class_that_the_style_does_not_have_is_refused():
    label = np.full((2, 3, 3), 18, np.uint8)
    with pytest.raises(ValueError, match=r"labels.zip, frame 7: holds class 18, expected 0 to 17;"):
        label_to_tensor(label, LABEL_STYLES["limb_index"], "labels.zip, frame 7")


def test_pairs_of_classes_are_one_hot_and_a_wrong_frame_is_named(tmp_path):
    target = make_target(tmp_path, style="limb_index")
    pairs = FrameSequences(target.frames, target.labels, target.keypoints, range(N_FRAMES))
    label = pairs[4]["label"]
    assert label.shape == (2, 18, 64, 64)
    stored = FrameReader(target.labels)[pairs.frames[4]]
    assert torch.equal(label[1].argmax(dim=0), torch.from_numpy(stored[..., 0]).long())

    info = FrameReader(target.labels).info
    with FrameWriter(tmp_path / "wrong.h5", info, "png") as writer:
        for frame in range(N_FRAMES):
            writer.append(np.full((64, 64, 3), 200 if frame == 5 else 0, np.uint8))
    wrong = FrameSequences(target.frames, tmp_path / "wrong.h5", target.keypoints, range(N_FRAMES))
    assert wrong[0]["label"][:, 0].all()
    with pytest.raises(ValueError, match=r"wrong.h5, frame 5: holds class 200, expected 0 to 17"):
        wrong[4]


def test_labels_of_an_unknown_style_are_refused(tmp_path, tiny_target):
    info = FrameReader(tiny_target.labels).info.replaced(style="oil")
    with FrameWriter(tmp_path / "labels.zip", info, "png") as writer:
        for _ in range(N_FRAMES):
            writer.append(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(
        ValueError, match=r"labels.zip: the label style is 'oil'; known styles: edn"
    ):
        FrameSequences(tiny_target.frames, tmp_path / "labels.zip", tiny_target.keypoints, range(3))


def test_no_pair_straddles_a_gap_in_the_frames_that_may_be_used(pairs_of):
    pairs = pairs_of(frames=[0, 1, 2, 10, 11, 20])
    assert pairs.frames == [1, 2, 11]


def test_no_pair_straddles_frames_in_which_nobody_was_found(pairs_of, tiny_target):
    pairs = pairs_of(without(tiny_target.dancer, [5, 6, 12]))
    assert pairs.frames == [1, 2, 3, 4, 8, 9, 10, 11, *range(14, N_FRAMES)]


def test_a_frame_with_too_little_of_the_body_is_not_used(pairs_of, tiny_target):
    seven = without(tiny_target.dancer, [])
    seven.xy["body"][5, 7:], seven.score["body"][5, 7:] = np.nan, 0
    assert 5 not in pairs_of(seven).frames
    assert 6 not in pairs_of(seven).frames
    eight = without(tiny_target.dancer, [])
    eight.xy["body"][5, 8:], eight.score["body"][5, 8:] = np.nan, 0
    assert 5 in pairs_of(eight).frames


def test_the_face_stage_sees_only_pairs_with_a_face_in_both(pairs_of, tiny_target):
    faceless = without(tiny_target.dancer, [3, 4, 10], ("face",))
    expected = [1, 2, 6, 7, 8, 9, *range(12, N_FRAMES)]
    assert pairs_of(faceless, needs_face=True).frames == expected
    assert len(pairs_of(faceless)) == N_FRAMES - 1


def test_each_face_box_belongs_to_its_own_frame_also_in_a_batch(pairs_of, tiny_target):
    faceless = without(tiny_target.dancer, [3], ("face",))
    pairs = pairs_of(faceless)
    boxes = face_boxes(faceless, face_box_size(64))
    assert len(np.unique(boxes, axis=0)) > 5  # the dancer sways, so boxes differ
    for batch in DataLoader(pairs, batch_size=5):
        assert batch["face_box"].dtype == torch.int64
        for box, frame in zip(batch["face_box"], batch["frame"].tolist(), strict=True):
            np.testing.assert_array_equal(box, boxes[[frame - 1, frame]])
    assert (pairs[2]["face_box"][1] == -1).all()


@pytest.mark.parametrize("cache_mb", [0, 1])
def test_the_cache_changes_no_value(pairs_of, cache_mb):
    # 1 MiB holds 85 of these images: all 48.
    pairs, plain = pairs_of(cache_mb=cache_mb), pairs_of()
    for _ in range(2):
        for i in (3, 4, 0, 3):
            for name in ("label", "image", "face_box"):
                assert torch.equal(pairs[i][name], plain[i][name])
            pairs[i]["image"].zero_()  # what a training does to its batch is its own affair


def test_a_full_cache_reads_the_rest_from_the_file(pairs_of, tmp_path):
    pairs = pairs_of(cache_mb=1)
    pairs._cache_left = 3 * 64 * 64 * 3  # room for three images
    plain = pairs_of()
    for i in (0, 1, 2, 3, 0):
        assert torch.equal(pairs[i]["image"], plain[i]["image"])
    assert len(pairs._cache) == 3


def test_loader_processes_read_the_same(pairs_of):
    pairs = pairs_of()
    assert pairs[0]["frame"] == 1  # the parent has its stores open
    here = list(DataLoader(pairs, batch_size=8))
    there = list(DataLoader(pairs, batch_size=8, num_workers=2))
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one["image"], other["image"])


def test_files_of_different_videos_are_refused(tiny_target, tmp_path):
    with FrameWriter(tmp_path / "labels.zip", frames_info(3), "png") as writer:
        for frame in range(3):
            writer.append(paint(tiny_dancer(), frame))
    with pytest.raises(ValueError, match=r"labels.zip: has .*\(3, 64, 64\).*\(24, 64, 64\)"):
        FrameSequences(
            tiny_target.frames, tmp_path / "labels.zip", tiny_target.keypoints, range(N_FRAMES)
        )
    write_keypoints(tmp_path / "keypoints.h5", tiny_target.dancer.replaced(width=96))
    with pytest.raises(ValueError, match=r"keypoints.h5: has .*\(24, 64, 96\).*\(24, 64, 64\)"):
        FrameSequences(tiny_target.frames, tiny_target.labels, tmp_path / "keypoints.h5", range(3))


def test_each_item_is_cut_at_its_own_box():
    images = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).reshape(2, 3, 8, 8)
    faces = crop_faces(images, BOXES)
    assert faces.shape == (2, 3, 3, 3)
    assert torch.equal(faces[0], images[0, :, 0:3, 0:3])
    assert torch.equal(faces[1], images[1, :, 4:7, 5:8])


def test_pasting_undoes_cutting_and_changes_nothing_else():
    images = torch.rand(2, 3, 8, 8)
    before = images.clone()
    faces = crop_faces(images, BOXES)
    assert torch.equal(paste_faces(images, faces, BOXES), images)
    pasted = paste_faces(images, torch.full_like(faces, 7), BOXES)
    assert torch.equal(crop_faces(pasted, BOXES), torch.full_like(faces, 7))
    assert (pasted != before).sum() == 2 * 3 * 3 * 3
    assert torch.equal(images, before)


def test_gradients_flow_through_cutting_and_pasting():
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    faces = crop_faces(images, BOXES) * 2
    paste_faces(images, faces, BOXES).sum().backward()
    assert images.grad[0, 0, 0, 0] == 2
    assert images.grad[0, 0, 7, 7] == 1
