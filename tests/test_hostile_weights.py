"""Weight files that others published, damaged or made by hand: refused in one line, unread."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_hostile_stores import refusal, rewritten
from test_openpose_networks import narrow
from torch import nn

from edn_core.networks.alexnet import read_lpips
from edn_core.networks.vgg19 import read_vgg19
from edn_core.networks.weight_file import read_weight_file
from edn_core.pose.openpose_layers import hand
from edn_core.pose.openpose_networks import load_network
from edn_core.published.state_dicts import read_published_discriminator, read_published_generator

FORMATS = pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "before torch 1.6"])


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


READERS: dict[str, Callable[[Path], Any]] = {
    # With the right SHA-256: a setting can be wrong together with its file.
    "VGG19": lambda path: read_vgg19(path, digest(path)),
    "AlexNet": lambda path: read_lpips(path, digest(path)),
    "OpenPose": load_network,
    "generator": read_published_generator,
    "discriminator": read_published_discriminator,
}
EVERY = pytest.mark.parametrize("reader", READERS)


@pytest.fixture
def weights(tmp_path) -> Path:
    """A zip file of torch with eight values, 32 bytes."""
    torch.save({"conv1_1.weight": torch.arange(8.0)}, tmp_path / "w.pth")
    return tmp_path / "w.pth"


@EVERY
def test_more_values_than_the_file_holds_are_refused(weights, reader):
    # In a pickle K 08 is the number 8, and M 00 F0 is 61,440.
    rewritten(weights, lambda name, one: one.replace(b"K\x08t", b"M\x00\xf0t"))
    said = refusal(READERS[reader], weights)
    assert "claims 61440 values of FloatStorage in '0', which has 32 bytes" in said


@EVERY
def test_a_changed_value_is_found_by_its_checksum(weights, reader):
    content = weights.read_bytes()
    seven = torch.tensor(7.0).numpy().tobytes()
    assert content.count(seven) == 1
    weights.write_bytes(content.replace(seven, torch.tensor(7.5).numpy().tobytes()))
    assert torch.load(weights, weights_only=True)["conv1_1.weight"][7] == 7.5  # torch sees nothing
    assert "is damaged" in refusal(READERS[reader], weights)


@EVERY
def test_packed_weights_are_refused_however_much_they_would_unpack_to(weights, reader):
    rewritten(weights, lambda name, one: bytes(10**8) if "/data/" in name else one, packed=True)
    assert "is packed or encrypted" in refusal(READERS[reader], weights)


@EVERY
def test_a_file_that_only_begins_or_only_ends_like_a_zip_is_checked_too(tmp_path, weights, reader):
    whole = weights.read_bytes()
    torch.save({"a": torch.zeros(1)}, weights, _use_new_zipfile_serialization=False)
    old = weights.read_bytes()
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "no weights")
    for content in (whole[:-22], old + (tmp_path / "other.zip").read_bytes()):
        weights.write_bytes(content)
        refusal(READERS[reader], weights)


@pytest.mark.parametrize("reader", ["OpenPose", "generator", "discriminator"])
@FORMATS
def test_one_value_said_to_be_a_billion_takes_no_memory(tmp_path, reader, is_zip):
    path = tmp_path / "w.pth"
    many = {"conv1_1.weight": torch.zeros(1).expand(10**9)}
    torch.save(many, path, _use_new_zipfile_serialization=is_zip)
    assert "claims 4000000000 bytes of values" in refusal(READERS[reader], path)


@FORMATS
def test_whole_files_of_both_formats_are_read(tmp_path, is_zip):
    path, network = tmp_path / "w.pth", nn.Linear(2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.5, -2.0]]))
    torch.save(
        network.state_dict() | {"classifier.bias": torch.zeros(3)},
        path,
        _use_new_zipfile_serialization=is_zip,
    )
    assert zipfile.is_zipfile(path) == is_zip
    other = nn.Linear(2, 1)
    read_weight_file(other, path, digest(path), "it", "setting", "remedy")
    assert other.weight.tolist() == [[1.5, -2.0]]
    hands = narrow(hand())
    torch.save(hands.state_dict(), path, _use_new_zipfile_serialization=is_zip)
    found = load_network(path).state_dict()
    assert all((found[key] == value).all() for key, value in hands.state_dict().items())
