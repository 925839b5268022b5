"""What this machine can bear: ``preset: auto`` is decided once and kept in a file."""

from pathlib import Path

import yaml

from edn_core.artefact import write_beside
from edn_core.config import PRESETS


def settle_preset(path: str | Path) -> tuple[str, str]:
    """The preset that ``auto`` stands for: read from the file, else decided by this machine.

    Decided once, so that a login node and a worker, or this week and the next, cannot disagree:
    keep_preset writes the file when a run starts.

    Args:
        path: ``results/preset.yaml``.

    Returns:
        The preset's name and why it was chosen.

    Raises:
        ValueError: the file names no known preset.
    """
    path = Path(path)
    if path.is_file():
        try:
            content = yaml.safe_load(path.read_text())
        except (yaml.YAMLError, UnicodeDecodeError):
            content = None
        name = content.get("preset") if isinstance(content, dict) else None
        if name not in list(PRESETS):  # a list or a section cannot be looked up in a dict
            raise ValueError(
                f"{path}: names the preset {name!r}, known: {', '.join(PRESETS)}; "
                "delete the file to have it decided anew"
            )
        return name, str(content.get("because", ""))
    import torch  # seconds to load, and needed this once only

    if torch.cuda.is_available():
        return "gpu", f"torch finds {torch.cuda.get_device_name(0)}"
    return "cpu", "torch finds no CUDA device"


def keep_preset(path: str | Path, name: str, because: str, is_this_machine: bool = True) -> None:
    """Write down what ``auto`` was settled to; a file that is there stays as it is.

    Args:
        path: ``results/preset.yaml``.
        name: the preset's name.
        because: why it was chosen.
        is_this_machine: whether the jobs run on the machine that settled it.

    Raises:
        ValueError: the jobs go to other machines, or the file cannot be written.
    """
    if not is_this_machine:
        raise ValueError(
            "preset is 'auto', but the jobs go to other machines, which may differ from this one; "
            "name one: --config preset=gpu (or preset: gpu in config/config.yaml)"
        )
    if not Path(path).exists():
        with write_beside(path) as partial:
            partial.write_text(yaml.safe_dump({"preset": name, "because": because}))
