"""Synthesize a target's held-out frames from its own labels."""

from edn_core.device import pick_device
from edn_core.forensics import synthesize_own_dance
from edn_core.frames import FrameReader
from edn_core.logs import log_to
from edn_core.split import read_split
from edn_core.threads import use_threads

log_to(snakemake.log[0])
use_threads(snakemake.threads)

synthesize_own_dance(
    snakemake.input.generator,
    snakemake.input.labels,
    snakemake.input.keypoints,
    snakemake.output.frames,
    read_split(len(FrameReader(snakemake.input.labels)), snakemake.params.split),
    pick_device(snakemake.config["runtime"]["device"]),
    snakemake.input.get("room_report") or None,
)
