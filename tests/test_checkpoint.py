"""The generator file people keep, and the state a training goes on from."""

import pickle
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from tiny import NETWORK

from edn_core.checkpoint import (
    TrainedGenerator,
    core_network,
    load_discriminator,
    load_generator,
    load_state,
    save_discriminator,
    save_generator,
    save_state,
    state_key,
)
from edn_core.errors import Refused
from edn_core.networks import ARCHITECTURES, face_generator, generator, initialize
from edn_core.tensors import read_tensors, write_tensors


@pytest.fixture
def trained() -> TrainedGenerator:
    """A generator with matte and face, weights at random."""
    seed = torch.Generator().manual_seed(1)
    network = core_network(generator(NETWORK, 3, has_matte=True))
    face = face_generator(3, NETWORK)
    initialize(network, seed)
    initialize(face, seed)
    return TrainedGenerator(
        stage="face",
        network=NETWORK,
        weights=network.state_dict(),
        face_weights=face.state_dict(),
        has_matte=True,
        label_style="edn",
        label_config={"thickness": 1.0},
        label_channels=3,
        height=32,
        width=64,
        face_side=32,
        steps=7,
        window={"figure_px": 40.5},
    )


def check_same(found: TrainedGenerator, expected: TrainedGenerator) -> None:
    for name in (
        *("stage", "network", "label_style", "label_channels", "height", "width", "steps"),
        *("architecture", "has_matte", "face_side", "window"),
    ):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("weights", "face_weights"):
        one, other = getattr(found, name), getattr(expected, name)
        if other is None:
            assert one is None
            continue
        assert set(one) == set(other)
        assert all(torch.equal(one[key], other[key]) for key in other)


def test_a_generator_comes_back_with_all_that_belongs_to_it(tmp_path, trained):
    plain = replace(trained, has_matte=False, face_weights=None, weights={"a": torch.ones(2)})
    for one in (trained, plain):
        save_generator(tmp_path / "generator.safetensors", one)
        check_same(load_generator(tmp_path / "generator.safetensors"), one)


def test_the_same_content_gives_the_same_bytes_wherever_it_lies(tmp_path, trained):
    save_generator(tmp_path / "one.safetensors", trained)
    save_generator(tmp_path / "folder" / "other_name.safetensors", trained)
    again = load_generator(tmp_path / "one.safetensors")
    save_generator(tmp_path / "again.safetensors", again)
    expected = (tmp_path / "one.safetensors").read_bytes()
    assert (tmp_path / "folder" / "other_name.safetensors").read_bytes() == expected
    assert (tmp_path / "again.safetensors").read_bytes() == expected
    save_generator(tmp_path / "one.safetensors", replace(trained, steps=8))
    assert (tmp_path / "one.safetensors").read_bytes() != expected


