"""Build the clean plate of a video's room from its training part."""

from edn_core.background import build_background
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.split import read_split
from edn_core.threads import use_threads

log_to(snakemake.log[0])
use_threads(snakemake.threads)

keypoints = read_keypoints(snakemake.input.keypoints)
split = read_split(len(keypoints), snakemake.params.split)
build_background(snakemake.input.frames, keypoints, split.train_frames, snakemake.output.plate)
