"""What a job meets from inside its own process: limits of the system, death at a chosen call."""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from children import Nothing

FILE_CALLS = ("open", "os.rename", "os.remove", "os.mkdir")


@dataclass(frozen=True)
class CountCalls(Nothing):
    """Writes into a file how many calls touched the run's files."""

    into: str

    def before_script(self) -> None:
        """From here on."""
        count = [0]
        stream = os.open(self.into, os.O_WRONLY | os.O_CREAT)

        def note(event: str, args: tuple) -> None:
            if _is_ours(event, args):
                count[0] += 1
                os.pwrite(stream, f"{count[0]}\n".encode(), 0)

        sys.addaudithook(note)


@dataclass(frozen=True)
class DieAtCall(Nothing):
    """SIGKILL just before the n-th call that opens, renames, removes or makes a file of the run."""

    number: int

    def before_script(self) -> None:
        """From here on."""
        left = [self.number]

        def count(event: str, args: tuple) -> None:
            if _is_ours(event, args):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)


def _is_ours(event: str, args: tuple) -> bool:
    if event not in FILE_CALLS or not isinstance(args[0], str | os.PathLike):
        return False
    return os.fspath(args[0]).startswith(("results", "logs"))


@dataclass(frozen=True)
class DieAtByte(Nothing):
    """Killed by the system in the write that takes a file beyond so many bytes."""

    size: int

    def before_script(self) -> None:
        """From here on."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))


@dataclass(frozen=True)
class FileTooLarge(Nothing):
    """EFBIG in the write that takes a file beyond so many bytes, as of a quota."""

    size: int

    def before_script(self) -> None:
        """From here on."""
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))


@dataclass(frozen=True)
class LittleMemory(Nothing):
    """So many bytes of address space beyond those that the process has already."""

    more: int

    def before_script(self) -> None:
        """From here on."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + self.more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@dataclass(frozen=True)
class LoaderWorkers(Nothing):
    """A training that reads its frames in processes of their own."""

    count: int

    def before_work(self, names: dict) -> None:
        """As the settings say it; frames that stay on the device need no processes."""
        own = {"loader_workers": self.count, "resident_frames": "never"}
        names["snakemake"].config["runtime"] |= own


@dataclass(frozen=True)
class NotANumber(Nothing):
    """A batch of a training holds NaN."""

    batch: int

    def before_script(self) -> None:
        """On its way to the stage, whether frames stay on the device or not."""
        from edn_core.training import loop

        given = loop.feed

        def spoil(*args: object, **named: object) -> Iterator[dict]:
            for number, batch in enumerate(given(*args, **named), start=1):
                if number == self.batch:
                    batch["image"][0, ..., 0] = float("nan")
                yield batch

        loop.feed = spoil
