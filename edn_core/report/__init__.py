"""What a run made, on one page that stands alone: ``results/report.html``."""

from edn_core.report.page import write_report, write_watch_page

__all__ = ["write_report", "write_watch_page"]
