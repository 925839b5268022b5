"""Synthesize the target dancing the source's dance."""

from edn_core.accelerate import choose_acceleration
from edn_core.config import RuntimeConfig, SynthesisConfig, read_section
from edn_core.device import pick_device
from edn_core.logs import log_to
from edn_core.synthesize import synthesize_frames

log_to(snakemake.log[0])

runtime = read_section(RuntimeConfig, snakemake.config["runtime"], "runtime")
device = pick_device(runtime.device)
synthesize_frames(
    snakemake.input.generator,
    snakemake.input.labels,
    snakemake.input.keypoints,
    snakemake.output.frames,
    device,
    read_section(SynthesisConfig, snakemake.params.synthesis, "synthesis"),
    choose_acceleration(runtime, device, "synthesis"),
    snakemake.input.get("room_report") or None,
    threads=snakemake.threads,
)
