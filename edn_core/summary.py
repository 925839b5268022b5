"""Where the results of a transfer are, and how good its target's generator is.

python -m edn_core.summary SOURCE TARGET
"""

import argparse
from pathlib import Path

from edn_core.errors import Refused
from edn_core.logs import errors_in_one_line
from edn_core.metrics import read_table, short_table
from edn_core.video.encoding import CODINGS


def summarize(source: str, target: str, results: str | Path = "results") -> str:
    """What a transfer left for people to look at, and the held-out metrics of its target.

    A few lines: the paths that are there, then a table with a line per baseline and one per trained
    stage; or, in its place, the command that measures them. Refused where the finished video is not
    there; names the command that makes it.
    """
    results = Path(results)
    transfer = results / "transfer" / f"{source}_to_{target}"
    films = [Path(f"{transfer}{suffix}") for suffix in CODINGS]
    video = next((one for one in films if one.is_file()), films[0])
    if not video.is_file():
        raise Refused(video, "not made yet", "", f"run `snakemake {video}`")
    evaluation = results / "evaluation" / target
    path = evaluation / "table.json"
    table = read_table(path) if path.is_file() else {}
    things = {
        video: f"{target} dancing {source}'s dance, with its sound",
        transfer / "comparison.mp4": "source | its skeleton in the target's room | result",
        transfer / "normalization.png": "how the source was moved and scaled into the target",
        results / "videos" / source / "preview.mp4": "the skeleton found in the source",
        results / "videos" / target / "preview.mp4": "the skeleton found in the target",
        results / "videos" / target / "room.png": "the room that the target dances in",
        transfer / "metrics.png": "pose, colours and steadiness of the result",
        evaluation / "table.md": "how good each stage is, every measure",
        evaluation / "comparison.png": "held-out frames beside the truth",
    }
    there = {path: what for path, what in things.items() if path.is_file()}
    width = max(len(str(path)) for path in there)
    lines = [f"{path!s:{width}}  {what}" for path, what in there.items()]
    if table:
        lines += [
            "",
            f"{target} on {table['n_frames']} frames held out of training: two baselines, "
            "then each stage",
            "(ssim, psnr: higher is better; the others: lower; docs/evaluation.md explains them):",
            short_table(table),
        ]
    else:
        wanted = f"run `snakemake {evaluation / 'table.md'}`"
        lines += ["", f"How good the generator of {target} is was not measured; {wanted}"]
    return "\n".join(lines)


def main() -> None:
    """Print the summary of one transfer."""
    parser = argparse.ArgumentParser(prog="python -m edn_core.summary", description=__doc__)
    parser.add_argument("source", help="name of the video the motion comes from")
    parser.add_argument("target", help="name of the video the looks come from")
    arguments = parser.parse_args()
    with errors_in_one_line():
        print(summarize(arguments.source, arguments.target))


if __name__ == "__main__":
    main()
