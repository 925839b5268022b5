"""A byte that changed, or an end that is missing, in any file: named and refused, or of no matter.

A sweep inverts one bit of every byte (of larger files of every n-th), and cuts the file off after
every n-th. A reader may then do one of two things: raise a ValueError that names the file, or give
exactly what was written, where the byte means nothing.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from tiny import NETWORK, frames_info, tiny_dancer, without

from edn_core.background import read_plate, write_plate
from edn_core.checkpoint import (
    TrainedGenerator,
    load_discriminator,
    load_generator,
    load_state,
    save_discriminator,
    save_generator,
    save_state,
)
from edn_core.forensics.detector import Detector, load_detector, save_detector
from edn_core.frames import FrameReader, FrameWriter
from edn_core.integrity import check_mp4
from edn_core.keypoints import Keypoints, read_keypoints, write_keypoints
from edn_core.preset import keep_preset
from edn_core.store import JSON_DIGEST, read_json, write_json
from edn_core.verify import CHECKS, list_made, main, remedy
from edn_core.video import decode, encode, probe

ROOT = Path(__file__).parent.parent
Reader = Callable[[Path], Any]
MOST_MB = 200
"""A damaged length must not have memory taken for it."""


def short_dancer() -> Keypoints:
    """Four frames, in one of them nobody, with somebody else in two of them."""
    dancer = without(tiny_dancer(), [2])
    return dancer.replaced(
        xy={part: values[:4] for part, values in dancer.xy.items()},
        score={part: values[:4] for part, values in dancer.score.items()},
        n_people=np.array([2, 1, 0, 2], np.int16),
        bystanders=np.full((2, 25, 3), 0.5, np.float32),
        bystander_frames=np.array([0, 3], np.int32),
    )


def picture(turn: int) -> np.ndarray:
    """64 x 64 px in 16 tiles of a colour each; another picture for each turn."""
    tiles = np.random.default_rng(turn).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    return np.kron(tiles, np.ones((16, 16, 1), np.uint8))


def write_store(path: Path, codec: str) -> None:
    with FrameWriter(path, frames_info(3), codec) as writer:
        for turn in range(3):
            writer.append(picture(turn))


def whole_store(path: Path) -> Any:
    with FrameReader(path) as reader:
        return vars(reader.info), [reader[frame] for frame in range(len(reader))]


def tiny_generator() -> TrainedGenerator:
    """A file of the right form; what is trained in it is of no matter here."""
    torch.manual_seed(0)
    weights = {"model.1.weight": torch.rand(4, 6), "model.1.bias": torch.rand(4)}
    plate = picture(0)[:8, :8], np.ones((8, 8), bool)
    return TrainedGenerator("body", NETWORK, weights, None, plate, "edn", {}, 3, 8, 8, 1)


def whole_generator(path: Path) -> Any:
    found = load_generator(path)
    return {one.name: getattr(found, one.name) for one in fields(found)}


def write_detector(path: Path) -> None:
    weights = {"0.weight": torch.rand(4, 6)}
    save_detector(path, Detector(4, weights, 64, 23, 0.5, ("ann",)))


KINDS: dict[str, tuple[Callable[[Path], None], Reader, int]] = {
    "frames.zip": (lambda path: write_store(path, "jpeg"), whole_store, 23),
    "labels.zip": (lambda path: write_store(path, "png"), whole_store, 23),
    "keypoints.h5": (
        lambda path: write_keypoints(path, short_dancer()),
        lambda path: vars(read_keypoints(path)),
        127,
    ),
    "statistics.json": (
        lambda path: write_json(
            path, {"schema": "edn", "a": [1.5, None, True, "é"], "b": {"c": -0.0}}
        ),
        read_json,
        1,
    ),
    "background.png": (
        lambda path: write_plate(path, picture(0)[:16, :16], picture(1)[:16, :16, 0] > 127),
        read_plate,
        1,
    ),
    "generator.safetensors": (
        lambda path: save_generator(path, tiny_generator()),
        whole_generator,
        5,
    ),
    "discriminator.safetensors": (
        lambda path: save_discriminator(path, {"a": torch.rand(3)}),
        load_discriminator,
        5,
    ),
    "detector.safetensors": (write_detector, lambda path: vars(load_detector(path)), 5),
}


def is_same(one: Any, other: Any) -> bool:
    """Equal in type and value, bit by bit: NaN is itself, and 0.0 is not -0.0."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        one, other = one.numpy(), other.numpy()
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and (
            one.tobytes() == other.tobytes()
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other) and repr(one) == repr(other)


