"""Cut the dancer out of a target's video."""

from edn_core.config import CanvasConfig, read_section
from edn_core.film import cut_window
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.normalize import read_statistics
from edn_core.window import read_window

log_to(snakemake.log[0])

cut_window(
    snakemake.input.video,
    snakemake.input.get("masks") or None,
    read_keypoints(snakemake.input.keypoints),
    read_statistics(snakemake.input.statistics),
    read_window(snakemake.input.window),
    snakemake.output.frames,
    read_section(CanvasConfig, snakemake.params.canvas, "canvas"),
)
