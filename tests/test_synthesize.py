"""Frame after frame, each fed the one before. The networks here can be worked out in one's head."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import LABEL_CONFIG, N_FRAMES, NETWORK, SIZE, tiny_info
from torch import nn

from edn_core.checkpoint import TrainedGenerator, save_generator
from edn_core.config import SynthesisConfig
from edn_core.dataset import images_to_tensor
from edn_core.errors import Refused
from edn_core.frames import FrameReader, FrameWriter
from edn_core.networks import face_generator, generator, initialize
from edn_core.store import file_sha256
from edn_core.synthesize import (
    Piece,
    cut_into_pieces,
    synthesize,
    synthesize_frames,
    synthesize_pieces,
    synthesize_step,
)

CPU = torch.device("cpu")


class Plus(nn.Module):
    """What it is fed as the previous output plus a constant; remembers its inputs."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self.step, self.inputs = step, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inputs.append(x)
        return x[:, 3:] + self.step


class Half(nn.Module):
    """Half the label, half what was before: after n frames 1 / 2^n of the beginning is left."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(x))
        return (x[:, :3] + x[:, 3:]) / 2


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


def random_labels(n_frames: int) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(n_frames, 8, 8, 3), dtype=np.uint8)


def no_faces(n_frames: int) -> np.ndarray:
    return np.full((n_frames, 4), -1, np.int32)


def test_the_first_frame_is_fed_zeros_and_every_other_the_output_before():
    network = Plus(0.2)
    given_labels = [label(0), label(51), label(255)]
    outputs = list(synthesize({"generator": network}, given_labels, no_faces(3), CPU))
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


def test_every_grey_level_survives_and_what_overshoots_is_cut_at_black_and_white():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)

    class Picture(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return images_to_tensor(torch.from_numpy(every)[None])

    (image,) = synthesize({"generator": Picture()}, [label(0, 16)], no_faces(1), CPU)
    np.testing.assert_array_equal(image, every)
    for step, level in ((5.0, 255), (-5.0, 0)):
        (image,) = synthesize({"generator": Plus(step)}, [label(0)], no_faces(1), CPU)
        assert (image == level).all()


def test_the_face_residual_changes_its_box_alone_and_is_fed_on():
    boxes = np.array([[-1, -1, -1, -1], [2, 3, 6, 7], [0, 0, 4, 4]], np.int32)
    network, face = Plus(0.0), Constant(0.4)
    networks = {"generator": network, "face_generator": face}
    outputs = list(synthesize(networks, [label(0)] * 3, boxes, CPU))
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
    networks = {"generator": Plus(0.0), "face_generator": Constant(0.9)}
    list(synthesize(networks, [label(0)] * 3, boxes, CPU))
    assert networks["generator"].inputs[2][:, 3:].max() == 1


def test_each_item_of_a_batch_gets_the_face_of_its_own_box_and_one_without_stays_as_it_is():
    labels, previous = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 8, 8) * 2 - 1
    networks = {"generator": Half(), "face_generator": Constant(0.25)}
    plain = synthesize_step(networks, labels, previous)
    boxes = torch.tensor([[1, 2, 5, 6], [-1, -1, -1, -1], [4, 4, 8, 8]])
    image = synthesize_step(networks, labels, previous, boxes, 4)
    assert torch.equal(image[1], plain[1])
    torch.testing.assert_close(image[0, :, 2:6, 1:5], (plain[0, :, 2:6, 1:5] + 0.25).clamp(max=1))
    assert torch.equal(image[2, :, :4], plain[2, :, :4])
    assert torch.equal(networks["face_generator"].inputs[0][2, :3], labels[2, :, 4:, 4:])
    items = torch.tensor([0, 2])
    assert torch.equal(synthesize_step(networks, labels, previous, boxes[items], 4, items), image)


# Pieces side by side


@given(st.integers(1, 300), st.integers(1, 20), st.integers(0, 12))
def test_pieces_hold_every_frame_once_in_order_and_take_equally_long(n_frames, chunks, warm_up):
    pieces = cut_into_pieces(n_frames, chunks, warm_up)
    assert 1 <= len(pieces) <= chunks
    kept = [frame for piece in pieces for frame in range(piece.first, piece.stop)]
    assert kept == list(range(n_frames))
    assert pieces[0].begin == 0
    assert all(piece.first - piece.begin == warm_up for piece in pieces[1:])
    assert all(piece.begin >= 0 and piece.stop - piece.first >= 1 for piece in pieces)
    steps = [piece.stop - piece.begin for piece in pieces]
    assert max(steps) - min(steps) <= 1
    assert cut_into_pieces(28, 2, 4) == [Piece(0, 0, 16), Piece(12, 16, 28)]


def test_with_warm_up_enough_nobody_sees_the_seams():
    labels = random_labels(60)
    whole = list(synthesize({"generator": Half()}, labels, no_faces(60), CPU))
    pieces = cut_into_pieces(60, 4, 10)
    assert len(pieces) == 4
    for frame, image in synthesize_pieces(
        {"generator": Half()}, labels.__getitem__, no_faces(60), pieces, CPU
    ):
        # 2^-10 of 128 levels is an eighth of a level: no more than rounding.
        assert np.abs(image.astype(int) - whole[frame]).max() <= 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_pictures_that_come_down_a_step_late_are_those_of_a_cpu():
    labels, pieces = [*random_labels(20)], [Piece(0, 0, 12), Piece(8, 12, 20)]
    labels[5] = None
    arguments = {"generator": Half()}, labels.__getitem__, no_faces(20), pieces
    late = dict(synthesize_pieces(*arguments, torch.device("cuda"), threads=2))
    for frame, picture in synthesize_pieces(*arguments, CPU):
        assert (late[frame] is None) == (picture is None)
        # A GPU divides by 255 as it multiplies by 1 / 255.
        assert picture is None or np.abs(late[frame].astype(int) - picture).max() <= 1


# Nobody there


def test_without_a_label_there_is_no_picture_and_the_next_begins_anew():
    network = Plus(0.2)
    labels = [None, label(0), label(0), None, label(0)]
    made = list(synthesize({"generator": network}, labels, no_faces(5), CPU))
    assert [picture is None for picture in made] == [True, False, False, True, False]
    assert [x[0, 3, 0, 0].item() for x in network.inputs] == pytest.approx([0, 0.2, 0])
    np.testing.assert_array_equal(made[4], made[1])


def test_of_pieces_side_by_side_each_begins_anew_after_its_own_gap():
    labels = [label(0)] * 8
    for frame in (2, 4, 5):
        labels[frame] = None
    network, pieces = Plus(0.2), [Piece(0, 0, 4), Piece(4, 4, 8)]
    made = dict(
        synthesize_pieces({"generator": network}, labels.__getitem__, no_faces(8), pieces, CPU)
    )
    assert sorted(made) == list(range(8))
    # Frames after the last gap: 1, 2, none, 1 and none, none, 1, 2; so many steps of 25.5 levels.
    for frame, steps in enumerate([1, 2, None, 1, None, None, 1, 2]):
        if steps is None:
            assert made[frame] is None
        else:
            np.testing.assert_allclose(made[frame], 127.5 + 25.5 * steps, atol=0.51)


def test_nobody_in_any_frame_runs_no_network_at_all():
    network = Plus(0.2)
    assert list(synthesize({"generator": network}, [None] * 3, no_faces(3), CPU)) == [None] * 3
    assert network.inputs == []


# From files to a file


@pytest.fixture(scope="module")
def generator_file(tmp_path_factory):
    """An untrained generator that does not look at the frame before, with a face network."""
    seed = torch.Generator().manual_seed(0)
    network, face = generator(NETWORK, 3, has_matte=False), face_generator(3, NETWORK)
    initialize(network, seed)
    initialize(face, seed)
    network.model[1].weight.data[:, 3:] = 0
    path = tmp_path_factory.mktemp("model") / "generator.safetensors"
    weights = network.state_dict(), face.state_dict()
    style = "edn", LABEL_CONFIG, 3
    save_generator(
        path, TrainedGenerator("face", NETWORK, *weights, False, *style, SIZE, SIZE, 32, 1)
    )
    return path


def test_a_model_file_labels_and_keypoints_are_enough(tiny_target, generator_file, tmp_path):
    files = generator_file, tiny_target.labels, tiny_target.keypoints
    synthesize_frames(*files, tmp_path / "one.zip", CPU)
    synthesize_frames(*files, tmp_path / "two.zip", CPU, SynthesisConfig(warm_up_frames=3))
    made, labels = FrameReader(tmp_path / "one.zip"), FrameReader(tiny_target.labels)
    sha256 = file_sha256(generator_file)
    assert made.info == labels.info.replaced(
        codec="jpeg", style="", style_config=None, generator_sha256=sha256
    )
    assert made[3].shape == (SIZE, SIZE, 3)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_store_is_the_same_whatever_the_threads_and_their_timing(
    tiny_target, generator_file, tmp_path, chunks, monkeypatch
):
    files = generator_file, tiny_target.labels, tiny_target.keypoints
    config, plain = SynthesisConfig(chunks=chunks, warm_up_frames=2), FrameReader.__getitem__
    synthesize_frames(*files, tmp_path / "one.zip", CPU, config)

    def slow(reader, frame):
        time.sleep(0.003 * (frame % 4))
        return plain(reader, frame)

    monkeypatch.setattr(FrameReader, "__getitem__", slow)
    synthesize_frames(*files, tmp_path / "two.zip", CPU, config, threads=5)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_damaged_label_ends_it_with_its_name_and_leaves_no_store(
    tiny_target, generator_file, tmp_path
):
    content = bytearray(tiny_target.labels.read_bytes())
    content[content.index(b"000013.png") + 40] ^= 1
    (tmp_path / "labels.zip").write_bytes(content)
    files = generator_file, tmp_path / "labels.zip", tiny_target.keypoints
    with pytest.raises(Refused, match="labels.zip: 000013.png is damaged"):
        synthesize_frames(*files, tmp_path / "made.zip", CPU, threads=3)
    assert [one.name for one in tmp_path.iterdir()] == ["labels.zip"]


def test_a_store_made_of_pieces_has_each_frame_in_its_place(tiny_target, generator_file, tmp_path):
    files = generator_file, tiny_target.labels, tiny_target.keypoints
    paths = {chunks: tmp_path / f"{chunks}.zip" for chunks in (1, 3)}
    for chunks, path in paths.items():
        config = SynthesisConfig(chunks=chunks, warm_up_frames=2)
        synthesize_frames(*files, path, CPU, config)
    whole, pieces = (FrameReader(path) for path in paths.values())
    assert whole.info == pieces.info
    for frame in range(len(whole)):
        off = [np.abs(pieces[frame].astype(int) - whole[other]).mean() for other in range(24)]
        assert off[frame] < 1
        assert np.argmin(off) == frame


@pytest.mark.parametrize("chunks", [1, 2])
def test_a_frame_without_a_label_has_no_picture_in_the_store(
    tiny_target, generator_file, tmp_path, chunks
):
    labels = FrameReader(tiny_target.labels)
    with FrameWriter(tmp_path / "labels.zip", labels.info) as writer:
        for frame in range(N_FRAMES):
            writer.append(None if frame in (0, 7, 20) else labels[frame])
    files = generator_file, tmp_path / "labels.zip", tiny_target.keypoints
    config = SynthesisConfig(chunks=chunks, warm_up_frames=2)
    synthesize_frames(*files, tmp_path / "made.zip", CPU, config)
    made = FrameReader(tmp_path / "made.zip")
    assert [frame for frame in range(N_FRAMES) if not made.has(frame)] == [0, 7, 20]


def blank_labels(path, info):
    with FrameWriter(path, info) as writer:
        for _ in range(info.n_frames):
            writer.append(np.zeros((*info.size, 3), np.uint8))
    return path


def test_labels_of_another_window_or_style_are_refused(tiny_target, generator_file, tmp_path):
    info = tiny_info(2, style="edn", style_config=LABEL_CONFIG, codec="png")
    for changes, match in (
        ({"width": 32}, r"labels.zip: labels are 64 x 32, style 'edn'.*trained on 64 x 64"),
        ({"style": "lines"}, r"labels.zip: labels are 64 x 64, style 'lines'"),
    ):
        labels = blank_labels(tmp_path / "labels.zip", info.replaced(**changes))
        with pytest.raises(ValueError, match=match):
            synthesize_frames(
                generator_file, labels, tiny_target.keypoints, tmp_path / "frames.zip", CPU
            )
    assert not (tmp_path / "frames.zip").exists()
