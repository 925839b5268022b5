"""What the jobs of a transfer ask a cluster for: the table of docs/cluster.md.

python -m benchmarks.cluster_needs [--minutes 10] [--fps 30] [--size 1920x1080]
"""

import argparse

from edn_core.config import PRESETS, STAGES, read_config
from edn_core.resources import KINDS, Footage, needs


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--size", default="1920x1080", help="of the video, WxH px")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    n_frames = round(60 * arguments.minutes * arguments.fps)
    settings = {preset: read_config({}, preset) for preset in PRESETS}
    print("| | " + " | ".join(f"`{preset}`" for preset in PRESETS) + " |")
    print("|---" * (len(PRESETS) + 1) + "|")
    for kind in (*STAGES, *KINDS):
        cells = []
        for preset, one in settings.items():
            footage = Footage(n_frames, width * height / 1e6, one.canvas.pixels / 1e6)
            is_made = kind in KINDS or kind in one.training.stages
            cells.append(_cell(*needs(kind, footage, one, preset)) if is_made else "–")
        print(f"| {kind} | " + " | ".join(cells) + " |")


def _cell(mb: int, minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{mb / 1000:.1f} GB, " + (f"{hours} h " if hours else "") + f"{rest} min"


if __name__ == "__main__":
    main()
