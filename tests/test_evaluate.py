"""How good is a generator? One that paints the truth is perfect, and the table says so."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import LABEL_CONFIG, N_FRAMES, NETWORK, SIZE, SPLIT, film, paint, without

from edn_core.checkpoint import TrainedGenerator, core_network, save_generator
from edn_core.evaluate import EvaluationFiles, evaluate_baselines, evaluate_model
from edn_core.evaluate.files import PICTURES_ALONE
from edn_core.keypoints import write_keypoints
from edn_core.networks import generator, initialize
from edn_core.store import read_json

CPU = torch.device("cpu")


def painter(path, mask: float):
    """A generator whose matte is the same everywhere: 0 shows the room alone, 1 itself alone."""
    network = core_network(generator(NETWORK, 3, has_matte=True))
    initialize(network, torch.Generator().manual_seed(0))
    weights = network.state_dict()
    last = [name for name in weights if name.endswith(".bias")][-1]
    weights[last][3] = 100.0 * (2 * mask - 1)  # tanh makes 1 and -1 of it
    save_generator(
        path,
        TrainedGenerator(
            "body", NETWORK, weights, None, True, "edn", LABEL_CONFIG, 3, SIZE, SIZE, 32, 1
        ),
    )
    return path


@pytest.fixture(scope="module")
def still_files(tiny_target, tmp_path_factory):
    """A target that never changes, and a generator that paints exactly that."""
    image, tmp_path = paint(tiny_target.dancer, 0), tmp_path_factory.mktemp("still")
    return EvaluationFiles(
        video=film(tmp_path / "tiny.mkv", [image] * N_FRAMES),
        keypoints=tiny_target.keypoints,
        generator=painter(tmp_path / "generator.safetensors", mask=0),
        labels=tiny_target.labels,
        room=room_of(tmp_path, image),
    )


def room_of(folder, image):
    Image.fromarray(image).save(folder / "room.png")
    return folder / "room.png"


@pytest.fixture(scope="module")
def moving(tiny_target, tmp_path_factory):
    """The tiny dancer's video."""
    images = [paint(tiny_target.dancer, frame) for frame in range(N_FRAMES)]
    return film(tmp_path_factory.mktemp("moving") / "tiny.mkv", images)


@pytest.fixture(scope="module")
def measured(still_files, tmp_path_factory):
    """A folder with what the evaluation of the still target wrote."""
    folder = tmp_path_factory.mktemp("measured")
    evaluate(still_files, folder)
    return folder


def evaluate(files, folder, split=SPLIT, measures=PICTURES_ALONE):
    """The model's metrics, with the baselines beside it."""
    baselines = baselines_of(files, folder, split, measures)
    places = folder / "metrics.json", folder / "plot.png"
    result = evaluate_model(files, split, CPU, *places, measures)
    return result | {"methods": result["methods"] | baselines["methods"]}


def baselines_of(files, folder, split=SPLIT, measures=PICTURES_ALONE):
    places = folder / "baselines.json", folder / "baselines.png"
    return evaluate_baselines(files, split, CPU, *places, measures)


def test_the_truth_scores_one_and_does_not_flicker(measured):
    methods = read_json(measured / "metrics.json")["methods"]
    methods |= read_json(measured / "baselines.json")["methods"]
    for method in ("model", "nearest_pose", "mean_frame"):
        means = methods[method]
        assert means["ssim"] == means["ssim_person"] == means["ssim_face"] == 1
        assert means["temporal_difference"] == 0
        assert means["psnr"] == means["psnr_person"] == 100  # equal: the most there is
        assert means["flow_warping"] == 0


def test_the_same_evaluation_writes_the_same_bytes(still_files, measured, tmp_path):
    evaluate(still_files, tmp_path)
    for name in ("metrics.json", "baselines.json", "plot.png", "baselines.png"):
        assert (measured / name).read_bytes() == (tmp_path / name).read_bytes(), name
    with Image.open(tmp_path / "plot.png") as plot:
        assert plot.width > 500
        assert np.asarray(plot.convert("L")).std() > 10


def test_a_wrong_picture_scores_less(still_files, moving, tmp_path):
    files = replace(
        still_files, video=moving, generator=painter(tmp_path / "generator.safetensors", mask=1)
    )
    methods = evaluate(files, tmp_path)["methods"]
    for name in ("ssim", "psnr", "ssim_person", "ssim_face"):
        assert methods["model"][name] < methods["nearest_pose"][name]


def test_the_nearest_pose_is_sought_among_training_frames_only(moving, tmp_path, still_files):
    # Frame 3 is the only one to train on: its picture is what both baselines show.
    files = replace(still_files, video=moving)
    split = replace(SPLIT, train=(range(3, 4),), test=range(3, 5))
    methods = evaluate(files, tmp_path, split)["methods"]
    assert methods["nearest_pose"] == methods["mean_frame"]
    assert methods["model"] != methods["mean_frame"]


def test_without_a_face_the_face_column_is_empty_and_without_anybody_the_picture_still_counts(
    still_files, tiny_target, tmp_path
):
    nobody = without(tiny_target.dancer, [18, 19])
    write_keypoints(tmp_path / "keypoints.h5", without(nobody, list(range(N_FRAMES)), ("face",)))
    result = evaluate(replace(still_files, keypoints=tmp_path / "keypoints.h5"), tmp_path)
    assert (result["n_frames"], result["n_persons"], result["n_faces"]) == (6, 4, 0)
    means = result["methods"]["model"]
    assert means["ssim_face"] is None
    assert means["ssim"] == means["ssim_person"] == 1


def test_too_few_held_out_frames_are_refused(still_files, tmp_path):
    with pytest.raises(ValueError, match="tiny.mkv: 1 held-out frames.*test_fraction"):
        evaluate(still_files, tmp_path, replace(SPLIT, test=range(18, 19)))
    assert not (tmp_path / "metrics.json").exists()
