"""What the processes of one training are told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny import NETWORK, SPLIT, STAGE

from edn_core.config import AugmentationConfig, RuntimeConfig, TrainingConfig
from edn_core.training.job import Job, read_job, write_job
from edn_core.training.settings import TrainingFiles, TrainingSettings

JOB = Job(
    stage="temporal",
    files=TrainingFiles(
        frames=Path("a b/frames.zip"),
        labels=Path("labels.zip"),
        keypoints=Path("keypoints.h5"),
        background=None,
        start=Path("body/generator.safetensors"),
        generator=Path("ü/generator.safetensors"),
    ),
    settings=TrainingSettings(
        # Numbers that no decimal fraction of a few digits is.
        stage=replace(STAGE, learning_rate=1 / 3, gan=0.1 + 0.2),
        network=NETWORK,
        split=SPLIT,
        training=TrainingConfig(
            augmentation=AugmentationConfig(mirror=0.5, discriminator=("colour", "cutout")),
            stages=("body", "temporal"),
            vgg19="vgg19.pth",
        ),
        is_halved=True,
        revision=7,
    ),
    runtime=RuntimeConfig(gpus_per_training=2, checkpoint_every_s=1e-9),
    log=None,
    threads=3,
)


def test_a_job_is_read_as_it_was_written_to_the_last_bit(tmp_path):
    for job in (JOB, replace(JOB, log="logs/a.log", settings=replace(JOB.settings, revision=0))):
        write_job(tmp_path / "job.json", job)
        assert read_job(tmp_path / "job.json") == job


def test_a_job_read_back_has_the_key_of_the_state_it_goes_on_from(tmp_path):
    folder = Path(tmp_path)
    named = {name: folder / name for name in ("frames", "labels", "keypoints", "generator")}
    for path in named.values():
        path.write_text(path.name)
    files = TrainingFiles(**named, background=None, start=None)
    write_job(tmp_path / "job.json", replace(JOB, files=files))
    job = read_job(tmp_path / "job.json")
    assert job.settings.key("temporal", job.files) == JOB.settings.key("temporal", files)


def test_what_is_no_job_is_refused_in_one_line(tmp_path):
    path = tmp_path / "job.json"
    write_job(path, JOB)
    whole = json.loads(path.read_text())
    for spoiled in (
        {},
        whole | {"files": 3},
        whole | {"files": whole["files"] | {"shell": "sh"}},
        whole | {"files": whole["files"] | {"a\nb": "sh"}},
        whole | {"files": whole["files"] | {"a" * 5000: "sh"}},
        whole | {"settings": whole["settings"] | {"network": {"channels": 4}}},
        whole | {"settings": whole["settings"] | {"split": {"train": [3], "validation": []}}},
    ):
        path.write_text(json.dumps(spoiled))
        with pytest.raises(ValueError) as raised:
            read_job(path)
        assert str(raised.value).isprintable()
        assert len(str(raised.value)) < 1000
