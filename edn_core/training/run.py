"""Everything of a training that changes from step to step, to be saved and restored."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from edn_core.background import read_plate
from edn_core.checkpoint import (
    TrainedGenerator,
    background_tensors,
    core_network,
    load_discriminator,
    state_key,
)
from edn_core.config import NetworkConfig, StageConfig
from edn_core.frames import FrameReader
from edn_core.logs import LOGGER
from edn_core.networks import read_vgg19
from edn_core.render import find_style
from edn_core.split import Split, read_split
from edn_core.training.stage import Stage, Start, Terms, Weighting

INPUT_NAMES = ("frames", "labels", "keypoints", "background", "start")
ADAM_BETAS = (0.5, 0.999)  # pix2pixHD


@dataclass(frozen=True)
class TrainingFiles:
    """Where a stage reads and writes.

    Attributes:
        frames: the target's frames.
        labels: its labels.
        keypoints: its keypoints.
        background: its clean plate, or None to paint everything.
        start: the generator of the stage before, or None.
        generator: the file to write; state, metrics and TensorBoard go beside it.
    """

    frames: Path
    labels: Path
    keypoints: Path
    background: Path | None
    start: Path | None
    generator: Path

    @classmethod
    def of(cls, inputs: Any, generator: str) -> "TrainingFiles":
        """From a rule's named inputs; background and start may be empty lists."""
        named: dict[str, Any] = {
            name: Path(value) if value else None
            for name, value in ((name, inputs.get(name)) for name in INPUT_NAMES)
        }
        return cls(**named, generator=Path(generator))

    def read_split(self, settings: dict[str, Any]) -> Split:
        """Divide the target's frames as the rule's params say."""
        return read_split(len(FrameReader(self.frames)), settings)

    @property
    def inputs(self) -> list[Path]:
        """Every file read."""
        every = (self.frames, self.labels, self.keypoints, self.background, self.start)
        return [path for path in every if path is not None]


@dataclass(frozen=True)
class TrainingSettings:
    """All that changes the weights.

    Attributes:
        stage: how long, how fast, which loss weights.
        network: sizes.
        split: which frames.
        seed: of weights and order.
        vgg19: path of VGG19's weights or None, and how their SHA-256 begins.
        vgg19_input: how images enter VGG19; of no effect without it.
        revision: of the training code.
    """

    stage: StageConfig
    network: NetworkConfig
    split: Split
    seed: int = 0
    vgg19: tuple[str | None, str] = (None, "")
    vgg19_input: str = "reference"
    revision: int = 0

    def key(self, name: str, files: TrainingFiles) -> str:
        """Fingerprint of the run: a state of another one must not be gone on from."""
        settings = asdict(self)
        # Where the VGG19 file lies does not matter; its checksum says what it is.
        settings["vgg19"] = self.vgg19[1] if self.vgg19[0] else None
        settings["vgg19_input"] = self.vgg19_input if self.vgg19[0] else None
        settings["split"] = str(self.split)
        return state_key({"stage_name": name, **settings}, files.inputs)


