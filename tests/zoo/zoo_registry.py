"""What an animal of the zoo is, and the table of them in the documentation.

``python tests/zoo/zoo_registry.py`` prints the table.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from zoo_filming import COLOURS

from edn_core.config import VideoConfig


@dataclass(frozen=True)
class Film:
    """What is to come out of an animal, through extraction and assembly.

    Attributes:
        n_frames: of the frame store and of the finished video.
        fps: of both.
        size: (W, H) of the picture as shown.
        flash: number of the frame that flashes, counted in what comes out; None without a flash.
        numbers: of the animal's own frames, as they stand in the finished video; None: not asked.
        colours: (4, 3) of the quarters; None: not asked.
        tolerance: of each colour, of 255.
        hertz: pitch of the beep that sounds with the flash; None: silent.
        says: what is said about it in the log.
        has_sound: whether the finished video has a track of sound.
    """

    n_frames: int = 50
    fps: Fraction = Fraction(25)
    size: tuple[int, int] = (96, 64)
    flash: int | None = 30
    numbers: tuple[int, ...] | None = tuple(range(50))
    colours: tuple[tuple[int, int, int], ...] | None = COLOURS
    tolerance: int = 8
    hertz: int | None = None
    says: str = ""

    def asserted(self) -> str:
        """In words."""
        words = [f"{self.n_frames} frames", f"{float(self.n_frames / self.fps):.2f} s"]
        words.append(f"{self.size[0]}x{self.size[1]}")
        if self.numbers is not None:
            words.append("order")
        if self.colours is not None:
            words.append(f"colours ±{self.tolerance}")
        if self.hertz:
            words.append("sync")
        elif self.flash is not None:
            words.append("flash")
        if self.says:
            words.append(f"warning: “{self.says}”")
        return ", ".join(words)


@dataclass(frozen=True)
class Refused:
    """One line that an animal is refused with; it must hold these words."""

    match: str

    def asserted(self) -> str:
        """In words."""
        return f"one line: “{self.match}”"


@dataclass(frozen=True)
class Animal:
    """A bad video.

    Attributes:
        what: in words, for the table.
        becomes: what comes out, in words.
        make: writes it into a folder.
        outcome: what is asserted.
        settings: of the video.
    """

    what: str
    becomes: str
    make: Callable[[Path], Path]
    outcome: Film | Refused
    settings: VideoConfig = field(default_factory=VideoConfig)


def as_seen(order: tuple[int, int, int, int]) -> tuple[tuple[int, int, int], ...]:
    """The colours of the quarters, moved: which of them stands at each place."""
    return tuple(COLOURS[place] for place in order)


def near(found: np.ndarray, wanted: tuple[tuple[int, int, int], ...], tolerance: int) -> bool:
    """Whether colours are those wanted."""
    return bool(np.abs(found - np.array(wanted)).max() <= tolerance)


def describe(animals: dict[str, Animal]) -> str:
    """The table of all animals, in Markdown."""
    lines = ["| Animal | What comes out | Asserted |", "|---|---|---|"]
    lines += [f"| {a.what} | {a.becomes} | {a.outcome.asserted()} |" for a in animals.values()]
    return "\n".join(lines)


if __name__ == "__main__":
    from zoo_animals import ANIMALS

    print(describe(ANIMALS))
