"""Room, speed and manners of the file system that results lie on."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from edn_core.doctor.check import FAIL, OK, WARN, Check, Place, size

LEAST_FREE, LEAST_INODES, LEAST_SPEED = 5_000_000_000, 100_000, 20e6
CHUNK, MOST_CHUNKS, SECONDS = 4_000_000, 16, 1.0
SECONDS_TO_SEARCH = 3.0


def _results(place: Place) -> Path:
    folder = place.folder / "results"
    return folder if folder.is_dir() else place.folder


def check_room(place: Place) -> Iterable[Check]:
    """Free bytes and inodes, and what kind of file system it is."""
    import psutil

    folder = _results(place).resolve()
    mounts = [
        one
        for one in psutil.disk_partitions(all=True)
        if folder.is_relative_to(Path(one.mountpoint))
    ]
    kind = max(mounts, key=lambda one: len(one.mountpoint)).fstype if mounts else "unknown"
    about = os.statvfs(folder)
    free = about.f_bavail * about.f_frsize
    is_full = free < LEAST_FREE
    yield Check(
        "room for results",
        WARN if is_full else OK,
        f"{size(free)} free of {size(about.f_blocks * about.f_frsize)}, file system {kind}",
        "make room: a training needs 5 GB and more (docs/presets.md)" if is_full else "",
    )
    if about.f_files:  # some file systems count none
        is_few = about.f_favail < LEAST_INODES
        advice = "remove small files, or ask for a larger quota" if is_few else ""
        yield Check("inodes", WARN if is_few else OK, f"{about.f_favail:,} free", advice)


def check_writing(place: Place) -> Iterable[Check]:
    """How fast a file is written, down to the disk."""
    block = os.urandom(CHUNK)
    with tempfile.TemporaryFile(dir=_results(place), prefix=".edn-doctor-") as stream:
        start, count = time.monotonic(), 0
        while count < MOST_CHUNKS and time.monotonic() - start < SECONDS:
            stream.write(block)
            count += 1
        stream.flush()
        os.fsync(stream.fileno())
        speed = count * CHUNK / (time.monotonic() - start)
    is_slow = speed < LEAST_SPEED
    yield Check(
        "write speed",
        WARN if is_slow else OK,
        f"{speed / 1e6:.0f} MB/s ({count * CHUNK / 1e6:.0f} MB, with fsync)",
        "raise runtime.checkpoint_every_s, or put results on a faster disk" if is_slow else "",
    )


def check_locks_work(place: Place) -> Iterable[Check]:
    """Whether two processes would see each other's lock (flock)."""
    with tempfile.TemporaryDirectory(dir=_results(place), prefix=".edn-doctor-") as folder:
        path = Path(folder) / "lock"
        with open(path, "w") as first, open(path) as second:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield Check("file locks", OK, "flock keeps a second one out")
                return
    yield Check(
        "file locks",
        FAIL,
        "flock lets two in",
        "never train the same target twice at once; on Lustre mount with `-o flock`",
    )


def check_renaming(place: Place) -> Iterable[Check]:
    """Whether a file replaced by another is always one of the two, as all writing here needs."""
    with tempfile.TemporaryDirectory(dir=_results(place), prefix=".edn-doctor-") as folder:
        old, new = Path(folder) / "old", Path(folder) / "new"
        old.write_text("old")
        new.write_text("new")
        with open(old) as reader:
            os.replace(new, old)
            is_sound = (reader.read(), old.read_text(), new.exists()) == ("old", "new", False)
        link = Path(folder) / "link"
        try:
            link.symlink_to("old")
            links = "links work"
        except OSError:
            links = "no links: logs/run.jsonl will be missing, logs/runs/ is there"
    yield Check(
        "renaming",
        OK if is_sound else FAIL,
        f"{'a file is replaced whole' if is_sound else 'a file is not replaced whole'}; {links}",
        "" if is_sound else "put results on a local or POSIX file system",
    )


def check_leftovers(place: Place) -> Iterable[Check]:
    """Half-written files of processes that were killed."""
    found, end = [], time.monotonic() + SECONDS_TO_SEARCH
    for root, _, names in os.walk(place.folder / "results"):
        found += [Path(root) / name for name in names if ".partial" in name and name[0] == "."]
        if time.monotonic() > end:
            break
    sizes = []
    for path in found:
        try:
            is_old = time.time() - path.stat().st_mtime > 3600
        except OSError:
            continue
        if is_old:
            sizes.append(path.stat().st_size)
    yield Check(
        "half-written files",
        WARN if sizes else OK,
        f"{len(sizes)} older than an hour, {size(sum(sizes))}" if sizes else "none left behind",
        "when nothing runs: `find results -name '.*.partial*' -delete`" if sizes else "",
    )


DISK_CHECKS = (check_room, check_writing, check_locks_work, check_renaming, check_leftovers)
