"""Build the picture of a video's room without the dancer, from its training part."""

from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.normalize import read_statistics
from edn_core.room import build_room
from edn_core.split import read_split

log_to(snakemake.log[0])

keypoints = read_keypoints(snakemake.input.keypoints)
build_room(
    snakemake.input.video,
    keypoints,
    read_statistics(snakemake.input.statistics),
    snakemake.input.masks,
    read_split(len(keypoints), snakemake.params.split).train_frames,
    snakemake.output.room,
    snakemake.output.report,
)
