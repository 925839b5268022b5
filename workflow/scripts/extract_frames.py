"""Decode a video once onto its canvas."""

from edn_core.config import CanvasConfig, VideoConfig, read_section
from edn_core.film import extract_frames
from edn_core.logs import log_to
from edn_core.threads import use_threads

log_to(snakemake.log[0])
use_threads(snakemake.threads)

video = snakemake.wildcards.video
extract_frames(
    snakemake.input.video,
    snakemake.output.frames,
    video,
    read_section(VideoConfig, snakemake.params.video, f"videos.{video}"),
    read_section(CanvasConfig, snakemake.params.canvas, "canvas"),
)
