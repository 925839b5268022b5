"""Compare everything that a run left with its checksums: ``python -m edn_core.verify [results]``.

Each file is given to its format's own reader. Prints one line for each damaged file, with the
command that remakes it, and a summary; status 0: no damage found, 1: some, or nothing there to look
at. Nothing is changed. What no checksum covers is passed over: pages, samples, metrics.jsonl, logs.
"""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edn_core.checkpoint import load_discriminator, load_generator, load_state
from edn_core.errors import Refused, explain
from edn_core.evaluate.table import TABLE_TEXTS
from edn_core.forensics import load_detector
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.logs import errors_in_one_line, progress
from edn_core.metrics import read_table
from edn_core.png import check_png
from edn_core.preset import settle_preset
from edn_core.store import read_json
from edn_core.video import check_video

_FOLDERS_PASSED_OVER = {"benchmarks", "tensorboard", "samples"}


def _check_frames(path: Path) -> None:
    with FrameReader(path) as reader:
        for frame in range(len(reader)):
            if reader.has(frame):
                reader[frame]


def _check_table(path: Path) -> None:
    """A table for people is made of the one for programs, which has a checksum."""
    if path.with_name("table.json").is_file():
        text = TABLE_TEXTS[path.suffix](read_table(path.with_name("table.json")))
        if path.read_bytes() != text.encode():
            raise Refused(path, "is damaged: not what table.json says")


READERS: dict[str, Callable[[Path], Any]] = {
    ".h5": read_keypoints,
    ".json": read_json,
    ".mov": check_video,
    ".mp4": check_video,
    ".png": check_png,
    ".webm": check_video,
    ".zip": _check_frames,
    "detector.safetensors": load_detector,
    "discriminator.safetensors": load_discriminator,
    "generator.safetensors": load_generator,
    "preset.yaml": settle_preset,
    "table.csv": _check_table,
    "table.md": _check_table,
    "training_state.safetensors": lambda path: load_state(path, key=""),
}
"""By name or ending: raises ValueError where a file is not what was written."""


def list_made(results: Path) -> list[Path]:
    """All files below a folder of results that have a reader, sorted."""
    return [
        path
        for path in sorted(results.rglob("*"))
        if (path.name in READERS or path.suffix in READERS)
        and not path.name.startswith(".")  # partial files
        and not _FOLDERS_PASSED_OVER & set(path.relative_to(results).parts[:-1])
        and path.is_file()
    ]


def remedy(path: Path) -> str:
    """The command that has a file written anew, in the folder that holds ``results``."""
    names = path.parts
    at = max((i for i, name in enumerate(names) if name == "results"), default=0)
    if at:  # rules know paths below `results` only
        folder = shlex.quote(str(Path(*names[:at])))
        return f"cd {folder} && {remedy(Path(*names[at:]))}"
    if path.name == "discriminator.safetensors":
        generator = path.with_name("generator.safetensors")
        return f"rm {path} {generator} && snakemake {generator}"
    if path.name in ("training_state.safetensors", "preset.yaml", "weights.json"):
        return f"rm {path}"  # and the next run writes it
    return f"rm {path} && snakemake {path}"


def find_damage(path: Path) -> str:
    """What is wrong with a file; "" where it is what was written."""
    try:
        (READERS.get(path.name) or READERS[path.suffix])(path)
    except (ValueError, OSError, KeyError, TypeError) as error:  # of another release, perhaps
        return explain(error).removeprefix(f"{path}: ").partition("; ")[0]
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare everything below a folder with its checksums; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m edn_core.verify", description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    results = parser.parse_args(arguments).results
    with errors_in_one_line():
        paths = list_made(results)
        if not paths:
            raise Refused(results, "nothing made there yet", "", "run snakemake")
        damage = {path: find_damage(path) for path in progress(paths, "verify")}
    damaged = [path for path, reason in damage.items() if reason]
    for path in damaged:
        print(f"{path}: {damage[path]}; {remedy(path)}")
    size = sum(path.stat().st_size for path in paths)
    print(f"{len(paths)} files of {size / 1e6:.1f} MB: {len(damaged)} damaged")
    return 1 if damaged else 0


if __name__ == "__main__":
    sys.exit(main())
