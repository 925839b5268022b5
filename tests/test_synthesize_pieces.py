"""Pieces of a video side by side: which frames they make, and whether one sees the seams."""

import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_memory import PEAK
from tiny import LABEL_CONFIG, NETWORK, SIZE
from torch import nn

from edn_core.checkpoint import TrainedGenerator, load_generator, save_generator
from edn_core.config import SynthesisConfig
from edn_core.frames import FrameReader, FrameWriter
from edn_core.keypoints import write_keypoints
from edn_core.metrics import temporal_difference_error
from edn_core.networks import face_generator, generator, initialize
from edn_core.synthesize import (
    Piece,
    add_faces,
    cut_into_pieces,
    synthesize,
    synthesize_frames,
    synthesize_pieces,
    synthesize_step,
)

CPU = torch.device("cpu")


class Half(nn.Module):
    """Half the label, half what was before: after n frames 1 / 2^n of the beginning is left."""

    def __init__(self, paint: nn.Module | None = None) -> None:
        super().__init__()
        self.paint, self.sizes = paint, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(x))
        fresh = x[:, :3]
        if self.paint is not None:
            fresh = self.paint(torch.cat([x[:, :3], torch.zeros_like(x[:, 3:])], dim=1))
        return (fresh + x[:, 3:]) / 2


class Constant(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value, self.inputs = value, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inputs.append(x)
        return torch.full_like(x[:, 3:], self.value)


def labels(n_frames: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(n_frames, size, size, 3), dtype=np.uint8)


def no_faces(n_frames: int) -> np.ndarray:
    return np.full((n_frames, 4), -1, np.int32)


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


def test_the_first_piece_is_longer_by_the_warm_up_that_it_does_not_need():
    assert cut_into_pieces(28, 2, 4) == [Piece(0, 0, 16), Piece(12, 16, 28)]


def test_a_video_shorter_than_the_warm_ups_stays_whole():
    assert cut_into_pieces(12, 4, 8) == [Piece(0, 0, 12)]


def test_every_frame_is_made_once_from_its_own_label_by_batches_of_one_size():
    network, given = Half(), labels(13)
    pieces = cut_into_pieces(13, 3, 2)
    made = list(
        synthesize_pieces({"generator": network}, given.__getitem__, no_faces(13), pieces, CPU)
    )
    assert sorted(frame for frame, _ in made) == list(range(13))
    assert set(network.sizes) == {3}
    # 13 + 2 x 2 frames of warm-up in three pieces: 6 steps, of which one piece needs 5.
    assert len(network.sizes) == 6
    whole = list(synthesize({"generator": Half()}, given, no_faces(13), CPU))
    for frame, image in made:
        # A quarter of what came before the warm-up: at most a quarter of 128 levels off.
        assert np.abs(image.astype(int) - whole[frame]).max() <= 33
    first = range(pieces[0].stop)
    assert all(np.array_equal(image, whole[frame]) for frame, image in made if frame in first)


def test_with_warm_up_enough_the_pieces_are_the_whole():
    given = labels(60)
    whole = list(synthesize({"generator": Half()}, given, no_faces(60), CPU))
    pieces = cut_into_pieces(60, 4, 10)
    assert len(pieces) == 4
    for frame, image in synthesize_pieces(
        {"generator": Half()}, given.__getitem__, no_faces(60), pieces, CPU
    ):
        # 2^-10 of 128 levels is an eighth of a level: no more than rounding.
        assert np.abs(image.astype(int) - whole[frame]).max() <= 1


def test_items_with_and_without_a_face_share_a_batch():
    boxes = no_faces(12)
    boxes[6:9] = 2, 3, 6, 7
    boxes[1] = 0, 0, 4, 4
    networks = {"generator": Half(), "face_generator": Constant(0.5)}
    given = labels(12)
    whole = list(synthesize(networks, given, boxes, CPU))
    pieces = [Piece(0, 0, 6), Piece(0, 6, 12)]
    networks["face_generator"].inputs.clear()
    made = dict(synthesize_pieces(networks, given.__getitem__, boxes, pieces, CPU))
    for frame in range(12):
        # A piece that begins at frame 0 has all of the past: the same to the rounding.
        assert np.abs(made[frame].astype(int) - whole[frame]).max() <= 1
    # The face network saw the faces alone: frame 1 in both pieces at once, then 6, 7, 8.
    assert [len(x) for x in networks["face_generator"].inputs] == [2, 1, 1, 1]


def test_a_batch_with_some_boxes_negative_leaves_those_items_as_they_are():
    label, previous = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 8, 8) * 2 - 1
    networks = {"generator": Half(), "face_generator": Constant(0.25)}
    plain = synthesize_step(networks, label, previous)
    boxes = torch.tensor([[1, 2, 5, 6], [-1, -1, -1, -1], [4, 4, 8, 8]])
    image = synthesize_step(networks, label, previous, boxes, 4)
    assert torch.equal(image[1], plain[1])
    torch.testing.assert_close(image[0, :, 2:6, 1:5], (plain[0, :, 2:6, 1:5] + 0.25).clamp(max=1))
    assert torch.equal(image[2, :, :4], plain[2, :, :4])
    items = torch.tensor([0, 2])
    picked = synthesize_step(networks, label, previous, boxes[items], 4, items)
    assert torch.equal(picked, image)
    without = add_faces(networks["face_generator"], label, plain, boxes.new_full((3, 4), -1), 4)
    assert torch.equal(without, plain)


# Seams


