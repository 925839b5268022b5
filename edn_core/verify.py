"""Compare everything that a run left with its checksums: ``python -m edn_core.verify [results]``.

Prints one line for each damaged file, with the command that remakes it, and a summary; status 0: no
damage found, 1: some, or nothing there to look at. Nothing is changed.
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from edn_core.frames import FrameReader
from edn_core.hdf5 import has_digest
from edn_core.integrity import check_mp4, check_png, check_zip
from edn_core.keypoints import read_keypoints
from edn_core.logs import progress
from edn_core.preset import settle_preset
from edn_core.store import JSON_DIGEST, read_json

MAX_PIXELS = 2**28
WITHOUT_CHECKSUM = "without checksum"
"""Whole as far as can be told: of an earlier release or another program."""
NOT_LOOKED_AT = "not looked at for want of memory"
_FOLDERS_PASSED_OVER = {"benchmarks", "tensorboard", "samples"}


def verify_file(path: Path) -> str | None:
    """Compare one file with its checksums.

    Args:
        path: a file that a rule or a training wrote.

    Returns:
        "" where it is whole, ``WITHOUT_CHECKSUM``, or None where it is of a kind that has none.

    Raises:
        ValueError: it is damaged; says how.
    """
    check = CHECKS.get(path.name) or CHECKS.get(path.suffix)
    return check(path) if check else None


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
    if path.name in ("training_state.safetensors", "preset.yaml"):
        return f"rm {path}"  # and the next run writes it
    return f"rm {path} && snakemake {path}"


def _frames(path: Path) -> str:
    reader = FrameReader(path)
    for frame in range(len(reader)):
        # An image without a checksum must at least be one.
        reader.encoded(frame) if reader.is_sealed else reader[frame]
    return "" if reader.is_sealed else WITHOUT_CHECKSUM


def _store(path: Path) -> str:
    if "keypoints" not in path.name:
        return _frames(path)
    read_keypoints(path)
    return "" if has_digest(path) else WITHOUT_CHECKSUM


def _json(path: Path) -> str:
    read_json(path)
    return "" if JSON_DIGEST in json.loads(path.read_text()) else WITHOUT_CHECKSUM


def _checkpoint(path: Path) -> str:
    check_zip(path)
    return ""


def _picture(path: Path) -> str:
    check_png(path, MAX_PIXELS)
    return ""


def _video(path: Path) -> str:
    return "" if check_mp4(path) else WITHOUT_CHECKSUM


def _preset(path: Path) -> str:
    settle_preset(path)
    return ""


def _table(path: Path) -> str | None:
    """A table for people, made anew of the one for programs."""
    from edn_core.evaluate.table import TABLE_TEXTS  # seconds to load, and needed here only
    from edn_core.metrics import read_table

    table = path.with_name("table.json")
    if not table.is_file():
        return None
    text = TABLE_TEXTS[path.suffix](read_table(table))
    if path.read_bytes() != text.encode():
        raise ValueError(f"{path}: is damaged: not what {table.name} says")
    return ""


CHECKS: dict[str, Callable[[Path], str | None]] = {
    ".h5": _store,
    ".json": _json,
    ".pt": _checkpoint,
    ".png": _picture,
    ".mp4": _video,
    "preset.yaml": _preset,
    "table.md": _table,
    "table.csv": _table,
}


def list_made(results: Path) -> list[Path]:
    """All files below a folder of results that a check is known for, sorted."""
    return [
        path
        for path in sorted(results.rglob("*"))
        if (path.name in CHECKS or path.suffix in CHECKS)
        and not path.name.startswith(".")  # partial files
        and not _FOLDERS_PASSED_OVER & set(path.relative_to(results).parts[:-1])
        and path.is_file()
    ]


def _verdict(path: Path) -> tuple[Path, str | None, str]:
    try:
        return path, verify_file(path), ""
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).removeprefix(f"{path}: ")
        return path, None, reason.partition("; ")[0]
    except MemoryError:
        return path, NOT_LOOKED_AT, ""
    except Exception as error:  # a file that is whole and still not what a release writes
        return path, None, f"not what this release writes ({type(error).__name__}: {error!s:.80})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare everything below a folder with its checksums; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m edn_core.verify",
        description="Compare everything that a run left with its checksums.",
        epilog="exit status: 0 no damage found, 1 damage found or nothing there to look at",
    )
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    results = parser.parse_args(arguments).results
    paths = list_made(results) if results.is_dir() else []
    if not paths:
        print(f"edn: error: {results}: nothing made there yet", file=sys.stderr)
        return 1
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        verdicts = list(progress(pool.map(_verdict, paths), "verify", len(paths)))
    damaged = [(path, reason) for path, _, reason in verdicts if reason]
    for path, reason in damaged:
        print(f"{path}: {reason}; {remedy(path)}")
    unknown = [path for path, said, _ in verdicts if said == NOT_LOOKED_AT]
    for path in unknown:
        print(f"{path}: {NOT_LOOKED_AT}; run this again where there is more")
    unsealed = [path for path, said, _ in verdicts if said == WITHOUT_CHECKSUM]
    size = sum(path.stat().st_size for path in paths if path.exists())
    print(
        f"{len(paths)} files of {size / 1e6:.1f} MB: {len(damaged)} damaged, "
        f"{len(unsealed)} {WITHOUT_CHECKSUM} (of an earlier release)"
    )
    return 1 if damaged or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
