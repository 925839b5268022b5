"""Train the detector of synthetic frames, and test it on subjects held out."""

from edn_core.config import ForensicsConfig, read_section
from edn_core.device import pick_device
from edn_core.forensics import SubjectFiles, open_subject, train_detector
from edn_core.logs import log_to

log_to(snakemake.log[0])

params = snakemake.params
files = SubjectFiles.all_of(snakemake.input, params.names, params.targets)
train_detector(
    [open_subject(one) for one in files],
    read_section(ForensicsConfig, params.forensics, "forensics"),
    pick_device(snakemake.config["runtime"]["device"]),
    *snakemake.output,
)
