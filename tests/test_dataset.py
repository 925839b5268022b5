"""What training sees, on the drawn dancer of 64 x 64 px."""

import numpy as np
import pytest
import torch
from tiny import N_FRAMES, make_target, paint, pairs_of, tiny_dancer, tiny_info, without

from edn_core.dataset import (
    FramePairs,
    crop_faces,
    images_to_tensor,
    label_to_tensor,
    paste_faces,
)
from edn_core.face import face_box_size, face_boxes
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import write_keypoints
from edn_core.render import LABEL_STYLES

BOXES = torch.tensor([[0, 0, 3, 3], [5, 4, 8, 7]])


@pytest.fixture
def pairs_with(tiny_target, tmp_path):
    """A function that makes pairs of the tiny target with other keypoints."""

    def make(keypoints, **more) -> FramePairs:
        path = tmp_path / "keypoints.h5"
        write_keypoints(path, keypoints)
        return FramePairs(tiny_target.frames, tiny_target.labels, path, range(N_FRAMES), **more)

    return make


def test_images_lie_in_minus_one_to_one_and_labels_in_nought_to_one():
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0] = 255, 51, 0
    tensor = images_to_tensor(torch.from_numpy(image)[None])[0]
    assert tensor.shape == (3, 2, 3) and tensor.dtype == torch.float32
    torch.testing.assert_close(tensor[:, 0, 0], torch.tensor([1, -0.6, -1]))
    torch.testing.assert_close(
        label_to_tensor(image, LABEL_STYLES["edn"])[:, 0, 0], torch.tensor([1, 0.2, 0])
    )


def test_labels_of_classes_are_read_one_hot():
    label = np.zeros((2, 3, 3), np.uint8)
    label[0, 1], label[1, 2] = 1, 17
    tensor = label_to_tensor(label, LABEL_STYLES["limb_index"])
    assert tensor.shape == (18, 2, 3) and tensor.dtype == torch.float32
    assert torch.equal(tensor.argmax(dim=0), torch.tensor([[0, 1, 0], [0, 0, 17]]))
    assert torch.equal(tensor.sum(dim=0), torch.ones(2, 3))


def test_a_frame_with_a_class_of_another_style_is_named_when_it_is_decoded(tmp_path):
    target = make_target(tmp_path, style="limb_index")
    info = FrameReader(target.labels).info
    with FrameWriter(tmp_path / "wrong.zip", info) as writer:
        for frame in range(N_FRAMES):
            writer.append(np.full((64, 64, 3), 200 if frame == 5 else 0, np.uint8))
    wrong = FramePairs(target.frames, tmp_path / "wrong.zip", target.keypoints, range(N_FRAMES))
    assert not wrong.decode("label", 4).any()
    with pytest.raises(ValueError, match=r"wrong.zip, frame 5: holds class 200, expected 0 to 17"):
        wrong.decode("label", 5)


def test_no_pair_straddles_a_gap_in_the_frames_that_may_be_used(tiny_target):
    pairs = pairs_of(tiny_target, [0, 1, 2, 10, 11, 20])
    assert pairs.frames == [1, 2, 11]
    assert [pairs.pair(item) for item in range(3)] == [
        (0, 1),
        (1, 2),
        (10, 11),
    ]


def test_no_pair_straddles_frames_in_which_nobody_was_found(pairs_with, tiny_target):
    pairs = pairs_with(without(tiny_target.dancer, [5, 6, 12]))
    assert pairs.frames == [1, 2, 3, 4, 8, 9, 10, 11, *range(14, N_FRAMES)]


def test_a_frame_without_a_picture_is_in_no_pair(tiny_target, tmp_path):
    store = FrameReader(tiny_target.frames)
    with FrameWriter(tmp_path / "frames.zip", store.info) as writer:
        for frame in range(N_FRAMES):
            writer.append(None if frame in (5, 6, 12) else store[frame])
    pairs = FramePairs(
        tmp_path / "frames.zip", tiny_target.labels, tiny_target.keypoints, range(N_FRAMES)
    )
    assert pairs.frames == [1, 2, 3, 4, 8, 9, 10, 11, *range(14, N_FRAMES)]


def test_a_frame_with_too_little_of_the_body_is_not_used(pairs_with, tiny_target):
    for n_points, is_used in ((7, False), (8, True)):
        dancer = without(tiny_target.dancer, [])
        dancer.xy["body"][5, n_points:], dancer.score["body"][5, n_points:] = np.nan, 0
        assert (5 in pairs_with(dancer).frames) == is_used


def test_the_face_stage_sees_only_pairs_with_a_face_in_both(pairs_with, tiny_target):
    faceless = without(tiny_target.dancer, [3, 4, 10], ("face",))
    expected = [1, 2, 6, 7, 8, 9, *range(12, N_FRAMES)]
    assert pairs_with(faceless, needs_face=True).frames == expected
    assert len(pairs_with(faceless)) == N_FRAMES - 1


def test_each_face_box_belongs_to_its_own_frame_and_no_box_stays_none(pairs_with, tiny_target):
    faceless = without(tiny_target.dancer, [3], ("face",))
    pairs = pairs_with(faceless)
    boxes = face_boxes(faceless, face_box_size(64))
    assert len(np.unique(boxes, axis=0)) > 5  # the dancer sways, so boxes differ
    for item, frame in enumerate(pairs.frames):
        np.testing.assert_array_equal(pairs.face_boxes(item), boxes[[frame - 1, frame]])
    assert (pairs.face_boxes(2)[1] == -1).all()
    assert (pairs.face_boxes(2)[0] >= 0).all()


def test_files_of_different_videos_are_refused(tiny_target, tmp_path):
    with FrameWriter(tmp_path / "labels.zip", tiny_info(3)) as writer:
        for frame in range(3):
            writer.append(paint(tiny_dancer(), frame))
    with pytest.raises(ValueError, match=r"labels.zip: has .*\(3, 64, 64\).*\(24, 64, 64\)"):
        FramePairs(
            tiny_target.frames, tmp_path / "labels.zip", tiny_target.keypoints, range(N_FRAMES)
        )
    write_keypoints(tmp_path / "keypoints.h5", tiny_target.dancer.replaced(width=96))
    with pytest.raises(ValueError, match=r"keypoints.h5: has .*\(24, 64, 96\).*\(24, 64, 64\)"):
        FramePairs(tiny_target.frames, tiny_target.labels, tmp_path / "keypoints.h5", range(3))


def test_each_item_is_cut_at_its_own_box_and_pasting_undoes_it():
    images = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).reshape(2, 3, 8, 8)
    before = images.clone()
    faces = crop_faces(images, BOXES, 3)
    assert torch.equal(faces[0], images[0, :, 0:3, 0:3])
    assert torch.equal(faces[1], images[1, :, 4:7, 5:8])
    assert torch.equal(paste_faces(images, faces, BOXES), images)
    pasted = paste_faces(images, torch.full_like(faces, -7), BOXES)
    assert torch.equal(crop_faces(pasted, BOXES, 3), torch.full_like(faces, -7))
    assert (pasted != before).sum() == 2 * 3 * 3 * 3
    assert torch.equal(images, before)
