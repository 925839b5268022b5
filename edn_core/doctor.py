"""What this machine has and what is wrong with it, as Markdown for a bug report.

python -m edn_core.doctor [--configfile FILE ...]
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

from edn_core import __version__

OK, WARN, FAIL = "ok", "warn", "FAIL"
WIDTH = 100
NEEDED = (
    "ai-edge-litert av h5py jinja2 matplotlib numpy opencv-contrib-python-headless pillow "
    "psutil pyyaml safetensors scikit-image scipy snakemake tensorboard torch torchmetrics tqdm"
).split()
"""Distributions that the workflow needs; tests/test_doctor.py compares them with pyproject.toml."""
IMPORTED = (
    "ai_edge_litert.interpreter av cv2 h5py matplotlib numpy scipy skimage torch yaml".split()
)
CODECS = (
    "libx264 h264 hevc vp8 vp9 av1 prores mpeg4 mpeg2video mjpeg aac mp3 opus vorbis pcm_s16le "
    "libvpx-vp9 libopus prores_ks"
).split()
VARIABLES = (
    "CUDA_VISIBLE_DEVICES LD_LIBRARY_PATH LD_PRELOAD OMP_NUM_THREADS PYTHONPATH "
    "PYTORCH_CUDA_ALLOC_CONF SLURM_CPUS_PER_TASK SLURM_MEM_PER_NODE SNAKEMAKE_PROFILE TMPDIR"
).split()
"""Environment variables that change what a run does; of no other is anything shown."""
LEAST_FREE, LEAST_MEMORY = 5e9, 4e9


@dataclass(frozen=True)
class Check:
    """What was looked at and found."""

    name: str
    found: str
    advice: str = ""  # what to do; empty where all is well
    is_fatal: bool = False  # whether nothing works without it

    @property
    def state(self) -> str:
        """OK, WARN or FAIL."""
        return (FAIL if self.is_fatal else WARN) if self.advice else OK


Examine = Callable[[Sequence[Path]], Iterable[Check]]
_run = partial(subprocess.run, capture_output=True, text=True, check=False)


def check_versions(configfiles: Sequence[Path]) -> Iterable[Check]:
    """Edn, Python, system, packages, and whether these can be imported."""
    git = _run(["git", "describe", "--always", "--dirty"]).stdout.strip()
    yield Check("edn", f"{__version__}, git {git or 'revision unknown'}")
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    advice = "" if fits else "make .venv with 3.11, 3.12 or 3.13"
    yield Check("Python", platform.python_version(), advice, is_fatal=True)
    yield Check("system", f"{platform.platform()}, {' '.join(platform.libc_ver())}")
    there = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    yield Check("environment", ", ".join(there) or "nothing that matters")
    versions = {one.name.lower(): one.version for one in metadata.distributions() if one.name}
    found = ", ".join(f"{name} {versions.get(name, 'MISSING')}" for name in NEEDED)
    advice = "run `make .venv/.ok`"
    yield Check("packages", found, advice if "MISSING" in found else "", is_fatal=True)
    for said in _broken_imports():
        yield Check("import", said, advice, is_fatal=True)


_IMPORT_ALL = f"""
import importlib
for name in {IMPORTED}:
    try:
        importlib.import_module(name)
    except BaseException as error:
        print(f"{{name}}: {{type(error).__name__}}: {{error}}"[:200])
