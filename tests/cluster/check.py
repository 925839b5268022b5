"""The demo at test size on a Slurm that runs here: disturbed, and the same to the last bit.

``run.sh`` starts the Slurm and calls this. Every check prints a line; the first that fails ends it.
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from checkout import COMMAND, ENVIRONMENT, REPOSITORY, make_checkout

from edn_core.pose.models import fetch_models

# Stages long enough to be disturbed in; a resume point every few steps changes no result.
SETTINGS = """
training:
  body: {steps: 300, validations: 2}
  temporal: {steps: 200, validations: 2}
  face: {steps: 400, validations: 2}
runtime: {checkpoint_every_s: 2.0, log_every_s: 1.0}
"""
TARGET = ("--configfile", "config/test.yaml", "cluster.yaml", "--")
ON_SLURM = ("--workflow-profile", "slurm", "--slurm-init-seconds-before-status-checks", "1")
ON_GENERIC = ("--workflow-profile", "generic", "--seconds-between-status-checks", "1")
# As docs/cluster.md groups them: a submission costs two Snakemakes and a wait for its end. What is
# disturbed, and all that asks for a GPU but one step, is a job of its own.
GROUPS = {
    "video": (
        "film_demo estimate_pose smooth_pose measure_video preview_video "
        "find_matte build_room plan_window cut_window render_labels"
    ),
    "transfer": (
        "normalize_pose render_transfer_labels synthesize_frames assemble_video compare_video "
        "plot_normalization"
    ),
}
GROUPED = ("--groups", *(f"{rule}={name}" for name in GROUPS for rule in GROUPS[name].split()))
# As COMMAND has it: with other threads the last bits differ. A local disk shows files at once.
QUICK = ("--max-threads", "1", "--latency-wait", "10")
TRANSFER = Path("results/transfer/demo_source_to_demo_target")
FACE = Path("results/models/demo_target/face/generator.safetensors")
# Times and places of this run; everything else has to be the same.
OF_THE_RUN = re.compile(r"results/benchmarks/.*|.*/(lock|metrics\.jsonl|events\.out.*)")
LONGEST_S = 30  # from SIGTERM to a saved state


@dataclass(frozen=True)
class Stay:
    """One stay of a job on the node."""

    job: str
    start: datetime
    end: datetime
    state: str


def say(text: str) -> None:
    """A line with the time since the start."""
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


def expect(is_so: bool, text: str) -> None:
    """A check: its line, or the end."""
    if not is_so:
        sys.exit(f"FAILED: {text}")
    say(f"ok: {text}")


def ask(*command: str) -> str:
    """What one of Slurm's commands prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Snakemake in a checkout, its output beside it."""
    with open(folder.with_suffix(".txt"), "a") as output:
        return subprocess.Popen(
            [*arguments],
            cwd=folder,
            env=ENVIRONMENT | {"PYTHONPATH": ""},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def wait(running: subprocess.Popen, folder: Path) -> None:
    """For the end of a Snakemake, which has to be a good one."""
    if running.wait():
        text = folder.with_suffix(".txt").read_text()
        sys.exit(f"{text[-6000:]}\nFAILED: status {running.returncode} of {running.args}")


def jobs() -> dict[str, dict[str, str]]:
    """Every job by its number, as scontrol shows it."""
    found = {}
    for line in ask("scontrol", "show", "jobs", "--oneliner").splitlines():
        fields = dict(re.findall(r"(\S+?)=(\S*)", line))
        if "JobId" in fields:
            found[fields["JobId"]] = fields
    return found


def stays(folder: Path) -> list[Stay]:
    """Every stay of every job on the node, from the lines it left."""
    found = []
    for line in (folder / "slurm" / "jobcomp.txt").read_text().splitlines():
        fields = dict(re.findall(r"(\S+?)=(\S*)", line))
        if fields["StartTime"] != "Unknown":
            times = (datetime.fromisoformat(fields[name]) for name in ("StartTime", "EndTime"))
            found.append(Stay(fields["JobId"], *times, fields["JobState"]))
    return found


def wait_for_training(folder: Path, stage: str, running: subprocess.Popen) -> str:
    """The number of the job that trains a stage, once it has saved a state and goes on."""
    state = folder / "results/models/demo_target" / stage / "training_state.safetensors"
    while running.poll() is None:
        if state.exists():
            for number, job in jobs().items():
                is_it = f"rule_train_stage_wildcards_demo_target_{stage}" in job.get("Comment", "")
                if is_it and job["JobState"] == "RUNNING":
                    return number
        time.sleep(0.1)
    wait(running, folder)
    sys.exit(f"FAILED: the training of {stage} was over before it could be disturbed")


def disturb(folder: Path, stage: str, running: subprocess.Popen, *command: str) -> None:
    """Take a training its node away and see how it ends; what comes then is Slurm's business."""
    number = wait_for_training(folder, stage, running)
    log = folder / f"logs/models/demo_target/{stage}.log"
    before = time.monotonic()
    ask(*command, number)
    while "its state is saved" not in (text := log.read_text() if log.exists() else ""):
        if time.monotonic() - before > LONGEST_S or running.poll() is not None:
            sys.exit(f"FAILED: {stage} saved nothing when told by {command}; its log:\n{text}")
        time.sleep(0.05)
    step = re.search(r"stopped at step (\d+ of \d+)", text)
    if "Traceback" in text:
        sys.exit(f"FAILED: {stage} left a traceback:\n{text}")
    say(
        f"ok: {' '.join(command)} of {stage} (job {number}): state saved after "
        f"{time.monotonic() - before:.1f} s, at step {step and step.group(1)}"
    )


def same_files(one: Path, other: Path) -> int:
    """Compare all results of two checkouts byte by byte; how many there are."""

    def results(folder: Path) -> set[Path]:
        paths = (path.relative_to(folder) for path in (folder / "results").rglob("*"))
        return {path for path in paths if not OF_THE_RUN.fullmatch(str(path))}

    files = [path for path in sorted(results(one) | results(other)) if not (one / path).is_dir()]
    missing = [path for path in files if not ((one / path).is_file() and (other / path).is_file())]
    expect(not missing, f"both runs left the same files {missing or ''}")
    differ = [path for path in files if (one / path).read_bytes() != (other / path).read_bytes()]
    if differ:
        sys.exit(f"FAILED: {len(differ)} of {len(files)} files differ: {[*map(str, differ)]}")
    return len(files)


def seconds_of(cluster: Path, stage: str) -> tuple[float, float]:
    """How long a stage's last stay took to begin with its steps, and then to make them."""
    text = (cluster / f"logs/models/demo_target/{stage}.log").read_text()
    times = [
        datetime.strptime(row[:19], "%Y-%m-%d %H:%M:%S")
        for row in text.splitlines()
        if re.search(rf"{stage}: (\d+ steps on|done)", row)
    ]
    name = f"rule_train_stage_wildcards_demo_target_{stage}"
    number = next(one for one, job in jobs().items() if name in job.get("Comment", ""))
    began = max(stay.start for stay in stays(cluster.parent) if stay.job == number)
    return (times[0] - began).total_seconds(), (times[1] - times[0]).total_seconds()


def train_in_short_stays(cluster: Path, local: Path) -> None:
    """The face stage anew, in jobs that give it a part of its time: they end in five minutes, and
    it stops so long before that little is left.

    How long a stay takes to begin, and a step, changes with what else the machine does: where the
    first guess gives fewer than five stays, the next is shorter.
    """
    to_begin, to_train = seconds_of(cluster, "face")
    for part in (8, 16, 32):
        stay_s = to_begin + max(1.0, to_train / part)
        (cluster / "limit.yaml").write_text(f"runtime: {{stop_margin_s: {300 - stay_s}}}")
        (cluster / FACE).unlink()
        known = set(jobs())
        arguments = (*TARGET[:-1], "limit.yaml", "--", str(FACE))
        short = ("--set-resources", "train_stage:runtime=5")
        wait(start(cluster, *COMMAND[:3], *ON_SLURM, *QUICK, *short, *arguments), cluster)
        new = set(jobs()) - known
        number = max(new, key=int)
        count = sum(stay.job == number for stay in stays(cluster.parent))
        same = (cluster / FACE).read_bytes() == (local / FACE).read_bytes()
        expect(same, f"a training in {count} stays of {stay_s:.0f} s left the same bytes")
        if count >= 5:
            break
        to_begin = min(to_begin, seconds_of(cluster, "face")[0])
    expect(len(new) == 1 and count >= 5, f"{count} stays, all as job {number}")


def check_gpus(folder: Path) -> None:
    """Every job that asked for the GPU had it alone."""
    with_gpu = {number for number, job in jobs().items() if "gpu:1" in str(job)}
    sorted_stays = sorted(
        (stay for stay in stays(folder) if stay.job in with_gpu), key=lambda one: one.start
    )
    expect(len(with_gpu) >= 8, f"{len(with_gpu)} jobs asked Slurm for a GPU")
    pairs = pairwise(sorted_stays)
    overlaps = [(a, b) for a, b in pairs if b.start < a.end]
    expect(not overlaps, f"no two of their {len(sorted_stays)} stays overlap {overlaps or ''}")


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--local", type=Path, help="`local` of an earlier test, kept by KEEP=1")
    given = parser.parse_args()
    folder = given.folder
    models = REPOSITORY / "resources" / "models"
    fetch_models(models)
    cluster = make_checkout(folder / "cluster", models)
    (cluster / "cluster.yaml").write_text(SETTINGS)
    local = given.local or make_checkout(folder / "local", models)
    (local / "cluster.yaml").write_text(SETTINGS)
    snakemake = COMMAND[:3]

    alone = None if given.local else start(local, *COMMAND, *TARGET, "demo")
    running = start(cluster, *snakemake, *ON_SLURM, *GROUPED, *QUICK, *TARGET, "demo")
    try:
        disturb(cluster, "body", running, "scontrol", "requeue")
        disturb(cluster, "temporal", running, "scancel")
        wait(running, cluster)
        say("ok: the demo is done on the cluster")
        if alone:
            wait(alone, local)
        for stage in ("body", "temporal"):
            text = (cluster / f"logs/models/demo_target/{stage}.log").read_text()
            goes_on = re.search(r"goes on from step \d+", text)
            expect(goes_on is not None, f"{stage} {goes_on and goes_on.group()}")
        count = same_files(cluster, local)
        expect(count > 30, f"a local run left the same bytes in {count} files")

        for path in (
            TRANSFER / "labels.zip",
            TRANSFER / "frames.zip",
            TRANSFER.with_suffix(".mp4"),
        ):
            (cluster / path).unlink()
        running = start(
            cluster, *snakemake, *ON_GENERIC, *QUICK, *TARGET, str(TRANSFER.with_suffix(".mp4"))
        )
        wait(running, cluster)
        expect(same_files(cluster, local) > 30, "so did the generic profile")
        train_in_short_stays(cluster, local)
    finally:
        for one in (running, alone):
            if one and one.poll() is None:
                one.terminate()
    check_gpus(folder)
    failed = sorted({stay.state for stay in stays(folder)})
    say(f"{len(jobs())} jobs, {len(stays(folder))} stays, ended as {', '.join(failed)}")


STARTED = time.monotonic()
if __name__ == "__main__":
    shutil.which("sbatch") or sys.exit("run tests/cluster/run.sh, which starts a Slurm")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # both Snakemakes are ended then, too
    main()
