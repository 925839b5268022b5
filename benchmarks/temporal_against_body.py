"""Does the temporal stage pay? Body alone against body, then temporal, at equal training frames.

    python -m benchmarks.temporal_against_body demo_target --seeds 3 --steps 400

Needs a target whose frames, labels, keypoints and background exist (`make demo` makes demo_target).
For every seed it trains `steps` of body and then steps / 2 of temporal (two frames each), and, from
the same seed, 2 x `steps` of body alone; both are measured on the held-out frames. Minutes per
seed on two cores, so it is no part of the demo or the tests.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from edn_core.config import Config, RuntimeConfig, read_section, with_preset
from edn_core.evaluate import EvaluationFiles, evaluate_model
from edn_core.logs import log_to
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, train

COLUMNS = ("temporal_difference", "ssim", "ssim_person", "ssim_face")


def main() -> None:
    """Train, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", help="a video whose labels are in results/videos")
    parser.add_argument("--seeds", type=int, default=3, help="runs, with seeds 0, 1, ...")
    parser.add_argument("--steps", type=int, default=400, help="body steps before temporal")
    parser.add_argument("--preset", default="cpu", help="sizes and rates (edn_core.config.PRESETS)")
    arguments = parser.parse_args()
    config = read_section(Config, with_preset({}, arguments.preset), "")
    rows: dict[str, list[dict[str, float]]] = {"body": [], "body, temporal": []}
    with tempfile.TemporaryDirectory() as folder:
        log_to(Path(folder) / "log")
        for seed in range(arguments.seeds):
            work = Path(folder) / str(seed)
            run = _Runs(arguments.target, config, seed, work)
            rows["body"].append(run.measured("body", 2 * arguments.steps, None, "alone"))
            run.measured("body", arguments.steps, None, "first")
            start = work / "first" / "generator.pt"
            rows["body, temporal"].append(
                run.measured("temporal", arguments.steps // 2, start, "temporal")
            )
    print(f"{'mean (spread) over seeds':26}" + "".join(f"{name:>22}" for name in COLUMNS))
    for name, values in rows.items():
        cells = [[value[column] for value in values] for column in COLUMNS]
        text = (f"{np.mean(cell):.4f} ({np.ptp(cell):.4f})" for cell in cells)
        print(f"{name:26}" + "".join(f"{cell:>22}" for cell in text))


class _Runs:
    """Trainings of one target with one seed."""

    def __init__(self, target: str, config: Config, seed: int, work: Path) -> None:
        self.videos = Path("results/videos") / target
        self.config, self.seed, self.work = config, seed, work

    def measured(self, stage: str, steps: int, start: Path | None, name: str) -> dict[str, float]:
        """Train one stage and return the model's row of the evaluation."""
        files = TrainingFiles(
            frames=self.videos / "frames.h5",
            labels=self.videos / "labels.h5",
            keypoints=self.videos / "keypoints.h5",
            background=self.videos / "background.png",
            start=start,
            generator=self.work / name / "generator.pt",
        )
        split = files.read_split({"evaluation": {}, "held_out": None})
        settings = TrainingSettings(
            stage=replace(getattr(self.config.training, stage), steps=steps, epochs=None),
            network=self.config.network,
            split=split,
            training=replace(self.config.training, seed=self.seed),
        )
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        train(STAGES[stage], files, settings, RuntimeConfig(), device)
        evaluation = EvaluationFiles(files.generator, files.frames, files.labels, files.keypoints)
        folder = files.generator.parent
        result = evaluate_model(
            evaluation, split, device, folder / "metrics.json", folder / "plot.png"
        )
        return result["methods"]["model"]


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(f"edn: error: {error}") from None