class Run:
    """A training at one step: networks, optimizers, averaged and best weights."""

    def __init__(
        self,
        stage: Stage,
        files: TrainingFiles,
        settings: TrainingSettings,
        previous: TrainedGenerator | None,
        size: tuple[int, int],
        label: tuple[str, dict[str, Any]],
        device: torch.device,
    ) -> None:
        self.stage, self.settings, self.device = stage, settings, device
        self.size = size
        self.label_style, self.label_config = label
        style = find_style(self.label_style, f"{files.labels}: the label style")
        self.label_channels = style.channels
        if previous is not None and (previous.label_style, previous.label_config) != label:
            raise ValueError(
                f"{files.start}: was trained on labels of style {previous.label_style!r} "
                f"{previous.label_config}, {files.labels} is of {self.label_style!r} "
                f"{self.label_config}; train the stage before anew on these labels"
            )
        plate = read_plate(files.background) if files.background else None
        if plate is not None and plate[1].shape != size:
            raise ValueError(
                f"{files.background}: is {plate[1].shape} (H, W), {files.frames} is {size}; "
                f"delete it and run `snakemake {files.background}`"
            )
        self.background = previous.background if previous is not None else plate
        vgg = None
        vgg19_path, vgg19_sha256 = settings.vgg19
        if vgg19_path:
            vgg = read_vgg19(vgg19_path, vgg19_sha256).to(device)
        elif settings.stage.perceptual > 0:
            LOGGER.info(f"{stage.name}: no training.vgg19 given; an L1 term stands in for VGG19")
        self.weighting = Weighting(settings.stage, vgg, settings.vgg19_input)
        beside_start = files.start.parent / "discriminator.pt" if files.start else None
        start = Start(
            network=settings.network,
            label_channels=self.label_channels,
            background=background_tensors(self.background),
            previous=previous,
            discriminator=load_discriminator(beside_start) if beside_start else None,
            seed=torch.Generator().manual_seed(settings.seed),
        )
        self.networks = {
            name: network.to(device).train() for name, network in stage.build(start).items()
        }
        self.averaged = AveragedModel(
            self.networks[stage.generator], avg_fn=_ramped_average(settings.stage.ema_decay)
        )
        self.optimizers = {
            name: torch.optim.Adam(
                self.networks[name].parameters(),
                lr=settings.stage.learning_rate,
                betas=ADAM_BETAS,
            )
            for name in (stage.generator, stage.discriminator)
        }
        self.step = 0
        self.best_step = 0
        self.best_score: float | None = None
        self.best_weights: dict[str, torch.Tensor] = {}

    def train_step(self, batch: dict[str, Any], total: int) -> Terms:
        """One optimizer step of both sides; returns the weighted terms, detached."""
        rate = learning_rate(self.settings.stage.learning_rate, self.step, total)
        for optimizer in self.optimizers.values():
            optimizer.param_groups[0]["lr"] = rate
        terms = optimize(
            self.stage, self.networks, self.optimizers, self.weighting, self.device, batch
        )
        self.step += 1
        for name, value in terms.items():
            if not torch.isfinite(value):
                raise ValueError(
                    f"training {self.stage.name}: the loss term {name} became {value.item()} at "
                    f"step {self.step}; lower training.{self.stage.name}.learning_rate (now "
                    f"{self.settings.stage.learning_rate:g}) and run again"
                )
        self.averaged.update_parameters(self.networks[self.stage.generator])
        return terms

    def averaged_networks(self) -> dict[str, nn.Module]:
        """The networks to synthesize with: the trained one averaged."""
        networks = {"generator": self.networks["generator"]}
        networks[self.stage.generator] = self.averaged.module
        return networks

    def keep_if_best(self, score: float | None) -> None:
        """Remember the averaged weights if they score higher than all earlier ones."""
        if score is None or self.best_score is None or score > self.best_score:
            self.best_step, self.best_score = self.step, score
            self.best_weights = _copied(core_network(self.averaged.module))

    def trained(self) -> TrainedGenerator:
        """The generator file's content: the best averaged weights."""
        is_face = self.stage.generator == "face_generator"
        return TrainedGenerator(
            stage=self.stage.name,
            network=self.settings.network,
            weights=_copied(core_network(self.networks["generator"]))
            if is_face
            else self.best_weights,
            face_weights=self.best_weights if is_face else None,
            background=self.background,
            label_style=self.label_style,
            label_config=self.label_config,
            label_channels=self.label_channels,
            height=self.size[0],
            width=self.size[1],
            steps=self.best_step,
        )

    def discriminator_weights(self) -> dict[str, torch.Tensor]:
        """The discriminator's weights, for the stage after."""
        return _copied(self.networks[self.stage.discriminator])

    def state(self) -> dict[str, Any]:
        """Everything to go on from."""
        return {
            "step": self.step,
            "networks": {name: _copied(self.networks[name]) for name in self.optimizers},
            "averaged": _copied(self.averaged),
            "optimizers": {name: one.state_dict() for name, one in self.optimizers.items()},
            "best_step": self.best_step,
            "best_score": self.best_score,
            "best_weights": self.best_weights,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        self.step = state["step"]
        for name, optimizer in self.optimizers.items():
            self.networks[name].load_state_dict(state["networks"][name])
            optimizer.load_state_dict(state["optimizers"][name])
        self.averaged.load_state_dict(state["averaged"])
        self.best_step, self.best_score = state["best_step"], state["best_score"]
        self.best_weights = state["best_weights"]


def optimize(
    stage: Stage,
    networks: Mapping[str, nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    weighting: Weighting,
    device: torch.device,
    batch: dict[str, Any],
) -> Terms:
    """One step: generator first, then discriminator.

    Each side's gradients are taken for its own parameters only: the generator's terms would
    otherwise leave gradients in the discriminator.

    Returns:
        The weighted terms, detached, named G/... and D/....
    """
    batch = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
    sides = stage.losses(networks, batch, weighting)
    for name, terms in zip((stage.generator, stage.discriminator), sides, strict=True):
        optimizers[name].zero_grad(set_to_none=True)
        parameters = list(networks[name].parameters())
        torch.stack(list(terms.values())).sum().backward(inputs=parameters)
    for name in (stage.generator, stage.discriminator):
        optimizers[name].step()
    return {
        f"{side}/{name}": value.detach()
        for side, terms in zip("GD", sides, strict=True)
        for name, value in terms.items()
    }


def learning_rate(initial: float, step: int, total: int) -> float:
    """Constant for the first half of the steps, then linear to 0 (pix2pixHD's schedule)."""
    half = total / 2
    return initial * min(1.0, (total - step) / half)


def _ramped_average(decay: float) -> Callable[..., torch.Tensor]:
    """Averaging that forgets the first steps quickly: decay rises from 0.1 to its full value."""

    def average(
        averaged: torch.Tensor, current: torch.Tensor, count: torch.Tensor | int
    ) -> torch.Tensor:
        weight = min(decay, (1 + float(count)) / (10 + float(count)))
        return averaged + (current - averaged) * (1 - weight)

    return average


def _copied(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
