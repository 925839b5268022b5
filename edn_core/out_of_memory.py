"""Where memory ran out: one line that says at what, how large it was, and what to set instead."""

import functools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from edn_core.config import PRESETS, Config, read_section, with_preset
from edn_core.shortage import is_short_of_memory

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class OutOfMemory(ValueError):
    """Memory ran out; what was written before stays."""


@dataclass(frozen=True)
class Work:
    """What was being done.

    Attributes:
        what: a place and a verb, such as ``generator.safetensors: training body``.
        size: (H, W) of the canvas, px.
        smaller: settings that cost no quality, to be tried first; may be empty.
        detail: what else decides the memory; may be empty.
    """

    what: str
    size: tuple[int, int]
    smaller: str = ""
    detail: str = ""


def explain_out_of_memory(
    describe: Callable[Parameters, Work],
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """A decorator that turns failed allocations, on a GPU or in main memory, into OutOfMemory.

    Args:
        describe: given the arguments of the function, says what it was doing; called on failure.
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(function)
        def explained(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            try:
                return function(*args, **kwargs)
            except (MemoryError, RuntimeError) as error:
                place = _exhausted(error)
                if place is None:
                    raise
                raise OutOfMemory(_explain(describe(*args, **kwargs), place, error)) from error

        return explained

    return decorate


def _exhausted(error: Exception) -> str | None:
    """Which memory an exception says is full; None: it says something else."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return "the GPU's memory"
    if is_short_of_memory(error):
        return "main memory"
    return None


def _explain(work: Work, place: str, error: Exception) -> str:
    height, width = work.size
    asked = re.search(r"(?:ried|Unable) to allocate ([\d.]+) ?([KMGTPE]iB|bytes)", str(error))
    wanted = f" (asked for {asked[1]} {asked[2]} more)" if asked else ""
    sizes = f"a canvas of {width} x {height} (canvas.pixels {width * height}){work.detail}"
    steps = [work.smaller] if work.smaller else []
    if place == "main memory":
        steps.append("lower runtime.frame_cache_mb or runtime.loader_workers")
    steps.append(next_smaller(width * height))
    return (
        f"{work.what}: {place} is full{wanted} at {sizes}; {', or '.join(steps)}. "
        "What was saved stays"
    )


def next_smaller(pixels: int) -> str:
    """The next smaller canvas to set, by the name of its preset where one has it.

    Args:
        pixels: of the canvas that was too large.
    """
    canvases = {
        name: read_section(Config, with_preset({}, name), "").canvas.pixels for name in PRESETS
    }
    # A canvas is rounded to multiples of 32, up to about a fifth beyond its preset's pixels.
    below = {name: count for name, count in canvases.items() if count < 0.8 * pixels}
    half = f"canvas.pixels: {pixels // 2}"
    if not below:
        return f"set {half}, or network.generator_channels to half of what it is"
    name = max(below, key=lambda one: below[one])
    return f"set preset: {name} (canvas.pixels {below[name]}), or {half}"
