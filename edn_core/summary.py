"""Where the results of a transfer are, and how good its target's generator is.

python -m edn_core.summary SOURCE TARGET
"""

import argparse
import sys
from pathlib import Path

from edn_core.artefact import read_json
from edn_core.config import TrainingConfig
from edn_core.metrics import metrics_table

STAGES = TrainingConfig().stages
BASELINES = ("nearest_pose", "mean_frame")


def summarize(source: str, target: str, results: str | Path = "results") -> str:
    """What a transfer left for people to look at, and the held-out metrics of its target.

    Args:
        source: name of the video the motion comes from.
        target: name of the video the looks come from.
        results: the workflow's folder of results.

    Returns:
        A few lines: the paths that are there, then a table with a line per trained stage and one
        per baseline; or, in its place, the command that measures them.

    Raises:
        ValueError: the finished video is not there; names the command that makes it.
    """
    results = Path(results)
    transfer = results / "transfer" / f"{source}_to_{target}"
    video = Path(f"{transfer}.mp4")
    if not video.is_file():
        raise ValueError(f"{video}: not made yet; run `snakemake {video}`")
    evaluation = results / "evaluation" / target
    measured = [stage for stage in STAGES if (evaluation / stage / "metrics.json").is_file()]
    things = {
        video: f"{target} dancing {source}'s dance, with its sound",
        transfer / "comparison.mp4": "source | its skeleton in the target's frame | result",
        transfer / "normalization.png": "how the source was moved and scaled into the target",
        results / "videos" / source / "preview.mp4": "the skeleton found in the source",
        results / "videos" / target / "preview.mp4": "the skeleton found in the target",
    }
    if measured:
        things[evaluation / measured[-1] / "comparison.png"] = "held-out frames beside the truth"
    there = {path: what for path, what in things.items() if path.is_file()}
    width = max(len(str(path)) for path in there)
    lines = [f"{path!s:{width}}  {what}" for path, what in there.items()]
    return "\n".join([*lines, "", *_measures(evaluation, measured)])


def _measures(evaluation: Path, stages: list[str]) -> list[str]:
    """The table over all stages, the baselines once below them."""
    if not stages:
        command = f"snakemake {evaluation / STAGES[-1] / 'metrics.json'}"
        return [f"How good the generator of {evaluation.name} is was not measured; run `{command}`"]
    measured = {stage: read_json(evaluation / stage / "metrics.json") for stage in stages}
    last = measured[stages[-1]]
    rows = {stage: result["methods"]["model"] for stage, result in measured.items()}
    rows |= {name: last["methods"][name] for name in BASELINES}
    return [
        f"{evaluation.name} on {last['n_frames']} frames held out of training, after each stage "
        "and beside two baselines",
        "(temporal_difference: lower is better; the others: higher):",
        metrics_table({"methods": rows}),
    ]


def main() -> None:
    """Print the summary of one transfer."""
    parser = argparse.ArgumentParser(prog="python -m edn_core.summary", description=__doc__)
    parser.add_argument("source", help="name of the video the motion comes from")
    parser.add_argument("target", help="name of the video the looks come from")
    arguments = parser.parse_args()
    try:
        print(summarize(arguments.source, arguments.target))
    except ValueError as error:
        sys.exit(f"edn: error: {error}")


if __name__ == "__main__":
    main()
