"""The user's videos: found by name in one folder, and refused early where a name will not do."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from edn_core.config import printable

COMMON_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
_OTHER_SUFFIXES = (".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".flv", ".wmv", ".ogv")
SUFFIXES = (*COMMON_SUFFIXES, *_OTHER_SUFFIXES)
# A source named "a_to" would make "a_to_to_b", which is read as "a" to "to_b".
NAME = r"(?:(?!_to_|_to$)[A-Za-z0-9_-])+"
MAX_NAME = 100
"""Letters of a name: two of them and the rest of a transfer's file name fit into 255."""
DEMO_VIDEOS = ("demo_source", "demo_target")  # made by a rule


def find_videos(folder: str | Path) -> dict[str, str]:
    """The videos of a folder, name (the file's without its ending) -> path, sorted by name.

    None of a folder that is not there. ValueError: a name that cannot be used, or two files of one.
    """
    folder = Path(folder)
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        name = path.stem
        check_name(name, path)
        if name in found:
            raise ValueError(
                f"{found[name]} and {path}: two videos of one name; rename or remove one of them"
            )
        found[name] = str(path)
    return found


def check_name(name: str, where: str | Path) -> None:
    """Refuse a video name that file paths cannot carry; names the file and a name that would do."""
    if len(name) > MAX_NAME:
        raise ValueError(
            f"{printable(where)}: a video's name may have {MAX_NAME} letters, found {len(name)}; "
            "rename it to a shorter one"
        )
    if not re.fullmatch(NAME, name):
        raise ValueError(
            f"{printable(where)}: a video's name may hold letters, digits, _ and - only, and no "
            f"'_to_' or '_to' at its end; found {name!r}; rename it, to {safe_name(name)!r} for one"
        )
    if name in DEMO_VIDEOS:
        raise ValueError(f"{where}: the name {name!r} is the demo's own; rename the file")


def safe_name(text: str) -> str:
    """A video's name that is near to any text; shorter than it may be, for a number behind it."""
    better = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_-]", "_", text))[: MAX_NAME - 10]
    better = re.sub(r"_to(?=_|$)", "-to", better).replace("-to_", "-to-")
    return better.strip("_") or "video"


def check_asked(names: Iterable[str], videos: dict[str, str], folder: str | Path) -> None:
    """Refuse to plan with a video that is not there; names the nearest there is."""
    for name in names:
        if name in videos or name in DEMO_VIDEOS:
            continue
        check_name(name, f"video {name!r}")
        near = difflib.get_close_matches(name, videos, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"found: {', '.join(videos) or 'none'}"
        raise ValueError(
            f"no video named {name!r} in {folder}/ ({hint}); put {name}.mp4 there "
            f"(or {', '.join(COMMON_SUFFIXES[1:])})"
        )


def videos_of_transfer(path: str) -> tuple[str, str] | None:
    """Source and target of a transfer's file; None where it is of another kind."""
    made = rf"results/transfer/({NAME})_to_({NAME})(?:\.(?:mp4|webm|mov)|/[^/]+)"
    pair = re.fullmatch(made, path)
    return (pair[1], pair[2]) if pair else None
