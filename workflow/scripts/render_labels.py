"""Draw the label of every frame."""

from edn_core.config import LabelConfig, read_section
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.render import render_labels
from edn_core.threads import use_threads

log_to(snakemake.log[0])
use_threads(snakemake.threads)

config = read_section(LabelConfig, snakemake.params.labels, "labels")
keypoints = read_keypoints(snakemake.input.keypoints)
canvas = FrameReader(snakemake.input.canvas).info
render_labels(keypoints, config, snakemake.output.labels, canvas)