def seam_error(paint: nn.Module, target, warm_up: int) -> float:
    """Temporal-difference error at the seams over that elsewhere; the dance goes to and fro.

    The video is cut in several ways, so that the same moments are seen with and without a seam: it
    makes no difference whether the dance is slow or fast there.
    """
    order = [frame if frame < 24 else 46 - frame for frame in (k % 46 for k in range(184))]
    labels, frames = FrameReader(target.labels), FrameReader(target.frames)
    stored, truth = [labels[i] for i in range(24)], [frames[i] for i in range(24)]
    at: dict[int, float] = {}
    elsewhere = defaultdict(list)
    for first_seam in range(23, 46, 3):
        firsts = [0, *range(first_seam, len(order), 23), len(order)]
        pieces = [Piece(max(first - warm_up, 0), first, stop) for first, stop in pairwise(firsts)]
        networks = {"generator": Half(paint)}
        faces = no_faces(len(order))
        read = synthesize_pieces(networks, lambda i: stored[order[i]], faces, pieces, CPU)
        made = dict(read)
        # Not the video's own first frames, which nothing came before.
        for frame in range(23, len(order)):
            pairs = made[frame - 1], made[frame], truth[order[frame - 1]], truth[order[frame]]
            error = temporal_difference_error(*pairs)
            if frame in firsts:
                at[frame] = error
            else:
                elsewhere[frame].append(error)
    assert len(at) >= 50
    return float(np.mean(list(at.values())) / np.mean([np.mean(elsewhere[one]) for one in at]))


def test_nobody_sees_the_seams_after_a_warm_up_and_everybody_without(tiny_target, tiny_body):
    paint = load_generator(tiny_body).build()["generator"].eval()
    assert abs(seam_error(paint, tiny_target, 8) - 1) <= 0.05
    assert seam_error(paint, tiny_target, 0) > 1.5
    # One frame is not enough either: a quarter of what was before is missing.
    assert seam_error(paint, tiny_target, 1) > 1.05


# From files to a file


@pytest.fixture(scope="module")
def generator_file(tmp_path_factory):
    """An untrained generator with a face network."""
    seed = torch.Generator().manual_seed(0)
    network, face = generator(NETWORK, 3, None), face_generator(3, NETWORK)
    initialize(network, seed)
    initialize(face, seed)
    path = tmp_path_factory.mktemp("model") / "generator.safetensors"
    weights = network.state_dict(), face.state_dict()
    style = "edn", LABEL_CONFIG, 3
    save_generator(path, TrainedGenerator("face", NETWORK, *weights, None, *style, SIZE, SIZE, 1))
    return path


def test_a_store_made_of_pieces_has_each_frame_in_its_place(tiny_target, tiny_body, tmp_path):
    paths = {chunks: tmp_path / f"{chunks}.h5" for chunks in (1, 3)}
    for chunks, path in paths.items():
        config = SynthesisConfig(chunks=chunks, warm_up_frames=2)
        synthesize_frames(tiny_body, tiny_target.labels, tiny_target.keypoints, path, CPU, config)
    whole, pieces = (FrameReader(path) for path in paths.values())
    assert whole.info == pieces.info
    # The body stage has not learnt to look at the frame before: piece or not is the same to it.
    for frame in range(len(whole)):
        off = [np.abs(pieces[frame].astype(int) - whole[other]).mean() for other in range(24)]
        assert off[frame] < 1
        assert np.argmin(off) == frame


def test_as_one_piece_the_store_is_what_it_always_was(tiny_target, generator_file, tmp_path):
    files = generator_file, tiny_target.labels, tiny_target.keypoints
    synthesize_frames(*files, tmp_path / "default.h5", CPU)
    config = SynthesisConfig(chunks=1, warm_up_frames=3)
    synthesize_frames(*files, tmp_path / "one.h5", CPU, config)
    assert (tmp_path / "default.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()


@pytest.mark.parametrize("values", [{"chunks": 0}, {"warm_up_frames": -1}])
def test_impossible_settings_are_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        SynthesisConfig(**values)


PIECES = """
import sys
import torch
from edn_core.config import SynthesisConfig
from edn_core.synthesize import synthesize_frames
torch.set_num_threads(1)
folder = sys.argv[1]
files = (folder + "/" + name for name in ("generator.safetensors", "labels.zip", "keypoints.h5", "made.h5"))
synthesize_frames(*files, torch.device("cpu"), SynthesisConfig(chunks=4, warm_up_frames=8))
"""


def test_more_frames_take_no_more_memory_in_pieces(tiny_target, generator_file, tmp_path_factory):
    peaks = []
    for n_frames in (400, 3600):
        folder = tmp_path_factory.mktemp("long")
        (folder / "generator.safetensors").write_bytes(generator_file.read_bytes())
        dancer = tiny_target.dancer
        numbers = np.arange(n_frames) % len(dancer)
        longer = dancer.replaced(
            xy={part: values[numbers] for part, values in dancer.xy.items()},
            score={part: values[numbers] for part, values in dancer.score.items()},
            n_people=dancer.n_people[numbers],
        )
        write_keypoints(folder / "keypoints.h5", longer)
        stored = FrameReader(tiny_target.labels)
        info = stored.info.replaced(n_frames=n_frames)
        with FrameWriter(folder / "labels.zip", info, "png") as writer:
            for number in numbers:
                writer.append(stored[int(number)])
        done = subprocess.run(
            [sys.executable, "-c", PIECES + PEAK, str(folder)],
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.split()[-1]))
    # 3200 frames more, were they kept, would be 39 MB.
    assert (peaks[1] - peaks[0]) * 1024 < 3200 * 3 * SIZE**2 / 3, f"KiB: {peaks}"
