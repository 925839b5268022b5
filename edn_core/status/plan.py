"""What is there of files that no run was asked for yet: Snakemake's own plan."""

import csv
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS_TO_PLAN = 300


@dataclass(frozen=True)
class PlannedFile:
    """A file of the plan.

    Attributes:
        path: where it lies or will lie.
        rule: that makes it.
        is_done: it is there, and nothing that it depends on has changed.
    """

    path: str
    rule: str
    is_done: bool


def planned_files(targets: Sequence[str], configfiles: Sequence[str] = ()) -> list[PlannedFile]:
    """Every file that targets need, by ``snakemake --nolock --summary``; nothing is made.

    Args:
        targets: files or names of rules; none: the workflow's default.
        configfiles: as Snakemake's ``--configfile``.

    Raises:
        ValueError: Snakemake refuses; what it says, in one line.
    """
    for path in configfiles:
        if not Path(path).is_file():  # Snakemake says no more than the error's number
            raise ValueError(f"{path}: no such file; name a configuration with --configfile")
    command = [sys.executable, "-m", "snakemake", "--nolock", "--summary", "--cores", "1"]
    if configfiles:
        command += ["--configfile", *configfiles]
    try:
        done = subprocess.run(
            [*command, "--", *targets],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_TO_PLAN,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"{' '.join(targets)}: Snakemake did not finish planning in {SECONDS_TO_PLAN} s; "
            "ask for fewer targets"
        ) from error
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        ours = [line for line in said if line.startswith("edn: error: ")]
        raise ValueError((ours or said or ["Snakemake failed"])[-1].removeprefix("edn: error: "))
    head = done.stdout.find("output_file\t")
    if head < 0:
        return []
    rows = csv.DictReader(done.stdout[head:].splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [
        PlannedFile(row["output_file"], row["rule"], row["plan"] == "no update") for row in rows
    ]
