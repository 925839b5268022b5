"""Measure where and how tall the dancer of one video stands."""

from edn_core.config import StatisticsConfig, read_section
from edn_core.keypoints import read_keypoints
from edn_core.logs import log_to
from edn_core.normalize import measure_video, write_statistics

log_to(snakemake.log[0])

config = read_section(StatisticsConfig, snakemake.params.statistics, "statistics")
statistics = measure_video(read_keypoints(snakemake.input.keypoints), config)
write_statistics(snakemake.output.statistics, statistics)