"""


@cache
def _broken_imports() -> list[str]:
    """What cannot be imported; asked of a Python of its own, as a crash is an answer too."""
    done = _run([sys.executable, "-c", _IMPORT_ALL])
    crashed = [f"one of {', '.join(IMPORTED)}: ended with status {done.returncode}"]
    return done.stdout.splitlines() + (crashed if done.returncode else [])


def check_machine(configfiles: Sequence[Path]) -> Iterable[Check]:
    """Cores, memory and disk."""
    import psutil

    cores = len(os.sched_getaffinity(0))
    yield Check("cores", f"{cores} of {os.cpu_count()} usable ({platform.machine()})")
    memory = psutil.virtual_memory()
    limit = Path("/sys/fs/cgroup/memory.max")
    limited = limit.read_text().strip() if limit.is_file() else "max"
    free = min(memory.available, int(limited)) if limited.isdigit() else memory.available
    found = f"{memory.total / 1e9:.1f} GB, {free / 1e9:.1f} available"
    advice = "lower runtime.frame_cache_mb, or give the job more" if free < LEAST_MEMORY else ""
    yield Check("memory", found, advice)
    disk = shutil.disk_usage("results" if Path("results").is_dir() else ".")
    advice = "make room: a training needs 5 GB and more" if disk.free < LEAST_FREE else ""
    found = f"{disk.free / 1e9:.1f} GB free of {disk.total / 1e9:.1f}"
    yield Check("room for results", found, advice)
    if any(Path(".snakemake/locks").glob("*")):
        advice = "if no Snakemake runs here: `snakemake --unlock`"
        yield Check("Snakemake's lock", "held", advice)


def check_gpu(configfiles: Sequence[Path]) -> Iterable[Check]:
    """GPUs as the driver sees them and as torch does, and what preset `auto` stands for."""
    seen = []
    if shutil.which("nvidia-smi"):
        query = "--query-gpu=name,driver_version,memory.total,memory.used"
        seen = _run(["nvidia-smi", query, "--format=csv,noheader"], timeout=20).stdout.splitlines()
    for row in seen:
        yield Check("GPU, by its driver", f"{row} (name, driver, memory, in use)")
    if _broken_imports():  # it might crash here as well
        return
    import torch

    from edn_core.preset import settle_preset

    cuda = torch.version.cuda
    build = f"built for CUDA {cuda}" if cuda else "built for CPUs"
    yield Check("torch", f"{torch.__version__}, {build}, {torch.get_num_threads()} threads")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for card in map(torch.cuda.get_device_properties, range(count)):
        found = f"{card.name}, {card.total_memory / 1e9:.1f} GB"
        yield Check("GPU, by torch", f"{found}, compute capability {card.major}.{card.minor}")
    if seen and not count:
        advice = "install a CUDA build of torch that this driver runs; see CUDA_VISIBLE_DEVICES"
        yield Check("GPU, by torch", "none, though the driver sees one", advice, is_fatal=True)
    name, because = settle_preset("results/preset.yaml")
    yield Check("preset: auto", f"{name} ({because})")


def check_codecs(configfiles: Sequence[Path]) -> Iterable[Check]:
    """The FFmpeg inside PyAV, and whether it has the codecs that videos need."""
    import av

    libraries = (f"{name} {'.'.join(map(str, v))}" for name, v in av.library_versions.items())
    yield Check("FFmpeg", ", ".join(libraries))
    lost = [name for name in CODECS if name not in av.codecs_available]
    found = f"missing: {', '.join(lost)}" if lost else f"{', '.join(CODECS)} are there"
    advice = "install PyAV from its wheel" if lost else ""
    yield Check("codecs", found, advice, is_fatal="libx264" in lost)


def check_project(configfiles: Sequence[Path]) -> Iterable[Check]:
    """Configuration, videos and weight files of the project in this folder."""
    from snakemake.utils import update_config  # type: ignore[import-untyped]

    from edn_core.config import read_config, read_yaml
    from edn_core.intake import check_place, find_videos
    from edn_core.pose.models import MODELS, check_weight_files, model_path, weight_files
    from edn_core.store import file_sha256
    from edn_core.weights import WEIGHTS

    values: dict[str, Any] = {}
    for path in (Path("config/config.yaml"), *configfiles):
        update_config(values, read_yaml(path))
    preset = values.get("preset", "auto")
    settings = read_config(values, "cpu" if preset == "auto" else preset)
    pairs = ", ".join(f"{one.source} to {one.target}" for one in settings.transfers[:5])
    found = f"preset {settings.preset}, backend {settings.pose.backend}"
    yield Check("configuration", f"{found}, transfers: {pairs or 'none'}")
    check_place(Path.cwd())
    intake = find_videos(settings.videos_folder)
    yield Check("videos", f"{len(intake.videos)} in the folder")
    for name, reason in intake.passed_over.items():
        yield Check("video passed over", name, reason)
    folder = settings.pose.models_folder
    weights = [(one.name, model_path(folder, one.name), one.sha256) for one in MODELS]
    for one in WEIGHTS:
        section = getattr(settings, one.section)
        path, _ = one.place(getattr(section, one.name) or "", folder)
        expected = getattr(section, f"{one.name}_sha256")
        weights.append((f"{one.section}.{one.name}", path, expected))
    for name, path, expected in weights:
        found, advice = "not set", ""
        if path.is_file():
            # A setting may hold the digest's beginning only.
            is_right = file_sha256(path).startswith(expected.lower())
            found = f"{path} is {'the released file' if is_right else 'another file'}"
            advice = "" if is_right else "delete it and fetch it anew"
        elif path.name:
            found, advice = f"{path} is not there", "a run fetches it; or put it there"
        yield Check(name, found, advice, is_fatal=path.is_file())
    check_weight_files(settings.pose)
    yield Check("your pose weights", f"{len(weight_files(settings.pose))} files")


CHECKS = (check_versions, check_machine, check_gpu, check_codecs, check_project)


def examine(checks: Sequence[Examine], configfiles: Sequence[Path]) -> list[Check]:
    """Run checks in this folder; one that fails itself is a FAIL that says how.

    The configuration is config/config.yaml and over it ``configfiles``, as Snakemake's own.
    """
    found: list[Check] = []
    for check in checks:
        try:
            found += check(configfiles)
        except Exception as error:  # whatever it is: the others still have to be run
            kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
            said = " ".join(f"{kind}{error}".split())[:500]
            name = check.__name__.removeprefix("check_")
            found.append(Check(name, said, "mend that first", is_fatal=True))
    return found


def main() -> None:
    """Examine and print; status 1 where something is broken."""
    parser = argparse.ArgumentParser(prog="python -m edn_core.doctor", description=__doc__)
    parser.add_argument("--configfile", nargs="+", type=Path, default=[], help="as snakemake's")
    found = examine(CHECKS, parser.parse_args().configfile)
    states = [check.state for check in found]
    lines = [f"# edn doctor: {states.count(FAIL)} FAIL, {states.count(WARN)} warn", ""]
    for check in found:
        text = f"- {check.state}: {check.name}: {check.found}"
        text += f" -> {check.advice}" if check.advice else ""
        lines += textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    # A home directory may name its owner.
    print("\n".join(lines).replace(str(Path.home()) + os.sep, "~/"))
    if FAIL in states:
        sys.exit(1)


if __name__ == "__main__":
    main()
