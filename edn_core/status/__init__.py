"""How a run stands: what is done, what runs and for how long still, what is left, what failed."""

from edn_core.status.jobs import Job, Run, understand
from edn_core.status.plan import planned_files
from edn_core.status.show import show_files, show_run

__all__ = ["Job", "Run", "planned_files", "show_files", "show_run", "understand"]
