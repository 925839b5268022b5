"""Train the detector of synthetic frames, and test it on subjects held out."""

from pathlib import Path

from edn_core.config import ForensicsConfig, read_section
from edn_core.device import pick_device
from edn_core.forensics import SubjectFiles, open_subject, train_detector
from edn_core.logs import log_to
from edn_core.threads import use_threads

log_to(snakemake.log[0])
use_threads(snakemake.threads)

made, params = snakemake.input, snakemake.params
transfers = list(zip(params.targets, made.transfers, made.poses, strict=True))
rooms = made.rooms or [None] * len(params.names)
subjects = [
    open_subject(
        SubjectFiles(
            name,
            *map(Path, paths),
            Path(room) if room else None,
            tuple((Path(frames), Path(poses)) for to, frames, poses in transfers if to == name),
        )
    )
    for name, room, *paths in zip(
        params.names, rooms, made.videos, made.keypoints, made.frames, made.own, strict=True
    )
]
train_detector(
    subjects,
    read_section(ForensicsConfig, params.forensics, "forensics"),
    pick_device(snakemake.config["runtime"]["device"]),
    *snakemake.output,
)
