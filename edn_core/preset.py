"""What this machine can bear: ``preset: auto`` is decided once and kept in a file."""

from pathlib import Path

import yaml

from edn_core.artefact import write_beside
from edn_core.config import PRESETS


def settle_preset(path: str | Path, is_dry_run: bool = False) -> tuple[str, str]:
    """The preset that ``auto`` stands for: read from the file, else decided and written there.

    Decided once, so that a login node and a worker, or this week and the next, cannot disagree.

    Args:
        path: ``results/preset.yaml``.
        is_dry_run: decide, but write nothing.

    Returns:
        The preset's name and why it was chosen.

    Raises:
        ValueError: the file names no known preset, or cannot be written.
    """
    path = Path(path)
    if path.is_file():
        content = yaml.safe_load(path.read_text())
        name = content.get("preset") if isinstance(content, dict) else None
        if name not in PRESETS:
            raise ValueError(
                f"{path}: names the preset {name!r}, known: {', '.join(PRESETS)}; "
                "delete the file to have it decided anew"
            )
        return name, str(content.get("because", ""))
    import torch  # seconds to load, and needed this once only

    if torch.cuda.is_available():
        name, because = "gpu", f"torch finds {torch.cuda.get_device_name(0)}"
    else:
        name, because = "cpu", "torch finds no CUDA device"
    if not is_dry_run:
        with write_beside(path) as partial:
            partial.write_text(yaml.safe_dump({"preset": name, "because": because}))
    return name, because
