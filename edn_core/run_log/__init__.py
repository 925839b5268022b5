"""What happens in a run of the workflow: one JSON object a line, for programs and bug reports.

Snakemake writes ``logs/runs/<run>.jsonl``; each job a file of its own in ``logs/runs/<run>/``, for
jobs on several nodes cannot append to one file of a network file system without tearing lines. When
the run ends, Snakemake puts their lines into its own file. ``logs/run.jsonl`` links to the latest.

Nothing here may stop a job or make one run again: a line that cannot be written is left out.
"""

from edn_core.run_log.lines import LATEST, RUNS, SCHEMA, SCHEMA_VERSION, append, read_lines, stamp
from edn_core.run_log.runs import is_alive, latest_run, list_runs, read_run
from edn_core.run_log.workflow import end_run, start_run

__all__ = [
    "LATEST",
    "RUNS",
    "SCHEMA",
    "SCHEMA_VERSION",
    "append",
    "end_run",
    "is_alive",
    "latest_run",
    "list_runs",
    "read_lines",
    "read_run",
    "stamp",
    "start_run",
]
