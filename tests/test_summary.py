"""What `make demo` prints at its end."""

import pytest

from edn_core.evaluate import evaluate_target
from edn_core.evaluate.files import SCHEMA, SCHEMA_VERSION
from edn_core.metrics import ALL_COLUMNS
from edn_core.store import write_json
from edn_core.summary import summarize


def write_metrics(path, stage, **ssim_person):
    """An evaluation in which everything is a half but the person's SSIM, and LPIPS is absent."""
    means = {name: None if name.startswith("lpips") else 0.5 for name in ALL_COLUMNS}
    counts = dict.fromkeys(("n_frames", "n_persons", "n_faces", "n_poses"), 96)
    content = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "video": "bob",
        "stage": stage,
        **counts,
        "torso_px": 20.0,
        "absent": {name: "no weights" for name in ALL_COLUMNS if name.startswith("lpips")},
        "methods": {
            method: means | {"ssim_person": value} for method, value in ssim_person.items()
        },
    }
    write_json(path, content)


@pytest.fixture
def results(tmp_path):
    """Results of a transfer from alice to bob; of the previews, only bob's is there."""
    folder = tmp_path / "results"
    for name in ("transfer/alice_to_bob.mp4", "videos/bob/preview.mp4"):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.touch()
    return folder


@pytest.fixture
def measured(results):
    """The same with a table of two stages."""
    folder = results / "evaluation" / "bob"
    baselines, body, face = (
        folder / name for name in ("baselines.json", "body/metrics.json", "face/metrics.json")
    )
    write_metrics(baselines, "", nearest_pose=0.4, mean_frame=0.2, truth=None)
    write_metrics(body, "body", model=0.8758)
    write_metrics(face, "face", model=0.9)
    table = (folder / f"table.{suffix}" for suffix in ("md", "json", "csv"))
    evaluate_target(baselines, [body, face], *table)
    (folder / "face" / "comparison.png").touch()
    return results


def test_it_names_the_video_first_and_nothing_that_is_not_there(results):
    lines = summarize("alice", "bob", results).splitlines()
    assert lines[0].startswith(f"{results}/transfer/alice_to_bob.mp4 ")
    assert lines[0].endswith("bob dancing alice's dance, with its sound")
    assert lines[1].startswith(f"{results}/videos/bob/preview.mp4 ")
    assert lines[2] == ""


def test_the_baselines_come_first_and_the_stages_in_order_below_them(measured):
    lines = summarize("alice", "bob", measured).splitlines()
    assert "bob on 96 frames held out of training" in lines[-7]
    assert "lpips" not in lines[-5]  # it was not measured
    assert lines[-5].split()[:2] == ["ssim_person", "ssim_face"]
    assert [line.split("  ")[0] for line in lines[-4:]] == [
        *["nearest pose", "mean frame", "body", "+ face"]
    ]
    assert [line[12:].split()[0] for line in lines[-4:]] == ["0.4000", "0.2000", "0.8758", "0.9000"]


def test_the_pictures_of_the_last_stage_are_named(measured):
    text = summarize("alice", "bob", measured)
    assert f"{measured}/evaluation/bob/table.md " in text
    assert f"{measured}/evaluation/bob/face/comparison.png " in text


def test_without_an_evaluation_it_names_the_command_that_makes_one(results):
    last = summarize("alice", "bob", results).splitlines()[-1]
    assert last.endswith(f"run `snakemake {results}/evaluation/bob/table.md`")


def test_without_the_video_one_line_names_the_command_that_makes_it(tmp_path):
    path = f"{tmp_path}/transfer/alice_to_bob.mp4"
    with pytest.raises(ValueError, match=f"^{path}: not made yet; run `snakemake {path}`$"):
        summarize("alice", "bob", tmp_path)
