"""Find the dancer in every frame of a video."""

from edn_core.config import PoseConfig, VideoConfig, read_section
from edn_core.film import plan_clip
from edn_core.keypoints import write_keypoints
from edn_core.logs import log_to
from edn_core.pose import estimate_pose

log_to(snakemake.log[0])

name, device = snakemake.wildcards.video, snakemake.config["runtime"]["device"]
config = read_section(PoseConfig, snakemake.params.pose, "pose")
part = read_section(VideoConfig, snakemake.params.video, f"videos.{name}")
clip = plan_clip(snakemake.input.video, name, part)
keypoints = estimate_pose(snakemake.input.video, clip, config, snakemake.threads, device)
write_keypoints(snakemake.output.keypoints, keypoints)
