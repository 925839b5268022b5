"""One finding of the doctor, and how checks are run so that a broken one stops no other."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

OK, WARN, FAIL = "ok", "warn", "FAIL"
SECONDS_TO_IMPORT = 30


@dataclass(frozen=True)
class Check:
    """What was looked at and found.

    Attributes:
        name: what was looked at.
        state: ok, warn or FAIL.
        found: what is there.
        advice: what to do; empty where nothing is to be done.
    """

    name: str
    state: str
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Place:
    """Where to look.

    Attributes:
        folder: the project's.
        configfiles: as Snakemake's ``--configfile``, over config/config.yaml.
    """

    folder: Path
    configfiles: tuple[Path, ...] = ()


Examine = Callable[[Place], Iterable[Check]]


def examine(checks: Mapping[str, Sequence[Examine]], place: Place) -> dict[str, list[Check]]:
    """Run all checks.

    Args:
        checks: by heading.
        place: where to look.

    Returns:
        What they found, by heading. A check that fails itself is a FAIL that says how.
    """
    return {heading: [*_guarded(some, place)] for heading, some in checks.items()}


def _guarded(checks: Sequence[Examine], place: Place) -> Iterable[Check]:
    for check in checks:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            yield from check(place)
        except ValueError as error:  # ours: it says itself what to do
            yield Check(name, FAIL, " ".join(str(error).split())[:500])
        except OSError as error:
            place_of_it = error.filename or place.folder
            found = f"{place_of_it}: {error.strerror or error}"
            yield Check(name, FAIL, found, "results cannot be made where that is so; mend it first")
        except Exception as error:  # whatever it is: the others still have to be run
            said = " ".join(f"{type(error).__name__}: {error}".split())
            yield Check(name, FAIL, f"could not be looked at: {said[:300]}", "report this line")


def worst(found: Mapping[str, Sequence[Check]]) -> str:
    """The worst state of all."""
    states = {check.state for checks in found.values() for check in checks}
    return next((state for state in (FAIL, WARN) if state in states), OK)


def ask_python(program: str) -> dict[str, Any]:
    """What a program prints as JSON in a Python of its own, so that a crash is an answer too.

    Raises:
        ValueError: it failed; says how in one line.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_TO_IMPORT,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"no answer in {SECONDS_TO_IMPORT} s") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise ValueError(said[-1].strip() if said else f"ended with status {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


_TORCH = """
import json, torch
n = torch.cuda.device_count() if torch.cuda.is_available() else 0
cards = [torch.cuda.get_device_properties(i) for i in range(n)]
print(json.dumps({
    "version": torch.__version__,
    "cuda": torch.version.cuda,
    "cudnn": torch.backends.cudnn.version() if n else None,
    "threads": torch.get_num_threads(),
    "bf16": bool(n) and torch.cuda.is_bf16_supported(),
    "cards": [
        [card.name, card.total_memory, f"{card.major}.{card.minor}"] for card in cards
    ],
}))
"""


@cache
def torch_says() -> dict[str, Any]:
    """Version, CUDA and GPUs of torch.

    Raises:
        ValueError: it cannot be imported.
    """
    return ask_python(_TORCH)


def without_home(text: str) -> str:
    """A text with the home directory as ``~``: it may name its owner."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def size(count: float) -> str:
    """Bytes in GB or MB of 10**9 and 10**6."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
