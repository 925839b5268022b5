"""Which frames come in which step, and how they reach the device."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Sampler

from edn_core.config import RuntimeConfig
from edn_core.dataset import FrameSequences
from edn_core.training.parallel import ALONE, Team
from edn_core.training.resident import resident_batches, should_reside, to_device
from edn_core.training.settings import TrainingSettings
from edn_core.training.stage import Batch

_IN_WORKER = re.compile(
    r"\ACaught \w+ in DataLoader worker process .*^(?:\w+\.)*\w+: (.*)\Z", re.DOTALL | re.MULTILINE
)


def feed(
    dataset: FrameSequences,
    settings: TrainingSettings,
    runtime: RuntimeConfig,
    device: torch.device,
    first: int,
    total: int,
    team: Team = ALONE,
) -> Iterator[Batch]:
    """Batches from a step on, on the device.

    Args:
        dataset: what to choose from.
        settings: batch size and seed.
        runtime: whether frames stay on the device, and loader processes.
        device: where the batches shall be.
        first: step to begin with.
        total: steps of the whole training.
        team: the processes that share every batch.

    Yields:
        A dataset's items, stacked; boxes and frame numbers stay on the CPU.
    """
    order = Batches(len(dataset), settings, first, total, team)
    if should_reside(dataset, runtime, device):
        yield from resident_batches(dataset, order, device, runtime.loader_workers)
        return
    loader = DataLoader(dataset, batch_sampler=order, num_workers=runtime.loader_workers)
    for batch in _batches_of(loader):
        yield to_device(batch, device)


def _batches_of(loader: "DataLoader[Batch]") -> Iterator[Batch]:
    """A loader's batches; a process of it that dies is noticed only where a batch is waited for.

    Torch would raise its death from a signal handler, wherever the trainer is at that moment: in
    the middle of a state's writing, or of a frame's reading, which would then call a good file
    damaged. Without the handler it looks for dead processes every five seconds that it waits.

    Raises:
        RuntimeError: one died; begins as torch's own does.
    """
    batches = iter(loader)
    if threading.current_thread() is threading.main_thread():  # elsewhere torch sets no handler
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's may be there since another loader
    try:
        yield from batches
    except (ConnectionError, EOFError) as error:  # it was handing a batch over, and is not dead yet
        raise RuntimeError("DataLoader worker (pid unknown) closed its connection") from error


@contextmanager
def loader_errors_named(place: Path, runtime: RuntimeConfig) -> Iterator[None]:
    """Say in one line what happened to a process that decodes frames.

    Torch puts the whole traceback of a worker into the text of its error.

    Args:
        place: the generator file that is being trained.
        runtime: how many loader processes there are.

    Raises:
        ValueError: one was killed, or could not read what it was to decode.
    """
    try:
        yield
    except ValueError as error:
        inside = _IN_WORKER.search(str(error))
        if inside is None:
            raise
        raise ValueError(inside[1].strip()) from error
    except RuntimeError as error:
        if "shared memory" in str(error):
            raise ValueError(
                f"{place}: /dev/shm has no room for the batches of {runtime.loader_workers} loader "
                "processes; give it more (of a container: --shm-size), or lower "
                "runtime.loader_workers, to 0 for one process; run the same command again"
            ) from error
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        raise ValueError(
            f"{place}: a loader process, one of {runtime.loader_workers} that decode frames, was "
            "killed from outside; where the machine ran out of memory or /dev/shm of room, lower "
            "runtime.loader_workers; run the same command again, it goes on from the last resume "
            "point"
        ) from error


class Batches(Sampler[list[int]]):
    """Numbers of sequences from a step on; which come when follows from seed and step alone.

    Of every batch a process of a team gets its part.
    """

    def __init__(
        self,
        n_items: int,
        settings: TrainingSettings,
        first: int,
        total: int,
        team: Team = ALONE,
    ) -> None:
        self._n_items, self._settings, self._first, self._total = n_items, settings, first, total
        self._team = team

    def __len__(self) -> int:
        return self._total - self._first

    def __iter__(self) -> Iterator[list[int]]:
        size = min(self._settings.stage.batch_size, self._n_items)
        per_epoch = self._n_items // size
        epoch, order = -1, torch.empty(0)
        for step in range(self._first, self._total):
            if step // per_epoch != epoch:
                epoch = step // per_epoch
                seed = torch.Generator().manual_seed(self._settings.training.seed * 100_003 + epoch)
                order = torch.randperm(self._n_items, generator=seed)
                mirror = self._settings.training.augmentation.mirror
                if mirror:
                    is_mirrored = torch.rand(self._n_items, generator=seed) < mirror
                    order = order + self._n_items * is_mirrored
            start = step % per_epoch * size
            yield self._team.part(order[start : start + size].tolist())
