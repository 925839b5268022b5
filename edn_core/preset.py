"""What this machine can bear: ``preset: auto`` is decided once and kept in a file."""

from pathlib import Path

import yaml

from edn_core.config import PRESETS, read_yaml, shown
from edn_core.errors import Refused
from edn_core.store import write_beside

NEEDS_GB = {"8gb": 7.1, "12gb": 8.8, "24gb": 11.2, "80gb": 27.7}
"""GPU memory that a training of the preset takes, in GB of 10**9 bytes: counted, not measured."""
GRANTED = 0.93
"""A card of 12 GB may report this part of it, since the driver keeps some."""


def settle_preset(path: str | Path) -> tuple[str, str]:
    """The preset that ``auto`` stands for: read from the file, else decided by this machine.

    Decided once, so that a login node and a worker, or this week and the next, cannot disagree:
    keep_preset writes the file when a run starts.

    Args:
        path: ``results/preset.yaml``.

    Returns:
        The preset's name and why it was chosen.

    Raises:
        Refused: the file names no known preset.
    """
    path = Path(path)
    if path.is_file():
        try:
            content = read_yaml(path)
        except ValueError:
            content = {}
        name = content.get("preset")
        if name not in list(PRESETS):  # a list or a section cannot be looked up in a dict
            found, known = f"names the preset {shown(name)}", f"one of {', '.join(PRESETS)}"
            raise Refused(path, found, known, "delete the file to have it decided anew")
        return name, str(content.get("because", ""))
    import torch  # seconds to load, and needed this once only

    if not torch.cuda.is_available():
        return "cpu", "torch finds no CUDA device"
    # Of several, the smallest: a training may get any of them.
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    card = min(cards, key=lambda one: one.total_memory)
    return choose_preset(card.name, card.total_memory)


def choose_preset(card: str, memory: int) -> tuple[str, str]:
    """The largest preset for a GPU.

    Args:
        card: its name.
        memory: all it has, in bytes.

    Returns:
        The preset's name and why.
    """
    names = [name for name in NEEDS_GB if memory >= int(name[:-2]) * 10**9 * GRANTED]
    found = f"torch finds {card} with {memory / 1e9:.1f} GB"
    if not names:
        first = next(iter(NEEDS_GB))
        return "cpu", f"{found}: {first} needs about {NEEDS_GB[first]:.1f} GB"
    larger = list(NEEDS_GB)[len(names) : len(names) + 1]
    told = [f"{name} needs about {NEEDS_GB[name]:.1f} GB" for name in (names[-1], *larger)]
    return names[-1], f"{found}: {', '.join(told)}"


def keep_preset(path: str | Path, name: str, because: str) -> None:
    """Write down what ``auto`` was settled to; a file that is there stays as it is."""
    if not Path(path).exists():
        with write_beside(path) as partial:
            partial.write_text(yaml.safe_dump({"preset": name, "because": because}))
