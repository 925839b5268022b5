"""The generator file people keep, and the state a training goes on from."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import NETWORK

from edn_core.checkpoint import (
    TrainedGenerator,
    background_tensors,
    core_network,
    load_discriminator,
    load_generator,
    load_state,
    save_discriminator,
    save_generator,
    save_state,
    state_key,
)
from edn_core.networks import ARCHITECTURES, face_generator, generator, initialize


@pytest.fixture
def trained() -> TrainedGenerator:
    """A generator with plate and face, weights at random."""
    seed = torch.Generator().manual_seed(1)
    plate = np.arange(32 * 64 * 3, dtype=np.uint32).reshape(32, 64, 3).astype(np.uint8)
    background = plate, plate[..., 0] > 100
    network = core_network(generator(NETWORK, 3, background_tensors(background)))
    face = face_generator(3, NETWORK)
    initialize(network, seed)
    initialize(face, seed)
    return TrainedGenerator(
        stage="face",
        network=NETWORK,
        weights=network.state_dict(),
        face_weights=face.state_dict(),
        background=background,
        label_style="edn",
        label_config={"thickness": 1.0},
        label_channels=3,
        height=32,
        width=64,
        steps=7,
    )


def check_same(found: TrainedGenerator, expected: TrainedGenerator) -> None:
    for name in (
        *("stage", "network", "label_style", "label_channels", "height", "width", "steps"),
        "architecture",
    ):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("weights", "face_weights"):
        one, other = getattr(found, name), getattr(expected, name)
        if other is None:
            assert one is None
            continue
        assert list(one) == list(other)
        assert all(torch.equal(one[key], other[key]) for key in other)
    if expected.background is None:
        assert found.background is None
    else:
        for one, other in zip(found.background, expected.background, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_a_generator_comes_back_with_all_that_belongs_to_it(tmp_path, trained):
    plain = replace(trained, background=None, face_weights=None, weights={"a": torch.ones(2)})
    for one in (trained, plain):
        save_generator(tmp_path / "generator.safetensors", one)
        check_same(load_generator(tmp_path / "generator.safetensors"), one)


def test_the_networks_are_built_from_the_file_alone(tmp_path, trained):
    save_generator(tmp_path / "generator.safetensors", trained)
    images = []
    for one in (trained, load_generator(tmp_path / "generator.safetensors")):
        networks = one.build()
        assert list(networks) == ["generator", "face_generator"]
        with torch.no_grad():
            images.append(
                networks["generator"](torch.linspace(0, 1, 6 * 32 * 64).view(1, 6, 32, 64))
            )
    assert images[0].shape == (1, 3, 32, 64)
    assert torch.equal(*images)
    assert list(replace(trained, face_weights=None).build()) == ["generator"]


def test_the_same_content_gives_the_same_bytes_wherever_it_lies(tmp_path, trained):
    save_generator(tmp_path / "one.pt", trained)
    save_generator(tmp_path / "folder" / "other_name.pt", trained)
    again = load_generator(tmp_path / "one.pt")
    save_generator(tmp_path / "again.pt", again)
    expected = (tmp_path / "one.pt").read_bytes()
    assert (tmp_path / "folder" / "other_name.pt").read_bytes() == expected
    assert (tmp_path / "again.pt").read_bytes() == expected
    save_generator(tmp_path / "one.pt", replace(trained, steps=8))
    assert (tmp_path / "one.pt").read_bytes() != expected


def test_the_weights_are_those_of_the_network_inside_the_plates_wrapper(trained):
    assert all(name.startswith("model.") for name in trained.weights)


def test_another_schema_version_is_refused(tmp_path, trained):
    path = tmp_path / "generator.safetensors"
    save_generator(path, trained)
    content = torch.load(path, weights_only=True)
    torch.save(content | {"schema_version": 99}, path)
    with pytest.raises(ValueError, match=r"edn-generator version 2, found edn-generator version 9"):
        load_generator(path)
    torch.save({"weights": {}}, path)
    with pytest.raises(ValueError, match="found None version None"):
        load_generator(path)


def test_a_file_of_version_1_is_read_as_that_of_a_global_generator(tmp_path, trained):
    path = tmp_path / "generator.safetensors"
    save_generator(path, trained)
    content = torch.load(path, weights_only=True)
    # What that version did not know.
    del content["architecture"], content["network"]["enhancer_residual_blocks"]
    torch.save(content | {"schema_version": 1}, path)
    found = load_generator(path)
    check_same(found, trained)
    assert found.architecture == "global"
    assert found.build()["generator"].plate.shape == (3, 32, 64)


def test_an_architecture_that_nobody_knows_is_refused(tmp_path, trained):
    path = tmp_path / "generator.safetensors"
    save_generator(path, replace(trained, architecture="unet"))
    with pytest.raises(ValueError, match="architecture 'unet'; known: global, halved, enhancer; d"):
        load_generator(path)


@pytest.mark.parametrize("architecture", ["halved", "enhancer"])
def test_other_architectures_come_back_and_paint_the_whole_canvas(tmp_path, trained, architecture):
    make = ARCHITECTURES[architecture]
    network = core_network(make(NETWORK, 3, background_tensors(trained.background)))
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
    assert images[0].shape == (1, 3, 32, 64)
    assert torch.equal(*images)
    assert inner.shape == (1, 3, 32 // size, 64 // size)


def test_a_pickle_with_a_program_in_it_is_refused_and_not_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'run')!r}, 'w')",))

    path = tmp_path / "generator.safetensors"
    torch.save({"schema": "edn-generator", "schema_version": 2, "weights": Attack()}, path)
    for read in (load_generator, lambda p: load_state(p, "key")):
        with pytest.raises(ValueError, match="generator.safetensors: not readable as a checkpoint"):
            read(path)
    with pytest.raises(ValueError, match="generator.safetensors: the discriminator is damaged"):
        load_discriminator(path)
    path.write_bytes(pickle.dumps(Attack(), protocol=2))
    with pytest.raises(ValueError, match="generator.safetensors: not readable as a checkpoint"):
        load_generator(path)
    assert not (tmp_path / "run").exists()


def test_damaged_files_are_refused_readably(tmp_path, trained):
    path = tmp_path / "generator.safetensors"
    save_generator(path, trained)
    whole = path.read_bytes()
    middle = len(whole) // 2
    damaged = [
        b"",
        b"\n",
        b"no checkpoint",
        whole[:10],
        whole[:middle],
        whole[:-1],
        whole[:200] + bytes(500) + whole[700:],
        pickle.dumps({"a": 1}, protocol=2)[:-1],
        bytes(range(256)),
    ]
    for content in damaged:
        path.write_bytes(content)
        for read in (load_generator, load_discriminator, lambda p: load_state(p, "key")):
            with pytest.raises(ValueError, match=r"^[^\n]*generator.safetensors: [^\n]*$"):
                read(path)


def test_what_is_no_dictionary_is_no_checkpoint(tmp_path):
    torch.save([1, 2], tmp_path / "generator.safetensors")
    with pytest.raises(ValueError, match="expected a checkpoint, found list"):
        load_generator(tmp_path / "generator.safetensors")


def test_a_generator_that_is_not_there_is_named(tmp_path):
    with pytest.raises((ValueError, OSError), match="generator.safetensors"):
        load_generator(tmp_path / "generator.safetensors")


def test_a_failed_write_leaves_the_file_that_was_there(tmp_path, trained):
    save_generator(tmp_path / "generator.safetensors", trained)
    before = (tmp_path / "generator.safetensors").read_bytes()
    with pytest.raises(Exception, match="pickle|local object"):  # in the words of each Python
        save_generator(tmp_path / "generator.safetensors", replace(trained, stage=lambda: 0))
    assert (tmp_path / "generator.safetensors").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


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
    path = tmp_path / "state.pt"
    assert load_state(path, "mine") is None
    save_state(path, "mine", {"step": 3, "weights": {"a": torch.ones(2)}})
    state = load_state(path, "mine")
    assert state["step"] == 3
    assert "key" not in state
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
    other.write_text("3")
    changed.append(state_key({"rate": 1e-4, "steps": 3}, [one, other]))
    assert len({key, *changed}) == 6


def test_a_file_touched_or_copied_elsewhere_keeps_the_key(tmp_path):
    one, copy = tmp_path / "one", tmp_path / "copy"
    one.write_text("1")
    copy.write_text("1")
    assert state_key({}, [one]) == state_key({}, [copy])
