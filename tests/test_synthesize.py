"""Frame after frame, each fed the one before. The networks here can be worked out in one's head."""

import numpy as np
import pytest
import torch
from tiny import LABEL_CONFIG, NETWORK, SIZE, frames_info
from torch import nn

from edn_core.checkpoint import TrainedGenerator, save_generator
from edn_core.dataset import image_to_tensor
from edn_core.device import pick_device
from edn_core.frames import FrameReader, FrameWriter
from edn_core.networks import face_generator, generator, initialize
from edn_core.store import file_sha256
from edn_core.synthesize import add_faces, synthesize, synthesize_frames

CPU = torch.device("cpu")
NO_FACE = np.full((3, 4), -1, np.int32)


class Plus(nn.Module):
    """What it is fed as the previous output plus a constant; remembers its inputs."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self.step, self.inputs = step, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inputs.append(x)
        return x[:, 3:] + self.step


class Constant(nn.Module):
    """A residual that is the same everywhere."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value, self.inputs = value, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inputs.append(x)
        return torch.full_like(x[:, 3:], self.value)


def label(level: int, size: int = 8) -> np.ndarray:
    return np.full((size, size, 3), level, np.uint8)


def test_the_first_frame_is_fed_zeros_and_every_other_the_output_before():
    network = Plus(0.2)
    outputs = list(
        synthesize({"generator": network}, [label(0), label(51), label(255)], NO_FACE, CPU)
    )
    first, second, third = network.inputs
    assert first.shape == (1, 6, 8, 8)
    assert (first[:, 3:] == 0).all()
    torch.testing.assert_close(second[:, 3:], torch.full((1, 3, 8, 8), 0.2))
    torch.testing.assert_close(third[:, 3:], torch.full((1, 3, 8, 8), 0.4))
    torch.testing.assert_close(second[:, :3], torch.full((1, 3, 8, 8), 0.2))
    assert (third[:, :3] == 1).all()
    # (0.2 + 1) 127.5 = 153, and so on in steps of 25.5.
    for image, level in zip(outputs, (153, 178.5, 204), strict=True):
        assert image.shape == (8, 8, 3)
        assert image.dtype == np.uint8
        np.testing.assert_allclose(image, level, atol=0.51)


