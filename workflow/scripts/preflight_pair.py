"""Say how much of a dance the target's video covers."""

from dataclasses import fields

from edn_core.config import NormalizationConfig, read_section
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.preflight import PairFiles, preflight_pair
from edn_core.split import read_split

log_to(snakemake.log[0])

files = PairFiles(*(snakemake.input[one.name] or None for one in fields(PairFiles)))
split = read_split(len(read_keypoints(files.target_keypoints)), snakemake.params.split)
normalization = read_section(NormalizationConfig, snakemake.params.normalization, "normalization")
preflight_pair(files, split, normalization, snakemake.output.report, snakemake.output.sheet)
