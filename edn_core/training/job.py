"""What the processes of one training are told: a file of JSON, so that no pickle is ever read."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edn_core.config import (
    NetworkConfig,
    RuntimeConfig,
    StageConfig,
    TrainingConfig,
    printable,
    read_section,
)
from edn_core.split import Split
from edn_core.store import read_json, write_json
from edn_core.training.settings import TrainingFiles, TrainingSettings


@dataclass(frozen=True)
class Job:
    """What a process of a training is started with.

    Attributes:
        stage: one of STAGES.
        files: as run_training gets them.
        settings: likewise.
        runtime: likewise.
        log: the log file that the first process goes on writing, or None.
        threads: of torch, in each process.
    """

    stage: str
    files: TrainingFiles
    settings: TrainingSettings
    runtime: RuntimeConfig
    log: str | None
    threads: int


def write_job(path: str | Path, job: Job) -> None:
    """Write a job as JSON, atomically.

    Raises:
        ValueError: a setting that JSON has no number for (nan, inf).
    """
    content = asdict(job)
    files = {name: None if file is None else str(file) for name, file in content["files"].items()}
    split = job.settings.split
    blocks = {
        "train": [_ends(block) for block in split.train],
        "validation": _ends(split.validation),
        "test": _ends(split.test),
    }
    write_json(
        path, content | {"files": files, "settings": content["settings"] | {"split": blocks}}
    )


def read_job(path: str | Path) -> Job:
    """Read a job; numbers come back to the last bit, so that a resumed training knows its state.

    Raises:
        ValueError: not such a file, or a setting that does not exist.
    """
    content = read_json(path)
    try:
        settings, blocks = content["settings"], content["settings"]["split"]
        files: dict[str, Any] = {
            name: None if file is None else Path(file) for name, file in content["files"].items()
        }
        return Job(
            stage=content["stage"],
            files=TrainingFiles(**files),
            settings=TrainingSettings(
                stage=read_section(StageConfig, settings["stage"], "stage"),
                network=read_section(NetworkConfig, settings["network"], "network"),
                split=Split(
                    train=tuple(range(*ends) for ends in blocks["train"]),
                    validation=range(*blocks["validation"]),
                    test=range(*blocks["test"]),
                ),
                training=read_section(TrainingConfig, settings["training"], "training"),
                is_halved=settings["is_halved"],
                revision=settings["revision"],
            ),
            runtime=read_section(RuntimeConfig, content["runtime"], "runtime"),
            log=content["log"],
            threads=content["threads"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        why = printable(f"{type(error).__name__}: {error}")  # with words of the file's in it
        raise ValueError(
            f"{path}: expected the job of a training ({why}); start the training anew"
        ) from error


def _ends(block: range) -> list[int]:
    return [block.start, block.stop]
