"""What the jobs of a transfer ask a cluster for, by the cost model: the table of docs/cluster.md.

python -m benchmarks.cluster_needs [--minutes 10] [--fps 30] [--size 1920x1080]
"""

import argparse

from edn_core.config import PRESETS, Config, read_section, with_preset
from edn_core.frames import choose_canvas
from edn_core.resources import STEPS, Footage, Needs, step_needs, training_needs

SHOWN = (
    "extract_frames estimate_pose render_labels build_background preview_video preflight_video "
    "synthesize_frames assemble_video compare_video evaluate_truth evaluate_baselines "
    "evaluate_model evaluate_transfer"
).split()
THREADS = 4  # what the heavy rules name


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--size", default="1920x1080", help="of the video, WxH px")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    n_frames = round(60 * arguments.minutes * arguments.fps)

    columns: dict[str, dict[str, Needs]] = {}
    for preset in PRESETS:
        settings = read_section(Config, with_preset({}, preset), "")
        canvas = choose_canvas(width, height, settings.canvas.pixels)[1]
        footage = Footage(n_frames, width, height, canvas)
        columns[preset] = {
            f"`train_stage`, {stage}": training_needs(stage, footage, settings, preset, THREADS)
            for stage in settings.training.stages
        } | {
            f"`{step}`": step_needs(step, footage, settings, preset, THREADS)
            for step in STEPS
            if step in SHOWN
        }
    rows = max(columns.values(), key=len)
    print("| | " + " | ".join(f"`{preset}`" for preset in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for row in rows:
        cells = (_cell(column.get(row)) for column in columns.values())
        print(f"| {row} | " + " | ".join(cells) + " |")


def _cell(needs: Needs | None) -> str:
    if needs is None:
        return "–"
    hours, minutes = divmod(needs.minutes, 60)
    return f"{needs.mem_mb / 1000:.1f} GB, " + (f"{hours} h " if hours else "") + f"{minutes} min"


if __name__ == "__main__":
    main()
