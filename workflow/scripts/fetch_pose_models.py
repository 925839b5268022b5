"""Fetch the pose networks, once."""

from edn_core.logs import log_to
from edn_core.pose.models import fetch_models

log_to(snakemake.log[0])

fetch_models(snakemake.params.folder)
