"""A dancer given away: what the exported step computes is what synthesize does."""

import json
from dataclasses import asdict

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tiny import LABEL_CONFIG, NETWORK, SIZE, WINDOW

from edn_core import export
from edn_core.checkpoint import TrainedGenerator, core_network, load_generator, save_generator
from edn_core.config import LabelConfig
from edn_core.dataset import label_to_tensor
from edn_core.export import CHECKED_FRAMES, export_generator, main
from edn_core.face import face_box_size
from edn_core.networks import face_generator, generator, initialize
from edn_core.render import LABEL_STYLES, describe_drawing
from edn_core.skeleton import BODY_25, COCO_18
from edn_core.synthesize import load_networks, synthesize, to_levels, to_picture

CPU = torch.device("cpu")
BOX = face_box_size(SIZE)


def make_generator(path, style="edn", with_face=True, with_matte=True):
    """An untrained generator of 64 x 64."""
    channels = LABEL_STYLES[style].channels
    skeleton = COCO_18 if style == "limb_index" else BODY_25
    seed = torch.Generator().manual_seed(1)
    network, face = generator(NETWORK, channels, with_matte), face_generator(channels, NETWORK)
    initialize(network, seed)
    initialize(face, seed)
    trained = TrainedGenerator(
        stage="face" if with_face else "temporal",
        network=NETWORK,
        weights=core_network(network).state_dict(),
        face_weights=face.state_dict() if with_face else None,
        has_matte=with_matte,
        label_style=style,
        label_config=describe_drawing(LabelConfig(style, 3.0), skeleton),
        label_channels=channels,
        height=SIZE,
        width=SIZE,
        face_side=BOX,
        steps=7,
        window=asdict(WINDOW) | {"figure_px": 20.8},  # half of what a figure in a whole picture has
    )
    save_generator(path, trained)
    return path


def run_onnx(path):
    session = onnxruntime.InferenceSession(path.read_bytes())

    def step(label, previous, box):
        given = {"label": label.numpy(), "previous": previous.numpy(), "face_box": box.numpy()}
        return torch.from_numpy(session.run(["image"], given)[0])

    return step


def run_program(path):
    return torch.export.load(path).module()


@pytest.mark.parametrize(
    ("suffix", "style", "with_face", "with_matte"),
    [(".onnx", "edn", True, True), (".pt2", "limb_index", False, False)],
)
def test_the_exported_step_makes_the_frames_that_synthesize_makes(
    suffix, style, with_face, with_matte, tmp_path
):
    path = make_generator(tmp_path / "generator.safetensors", style, with_face, with_matte)
    out = tmp_path / f"dancer{suffix}"
    assert 0 <= export_generator(path, out) <= 1e-3
    step = (run_onnx if suffix == ".onnx" else run_program)(out)
    if suffix == ".onnx":
        check_said({one.key: one.value for one in onnx.load(out).metadata_props})
    trained = load_generator(path)
    levels = 18 if style == "limb_index" else 256
    labels = np.random.default_rng(0).integers(levels, size=(4, SIZE, SIZE, 3), dtype=np.uint8)
    # In the middle, none, in a corner, in the opposite one.
    boxes = np.array([[9, 5], [-1, -1], [0, 0], [SIZE - BOX, SIZE - BOX]])
    boxes = np.concatenate([boxes, np.where(boxes < 0, -1, boxes + BOX)], axis=1)
    networks = load_networks(trained, CPU)
    expected = list(synthesize(networks, labels, boxes, CPU, LABEL_STYLES[style]))
    previous = torch.zeros(1, 3, SIZE, SIZE)
    for label, box, image in zip(labels, boxes, expected, strict=True):
        tensor = label_to_tensor(label, LABEL_STYLES[style])[None]
        output = step(tensor, previous, torch.from_numpy(box))
        assert output.shape == (1, 3 + with_matte, SIZE, SIZE)
        assert output.abs().max() <= 1
        assert output[:, 3:].numel() == 0 or output[:, 3:].min() >= 0
        previous = output[:, :3]
        made = to_picture(to_levels(output)[0])
        assert np.abs(made.astype(int) - image).max() <= 1


def check_said(said):
    """What somebody needs to know who has the file alone."""
    assert said["synthetic"] == "true"
    assert "synthetic" in said["provenance"]
    assert (said["height"], said["width"], said["face_side"]) == ("64", "64", "32")
    assert said["has_matte"] == "true" and json.loads(said["window"])["figure_px"] == 20.8
    assert said["composition"].startswith("finished = room * (1 - matte) + picture")
    assert (said["label_style"], said["thickness"], said["skeleton"]) == ("edn", "1.5", "BODY_25")
    assert (said["stage"], said["steps"], said["has_face"]) == ("face", "7", "true")
    assert json.loads(said["label_config"]) == LABEL_CONFIG
    assert said["edn_version"]


def test_a_file_that_computes_something_else_is_not_left_behind(tmp_path, monkeypatch):
    path = make_generator(tmp_path / "generator.safetensors")
    out = tmp_path / "dancer.pt2"
    write = export.write_program

    def write_wrong(program, partial, metadata):
        step = write(program, partial, metadata)
        return lambda *inputs: step(*inputs) + 0.01

    monkeypatch.setitem(export.WRITERS, ".pt2", write_wrong)
    out.write_bytes(b"what was there before")
    with pytest.raises(ValueError, match=r"dancer.pt2: differs from torch by 0.0\d+ in 8 frames"):
        export_generator(path, out)
    assert out.read_bytes() == b"what was there before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["dancer.pt2", "generator.safetensors"]


def test_the_command_says_how_far_it_is_off_and_its_errors_are_one_line(tmp_path, capsys):
    path = make_generator(tmp_path / "generator.safetensors", with_face=False)
    main([str(path), str(tmp_path / "dancer.pt2")])
    extra = {"metadata.json": ""}
    torch.export.load(tmp_path / "dancer.pt2", extra_files=extra)
    assert json.loads(extra["metadata.json"])["has_face"] == "false"
    said = capsys.readouterr().out
    assert "differs from torch by at most" in said and f"in {CHECKED_FRAMES} frames" in said
    for arguments, match in (
        ([str(path), str(tmp_path / "dancer.tflite")], "ends in '.tflite', expected .onnx or .pt2"),
        ([str(tmp_path / "no.pt"), str(tmp_path / "dancer.onnx")], "no.pt: no such file; run"),
    ):
        with pytest.raises(SystemExit, match=f"^edn: error: .*{match}") as ended:
            main(arguments)
        assert "\n" not in str(ended.value)
