"""The user's videos: found by name in one folder, and refused early where a name will not do."""

import difflib
import re
import shlex
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
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
MAX_AHEAD_S = 60.0
"""How far a file's time may lie ahead: clocks of two machines differ by seconds."""


def find_videos(folder: str | Path) -> dict[str, str]:
    """The videos of a folder by name (the file's name without its ending).

    Args:
        folder: where they lie; one that is not there holds none.

    Returns:
        name -> path, sorted by name.

    Raises:
        ValueError: a name that cannot be used, or two files of one name.
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
    """Refuse a video name that file paths cannot carry.

    Raises:
        ValueError: names the file and a name that would do.
    """
    if len(name) > MAX_NAME:
        raise ValueError(
            f"{printable(where)}: a video's name may have {MAX_NAME} letters, found {len(name)}; "
            "rename it to a shorter one"
        )
    if not re.fullmatch(NAME, name):
        better = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_-]", "_", name))
        better = re.sub(r"_to(?=_|$)", "-to", better).replace("-to_", "-to-")
        raise ValueError(
            f"{printable(where)}: a video's name may hold letters, digits, _ and - only, and no "
            f"'_to_' or '_to' at its end; found {name!r}; rename it, to "
            f"{better.strip('_') or 'video'!r} for one"
        )
    if name in DEMO_VIDEOS:
        raise ValueError(f"{where}: the name {name!r} is the demo's own; rename the file")


def check_asked(names: Iterable[str], videos: dict[str, str], folder: str | Path) -> None:
    """Refuse to plan with a video that is not there.

    Args:
        names: videos that were asked for.
        videos: those there are.
        folder: where they were looked for.

    Raises:
        ValueError: names the missing one and the nearest there is.
    """
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


def videos_in_target(target: str) -> list[str]:
    """The video names in a path asked for on the command line; none if it is of another kind."""
    pair = re.fullmatch(r"results/transfer/(.+?)_to_(.+?)(?:\.mp4|/[^/]+)", target)
    if pair:
        return list(pair.groups())
    single = re.fullmatch(r"results/(?:videos|models|evaluation)/([^/]+)/.+", target)
    return [single.group(1)] if single else []


def check_times(paths: Iterable[str | Path]) -> None:
    """Refuse to make anything from files of the future.

    Snakemake holds what is made from them for older than they are, and throws it away when the job
    has ended, a training of days too.

    Args:
        paths: what the run will read; those that are not there are passed over.

    Raises:
        ValueError: names the first such file, its time, and the command that mends all of them.
    """
    now, ahead = time.time(), {}
    for path in sorted(set(map(Path, paths))):
        with suppress(OSError):
            changed = path.stat().st_mtime
            if changed > now + MAX_AHEAD_S:
                ahead[path] = changed
    if not ahead:
        return
    first, changed = next(iter(ahead.items()))
    others = f" (and {len(ahead) - 1} more)" if len(ahead) > 1 else ""
    if len(ahead) <= 5:
        mend = f"touch -c {shlex.join(map(str, ahead))}"
    else:
        # Not the top of a path that leaves this folder: strangers' files lie there too.
        leaves = {path for path in ahead if path.is_absolute() or path.parts[0] == ".."}
        folders = {path.parent if path in leaves else Path(path.parts[0]) for path in ahead}
        mend = f"find {shlex.join(map(str, sorted(folders)))} -newermt now -exec touch {{}} +"
    raise ValueError(
        f"{first}{others}: last changed on {_day(changed)}, and this machine's clock says "
        f"{_day(now)}; Snakemake would throw away what is made from it. If the clock is right, run "
        f"`{mend}` and the same command again"
    )


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
