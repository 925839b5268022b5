"""How good is a generator? One that paints the truth is perfect, and the table says so."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import LABEL_CONFIG, N_FRAMES, NETWORK, SIZE, SPLIT, film, paint, without

from edn_core.checkpoint import TrainedGenerator, core_network, save_generator
from edn_core.evaluate import EvaluationFiles, evaluate_target
from edn_core.keypoints import write_keypoints
from edn_core.metrics import read_table
from edn_core.networks import generator, initialize

CPU = torch.device("cpu")
# Of the nearest pose in the tiny dancer's film, as release 0.8 measured it.
GOLDEN = {"ssim": 0.690355, "ssim_person": 0.086120, "ssim_face": 0.373019}
GOLDEN |= {"psnr": 18.907741, "psnr_person": 13.420360, "l1": 0.037914, "l1_face": 0.083129}
GOLDEN |= {"temporal_difference": 0.018158, "flow_warping": 0.016561}


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
def still(tiny_target, tmp_path_factory):
    """A target that never changes, and a generator that paints exactly that."""
    image, tmp_path = paint(tiny_target.dancer, 0), tmp_path_factory.mktemp("still")
    files = EvaluationFiles(
        video=film(tmp_path / "tiny.mkv", [image] * N_FRAMES),
        keypoints=tiny_target.keypoints,
        labels=tiny_target.labels,
        room=room_of(tmp_path, image),
    )
    return files, painter(tmp_path / "generator.safetensors", mask=0)


def room_of(folder, image):
    Image.fromarray(image).save(folder / "room.png")
    return folder / "room.png"


@pytest.fixture(scope="module")
def moving(tiny_target, tmp_path_factory):
    """The tiny dancer's video."""
    images = [paint(tiny_target.dancer, frame) for frame in range(N_FRAMES)]
    return film(tmp_path_factory.mktemp("moving") / "tiny.mkv", images)


def evaluate(still, folder, split=SPLIT):
    """The rows of the table, by the names of their methods."""
    files, generator = still
    places = folder / "table.json", folder / "plot.png"
    table = evaluate_target(files, [generator], split, CPU, *places)
    return {row["name"]: row for row in table["rows"]}


def test_the_truth_scores_one_and_does_not_flicker_and_again_in_the_same_bytes(still, tmp_path):
    rows = evaluate(still, tmp_path)
    assert list(rows) == ["nearest_pose", "mean_frame", "body", "truth"]
    for method in ("body", "nearest_pose", "mean_frame"):
        means = rows[method]
        assert means["ssim"] == means["ssim_person"] == means["ssim_face"] == 1
        assert means["temporal_difference"] == 0
        assert means["psnr"] == means["psnr_person"] == 100  # equal: the most there is
        assert means["flow_warping"] == 0
    evaluate(still, tmp_path / "again")
    for name in ("table.json", "table.md", "table.csv", "plot.png"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name
    with Image.open(tmp_path / "plot.png") as plot:
        assert plot.width > 500
        assert np.asarray(plot.convert("L")).std() > 10


def test_a_wrong_picture_scores_less(still, moving, tmp_path):
    files = replace(still[0], video=moving)
    rows = evaluate((files, painter(tmp_path / "generator.safetensors", mask=1)), tmp_path)
    for name in ("ssim", "psnr", "ssim_person", "ssim_face"):
        assert rows["body"][name] < rows["nearest_pose"][name]


def test_the_nearest_pose_is_sought_among_training_frames_only(moving, tmp_path, still):
    # Frame 3 is the only one to train on: its picture is what both baselines show.
    files = replace(still[0], video=moving)
    split = replace(SPLIT, train=(range(3, 4),), test=range(3, 5))
    rows = evaluate((files, still[1]), tmp_path, split)
    nearest, mean = (
        {**rows[name], "name": "", "title": ""} for name in ("nearest_pose", "mean_frame")
    )
    assert nearest == mean
    assert rows["body"]["ssim"] != mean["ssim"]


def test_the_figures_of_a_known_film_stay_what_they_are(moving, tmp_path, still):
    row = evaluate((replace(still[0], video=moving), still[1]), tmp_path)["nearest_pose"]
    assert {name: row[name] for name in GOLDEN} == pytest.approx(GOLDEN, abs=2e-6)


def test_without_a_face_the_face_column_is_empty_and_without_anybody_the_picture_still_counts(
    still, tiny_target, tmp_path
):
    nobody = without(tiny_target.dancer, [18, 19])
    write_keypoints(tmp_path / "keypoints.h5", without(nobody, list(range(N_FRAMES)), ("face",)))
    files = replace(still[0], keypoints=tmp_path / "keypoints.h5")
    row = evaluate((files, still[1]), tmp_path)["body"]
    table = read_table(tmp_path / "table.json")
    assert (table["n_frames"], table["n_persons"], table["n_faces"]) == (6, 4, 0)
    assert row["ssim_face"] is None
    assert row["ssim"] == row["ssim_person"] == 1


def test_too_few_held_out_frames_are_refused(still, tmp_path):
    with pytest.raises(ValueError, match="tiny.mkv: 1 held-out frames.*test_fraction"):
        evaluate(still, tmp_path, replace(SPLIT, test=range(18, 19)))
    assert not (tmp_path / "table.json").exists()


def test_two_generators_that_call_themselves_alike_both_have_a_row(still, tmp_path):
    # What is imported is called by its weights: a file in temporal may say that it is of body.
    files, _ = still
    both = [painter(tmp_path / name / "generator.safetensors", 0) for name in ("body", "temporal")]
    places = tmp_path / "table.json", tmp_path / "plot.png"
    rows = evaluate_target(files, both, SPLIT, CPU, *places)["rows"]
    assert [row["name"] for row in rows[2:]] == ["body", "temporal", "truth"]
    assert rows[2]["ssim"] == rows[3]["ssim"] == 1
