"""Everything of a training that changes from step to step, to be saved and restored."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from edn_core.accelerate import (
    PLAIN,
    Acceleration,
    Recorded,
    accelerate,
    adam,
    adam_state,
    check_precision,
    restore_adam,
    set_rate,
)
from edn_core.background import read_plate
from edn_core.checkpoint import (
    TrainedGenerator,
    background_tensors,
    core_network,
    load_discriminator,
)
from edn_core.hands import hand_box_size
from edn_core.logs import LOGGER
from edn_core.networks import HalvedGenerator, halve_background, read_vgg19
from edn_core.render import find_style
from edn_core.training.averaging import update_average
from edn_core.training.finite import STEPS_BETWEEN_LOOKS, LossWatch
from edn_core.training.halving import check_halving
from edn_core.training.prepare import prepare
from edn_core.training.settings import TrainingFiles, TrainingSettings
from edn_core.training.stage import Batch, Stage, Start, Terms, Weighting
from edn_core.training.step import Reduce, learning_rate, optimize

ADAM_BETAS = (0.5, 0.999)  # pix2pixHD
VGG19_LEAST = 16  # px: it halves a picture four times


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
        acceleration: Acceleration = PLAIN,
    ) -> None:
        self.stage, self.settings, self.device = stage, settings, device
        check_precision(settings.training.precision, device)
        self.size = size
        inherited = previous.architecture if previous is not None else "global"
        self.architecture = "halved" if settings.is_halved else stage.architecture or inherited
        self.label_style, self.label_config = label
        style = find_style(self.label_style, f"{files.labels}: the label style")
        self.label_channels = style.channels
        if previous is not None and (previous.label_style, previous.label_config) != label:
            raise ValueError(
                f"{files.start}: was trained on labels of style {previous.label_style!r} "
                f"{previous.label_config}, {files.labels} is of {self.label_style!r} "
                f"{self.label_config}; train the stage before anew on these labels"
            )
        check_halving(stage, settings, files, previous, size)
        plate = read_plate(files.background) if files.background else None
        if plate is not None and plate[1].shape != size:
            raise ValueError(
                f"{files.background}: is {plate[1].shape} (H, W), {files.frames} is {size}; "
                f"delete it and run `snakemake {files.background}`"
            )
        self.background = previous.background if previous is not None else plate
        vgg, training = None, settings.training
        if training.vgg19:
            _check_hands(settings, size)
            vgg = read_vgg19(training.vgg19, training.vgg19_sha256).to(device)
        elif settings.stage.perceptual > 0:
            LOGGER.info(f"{stage.name}: no training.vgg19 given; an L1 term stands in for VGG19")
        self.weighting = Weighting(
            settings.stage,
            vgg,
            training.vgg19_input,
            hand_crops=training.hand_crops,
            warm_up_frames=training.warm_up_frames if stage.is_unrolled else 0,
        )
        beside_start = files.start.parent / "discriminator.safetensors" if files.start else None
        background = background_tensors(self.background)
        if background is not None and settings.is_halved:
            background = halve_background(background)
        start = Start(
            network=settings.network,
            label_channels=self.label_channels,
            background=background,
            previous=previous,
            discriminator=load_discriminator(beside_start) if beside_start else None,
            seed=torch.Generator().manual_seed(training.seed),
        )
        self.networks = {
            name: network.to(device).train() for name, network in stage.build(start).items()
        }
        # Before anything is compiled, for it is called seldom.
        self.averaged = AveragedModel(self.networks[stage.generator])
        accelerate([self.averaged], device, is_training=True)
        judges_hands = self.weighting.hand_crops > 0  # how many there are changes from step to step
        self._recorded = None
        if acceleration.cuda_graphs and not judges_hands:
            self._recorded = Recorded(self._optimize, f"training {stage.name}")
        accelerate([*self.networks.values(), *([vgg] if vgg else [])], device, acceleration, True)
        self.optimizers = {
            name: adam(
                self.networks[name].parameters(),
                settings.stage.learning_rate,
                ADAM_BETAS,
                device,
                is_recorded=self._recorded is not None,
            )
            for name in (stage.generator, stage.discriminator)
        }
        between = STEPS_BETWEEN_LOOKS if device.type == "cuda" else 1
        self._watch = LossWatch(stage.name, settings.stage.learning_rate, between)
        self.step = 0
        self.needs_validation = False
        self.best_step = 0
        self.best_score: float | None = None
        self.best_weights: dict[str, torch.Tensor] = {}

    def train_step(self, batch: Batch, total: int, reduce: Reduce | None = None) -> Terms:
        """One optimizer step of both sides; returns the weighted terms, detached.

        Raises:
            ValueError: a term is not finite; on a GPU perhaps some steps later, but before any
                weights are kept.
        """
        rate = learning_rate(self.settings.stage.learning_rate, self.step, total)
        for optimizer in self.optimizers.values():
            set_rate(optimizer, rate)
        if self.stage.fix is not None:
            self.stage.fix(self.networks, self.settings.training, self.step / total)
        batch = prepare(batch, self.settings, self.step, self.networks["generator"])
        if self._recorded is None:
            terms = self._optimize(batch, reduce)
        else:
            every = (one for network in self.networks.values() for one in network.parameters())
            learns = tuple(one.requires_grad for one in every)
            terms = self._recorded(_on_device(batch, self.device), variant=learns)
        self.step += 1
        self._watch.note(terms, self.step)
        decay = self.settings.stage.ema_decay
        update_average(self.averaged, self.networks[self.stage.generator], decay)
        return terms

    def _optimize(self, batch: Batch, reduce: Reduce | None = None) -> Terms:
        return optimize(
            self.stage,
            self.networks,
            self.optimizers,
            self.weighting,
            batch,
            reduce,
            self.settings.training.precision,
        )

    def sides(self) -> dict[str, Iterable[nn.Parameter]]:
        """Parameters of the networks that are trained, by name."""
        return {name: self.networks[name].parameters() for name in self.optimizers}

    def averaged_networks(self) -> dict[str, nn.Module]:
        """The networks to synthesize the whole canvas with: the trained one averaged."""
        networks = {"generator": self.networks["generator"]}
        networks[self.stage.generator] = self.averaged.module
        if self.settings.is_halved:
            networks["generator"] = HalvedGenerator(networks["generator"])
        return networks

    def keep_if_best(self, score: float | None) -> None:
        """Remember the averaged weights if they score higher than all earlier ones.

        With ``training.keep: last`` always.
        """
        self._watch.look()
        self.needs_validation = False
        keeps_last = self.settings.training.keep == "last"
        if keeps_last or score is None or self.best_score is None or score > self.best_score:
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
            architecture=self.architecture,
        )

    def discriminator_weights(self) -> dict[str, torch.Tensor]:
        """The discriminator's weights, for the stage after."""
        return _copied(self.networks[self.stage.discriminator])

    def state(self) -> dict[str, Any]:
        """Everything to go on from; on a CPU the weights themselves, good until the next step."""
        self._watch.look()
        return {
            "step": self.step,
            "needs_validation": self.needs_validation,
            "networks": {name: on_host(self.networks[name]) for name in self.optimizers},
            "averaged": on_host(self.averaged),
            "optimizers": {name: adam_state(one) for name, one in self.optimizers.items()},
            "best_step": self.best_step,
            "best_score": self.best_score,
            "best_weights": self.best_weights,
        }

    def state_bytes(self) -> int:
        """About the size of a saved state: weights with Adam's two moments, averaged and best."""
        trained = sum(_n_bytes(self.networks[name]) for name in self.optimizers)
        return 3 * trained + 2 * _n_bytes(self.averaged)

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        self.step = state["step"]
        self.needs_validation = state.get("needs_validation", False)  # not in one of release 0.3
        for name, optimizer in self.optimizers.items():
            self.networks[name].load_state_dict(state["networks"][name])
            restore_adam(optimizer, state["optimizers"][name])
        self.averaged.load_state_dict(state["averaged"])
        self.best_step, self.best_score = state["best_step"], state["best_score"]
        self.best_weights = state["best_weights"]


def _check_hands(settings: TrainingSettings, size: tuple[int, int]) -> None:
    """Refuse hand crops that VGG19 would halve away."""
    side = hand_box_size(size[0]) // (2 if settings.is_halved else 1)
    if settings.training.hand_crops and side < VGG19_LEAST:
        raise ValueError(
            f"training.hand_crops: hands are cut {side} px wide here, VGG19 needs {VGG19_LEAST}; "
            "raise canvas.pixels, or set training.hand_crops to 0"
        )


def _on_device(batch: Batch, device: torch.device) -> Batch:
    """What the losses read of a batch, boxes too: a recorded step can read nothing of the host."""
    left_out = ("frame", "is_mirrored", "hand_box", "blank_label")
    batch = {name: value for name, value in batch.items() if name not in left_out}
    batch["face_box"] = batch["face_box"].pin_memory().to(device, non_blocking=True)
    return batch


def _n_bytes(module: nn.Module) -> int:
    return sum(one.numel() * one.element_size() for one in module.parameters())


def on_host(module: nn.Module) -> dict[str, torch.Tensor]:
    """A network's weights in the machine's memory; on a CPU the weights themselves, no copy."""
    return {name: value.detach().cpu() for name, value in module.state_dict().items()}


def _copied(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
