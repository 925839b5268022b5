"""Everything a run left is compared with its checksums; the other formats: test_flipped_bits.py."""

import re
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny import NETWORK, WINDOW, tiny_dancer, tiny_info

from edn_core.checkpoint import TrainedGenerator, save_discriminator, save_generator, save_state
from edn_core.frames import FrameWriter
from edn_core.keypoints import write_keypoints
from edn_core.preset import keep_preset
from edn_core.store import write_json
from edn_core.verify import list_made, main, remedy
from edn_core.video import check_video, decode, encode, probe
from edn_core.window import write_window

# 64 x 64 px in 16 tiles of a colour each.
TILES = np.random.default_rng(0).integers(0, 255, (4, 4, 3), dtype=np.uint8)
PICTURE = np.kron(TILES, np.ones((16, 16, 1), np.uint8))


def write_generator(path: Path) -> None:
    """A file of the right form; what is trained in it is of no matter here."""
    weights = {"model.1.weight": torch.rand(4, 6), "model.1.bias": torch.rand(4)}
    trained = TrainedGenerator(
        *("body", NETWORK, weights, None, True, "edn", {}, 3, 8, 8, 32, 1), window=asdict(WINDOW)
    )
    save_generator(path, trained)


def write_store(path: Path, channels: int) -> None:
    info = tiny_info(3).replaced(channels=channels, codec="png" if channels == 1 else "jpeg")
    picture = np.dstack([PICTURE, PICTURE])[..., :channels].squeeze()
    with FrameWriter(path, info) as writer:
        for image in (picture, None, picture):
            writer.append(image)


def write_room(path: Path, picture: np.ndarray) -> None:
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())


@pytest.mark.parametrize(("name", "step"), [("film.mp4", 7), ("film.mov", 97), ("film.webm", 7)])
def test_a_flipped_bit_and_a_cut_end_are_found(name, step, tmp_path):
    path = tmp_path / name
    encode(path, [PICTURE] * 6, Fraction(25))
    assert len(list(decode(path, probe(path).timeline()))) == 6  # the checksum is no matter
    check_video(path)
    content = path.read_bytes()
    damaged = [content[:length] for length in range(0, len(content), 97)]
    for place in range(0, len(content), step):
        damaged.append(content[:place] + bytes([content[place] ^ 1 << place % 8]))
        damaged[-1] += content[place + 1 :]
    for one in damaged:
        path.write_bytes(one)
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: "):
            check_video(path)


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """A folder of results, seen from the folder that the workflow runs in."""
    monkeypatch.chdir(tmp_path)
    results = Path("results")
    body, ann = results / "models/ann/body", results / "videos/ann"
    body.mkdir(parents=True)
    ann.mkdir(parents=True)
    write_generator(body / "generator.safetensors")
    save_discriminator(body / "discriminator.safetensors", {"a": torch.rand(3)})
    save_state(body / "training_state.safetensors", "key", {"step": 3}, {"a": torch.rand(3)})
    for name, channels in (("frames", 4), ("labels", 3), ("masks", 1)):
        write_store(ann / f"{name}.zip", channels)
    write_keypoints(ann / "keypoints.h5", tiny_dancer())
    write_json(ann / "statistics.json", {"schema": "edn", "height": 1.5})
    write_room(ann / "room.png", PICTURE)
    write_json(ann / "room.json", {"schema": "edn-room", "never_bare": 0.1})
    write_window(ann / "window.json", WINDOW)
    encode(ann / "preview.mp4", [PICTURE] * 6, Fraction(25))
    keep_preset(results / "preset.yaml", "cpu", "no GPU")
    (ann / ".frames.123.partial.zip").write_text("half-written: nobody's business here")
    (ann / "preview.html").write_text("for people only")
    return results


def test_what_is_whole_is_verified(results, capsys):
    assert len(list_made(results)) == 13
    assert main([str(results)]) == 0
    assert re.fullmatch(r"13 files of .* MB: 0 damaged\n", capsys.readouterr().out)


def test_each_damaged_file_is_named_with_the_command_that_remakes_it(results, capsys):
    for path in list_made(results):
        path.write_bytes(path.read_bytes()[:-9])
    (results / "preset.yaml").write_text("because: no GPU\npreset: cpw\n")
    assert main([]) == 1
    *lines, summary = capsys.readouterr().out.splitlines()
    assert summary.startswith("13 files of") and summary.endswith("13 damaged")
    commands = {line.split(":")[0]: line.rpartition("; ")[2] for line in lines}
    body = "results/models/ann/body"
    for name in ("room.png", "room.json", "masks.zip", "window.json"):
        made = f"results/videos/ann/{name}"
        assert commands[made] == f"rm {made} && snakemake {made}"
    generator, other = f"{body}/generator.safetensors", f"{body}/discriminator.safetensors"
    assert commands[other] == f"rm {other} {generator} && snakemake {generator}"
    for name in ("results/preset.yaml", f"{body}/training_state.safetensors"):
        assert commands[name] == f"rm {name}"


def test_the_command_that_remakes_works_from_elsewhere_too():
    made = Path("results/transfer/a_to_b.mp4")
    command = f"rm {made} && snakemake {made}"
    assert remedy(made) == command
    assert remedy(Path("/a b") / made) == f"cd '/a b' && {command}"
    assert remedy(Path("..") / made) == f"cd .. && {command}"


def test_where_nothing_was_made_there_is_nothing_to_verify(tmp_path):
    with pytest.raises(SystemExit, match="nothing made there yet"):
        main([str(tmp_path / "results")])
