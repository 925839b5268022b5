"""Write the page that shows the whole run."""

from pathlib import Path

from edn_core.logs import log_to
from edn_core.report import write_report

log_to(snakemake.log[0])

page = Path(snakemake.output.page)
params = snakemake.params
pairs = [tuple(pair) for pair in params.pairs]
write_report(page.parent, pairs, params.settings, page, params.because)