def memory_mb(key: str) -> float:
    """Of this process: VmRSS, now; VmHWM, the most since the peak was forgotten."""
    text = Path("/proc/self/status").read_text()
    return int(re.findall(rf"{key}:\s+(\d+) kB", text)[0]) / 1024


def sweep(path: Path, read: Reader, step: int) -> Counter[str]:
    """Damage a file at every step-th byte, and cut it off there; counts what the reader did."""
    whole, content = read(path), path.read_bytes()
    damaged: list[tuple[str, bytes]] = []
    for place in range(0, len(content), step):
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place // step) % 8
        damaged.append((f"byte {place}", bytes(flipped)))
    damaged += [(f"cut at {n}", content[:n]) for n in range(0, len(content), 5 * step)]
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    before, counts = memory_mb("VmRSS"), Counter[str]()
    for what, one in damaged:
        path.write_bytes(one)
        try:
            found = read(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: "), f"{what}: not named: {error}"
            assert "\n" not in str(error), f"{what}: {error}"
            counts["refused"] += 1
        else:
            assert is_same(found, whole), f"{what}: read as something else"
            counts["of no matter"] += 1
    path.write_bytes(content)
    assert is_same(read(path), whole)
    assert memory_mb("VmHWM") < before + MOST_MB
    return counts


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_damage_is_refused_or_of_no_matter(name, tmp_path):
    write, read, step = KINDS[name]
    write(tmp_path / name)
    counts = sweep(tmp_path / name, read, step)
    assert counts["refused"] > 0.5 * counts.total()


@pytest.fixture
def film(tmp_path) -> Path:
    """An mp4 of six frames, as every video here is written."""
    encode(tmp_path / "film.mp4", iter([picture(0)] * 6), Fraction(25))
    return tmp_path / "film.mp4"


def test_damage_of_a_video_is_found_and_the_checksum_is_no_matter_to_players(film):
    content = film.read_bytes()
    assert check_mp4(film)
    assert len(list(decode(film, probe(film).timeline()))) == 6
    for place in range(0, len(content), 7):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        film.write_bytes(flipped)
        with pytest.raises(ValueError, match="film.mp4: is damaged"):
            check_mp4(film)
    for length in range(0, len(content) - 1, 97):
        film.write_bytes(content[:length])
        with pytest.raises(ValueError, match="film.mp4: is damaged"):
            check_mp4(film)
    film.write_bytes(content[:-56])  # the box: 8 bytes of header, 16 of type, 32 of digest
    assert not check_mp4(film)  # as an earlier release wrote it


def test_files_of_earlier_releases_are_still_read(tmp_path):
    write_store(tmp_path / "frames.zip", "png")
    write_keypoints(tmp_path / "keypoints.h5", short_dancer())
    for name in ("frames.zip", "keypoints.h5"):
        with h5py.File(tmp_path / name, "r+") as store:
            del store.attrs[JSON_DIGEST]
            if "crc32" in store:
                del store["crc32"]
    (tmp_path / "statistics.json").write_text('{"a": 1}')
    assert (FrameReader(tmp_path / "frames.zip")[1] == picture(1)).all()
    assert len(read_keypoints(tmp_path / "keypoints.h5")) == 4
    assert read_json(tmp_path / "statistics.json") == {"a": 1}


def test_a_digest_whose_own_name_is_damaged_is_not_taken_for_none(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    path.write_text(path.read_text().replace(JSON_DIGEST, "contemt_sha256"))
    with pytest.raises(ValueError, match=r"a.json: is damaged.*snakemake"):
        read_json(path)


def test_json_may_be_indented_otherwise_but_not_changed(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1, "b": [2.5]})
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert read_json(path) == {"a": 1, "b": [2.5]}
    path.write_text(path.read_text().replace("2.5", "2.6"))
    with pytest.raises(ValueError, match="a.json: is damaged"):
        read_json(path)


def test_one_wrong_byte_in_the_middle_of_a_large_checkpoint_is_found(tmp_path):
    path = tmp_path / "training_state.safetensors"
    save_state(path, "key", {"networks": torch.zeros(10**6)})
    with open(path, "r+b") as stream:
        stream.seek(2 * 10**6)
        stream.write(b"\1")
    torch.load(path, weights_only=True)  # notices nothing: so this test is of some use
    with pytest.raises(ValueError, match=r"training_state.safetensors: .*is damaged: .*delete it"):
        load_state(path, "key")


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """A folder of results, seen from the folder that the workflow runs in."""
    monkeypatch.chdir(tmp_path)
    results = Path("results")
    (results / "models/ann/body").mkdir(parents=True)
    (results / "videos/ann").mkdir(parents=True)
    for name, folder in {
        "generator.safetensors": "models/ann/body",
        "discriminator.safetensors": "models/ann/body",
        "frames.zip": "videos/ann",
        "keypoints.h5": "videos/ann",
        "statistics.json": "videos/ann",
        "background.png": "videos/ann",
    }.items():
        KINDS[name][0](results / folder / name)
    encode(results / "videos/ann/preview.mp4", iter([picture(0)] * 6), Fraction(25))
    keep_preset(results / "preset.yaml", "cpu", "no GPU")
    return results


def test_what_is_whole_is_verified(results, capsys):
    assert len(list_made(results)) == 8
    assert main([str(results)]) == 0
    assert re.search(r"^8 files of .* MB: 0 damaged, 0 without checksum", capsys.readouterr().out)


def test_each_damaged_file_is_named_with_the_command_that_remakes_it(results, capsys):
    for path in list_made(results):
        path.write_bytes(path.read_bytes()[:-9])
    (results / "preset.yaml").write_text("because: no GPU\npreset: cpw\n")
    assert main([]) == 1
    *lines, summary = capsys.readouterr().out.splitlines()
    assert summary.startswith("8 files of") and "8 damaged" in summary
    commands = {line.split(":")[0]: line.rpartition("; ")[2] for line in lines}
    plate, body = "results/videos/ann/background.png", "results/models/ann/body"
    assert commands[plate] == f"rm {plate} && snakemake {plate}"
    assert commands[f"{body}/discriminator.safetensors"] == (
        f"rm {body}/discriminator.safetensors {body}/generator.safetensors && snakemake {body}/generator.safetensors"
    )
    assert commands["results/preset.yaml"] == "rm results/preset.yaml"


def test_the_command_that_remakes_works_from_elsewhere_too():
    made = Path("results/transfer/a_to_b.mp4")
    command = f"rm {made} && snakemake {made}"
    assert remedy(made) == command
    assert remedy(Path("/a b") / made) == f"cd '/a b' && {command}"
    assert remedy(Path("..") / made) == f"cd .. && {command}"


def test_what_cannot_be_judged_is_said_of_that_file_and_the_others_are_looked_at(
    results, capsys, monkeypatch
):
    def no_memory(path: Path) -> str:
        raise MemoryError

    def no_such_entry(path: Path) -> str:
        raise KeyError("target")

    monkeypatch.setitem(CHECKS, ".mp4", no_memory)
    monkeypatch.setitem(CHECKS, ".png", no_such_entry)
    assert main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    said = (
        "results/videos/ann/background.png: not what this release writes (KeyError: 'target'); rm"
    )
    assert lines[0].startswith(said)
    assert lines[1].startswith("results/videos/ann/preview.mp4: not looked at for want of memory;")
    assert lines[2].startswith("8 files of") and "1 damaged" in lines[2]


def test_the_command_ends_with_status_1_where_something_is_damaged(results):
    path = (results / "videos/ann/frames.zip").resolve()
    path.write_bytes(path.read_bytes()[:-1])
    command = [sys.executable, "-m", "edn_core.verify", results.resolve()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert done.stdout.startswith(f"{path}: ")


def test_where_nothing_was_made_there_is_nothing_to_verify(tmp_path, capsys):
    assert main([str(tmp_path / "results")]) == 1
    assert "nothing made there yet" in capsys.readouterr().err
