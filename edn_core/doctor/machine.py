"""Processor, memory, GPU and codecs."""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from edn_core.doctor.check import FAIL, OK, WARN, Check, Place, size, torch_says

LEAST_MEMORY = 4_000_000_000
LEAST_FILES = 1024
ENCODERS = "libx264", "aac"
DECODERS = (
    "h264 hevc vp8 vp9 av1 prores mpeg4 mpeg2video mjpeg aac mp3 opus vorbis pcm_s16le".split()
)


def check_processor(place: Place) -> Iterable[Check]:
    """Cores, and how many of them may be used."""
    import psutil

    usable = len(os.sched_getaffinity(0))
    found = f"{_processor()}, {psutil.cpu_count(logical=False)} cores, {os.cpu_count()} threads"
    if usable != os.cpu_count():
        found += f", {usable} of them usable"
    quota = _first_line("/sys/fs/cgroup/cpu.max").split()
    if len(quota) == 2 and quota[0] != "max":
        found += f", limited to {int(quota[0]) / int(quota[1]):g} (cgroup)"
    yield Check("processor", OK, found)


def _processor() -> str:
    try:
        rows = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    names = [row.partition(":")[2].strip() for row in rows if row.startswith("model name")]
    return names[0] if names else "unknown"


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def check_memory(place: Place) -> Iterable[Check]:
    """Main memory, the limits on it, and open files."""
    import psutil

    memory, limits = psutil.virtual_memory(), []
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = _first_line(path)
        if limit.isdigit() and int(limit) < memory.total:
            limits.append(int(limit))
    free = min([memory.available, *limits])
    found = f"{size(memory.total)}, {size(memory.available)} available"
    found += f", swap {size(psutil.swap_memory().total)}"
    if limits:
        found += f", limited to {size(min(limits))} (cgroup)"
    is_small = free < LEAST_MEMORY
    advice = "lower runtime.frame_cache_mb, or give the job more" if is_small else ""
    yield Check("memory", WARN if is_small else OK, found, advice)
    shared = Path("/dev/shm")
    if shared.is_dir():
        free = shutil.disk_usage(shared).free
        needs = "runtime.loader_workers above 0 needs it; `docker run --shm-size=2g`"
        state = OK if free > 256e6 else WARN
        yield Check("/dev/shm", state, f"{size(free)} free", "" if state == OK else needs)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    is_few = files != resource.RLIM_INFINITY and files < LEAST_FILES
    advice = "run `ulimit -n 4096`" if is_few else ""
    yield Check("open files", WARN if is_few else OK, f"{files} at most", advice)


def check_gpu(place: Place) -> Iterable[Check]:
    """GPUs as the driver sees them, and as torch does."""
    seen = _nvidia_smi()
    for row in seen:
        yield Check("GPU, by its driver", OK, row)
    try:
        torch = torch_says()
    except ValueError:
        yield Check("GPU, by torch", FAIL, "torch cannot be imported", "see Software above")
        return
    for name, memory, capability in torch["cards"]:
        found = f"{name}, {size(memory)}, compute capability {capability}"
        bf16 = "bfloat16" if torch["bf16"] else "no bfloat16"
        yield Check("GPU, by torch", OK, f"{found}, {bf16}, cuDNN {torch['cudnn']}")
    if torch["cards"]:
        return
    if seen:
        yield Check(
            "GPU, by torch",
            FAIL,
            "torch finds none though the driver does",
            "install a CUDA build of torch that this driver can run (docs/gpu.md), or look at "
            "CUDA_VISIBLE_DEVICES",
        )
    else:
        yield Check("GPU", OK, "none; everything runs on the processor")


def _nvidia_smi() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    query = "--query-gpu=name,driver_version,memory.total,memory.used"
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [
        f"{' | '.join(row.split(', '))} (name, driver, memory, in use)"
        for row in done.stdout.strip().splitlines()
    ]


def check_preset(place: Place) -> Iterable[Check]:
    """What `preset: auto` stands for here."""
    from edn_core.preset import choose_preset, settle_preset  # PyYAML, which may be broken

    kept = place.folder / "results" / "preset.yaml"
    if kept.is_file():
        name, because = settle_preset(kept)
        yield Check("preset: auto", OK, f"{name}, kept in results/preset.yaml ({because})")
        return
    cards = torch_says()["cards"]
    if not cards:
        yield Check("preset: auto", OK, "would be cpu (torch finds no CUDA device)")
        return
    card = min(cards, key=lambda one: one[1])
    name, because = choose_preset(card[0], card[1])
    yield Check("preset: auto", OK, f"would be {name} ({because})")


def check_codecs(place: Place) -> Iterable[Check]:
    """Codecs of the FFmpeg inside PyAV."""
    import av

    def missing(names: Iterable[str], mode: str) -> list[str]:
        return [name for name in names if not _has(name, mode)]

    def _has(name: str, mode: str) -> bool:
        try:
            av.codec.Codec(name, mode)
        except ValueError:  # av.codec.UnknownCodecError
            return False
        return True

    version = ".".join(map(str, av.library_versions["libavcodec"]))
    lost = missing(ENCODERS, "w")
    found = (
        f"missing: {', '.join(lost)}" if lost else f"{', '.join(ENCODERS)} (libavcodec {version})"
    )
    advice = "install PyAV from its wheel: no video can be written" if lost else ""
    yield Check("encoders", FAIL if lost else OK, found, advice)
    lost = missing(DECODERS, "r")
    found = f"missing: {', '.join(lost)}" if lost else ", ".join(DECODERS)
    advice = "videos of that kind cannot be read; convert them to H.264" if lost else ""
    yield Check("decoders", WARN if lost else OK, found, advice)


MACHINE_CHECKS = (check_processor, check_memory, check_gpu, check_preset, check_codecs)
