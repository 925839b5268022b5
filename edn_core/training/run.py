"""Everything of a training that changes from step to step: one step of it, its state, its result.

Both sides' gradients come from one forward pass. Each side's are taken for its own parameters
only: the generator's terms would otherwise leave gradients in the discriminator.
"""

import copy
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from edn_core.accelerate import (
    PLAIN,
    Acceleration,
    Recorded,
    accelerate,
    accelerated_for_inference,
    autocast,
    check_precision,
)
from edn_core.accelerate.networks import lay_out_moments
from edn_core.checkpoint import TrainedGenerator, Weights, core_network
from edn_core.dataset import FramePairs
from edn_core.logs import LOGGER
from edn_core.networks import HalvedGenerator, read_vgg19
from edn_core.training.distributed import ALONE, Team, synchronize_batch_norm
from edn_core.training.settings import TrainingFiles, TrainingSettings
from edn_core.training.stage import Batch, Stage, Terms, Weighting
from edn_core.training.start import start_of
from edn_core.window import read_window

ADAM_BETAS = (0.5, 0.999)  # pix2pixHD
STATE_NAMES = ("step", "best_step", "best_score", "total", "seconds_per_step")  # the rest: tensors
STEPS_BETWEEN_LOOKS = 100
"""How often a GPU is waited for to see whether the losses are finite; whoever keeps weights looks
before, so none that are spoilt is ever kept."""


def learning_rate(initial: float, step: int, total: int) -> float:
    """Constant for the first half of the steps, then linear to 0 (pix2pixHD's schedule)."""
    return initial * min(1.0, (total - step) / (total / 2))


def average_weight(decay: float, count: int) -> float:
    """Part of the average of ``count`` weights that stays, at the end ``decay``.

    It rises from 0.1: the first steps are forgotten.
    """
    return min(decay, (1 + count) / (10 + count))


