"""What a machine has and what is wrong with it, to be pasted into a bug report."""

from edn_core.doctor.check import Check, examine, worst
from edn_core.doctor.disk import DISK_CHECKS
from edn_core.doctor.machine import MACHINE_CHECKS
from edn_core.doctor.project import PROJECT_CHECKS
from edn_core.doctor.software import SOFTWARE_CHECKS

CHECKS = {
    "Software": SOFTWARE_CHECKS,
    "Machine": MACHINE_CHECKS,
    "Disk": DISK_CHECKS,
    "Project": PROJECT_CHECKS,
}
"""Checks by heading."""

__all__ = ["CHECKS", "Check", "examine", "worst"]
