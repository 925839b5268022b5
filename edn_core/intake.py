"""The user's videos: found by name in one folder, and refused early where a name will not do."""

import difflib
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edn_core.config import printable

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
"""Of files that are taken for videos unopened; any other is one if it holds moving pictures."""
# A source named "a_to" would make "a_to_to_b", which is read as "a" to "to_b".
NAME = r"(?:(?!_to_|_to$)[A-Za-z0-9_-])+"
MAX_NAME = 100
"""Letters of a name: two of them and the rest of a transfer's file name fit into 255."""
DEMO_VIDEOS = ("demo_source", "demo_target")  # made by a rule


@dataclass(frozen=True)
class Intake:
    """What lies in the folder of videos."""

    folder: Path
    videos: dict[str, str]  # name (the file's without its ending, or a folder's) -> path
    passed_over: dict[str, str]  # name -> why this video cannot be used, and what to do

    def check_asked(self, names: Iterable[str]) -> None:
        """ValueError for a video that is not there: says why, or names the nearest there is."""
        for name in names:
            if name in self.videos or name in DEMO_VIDEOS:
                continue
            if name in self.passed_over:
                raise ValueError(self.passed_over[name])
            check_name(name, f"video {name!r}")
            for path in sorted(self.folder.glob(f"{name}*")):
                if _name(path) == name and (reason := _why_no_video(path)):
                    raise ValueError(reason)
            near = difflib.get_close_matches(name, self.videos, n=1)
            found = ", ".join(self.videos) or "none"
            hint = f"did you mean {near[0]!r}?" if near else f"found: {found}"
            raise ValueError(
                f"no video named {name!r} in {self.folder}/ ({hint}); put {name}.mp4 there "
                f"(or {', '.join(SUFFIXES[1:])})"
            )

    def wrong_targets(self) -> str:
        """Regular expression of paths that no rule knows though results are meant.

        Absolute ones, and those of videos whose names will not do.
        """
        names = [_results_of(name) for name in self.passed_over if not re.fullmatch(NAME, name)]
        here = {os.getcwd(), os.environ.get("PWD", os.getcwd())}  # PWD: through links, as typed
        return "|".join([rf"({'|'.join(map(re.escape, here))})/results/.+", *names])

    def why_wrong(self, path: str) -> str:
        """What to say of such a path."""
        for name, reason in self.passed_over.items():
            if re.fullmatch(_results_of(name), path):
                return reason
        relative = f"results/{path.rpartition('/results/')[2]}"
        said = "results are asked for by their path from this folder"
        return f"{path}: {said}: `snakemake {relative}`"


def find_videos(folder: str | Path) -> Intake:
    """The videos of a folder, sorted by name; none of a folder that is not there."""
    folder, there = Path(folder), defaultdict(list)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        is_known = path.suffix.lower() in SUFFIXES
        if path.name[0] != "." and (is_known or not _why_no_video(path)):
            there[_name(path)].append(path)
    videos, passed_over = {}, {}
    for name, (path, *others) in there.items():
        try:
            check_name(name, path)
            if others:
                said = "two videos of one name; rename or remove one of them"
                raise ValueError(f"{path} and {others[0]}: {said}")
            videos[name] = str(path)
        except ValueError as error:
            passed_over[name] = str(error)
    return Intake(folder, videos, passed_over)


def _results_of(name: str) -> str:
    return rf"results/(.*/|.*_to_){re.escape(name)}(/|\.|_to_).*"


def _name(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _why_no_video(path: Path) -> str:
    """Why a file or folder is no video, in one line; empty for one that is."""
    # Reading videos needs PyAV, without which a machine can still be looked at.
    from edn_core.video.opening import check_moving
    from edn_core.video.stills import list_stills

    try:
        (list_stills if path.is_dir() else check_moving)(path)
    except (ValueError, OSError) as error:
        if path.suffix.lower() == ".webp":
            return f"{path}: FFmpeg reads no WebP; convert it, to mp4 for one"
        return str(error)
    return ""


def check_place(folder: str | Path, with_conda: bool = False) -> None:
    """ValueError where Snakemake cannot work in a folder of such a path."""
    if found := re.search("[{}']" if with_conda else "[{}]", str(folder)):
        found_in = " with conda" if found[0] == "'" else ""
        raise ValueError(
            f"{folder}: Snakemake cannot work{found_in} where a path has a {found[0]}; rename it"
        )


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


def videos_of_transfer(path: str) -> tuple[str, str] | None:
    """Source and target of a transfer's file; None where it is of another kind."""
    made = rf"results/transfer/({NAME})_to_({NAME})(?:\.(?:mp4|webm|mov)|/[^/]+)"
    pair = re.fullmatch(made, path)
    return (pair[1], pair[2]) if pair else None
