"""Synthesize a target's held-out frames from its own labels."""

from edn_core.device import pick_device
from edn_core.evaluate.files import check_split
from edn_core.frames import FrameReader
from edn_core.logs import log_to
from edn_core.split import read_split
from edn_core.synthesize import synthesize_frames

log_to(snakemake.log[0])

made = snakemake.input
split = read_split(len(FrameReader(made.labels)), snakemake.params.split)
check_split(split, made.labels)
synthesize_frames(
    made.generator,
    made.labels,
    made.keypoints,
    snakemake.output.frames,
    pick_device(snakemake.config["runtime"]["device"]),
    room_report=made.get("room_report") or None,
    held_out=split.test,
    threads=snakemake.threads,
)
