"""Files that would run what they like if anything unpickled them, given to every reader."""

import argparse
import hashlib
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from checkout import make_checkout, snakemake
from edn_core.metrics.target import read_table
from keypoint_files import config
from pickle_bombs import BOMBS

from edn_core.background import read_plate
from edn_core.checkpoint import load_discriminator, load_generator, load_state
from edn_core.config import LabelConfig
from edn_core.evaluate.files import read_metrics
from edn_core.forensics.detector import load_detector
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.live.__main__ import read_settings
from edn_core.networks.alexnet import read_lpips
from edn_core.networks.vgg19 import read_vgg19
from edn_core.normalize.statistics import read_statistics
from edn_core.pose.models import check_models, extract_models
from edn_core.pose.onnx_network import load_network as load_onnx
from edn_core.pose.openpose_files import make
from edn_core.pose.openpose_networks import load_network
from edn_core.preset import settle_preset
from edn_core.provenance import read_provenance
from edn_core.published.conversion import export_generator, import_generator
from edn_core.published.state_dicts import read_published_discriminator, read_published_generator
from edn_core.store import read_json
from edn_core.training.job import read_job
from edn_core.video import probe


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def live_config(path: Path) -> None:
    given = argparse.Namespace(
        config=str(path), backend=None, calibrate=1.0, fps=None, device="cpu", threads=1
    )
    read_settings(given)


# Reader -> the name that the file has.
DOORS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "generator": ("generator.safetensors", load_generator),
    "training state": ("training_state.safetensors", lambda path: load_state(path, "key")),
    "discriminator": ("discriminator.safetensors", load_discriminator),
    "detector": ("detector.safetensors", load_detector),
    "published generator": ("latest_net_G.pth", read_published_generator),
    "published discriminator": ("latest_net_D.pth", read_published_discriminator),
    "import": (
        "latest_net_G.pth",
        lambda path: import_generator(path, path.with_suffix(".pt"), (64, 64), LabelConfig()),
    ),
    "export": ("generator.safetensors", lambda path: export_generator(path, path.parent / "out")),
    "VGG19": ("vgg19-dcbb9e9d.pth", lambda path: read_vgg19(path, digest(path))),
    "AlexNet": ("alexnet-owt-7be5be79.pth", lambda path: read_lpips(path, digest(path))),
    "OpenPose": ("body_25.pth", load_network),
    "ONNX": ("pose.onnx", lambda path: load_onnx(path, 1, ["CPUExecutionProvider"])),
    "mediapipe wheel": ("m.whl", lambda path: extract_models(path, path.parent / "models")),
    "mediapipe models": ("pose_detection.tflite", lambda path: check_models(path.parent)),
    "keypoint folder, JSON": (
        "folder/0_keypoints.json",
        lambda path: make(config(path.parent), "dance"),
    ),
    "keypoint folder, YAML": ("folder/0_pose.yml", lambda path: make(config(path.parent), "a")),
    "keypoint folder, npz": ("folder/0_keypoints.npz", lambda path: make(config(path), "a")),
    "keypoint archive, zip": ("a.zip", lambda path: make(config(path), "dance")),
    "keypoint archive, tar": ("a.tar", lambda path: make(config(path), "dance")),
    "keypoint archive, gz": ("a.tar.gz", lambda path: make(config(path), "dance")),
    "keypoints": ("keypoints.h5", read_keypoints),
    "frames": ("frames.zip", FrameReader),
    "background": ("background.png", read_plate),
    "video": ("dance.mp4", probe),
    "provenance": ("dance.mp4", read_provenance),
    "JSON": ("anything.json", read_json),
    "statistics": ("statistics.json", read_statistics),
    "metrics": ("metrics.json", read_metrics),
    "table": ("table.json", read_table),
    "job": ("job.json", read_job),
    "preset": ("preset.yaml", settle_preset),
    "configuration of live": ("config.yaml", live_config),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("door", DOORS)
def test_no_reader_unpickles(tmp_path, door, bomb):
    name, read = DOORS[door]
    path, marker = tmp_path / name, tmp_path / "marker"
    path.parent.mkdir(exist_ok=True)
    BOMBS[bomb](path, marker)
    with pytest.raises(ValueError) as raised:
        read(path)
    assert not marker.exists()
    # One line, no colours for a terminal, and none of torch's advice to read the file unsafely.
    assert str(raised.value).isprintable()
    assert not re.search("weights_only|trust|arbitrary", str(raised.value))
    assert len(str(raised.value)) < 1000


def careless(path: Path, bomb: str) -> None:
    """Read a file as a program does that thinks of no harm."""
    if bomb in ("npz", "npy"):
        found = np.load(path, allow_pickle=True)
        assert len(found["weights"] if bomb == "npz" else found)
    elif bomb == "yaml":
        yaml.unsafe_load(path.read_text())
    elif bomb.startswith("torch"):
        torch.load(path, weights_only=False)
    else:
        pickle.loads(path.read_bytes())


@pytest.mark.parametrize(
    "bomb", ["pickle 0", "pickle 2", "pickle 5", "torch zip", "torch legacy", "npz", "npy", "yaml"]
)
def test_each_bomb_goes_off_where_it_is_read_carelessly(tmp_path, bomb):
    """Else the test above would hold for duds."""
    BOMBS[bomb](tmp_path / "file", tmp_path / "marker")
    careless(tmp_path / "file", bomb)
    assert (tmp_path / "marker").is_dir()


@pytest.mark.workflow
def test_a_configuration_that_names_a_function_calls_none(tmp_path):
    make_checkout(tmp_path / "run")
    marker = tmp_path / "marker"
    for number, path in enumerate(("config/config.yaml", "extra.yaml")):
        BOMBS["yaml"](tmp_path / "run" / path, marker)
        arguments = ["--configfile", path] if number else []
        ran = snakemake(tmp_path / "run", "--dry-run", *arguments, "--", "frames")
        assert ran.status != 0
        assert not marker.exists()
        (tmp_path / "run" / path).write_text("preset: cpu\n")
    assert os.listdir(tmp_path) == ["run"]
