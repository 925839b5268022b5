"""The jobs of a finished demo: every stage as Snakemake started it, and what it left."""

import hashlib
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from checkout import REPOSITORY, make_checkout, snakemake

from edn_core.pose.models import fetch_models

PREAMBLE_ENDS = "######## snakemake preamble end #########\n"
SETTINGS = ("--configfile", "config/test.yaml", "faults.yaml")
TARGETS = ("demo", "report", "preflight", "forensics", "evaluation")
# What differs from run to run by nature: times, and TensorBoard's files of them.
VOLATILE = ("benchmarks", "tensorboard", "lock")
TOOK = re.compile(rb"\d+ jobs? took [^.<]*|<tr>.*class=\"bar\".*\n|<tfoot>.*\n")
"""What the report says of the benchmarks, of times that is."""


@dataclass(frozen=True)
class Job:
    """One job of the workflow.

    Attributes:
        rule: its rule.
        name: rule and, where there are several, what it was for.
        script: what Snakemake ran: the rule's script below its arguments; relative.
        inputs: files it reads, relative.
        outputs: files it writes.
        log: its log file.
    """

    rule: str
    name: str
    script: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    log: str

    @property
    def is_training(self) -> bool:
        """Whether it goes on from a state instead of beginning anew."""
        return self.rule == "train_stage"

    @property
    def folder(self) -> str:
        """Where its first output stands."""
        return str(Path(self.outputs[0]).parent)


def make_reference(folder: Path, targets: tuple[str, ...] = TARGETS) -> Path:
    """Run the demo undisturbed and keep what Snakemake ran for each job; once per folder."""
    if not (folder / "finished").exists():
        shutil.rmtree(folder, ignore_errors=True)
        models = REPOSITORY / "resources" / "models"
        fetch_models(models)
        make_checkout(folder, models)
        shutil.copy2(REPOSITORY / "tests/faults/settings.yaml", folder / "faults.yaml")
        # The report shows what there is: last, or it would be another one when it is made again.
        for some in ([one for one in targets if one != "report"], targets):
            ran = snakemake(folder, "--skip-script-cleanup", *SETTINGS, "--", *some)
            if ran.status != 0:
                raise RuntimeError(f"the undisturbed run failed:\n{ran.output}")
        (folder / "finished").touch()
    return folder


def read_preamble(path: Path) -> tuple[Any, str, str]:
    """The ``snakemake`` object of a kept script, its preamble and the rule's own lines."""
    preamble, own = path.read_text().split(PREAMBLE_ENDS)
    before = list(sys.path)
    names: dict[str, Any] = {"__file__": str(path), "__name__": "__main__"}
    exec(compile(preamble, str(path), "exec"), names)
    sys.path[:] = before
    return names["snakemake"], preamble, own


def find_jobs(folder: Path) -> list[Job]:
    """The jobs that ran in a checkout, by rule and name."""
    jobs = []
    for path in (folder / ".snakemake/scripts").glob("*.py"):
        told = read_preamble(path)[0]
        name = " ".join([told.rule, *dict(told.wildcards.items()).values()])
        script = str(path.relative_to(folder))
        files = tuple(map(str, told.input)), tuple(map(str, told.output))
        jobs.append(Job(told.rule, name, script, *files, str(told.log[0])))
    return sorted(jobs, key=lambda job: job.name)


def tree(folder: Path) -> dict[str, str]:
    """What a run left: path below ``results`` -> SHA-256, without what differs by nature."""
    found = {}
    for path in sorted((folder / "results").rglob("*")):
        inside = path.relative_to(folder)
        if not path.is_file() or set(inside.parts) & set(VOLATILE):
            continue
        content = path.read_bytes()
        if path.name == "metrics.jsonl":
            content = _without_times(content)
        if path.name == "report.html":
            content = TOOK.sub(b"", content)
        found[str(inside)] = hashlib.sha256(content).hexdigest()
    return found


def _without_times(rows: bytes) -> bytes:
    kept = [json.loads(row) for row in rows.decode().splitlines()]
    return json.dumps(
        [{k: v for k, v in r.items() if k != "seconds_per_step"} for r in kept]
    ).encode()


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """What is missing, too much or different."""
    return (
        [f"{path} is missing" for path in expected.keys() - found.keys()]
        + [f"{path} is left over" for path in found.keys() - expected.keys()]
        + [
            f"{path} differs"
            for path in expected.keys() & found.keys()
            if found[path] != expected[path]
        ]
    )