class Run:
    """A training at one step: networks, optimizers, averaged and best weights."""

    def __init__(
        self,
        stage: Stage,
        files: TrainingFiles,
        settings: TrainingSettings,
        previous: TrainedGenerator | None,
        pairs: FramePairs,
        device: torch.device,
        acceleration: Acceleration = PLAIN,
        team: Team = ALONE,
    ) -> None:
        """Before the first step.

        Refused: files that do not belong together, or settings that do not fit them.
        """
        self.stage, self.settings, self.device, self.team = stage, settings, device, team
        self.pairs, training = pairs, settings.training
        check_precision(training.precision, device)
        start = start_of(stage, files, settings, previous, pairs)
        self.window = asdict(read_window(files.window)) if files.window else None
        self.architecture = stage.architecture or (previous.architecture if previous else "halved")
        vgg = None
        if training.vgg19:
            vgg = read_vgg19(training.vgg19, training.vgg19_sha256).to(device)
        elif settings.stage.perceptual > 0:
            LOGGER.info(f"{stage.name}: no training.vgg19 given; an L1 term stands in for VGG19")
        self.weighting = Weighting(settings.stage, vgg, training.vgg19_input, pairs.face_side)
        self.networks = {
            name: network.to(device).train() for name, network in stage.build(start).items()
        }
        # Before anything is compiled, for it is called seldom.
        self.averaged = copy.deepcopy(self.networks[stage.generator])
        whole = {"generator": self.networks["generator"], stage.generator: self.averaged}
        if stage.is_halved:
            whole["generator"] = HalvedGenerator(whole["generator"])
        graphs = Acceleration(cuda_graphs=acceleration.cuda_graphs)
        # To synthesize the whole window with, in the training's precision.
        self.averaged_networks = accelerated_for_inference(
            whole, device, graphs, training.precision
        )
        for network in self.networks.values():
            synchronize_batch_norm(network, team)
        accelerate((), device)
        self.called = [*self.networks.values(), *([vgg] if vgg else [])]  # by a step
        self.acceleration, self._recorded = acceleration, None
        if acceleration.cuda_graphs:
            self._recorded = Recorded(self._optimize, f"training {stage.name}")
        rate = settings.stage.learning_rate
        self.optimizers = {
            name: torch.optim.Adam(
                self.networks[name].parameters(),
                # A recorded step reads its rate from the device.
                lr=torch.tensor(rate, device=device) if self._recorded else rate,
                betas=ADAM_BETAS,
                fused=True,
                capturable=self._recorded is not None,
            )
            for name in (stage.generator, stage.discriminator)
        }
        if acceleration.compile:
            self.compile()
        self._unseen: list[tuple[int, Terms]] = []
        self.step = 0  # optimizer steps made
        self.best_step = 0  # that of the averaged weights that are kept
        # Theirs; None where the slice shows nobody. At step 0 that of the stage before.
        self.best_score: float | None = None
        self._best_weights: Weights = {}
        self.total = 0  # steps that there will be; 0: not settled yet
        self.seconds_per_step = 0.0  # uncompiled; 0: not measured

    def compile(self) -> None:
        """Compile the networks from the next step on; results change by rounding."""
        accelerate(self.called, self.device, Acceleration(compile=True))
        if self.device.type == "cuda":  # as those it averages, or it would go one by one
            self.averaged.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        lay_out_moments(self.optimizers.values())
        if self._recorded is not None:
            self._recorded = Recorded(self._optimize, f"training {self.stage.name}")

    def train_step(self, batch: Batch, total: int) -> Terms:
        """One optimizer step, of ``total``, of both sides; returns the weighted terms, detached.

        ValueError: a term is not finite; on a GPU perhaps some steps later, but before any weights
        are kept.
        """
        config = self.settings.stage
        rate = learning_rate(config.learning_rate, self.step, total)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                if self._recorded:
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate
        if self.stage.fix is not None:
            self.stage.fix(self.networks, self.settings.training, self.step / total)
        if self._recorded is None:
            terms = self._optimize(batch)
        else:
            every = (one for network in self.networks.values() for one in network.parameters())
            terms = self._recorded(batch, variant=tuple(one.requires_grad for one in every))
        self._average(config.ema_decay)
        self.step += 1
        self._unseen.append((self.step, terms))
        if self.device.type == "cpu" or len(self._unseen) >= STEPS_BETWEEN_LOOKS:
            self._check_losses()
        return terms

    def _optimize(self, batch: Batch) -> Terms:
        """The step itself, which a CUDA graph may hold."""
        stage, networks = self.stage, self.networks
        with autocast(self.settings.training.precision, self.device):
            sides = stage.losses(networks, batch, self.weighting)
        for name, terms in zip((stage.generator, stage.discriminator), sides, strict=True):
            self.optimizers[name].zero_grad(set_to_none=True)
            parameters = [one for one in networks[name].parameters() if one.requires_grad]
            # The sides share the discriminator's pass over real and fake.
            keep = name == stage.generator
            torch.stack(list(terms.values())).sum().backward(inputs=parameters, retain_graph=keep)
            self.team.average_gradients(parameters)
        for name in (stage.generator, stage.discriminator):
            self.optimizers[name].step()
        return {
            f"{side}/{name}": value.detach()
            for side, terms in zip("GD", sides, strict=True)
            for name, value in terms.items()
        }

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        """Take the generator's weights into their average, all at once; the first are copied."""
        means: list[torch.Tensor] = [*self.averaged.parameters()]
        weights: list[torch.Tensor] = [*self.networks[self.stage.generator].parameters()]
        if self.step == 0:
            torch._foreach_copy_(means, weights)
        else:
            torch._foreach_lerp_(means, weights, 1 - average_weight(decay, self.step))

    def _check_losses(self) -> None:
        unseen, self._unseen = self._unseen, []
        found = [(step, name, value) for step, terms in unseen for name, value in terms.items()]
        values = torch.stack([value.float() for *_, value in found]).tolist() if found else []
        for (step, name, _), value in zip(found, values, strict=True):
            if not math.isfinite(value):
                raise ValueError(
                    f"training {self.stage.name}: the loss term {name} became {value} at step "
                    f"{step}; lower training.{self.stage.name}.learning_rate (now "
                    f"{self.settings.stage.learning_rate:g}) and run again"
                )

    def sides(self) -> dict[str, Iterable[nn.Parameter]]:
        """Parameters of the networks that are trained, by name."""
        return {name: self.networks[name].parameters() for name in self.optimizers}

    def keep_if_best(self, score: float | None) -> None:
        """Remember the averaged weights if they score higher than all earlier ones.

        With ``training.keep: last`` always.
        """
        self._check_losses()
        keeps_last = self.settings.training.keep == "last"
        if keeps_last or score is None or self.best_score is None or score > self.best_score:
            self.best_step, self.best_score = self.step, score
            self._best_weights = _copied(core_network(self.averaged))

    def trained(self) -> TrainedGenerator:
        """The generator file's content: the best averaged weights."""
        is_face = self.stage.generator == "face_generator"
        frozen = _copied(core_network(self.networks["generator"])) if is_face else {}
        return TrainedGenerator(
            stage=self.stage.name,
            network=self.settings.network,
            weights=frozen if is_face else self._best_weights,
            face_weights=self._best_weights if is_face else None,
            has_matte=self.pairs.has_matte,
            window=self.window,
            face_side=self.pairs.face_side,
            label_style=self.pairs.label_style,
            label_config=self.pairs.label_config,
            label_channels=self.pairs.style.channels,
            height=self.pairs.size[0],
            width=self.pairs.size[1],
            steps=self.best_step,
            architecture=self.architecture,
        )

    def discriminator_weights(self) -> Weights:
        """The discriminator's weights, for the stage after."""
        return _copied(self.networks[self.stage.discriminator])

    def state(self) -> tuple[dict[str, Any], Weights]:
        """Everything to go on from: what is no tensor, and tensors by name.

        Names are ``networks/NETWORK/KEY``, ``adam/NETWORK/NUMBER/MOMENT``, ``averaged/KEY`` and
        ``best/KEY``. On a CPU they are the weights themselves, good until the next step.
        """
        self._check_losses()
        modules = {f"networks/{name}": self.networks[name] for name in self.optimizers}
        tensors = {
            f"{prefix}/{key}": value
            for prefix, module in (modules | {"averaged": self.averaged}).items()
            for key, value in core_network(module).state_dict().items()
        }
        tensors |= {f"best/{key}": value for key, value in self._best_weights.items()}
        tensors |= {
            f"adam/{name}/{number}/{key}": value
            for name, optimizer in self.optimizers.items()
            for number, moments in optimizer.state_dict()["state"].items()
            for key, value in moments.items()
        }
        return {name: getattr(self, name) for name in STATE_NAMES}, tensors

    def restore(self, description: dict[str, Any], tensors: Weights) -> None:
        """Go back to a saved state."""
        for name in STATE_NAMES:
            setattr(self, name, description[name])
        tree: dict[str, Any] = {}
        for name, value in tensors.items():
            *folders, key = name.split("/")
            place = tree
            for folder in folders:
                place = place.setdefault(folder, {})
            place[key] = value
        core_network(self.averaged).load_state_dict(tree["averaged"])
        self._best_weights = tree.get("best", {})
        for name, optimizer in self.optimizers.items():
            core_network(self.networks[name]).load_state_dict(tree["networks"][name])
            moments = {int(number): one for number, one in tree["adam"].get(name, {}).items()}
            # How it computes (param_groups) stays its own.
            optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
        lay_out_moments(self.optimizers.values())


def _copied(module: nn.Module) -> Weights:
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