def test_every_grey_level_survives_the_way_through_a_generator():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)

    class Picture(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return image_to_tensor(every)[None]

    (image,) = synthesize({"generator": Picture()}, [label(0, 16)], NO_FACE[:1], CPU)
    np.testing.assert_array_equal(image, every)


def test_what_overshoots_is_cut_at_black_and_white():
    for step, level in ((5.0, 255), (-5.0, 0)):
        (image,) = synthesize({"generator": Plus(step)}, [label(0)], NO_FACE[:1], CPU)
        assert (image == level).all()


def test_frames_are_made_only_as_they_are_asked_for():
    asked = []

    def labels():
        for i in range(3):
            asked.append(i)
            yield label(0)

    network = Plus(0.1)
    images = synthesize({"generator": network}, labels(), NO_FACE, CPU)
    assert asked == []
    next(images)
    assert asked == [0]
    assert len(network.inputs) == 1
    next(images)
    assert asked == [0, 1]
    images.close()


def test_the_face_residual_changes_its_box_alone_and_is_fed_on():
    boxes = np.array([[-1, -1, -1, -1], [2, 3, 6, 7], [0, 0, 4, 4]], np.int32)
    network, face = Plus(0.0), Constant(0.4)
    outputs = list(
        synthesize({"generator": network, "face_generator": face}, [label(0)] * 3, boxes, CPU)
    )
    assert len(face.inputs) == 2
    assert face.inputs[0].shape == (1, 6, 4, 4)
    grey = 127.5
    np.testing.assert_allclose(outputs[0], grey, atol=0.51)
    inside = np.zeros((8, 8), bool)
    inside[3:7, 2:6] = True
    np.testing.assert_allclose(outputs[1][~inside], grey, atol=0.51)
    np.testing.assert_allclose(outputs[1][inside], 1.4 * grey, atol=0.51)
    # In the third frame both boxes meet at rows 3 and columns 2 and 3: two residuals there.
    np.testing.assert_allclose(outputs[2][3, 2:4], 1.8 * grey, atol=0.51)
    assert torch.equal(network.inputs[2][0, 3, 3:7, 2:6], torch.full((4, 4), 0.4))


def test_a_face_that_overshoots_does_not_grow_from_frame_to_frame():
    boxes = np.array([[0, 0, 8, 8]] * 3, np.int32)
    network = Plus(0.0)
    list(
        synthesize(
            {"generator": network, "face_generator": Constant(0.9)}, [label(0)] * 3, boxes, CPU
        )
    )
    assert network.inputs[2][:, 3:].max() == 1


def test_each_item_of_a_batch_gets_the_face_of_its_own_box():
    images = torch.zeros(2, 3, 8, 8)
    labels = torch.rand(2, 3, 8, 8)
    boxes = torch.tensor([[0, 0, 4, 4], [4, 4, 8, 8]])
    face = Constant(0.5)
    added = add_faces(face, labels, images, boxes)
    assert (added[0, :, :4, :4] == 0.5).all()
    assert (added[1, :, 4:, 4:] == 0.5).all()
    assert added.sum() == 2 * 3 * 16 * 0.5
    assert torch.equal(face.inputs[0][0, :3], labels[0, :, :4, :4])
    assert torch.equal(face.inputs[0][1, :3], labels[1, :, 4:, 4:])


# From files to a file


@pytest.fixture(scope="module")
def generator_file(tmp_path_factory):
    """An untrained generator with a face network."""
    seed = torch.Generator().manual_seed(0)
    network, face = generator(NETWORK, 3, None), face_generator(3, NETWORK)
    initialize(network, seed)
    initialize(face, seed)
    path = tmp_path_factory.mktemp("model") / "generator.safetensors"
    save_generator(
        path,
        TrainedGenerator(
            "face",
            NETWORK,
            network.state_dict(),
            face.state_dict(),
            None,
            "edn",
            LABEL_CONFIG,
            3,
            SIZE,
            SIZE,
            1,
        ),
    )
    return path


def test_a_model_file_labels_and_keypoints_are_enough(tiny_target, generator_file, tmp_path):
    for name in ("one.h5", "two.h5"):
        synthesize_frames(
            generator_file, tiny_target.labels, tiny_target.keypoints, tmp_path / name, CPU
        )
    made, labels = FrameReader(tmp_path / "one.h5"), FrameReader(tiny_target.labels)
    assert made.info == labels.info.replaced(
        style="", style_config={}, generator_sha256=file_sha256(generator_file)
    )
    assert made[3].shape == (SIZE, SIZE, 3)
    for i in (0, 5):
        np.testing.assert_array_equal(made[i], FrameReader(tmp_path / "two.h5")[i])


def test_labels_of_another_canvas_or_style_are_refused(tiny_target, generator_file, tmp_path):
    small = frames_info(2).replaced(width=32, style="edn", style_config=LABEL_CONFIG)
    other = frames_info(2).replaced(style="lines")
    for info, match in (
        (small, r"labels are 64 x 32, style 'edn'"),
        (other, "labels are .* 'lines'"),
    ):
        with FrameWriter(tmp_path / "labels.zip", info, "png") as writer:
            for _ in range(2):
                writer.append(np.zeros((*info.size, 3), np.uint8))
        with pytest.raises(ValueError, match=rf"labels.zip: {match}.*trained on 64 x 64"):
            synthesize_frames(
                generator_file,
                tmp_path / "labels.zip",
                tiny_target.keypoints,
                tmp_path / "frames.zip",
                CPU,
            )
    assert not (tmp_path / "frames.zip").exists()


def test_keypoints_of_another_video_are_refused(tiny_target, generator_file, tmp_path):
    info = frames_info(2).replaced(style="edn", style_config=LABEL_CONFIG)
    with FrameWriter(tmp_path / "labels.zip", info, "png") as writer:
        for _ in range(2):
            writer.append(np.zeros((SIZE, SIZE, 3), np.uint8))
    with pytest.raises(ValueError, match=r"keypoints.h5: 24 frames, .*labels.zip has 2"):
        synthesize_frames(
            generator_file,
            tmp_path / "labels.zip",
            tiny_target.keypoints,
            tmp_path / "frames.zip",
            CPU,
        )
    assert not (tmp_path / "frames.zip").exists()


def test_the_device_is_what_there_is_unless_it_is_named():
    assert pick_device("cpu").type == "cpu"
    has_cuda = torch.cuda.is_available()
    assert pick_device("auto").type == ("cuda" if has_cuda else "cpu")
    if not has_cuda:
        with pytest.raises(ValueError, match=r"runtime.device is 'cuda' but .*no CUDA device"):
            pick_device("cuda")
