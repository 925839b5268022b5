"""The batch job this process runs in: how long it may still take, and another stay in the queue.

All that is known of schedulers stands here. Slurm is asked by its own commands; any other is
served by EDN_JOB_END.
"""

import math
import os
import re
import shutil
import signal
import subprocess
import time

SECONDS_FOR_AN_ANSWER = 30.0
SECONDS_TO_BE_ENDED = 300.0
_UNITS = (1, 60, 3600, 86400)


def seconds_left_by_hand() -> float | None:
    """How long this job may still run by EDN_JOB_END, seconds since 1970; None where it is not set.

    Whoever writes the job script for a scheduler that is not known here sets it.

    Raises:
        ValueError: it is no number.
    """
    text = os.environ.get("EDN_JOB_END", "")
    if not text:
        return None
    end = _number(text)
    if end is None:
        raise ValueError(
            f"EDN_JOB_END is {text!r}; expected the end of the job in seconds since 1970, as "
            "`date +%s` counts: correct it, or take it out of the environment"
        )
    return end - time.time()


def seconds_left_on_slurm() -> float | None:
    """How long this job of Slurm may still run; None where it is none, or has no end that is known.

    Known from SLURM_JOB_END_TIME, which Slurm sets in newer releases, else from squeue.
    """
    end = _number(os.environ.get("SLURM_JOB_END_TIME", ""))
    if is_in_slurm() and end:
        return end - time.time()
    return ask_slurm()


def ask_slurm() -> float | None:
    """What squeue says how long this job may still run; None where it does not say.

    The limit may have been changed since the job began. No clock but Slurm's own has a say in it.
    """
    if not is_in_slurm() or shutil.which("squeue") is None:
        return None
    job = os.environ["SLURM_JOB_ID"]
    done = _run("squeue", "--noheader", "--jobs", job, "--format", "%L")
    return read_duration(done.stdout) if done is not None and done.returncode == 0 else None


def read_duration(text: str) -> float | None:
    """Seconds of Slurm's ``days-hours:minutes:seconds``; infinite for UNLIMITED, None for others.

    Hours, and days before them, may be missing.
    """
    text = text.strip()
    if text == "UNLIMITED":
        return math.inf
    if re.fullmatch(r"(\d+-)?(\d+:){0,2}\d+", text, re.ASCII) is None:
        return None  # NOT_SET; and INVALID, after the end
    parts = text.replace("-", ":").split(":")
    return float(sum(int(part) * unit for part, unit in zip(parts[::-1], _UNITS, strict=False)))


def is_in_slurm() -> bool:
    """Whether this process belongs to a job of Slurm."""
    return bool(os.environ.get("SLURM_JOB_ID"))


def another_stay() -> str:
    """Ask Slurm to put this job of its back into the queue, and wait to be ended by it.

    The job keeps its number.

    A process that ended by itself would be taken for one that failed.

    Returns:
        Why there is none; nothing if Slurm has ended this process, or has had time enough to.
    """
    was_ended: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: was_ended.append(number))
    try:
        refused = _requeue()
        end = time.monotonic() + SECONDS_TO_BE_ENDED
        while not refused and not was_ended and time.monotonic() < end:
            time.sleep(0.5)
        return refused
    finally:
        signal.signal(signal.SIGTERM, before)


def _requeue() -> str:
    if shutil.which("scontrol") is None:
        return "there is no scontrol on this machine"
    done = _run("scontrol", "requeue", os.environ["SLURM_JOB_ID"])
    if done is None:
        return f"scontrol gave no answer in {SECONDS_FOR_AN_ANSWER:.0f} s"
    if done.returncode:
        return " ".join((done.stderr or done.stdout).split()) or f"scontrol: {done.returncode}"
    return ""


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _run(*command: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            [*command], capture_output=True, text=True, timeout=SECONDS_FOR_AN_ANSWER, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
