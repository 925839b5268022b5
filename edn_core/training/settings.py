"""What a stage reads, writes and depends on."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edn_core.checkpoint import state_key
from edn_core.config import STAGES, NetworkConfig, StageConfig, TrainingConfig, read_section
from edn_core.frames import FrameReader
from edn_core.split import Split, read_split

INPUT_NAMES = ("frames", "labels", "keypoints", "window", "start")


@dataclass(frozen=True)
class TrainingFiles:
    """Where a stage reads and writes."""

    frames: Path  # the target's frames
    labels: Path  # its labels
    keypoints: Path  # its keypoints
    window: Path | None  # where in the video it is painted; None: the generator will not say
    start: Path | None  # the generator of the stage before, or None
    generator: Path  # the file to write; state, metrics and TensorBoard go beside it

    @classmethod
    def of(cls, inputs: Any, generator: str) -> "TrainingFiles":
        """From a rule's named inputs; start may be an empty list."""
        given = {name: inputs.get(name) for name in INPUT_NAMES}
        named: dict[str, Any] = {name: Path(one) if one else None for name, one in given.items()}
        return cls(**named, generator=Path(generator))

    @property
    def inputs(self) -> list[Path]:
        """Every file read."""
        return [path for name in INPUT_NAMES if (path := getattr(self, name)) is not None]


@dataclass(frozen=True)
class TrainingSettings:
    """All that changes the weights."""

    stage: StageConfig  # how long, how fast, which loss weights
    network: NetworkConfig  # sizes
    split: Split  # which frames
    # what all stages share; its own stages' sections are not read here
    training: TrainingConfig = field(default_factory=TrainingConfig)
    revision: int = 0  # of the training code

    @classmethod
    def of(
        cls, params: Any, stage: str, files: TrainingFiles, vgg19: str | None
    ) -> "TrainingSettings":
        """From a rule's params, and the path of VGG19's weights, or None.

        Params are ``stage``, ``network``, ``options`` (config.training_options), ``split`` and
        ``revision``.
        """
        options = {**params.options, "vgg19": vgg19}
        return cls(
            stage=read_section(StageConfig, params.stage, f"training.{stage}"),
            network=read_section(NetworkConfig, params.network, "network"),
            split=read_split(len(FrameReader(files.frames)), params.split),
            training=read_section(TrainingConfig, options, "training"),
            revision=params.revision,
        )

    def key(self, name: str, files: TrainingFiles) -> str:
        """Fingerprint of the run: a state of another one must not be gone on from."""
        settings = asdict(self)
        for other in (*STAGES, "stages"):
            del settings["training"][other]
        # Where the VGG19 file lies does not matter; its checksum says what it is.
        if settings["training"].pop("vgg19") is None:
            del settings["training"]["vgg19_sha256"], settings["training"]["vgg19_input"]
        settings["split"] = str(self.split)
        return state_key({"stage_name": name, **settings}, files.inputs)
