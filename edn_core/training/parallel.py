"""Several processes that train one model: each takes its part of every batch.

The gradients are averaged before the optimizers use them, so that the weights are, but for
rounding, those of one process with the same batch. DistributedDataParallel is not used: the two
optimizers of a step share one graph, and it expects one loss per network.
"""

import datetime
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

BUCKET_BYTES = 64 * 2**20
"""Gradients are averaged in pieces of about this size: each message costs time by itself."""
# The others wait at the next step while the first validates and saves: minutes for large networks.
# A process that ends is noticed at once, by what started it.
LONGEST_WAIT = datetime.timedelta(hours=4)


class LostProcess(RuntimeError):
    """Another process of the training has ended; its own message says why."""


@dataclass(frozen=True)
class Team:
    """The processes of one training.

    Attributes:
        rank: number of this process; 0 alone validates, logs and writes.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def check_batch(self, size: int, setting: str) -> None:
        """Refuse a batch that cannot be divided evenly.

        Raises:
            ValueError: names the setting and the next sizes that can.
        """
        if size % self.size:
            below = size // self.size * self.size
            fitting = " or ".join(str(one) for one in (below, below + self.size) if one)
            raise ValueError(
                f"{setting} is {size} for all processes together, and runtime.gpus_per_training is "
                f"{self.size}: each takes an equal part of every batch; set {setting} to {fitting}"
            )

    def check_hands(self, hand_crops: float) -> None:
        """Refuse losses that are means over what happens to be found in a process's part.

        Raises:
            ValueError: hands are looked at.
        """
        if self.size > 1 and hand_crops:
            raise ValueError(
                f"training.hand_crops is {hand_crops:g}, a mean over the hands that are found, "
                f"which {self.size} processes cannot divide evenly; set runtime.gpus_per_training "
                "to 1, or training.hand_crops to 0"
            )

    def part(self, batch: list[int]) -> list[int]:
        """This process's items of a batch."""
        share = len(batch) // self.size
        return batch[self.rank * share : (self.rank + 1) * share]

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over the processes (step.optimize's ``reduce``)."""
        if self.size == 1:
            return
        # Which of them have a gradient follows from the stage alone, so it is the same everywhere.
        gradients = [one.grad for one in parameters if one.grad is not None]
        for bucket in _buckets(gradients):
            flat = _flatten_dense_tensors(bucket)
            with _partners():
                dist.all_reduce(flat)
            flat /= self.size
            for gradient, mean in zip(bucket, _unflatten_dense_tensors(flat, bucket), strict=True):
                gradient.copy_(mean)

    def average_terms(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Loss terms of the whole batch: their mean over the processes."""
        if self.size == 1:
            return terms
        means = torch.stack([value.float() for value in terms.values()])
        with _partners():
            dist.all_reduce(means)
        return dict(zip(terms, means / self.size, strict=True))

    def any(self, *flags: bool) -> list[bool]:
        """Each flag as soon as one process raises it: so that all do the same in a step.

        The flags travel between CPUs (gloo) and no GPU waits for them.
        """
        if self.size == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.uint8)
        with _partners():
            dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def check_equal(self, networks: Mapping[str, nn.Module], step: int, key: str) -> None:
        """Refuse to train where the processes do not begin alike.

        Raises:
            ValueError: weights, step or settings differ.
        """
        if self.size == 1:
            return
        mine = {"settings or inputs": key, "step": str(step)} | {
            f"weights of {name}": _digest(network) for name, network in networks.items()
        }
        everyone: list[dict[str, str]] = [{} for _ in range(self.size)]
        with _partners():
            dist.all_gather_object(everyone, mine)
        for rank, one in enumerate(everyone):
            other = [name for name, value in one.items() if value != everyone[0][name]]
            if other:
                raise ValueError(
                    f"process {rank} of {self.size} begins with another {', '.join(other)} than "
                    "process 0; all must see the same files and settings: run the same command "
                    "again, or set runtime.gpus_per_training to 1"
                )


ALONE = Team()
"""One process."""


@contextmanager
def team_of(device: torch.device) -> Iterator[Team]:
    """Join the processes that torchrun started; ALONE where it did not.

    Args:
        device: of this process; gradients go by NCCL between GPUs, by gloo between CPUs.
    """
    if "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=LONGEST_WAIT
    )
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


class _Sum(torch.autograd.Function):
    """The sum over the processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        result = mine.clone()
        dist.all_reduce(result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradients[0].contiguous())


class TeamBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d whose statistics are those of the whole batch, over all processes.

    (B, C, H, W) -> (B, C, H, W), B the same in every process. torch's own SyncBatchNorm does not
    run on CPUs, so what it computes could not be tested against one process here.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalize by the batch's statistics, and remember them, as BatchNorm2d does."""
        if not self.training:
            return super().forward(input)
        x = input.float() if input.dtype == torch.bfloat16 else input
        n_processes, axes = dist.get_world_size(), (0, 2, 3)
        with _partners():
            # Gradients flow through both: what one process shows changes the others' output.
            mean = _Sum.apply(x.mean(axes)) / n_processes
            centred = x - mean[:, None, None]
            variance = _Sum.apply(centred.square().mean(axes)) / n_processes
        if self.running_mean is not None and self.running_var is not None:
            with torch.no_grad():
                n_values = n_processes * x.numel() / x.shape[1]
                momentum = 0.1 if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
                unbiased = variance * (n_values / (n_values - 1))
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), momentum)
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked += 1
        result = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        if self.affine:
            result = result * self.weight[:, None, None] + self.bias[:, None, None]
        return result.to(input.dtype)


def synchronize_batch_norm(network: nn.Module, team: Team) -> None:
    """Let every BatchNorm2d in a network see the whole batch; the state dict stays as it is."""
    if team.size == 1:
        return
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                synced = TeamBatchNorm(
                    child.num_features, child.eps, child.momentum, child.affine
                ).train(child.training)
                synced.weight, synced.bias = child.weight, child.bias
                for buffer in ("running_mean", "running_var", "num_batches_tracked"):
                    setattr(synced, buffer, getattr(child, buffer))
                setattr(module, name, synced)


@contextmanager
def _partners() -> Iterator[None]:
    """What gloo and NCCL raise when somebody has gone says nothing to a user."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).split("\n")[0]
        raise LostProcess(f"another process of the training has ended ({reason})") from error


def _buckets(gradients: list[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of one dtype, together about BUCKET_BYTES."""
    bucket: list[Tensor] = []
    for gradient in gradients:
        if bucket and (
            gradient.dtype != bucket[0].dtype
            or sum(one.nbytes for one in bucket) + gradient.nbytes > BUCKET_BYTES
        ):
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket


def _digest(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
