"""Train the detector of synthetic frames, and test it on subjects held out."""

from edn_core.config import ForensicsConfig, read_section
from edn_core.device import pick_device
from edn_core.forensics import list_subjects, train_detector
from edn_core.logs import log_to
from edn_core.threads import use_threads

log_to(snakemake.log[0])
use_threads(snakemake.threads)

made, params = snakemake.input, snakemake.params
transfers = list(zip(params.targets, made.transfers, made.poses, strict=True))
subjects = list_subjects(params.names, made.frames, made.keypoints, made.own, transfers)
train_detector(
    subjects,
    read_section(ForensicsConfig, params.forensics, "forensics"),
    pick_device(snakemake.config["runtime"]["device"]),
    *snakemake.output,
)
