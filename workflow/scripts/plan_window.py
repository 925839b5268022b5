"""Choose the window a target is painted in, from the training part of its video."""

from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.normalize import read_statistics
from edn_core.split import read_split
from edn_core.window import plan_window, write_window

log_to(snakemake.log[0])

keypoints = read_keypoints(snakemake.input.keypoints)
window = plan_window(
    keypoints,
    read_statistics(snakemake.input.statistics),
    read_split(len(keypoints), snakemake.params.split).train_frames,
    snakemake.params.pixels,
    is_whole=snakemake.params.background == "paint",
)
write_window(snakemake.output.window, window)
