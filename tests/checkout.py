"""A copy of the workflow in a folder of its own, as a fresh checkout is, and Snakemake in it."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
WORKFLOW = ("Snakefile", "workflow", "profiles", "config", "envs", "edn_core")
# One thread each: small networks gain nothing from more, and on a busy machine they wait for it.
COMMAND = [sys.executable, "-m", "snakemake", "--cores", "2", "--max-threads", "1"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Ran:
    """How a Snakemake ended and what it printed."""

    status: int
    output: str

    @property
    def errors(self) -> list[str]:
        """Our own lines."""
        return [line for line in self.output.splitlines() if line.startswith("edn: error: ")]

    @property
    def jobs(self) -> dict[str, int]:
        """Rule -> number of jobs planned, as Snakemake's table says; the sum left out."""
        assert self.status == 0, self.output
        if "Nothing to be done" in self.output:
            return {}
        table = self.output.split("Job stats:")[1].split("\n\n")[0].strip().splitlines()[2:]
        return {rule: int(count) for rule, count in map(str.split, table) if rule != "total"}


def make_checkout(folder: Path, models: Path | None = None) -> Path:
    """Copy the workflow into a folder.

    Args:
        folder: made if need be.
        models: the pose networks, where a test needs them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in WORKFLOW:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(
                REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy2(REPOSITORY / name, folder / name)
    if models is not None:
        shutil.copytree(models, folder / "resources" / "models")
    return folder


def snakemake(folder: Path, *arguments: str) -> Ran:
    """Run Snakemake in a checkout, on two cores, and wait for it."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout)


def snakemake_here(folder: Path, *arguments: str) -> Ran:
    """The same without a program start (3 s of a core): for plans, refusals and short runs.

    The workflow is the checkout's, the library this process's.
    """
    from snakemake.cli import main

    said, status = io.StringIO(), 0
    with contextlib.chdir(folder), redirect_stdout(said), redirect_stderr(said):
        try:
            main([*COMMAND[3:], *arguments])
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            if isinstance(ended.code, str):
                print(ended.code)
    return Ran(status, said.getvalue())


def dry_run(folder: Path, *arguments: str) -> Ran:
    """What a dry run says."""
    return snakemake_here(folder, "--dry-run", *arguments)


def plan(folder: Path, *arguments: str) -> dict[str, int]:
    """The jobs a dry run names, by rule."""
    return dry_run(folder, *arguments).jobs
