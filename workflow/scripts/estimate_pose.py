"""Find the dancer in every frame of a video."""

from edn_core.config import PoseConfig, read_section
from edn_core.frames import FrameReader
from edn_core.keypoints import write_keypoints
from edn_core.logs import log_to
from edn_core.pose import estimate_pose
from edn_core.threads import use_threads

log_to(snakemake.log[0])
use_threads(snakemake.threads)

config = read_section(PoseConfig, snakemake.params.pose, "pose")
info = FrameReader(snakemake.input.frames).info
device = snakemake.config["runtime"]["device"]
keypoints = estimate_pose(snakemake.input.video, info, config, snakemake.threads, device)
write_keypoints(snakemake.output.keypoints, keypoints)
