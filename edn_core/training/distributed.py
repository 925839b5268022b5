"""Several processes that train one model: each takes its part of every batch.

The gradients are averaged before the optimizers use them, so that the weights are, but for
rounding, those of one process with the same batch. DistributedDataParallel is not used: the two
optimizers of a step share one graph, and it expects one loss per network.
"""

import datetime
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from edn_core.errors import Refused
from edn_core.networks.layers import at_least_float32

# The others wait at the next step while the first validates and saves: minutes for large networks.
LONGEST_WAIT = datetime.timedelta(hours=4)


@dataclass(frozen=True)
class Team:
    """The processes of one training."""

    rank: int = 0  # number of this process; 0 alone validates, logs and writes
    size: int = 1  # how many there are

    @property
    def is_first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def check_batch(self, size: int, setting: str) -> None:
        """Refuse a batch that cannot be divided evenly; ``setting`` names it in the message."""
        if size % self.size:
            expected = f"a multiple of {self.size} (runtime.gpus_per_training)"
            remedy = "each process takes an equal part of every batch"
            raise Refused(setting, f"is {size} for all processes together", expected, remedy)

    def part(self, batch: list[int]) -> list[int]:
        """This process's items of a batch."""
        share = len(batch) // self.size
        return batch[self.rank * share : (self.rank + 1) * share]

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over the processes."""
        for one in parameters:
            if self.size > 1 and one.grad is not None:
                dist.all_reduce(one.grad)
                one.grad /= self.size

    def average_terms(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Loss terms of the whole batch: their mean over the processes."""
        if self.size == 1:
            return terms
        means = torch.stack([value.float() for value in terms.values()])
        dist.all_reduce(means)
        return dict(zip(terms, means / self.size, strict=True))

    def any(self, *flags: bool) -> list[bool]:
        """Each flag as soon as one process raises it: so that all do the same in a step."""
        if self.size == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.uint8)  # between CPUs: no GPU waits for them
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def of_first(self, value: float) -> float:
        """The first process's value, in all."""
        if self.size == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64)
        dist.broadcast(told, 0)
        return told.item()


ALONE = Team()
"""One process."""


def start_processes(count: int) -> None:
    """Become torchrun, which runs this same script in so many processes; returns in those."""
    if count > 1 and "WORLD_SIZE" not in os.environ:
        torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        os.execv(sys.executable, [sys.executable, *torchrun, *sys.argv])


def own_log(path: str | Path) -> Path:
    """The log file of this process; the others than the first add their number."""
    rank = int(os.environ.get("RANK", 0))
    return Path(path).with_suffix(f".{rank}.log") if rank else Path(path)


@contextmanager
def team_of(device: torch.device) -> Iterator[Team]:
    """Join the processes that torchrun started; ALONE where it did not."""
    if "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, timeout=LONGEST_WAIT)
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def synchronize_batch_norm(network: nn.Module, team: Team) -> None:
    """Let every BatchNorm2d in a network see the whole batch; the state dict stays as it is."""
    for module in network.modules():
        if team.size > 1 and type(module) is nn.BatchNorm2d:
            module.__class__ = _TeamBatchNorm


class _TeamBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d in training; torch's SyncBatchNorm does not run on CPUs, where this is tested.

    It remembers no statistics: discriminators are never evaluated.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W), B the same in every process."""
        n_processes, x = dist.get_world_size(), at_least_float32(input)
        # Gradients flow through both: what one process shows changes the others' output.
        mean = all_reduce(x.mean((0, 2, 3))) / n_processes
        centred = x - mean[:, None, None]
        variance = all_reduce(centred.square().mean((0, 2, 3))) / n_processes
        result = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        return (result * self.weight[:, None, None] + self.bias[:, None, None]).to(input.dtype)
