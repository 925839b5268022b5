"""Training curves as a picture: loss terms, validation and learning rate over the steps."""

import io

from matplotlib.figure import Figure

from edn_core.report.gather import Training

PANELS = {"losses": 2.3, "validation_score": 1.25, "learning_rate": 0.9}
"""Inches of height of each."""
FEW_POINTS = 30  # up to this many, each is marked: a single one draws no line


def draw_training(training: Training) -> bytes:
    """A PNG of the curves of a stage with rows; the same rows give the same bytes."""
    terms = [k for k in dict.fromkeys(k for row in training.rows for k in row) if "/" in k[:2]]
    figure = Figure(figsize=(4.2, sum(PANELS.values()) + 1), layout="constrained")
    axes = figure.subplots(len(PANELS), 1, sharex=True, height_ratios=list(PANELS.values()))
    for axis, panel in zip(axes, PANELS, strict=True):
        for name in terms if panel == "losses" else [panel]:
            points = [(row["step"], row[name]) for row in training.rows if name in row]
            if points:
                marker = "." if len(points) <= FEW_POINTS else None
                axis.plot(*zip(*points, strict=True), label=name, marker=marker, lw=1.2)
        axis.set_title(panel.replace("_", " "), loc="left", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    if all(row[name] > 0 for row in training.rows for name in terms if name in row):
        axes[0].set_yscale("log")
    if training.kept_step is not None:
        axes[1].axvline(training.kept_step, color="black", lw=1, ls="--")
        kept = f"validation score, kept: step {training.kept_step}"
        axes[1].set_title(kept, loc="left", fontsize=9)
    axes[2].set_xlabel("step", fontsize=8)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=7.5)
    stream = io.BytesIO()
    figure.savefig(stream, dpi=180)
    return stream.getvalue()