def test_another_schema_or_version_is_refused(tmp_path, trained):
    path = tmp_path / "generator.safetensors"
    write_tensors(path, ("edn-generator", 99), {}, trained.weights)
    with pytest.raises(Refused, match=r"edn-generator version 99, expected .* version 4; delete"):
        load_generator(path)
    save_discriminator(path, trained.weights)
    with pytest.raises(Refused, match="edn-discriminator version 1, .*; give an edn-generator"):
        load_generator(path)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_comes_back_and_paints_the_whole_window(tmp_path, trained, architecture):
    make = ARCHITECTURES[architecture]
    network = core_network(make(NETWORK, 3, trained.has_matte))
    initialize(network, torch.Generator().manual_seed(3))
    other = replace(trained, architecture=architecture, weights=network.state_dict())
    save_generator(tmp_path / "generator.safetensors", other)
    found = load_generator(tmp_path / "generator.safetensors")
    check_same(found, other)
    given = torch.linspace(0, 1, 6 * 32 * 64).view(1, 6, 32, 64)
    with torch.no_grad():
        images = [one.build()["generator"](given) for one in (other, found)]
        size = 2 if architecture == "halved" else 1
        inner = found.build_trained()(given[..., ::size, ::size])
    assert images[0].shape == (1, 4, 32, 64)
    assert torch.equal(*images)
    assert inner.shape == (1, 4, 32 // size, 64 // size)


def test_what_is_no_safetensors_file_is_refused_readably(tmp_path, trained):
    path = tmp_path / "generator.safetensors"
    save_generator(path, trained)
    whole = path.read_bytes()
    pickled = pickle.dumps({"a": 1}, protocol=2)
    for content in (b"", b"no checkpoint", whole[: len(whole) // 2], whole[:-1], pickled):
        path.write_bytes(content)
        for read in (load_generator, load_discriminator, lambda p: load_state(p, "key")):
            with pytest.raises(Refused, match=r"^[^\n]*generator.safetensors: [^\n]*; delete it"):
                read(path)


def test_a_generator_of_the_release_before_is_not_said_to_be_deleted(tmp_path):
    path = tmp_path / "generator.pt"
    torch.save({"schema": "edn-generator", "schema_version": 2}, path)
    with pytest.raises(
        Refused, match=r"is of a release before 0.5; .*published convert \S+generat"
    ):
        load_generator(path)


def test_a_failed_write_leaves_the_file_that_was_there(tmp_path, trained):
    save_generator(tmp_path / "generator.safetensors", trained)
    before = (tmp_path / "generator.safetensors").read_bytes()
    with pytest.raises(TypeError, match="JSON serializable"):
        save_generator(tmp_path / "generator.safetensors", replace(trained, stage=lambda: 0))
    assert (tmp_path / "generator.safetensors").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_two_processes_write_the_same_bytes(tmp_path):
    program = (
        "import sys, torch; from edn_core.tensors import write_tensors; "
        "tensors = {name: torch.arange(5.0) for name in 'weight bias plate step'.split()}; "
        "write_tensors(sys.argv[1], ('edn-test', 1), {'b': 1, 'a': [2]}, tensors)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "one")], check=True)
    tensors = {name: torch.arange(5.0) for name in ("weight", "bias", "plate", "step")}
    write_tensors(tmp_path / "other", ("edn-test", 1), {"b": 1, "a": [2]}, tensors)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_tensors_of_every_kind_come_back_those_that_share_values_too(tmp_path):
    shared = torch.arange(6.0).view(2, 3)
    tensors = {
        "half": torch.ones(3, dtype=torch.bfloat16),
        "number": torch.tensor(7),
        "none": torch.zeros(0, 4),
        "mask": torch.tensor([True, False]),
        "whole": shared,
        "turned": shared.T,
    }
    write_tensors(tmp_path / "a", ("edn-test", 1), {"text": "é", "pair": (1, 2)}, tensors)
    description, found = read_tensors(tmp_path / "a", ("edn-test", 1))
    assert description == {"text": "é", "pair": [1, 2]}
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_a_discriminator_comes_back_and_may_be_absent(tmp_path):
    assert load_discriminator(tmp_path / "discriminator.safetensors") is None
    save_discriminator(tmp_path / "discriminator.safetensors", {"weight": torch.arange(3.0)})
    assert load_discriminator(tmp_path / "discriminator.safetensors")["weight"].tolist() == [
        0,
        1,
        2,
    ]


# State


def test_a_state_comes_back_to_its_own_run_only(tmp_path):
    path = tmp_path / "state.safetensors"
    assert load_state(path, "mine") is None
    save_state(path, "mine", {"step": 3}, {"a": torch.ones(2)})
    description, tensors = load_state(path, "mine")
    assert description == {"step": 3}
    assert tensors["a"].tolist() == [1, 1]
    assert load_state(path, "another") is None
    assert path.is_file()


def test_the_key_changes_with_every_setting_and_every_input(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    key = state_key({"rate": 1e-4, "steps": 3}, [one, other])
    assert key == state_key({"steps": 3, "rate": 1e-4}, [one, other])
    changed = [
        state_key({"rate": 2e-4, "steps": 3}, [one, other]),
        state_key({"rate": 1e-4}, [one, other]),
        state_key({"rate": 1e-4, "steps": 3}, [other, one]),
        state_key({"rate": 1e-4, "steps": 3}, [one]),
    ]
    (tmp_path / "copy").write_text("1")  # elsewhere it is the same file
    assert key == state_key({"rate": 1e-4, "steps": 3}, [tmp_path / "copy", other])
    other.write_text("3")
    changed.append(state_key({"rate": 1e-4, "steps": 3}, [one, other]))
    assert len({key, *changed}) == 6
