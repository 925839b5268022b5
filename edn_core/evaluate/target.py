"""How good are a target's generators? Measured on frames nobody trained on (paper, section 5)."""

from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edn_core.evaluate.compare import Row, Truth, compare_methods
from edn_core.evaluate.files import (
    PICTURES_ALONE,
    EvaluationFiles,
    Measures,
    absent_columns,
    spread,
)
from edn_core.evaluate.methods import Studio, baselines
from edn_core.evaluate.plots import N_EXAMPLES, plot_rows
from edn_core.evaluate.table import write_table
from edn_core.logs import LOGGER, progress
from edn_core.metrics import ALL_COLUMNS, SHORT_COLUMNS, short_table
from edn_core.metrics.poses import torso_length
from edn_core.metrics.table import SCHEMA, mean_columns
from edn_core.split import Split

ERROR_GAIN = 3  # small differences are hard to see


def evaluate_target(
    files: EvaluationFiles,
    generators: Sequence[Path],
    split: Split,
    device: torch.device,
    table_path: str | Path,
    plot_path: str | Path,
    measures: Measures = PICTURES_ALONE,
) -> dict[str, Any]:
    """Measure the generators of a target, in the order of their stages, on its held-out frames.

    Beside them what has to be beaten, ``nearest_pose`` and ``mean_frame``, and what nothing beats:
    ``truth``, the flow warping error of the true frames themselves, since no optical flow is
    perfect. Frames are synthesized from their own labels, one after the other, finished, and
    compared with the video's own. Memory does not grow with the length of the video but by a few
    numbers a frame.

    Writes the mean of each column as JSON (``edn-table``), which is returned, as the same path with
    .md for people and with .csv, a row per method; and a PNG of columns over time and example
    frames. ``device`` is of the networks, of LPIPS, and of pose backends that know a GPU.

    Raises:
        Refused: too few held-out frames, or labels of another window.
    """
    truth = Truth(files, split, measures, device)
    video, n_frames = truth.keypoints.video, len(split.test)
    nearest, mean = baselines(truth, split)
    studio = Studio(files, truth)
    painted = [studio.painted(Path(one)) for one in generators]
    stages = dict(painted)
    if len(stages) < len(painted):  # an imported one may call itself as another stage is called
        folders = (Path(one).parent.name for one in generators)
        stages = {name: of for name, (_, of) in zip(folders, painted, strict=True)}
    threads = max(1, measures.threads // (1 + len(stages)))
    # A picture that is always the same shows whom it shows in the first of them.
    mean = next(truth.with_poses([mean], threads))
    methods = {
        "nearest_pose": truth.with_poses(nearest, threads),
        "mean_frame": repeat(mean, n_frames),
        **{stage: truth.with_poses(shown, threads) for stage, shown in stages.items()},
    }
    rows: dict[str, list[Row]] = {name: [] for name in [*methods, "truth"]}
    examples: list[np.ndarray] = []
    chosen = set(spread(split.test, N_EXAMPLES))
    compared = compare_methods(truth, methods)
    for true, shown, numbers in progress(compared, f"evaluate {video}", n_frames):
        for name, row in numbers.items():
            rows[name].append(row)
        if true.number in chosen:
            images = [one.image for one in shown]
            error = np.abs(images[-1].astype(np.int16) - true.image) * ERROR_GAIN
            images.append(255 - error.clip(0, 255).astype(np.uint8))
            examples.append(np.hstack([studio.label(true.number), true.image, *images]))
    torso = torso_length(truth.poses or truth.keypoints, split.test.start, split.test.stop)
    after = [f"+ {stage}" if number else stage for number, stage in enumerate(stages)]
    titles = ["nearest pose", "mean frame", *after, "(true frames)"]
    table = {
        "schema": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "target": video,
        **truth.count(),
        "torso_px": round(torso, 3),
        "columns": [
            {"name": name, "title": one.title, "unit": one.unit, "better": one.better}
            for name, one in ALL_COLUMNS.items()
        ],
        "short": list(SHORT_COLUMNS),
        "absent": absent_columns(measures.evaluation, truth.poses is not None),
        "rows": [
            {"name": name, "title": title, **mean_columns(values, torso)}
            for (name, values), title in zip(rows.items(), titles, strict=True)
        ],
    }
    write_table(table_path, table)
    del rows["truth"]
    subtitle = " | ".join(["label", "truth", *titles[:-1], "3 x difference of the last"])
    title = f"{n_frames} held-out frames of {video}"
    plot_rows(plot_path, split.test, rows, examples, title, subtitle)
    LOGGER.info(f"{title}:\n{short_table(table)}")
    return table
