"""Versions of what is installed, and whether it can be imported."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from edn_core import __version__
from edn_core.doctor.check import FAIL, OK, WARN, Check, Place, ask_python, torch_says, without_home

NEEDED = (
    "ai-edge-litert av h5py jinja2 jsonschema matplotlib numpy opencv-python-headless pillow "
    "psutil pyyaml scikit-image scipy snakemake tensorboard torch torchmetrics tqdm"
).split()
"""Distributions that the workflow needs; tests/test_doctor.py compares them with pyproject.toml."""
IMPORTED = (
    "ai_edge_litert av h5py jinja2 matplotlib numpy cv2 PIL psutil yaml skimage scipy".split()
)
PYTHONS = (3, 11), (3, 13)

VARIABLES = (
    "CUDA_DEVICE_ORDER CUDA_VISIBLE_DEVICES CONDA_PREFIX GOMP_SPINCOUNT KMP_AFFINITY LANG LC_ALL "
    "LD_LIBRARY_PATH LD_PRELOAD MALLOC_ARENA_MAX MKL_NUM_THREADS NVIDIA_VISIBLE_DEVICES "
    "OMP_NUM_THREADS OPENBLAS_NUM_THREADS PYTHONHASHSEED PYTHONPATH PYTORCH_ALLOC_CONF "
    "PYTORCH_CUDA_ALLOC_CONF SLURM_CPUS_PER_TASK SLURM_GPUS_ON_NODE SLURM_MEM_PER_NODE "
    "SNAKEMAKE_PROFILE TMPDIR TORCHINDUCTOR_CACHE_DIR VIRTUAL_ENV"
).split()
"""Environment variables that change what a run does; of no other is anything shown."""


def check_versions(place: Place) -> Iterable[Check]:
    """Edn, Python, system."""
    yield Check("edn", OK, f"{__version__}{_revision(place)}")
    version = sys.version_info[:2]
    fits = PYTHONS[0] <= version <= PYTHONS[1]
    found = f"{platform.python_implementation()} {platform.python_version()}"
    yield Check(
        "Python", OK if fits else FAIL, found, "" if fits else "make .venv with 3.11, 3.12 or 3.13"
    )
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        name = ""
    libc = " ".join(platform.libc_ver()).strip() or "no glibc"
    found = ", ".join(filter(None, [name, f"{platform.system()} {platform.release()}"]))
    is_linux = platform.system() == "Linux"
    yield Check(
        "system",
        OK if is_linux else WARN,
        f"{found}, {platform.machine()}, {libc}",
        "" if is_linux else "edn is tried on Linux only",
    )


def _revision(place: Place) -> str:
    """The checkout's revision, where this is one."""
    git = ["git", "-C", str(place.folder)]
    try:
        head, changed = (
            subprocess.run([*git, *words], capture_output=True, text=True, check=True, timeout=5)
            for words in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.SubprocessError):
        return ", no git revision"
    return f", git {head.stdout.strip()}{' with changed files' if changed.stdout.strip() else ''}"


def check_packages(place: Place) -> Iterable[Check]:
    """What is installed, and whether it is what the lock file says."""
    versions, missing = {}, []
    for name in NEEDED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    install = "run `make .venv/.ok`"
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield Check("packages", OK, found)
    if missing:
        yield Check("packages missing", FAIL, ", ".join(missing), install)
    plugins = {
        one.name: one.version
        for one in metadata.distributions()
        if (one.name or "").startswith("snakemake-") and "interface" not in one.name
    }
    shown = ", ".join(f"{name} {version}" for name, version in sorted(plugins.items()))
    yield Check("Snakemake's plugins", OK, shown or "none")
    lock = place.folder / "requirements.lock"
    if not lock.is_file():
        return
    others = []
    for row in lock.read_text().splitlines():
        name, equals, rest = row.partition("==")
        pinned = rest.split(";")[0].split()[0] if equals and not row.startswith("#") else ""
        installed = versions.get(name.strip().lower())
        # A build for a CPU or for CUDA is the same version.
        if pinned and installed and installed.split("+")[0] != pinned:
            others.append(f"{name} {installed} (lock: {pinned})")
    yield Check(
        "requirements.lock",
        WARN if others else OK,
        f"others than tested: {', '.join(others)}" if others else "main packages as tested",
        install if others else "",
    )


def check_imports(place: Place) -> Iterable[Check]:
    """Whether the packages can be imported, in a process of its own."""
    program = "\n".join(
        [
            "import importlib, json",
            "broken = {}",
            f"for name in {IMPORTED}:",
            "    try:",
            "        importlib.import_module(name)",
            "    except BaseException as error:",
            "        broken[name] = f'{type(error).__name__}: {error}'[:200]",
            "print(json.dumps(broken))",
        ]
    )
    try:
        broken = ask_python(program)
    except ValueError as error:
        broken = {"one of them": str(error)}
    for name, said in broken.items():
        yield Check(f"import {name}", FAIL, said, "run `make .venv/.ok`")
    if not broken:
        yield Check("imports", OK, f"{len(IMPORTED)} packages can be imported")
    try:
        torch = torch_says()
    except ValueError as error:
        yield Check("import torch", FAIL, str(error)[:300], "run `make .venv/.ok`")
        return
    build = f"built for CUDA {torch['cuda']}" if torch["cuda"] else "built for CPUs"
    yield Check("torch", OK, f"{torch['version']}, {build}, {torch['threads']} threads")


def check_environment(place: Place) -> Iterable[Check]:
    """Environment variables that matter; no others."""
    given = _environment()
    there = [f"{name}={without_home(given[name])}" for name in VARIABLES if name in given]
    yield Check("environment", OK, ", ".join(there) or "nothing that matters")


def _environment() -> dict[str, str]:
    """What this process was started with: OpenCV, once imported, sets variables of its own."""
    try:
        rows = Path("/proc/self/environ").read_text(errors="replace").split("\0")
    except OSError:
        return dict(os.environ)
    return dict(row.split("=", 1) for row in rows if "=" in row)


SOFTWARE_CHECKS = (check_versions, check_packages, check_imports, check_environment)
