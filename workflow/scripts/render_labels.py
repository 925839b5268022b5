"""Draw the label of every frame in its window."""

from edn_core.config import LabelConfig, read_section
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.normalize import read_statistics
from edn_core.render import render_labels
from edn_core.window import frames_info, read_window

log_to(snakemake.log[0])

config = read_section(LabelConfig, snakemake.params.labels, "labels")
keypoints = read_keypoints(snakemake.input.keypoints)
statistics = read_statistics(snakemake.input.statistics)
info = frames_info(read_window(snakemake.input.window), keypoints, statistics)
render_labels(keypoints, config, snakemake.output.labels, info)
