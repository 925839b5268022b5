"""Runs of consecutive frames, worked on side by side while the video is decoded."""

import queue
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from edn_core.frames import FramesInfo
from edn_core.keypoints import Person
from edn_core.pose.backend import Backend

RUN_BYTES = 192 * 2**20  # of a run's frames in memory; runs waiting their turn hold as much each
LONGEST_RUN, SHORTEST_RUN = 64, 8  # frames


class Run(NamedTuple):
    """Consecutive frames that a backend sees at once; the first ``n_warm_up`` came before."""

    first: int
    n_warm_up: int
    images: list[np.ndarray]


def find_people(
    images: Iterable[np.ndarray], copies: list[Backend], info: FramesInfo
) -> Iterator[list[Person]]:
    """Everybody in each frame, in order; at most one run more in memory than there are copies."""
    start = round(info.start_s * info.fps)  # backends count from the start of the video
    free: queue.SimpleQueue[Backend] = queue.SimpleQueue()
    for backend in copies:
        free.put(backend)

    def find(run: Run) -> list[list[Person]]:
        backend = free.get()
        try:
            return backend.find(run.images, start + run.first)[run.n_warm_up :]
        finally:
            free.put(backend)

    waiting: deque[Future[list[list[Person]]]] = deque()
    with ThreadPoolExecutor(len(copies)) as pool:
        try:
            for run in cut_into_runs(images, run_length(info), copies[0].warm_up):
                waiting.append(pool.submit(find, run))
                while len(waiting) > len(copies):
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def run_length(info: FramesInfo) -> int:
    """Frames of a run: as many as RUN_BYTES holds, within bounds; a matter of picture size only."""
    frame_bytes = 3 * info.source_height * info.source_width
    return min(LONGEST_RUN, max(SHORTEST_RUN, RUN_BYTES // frame_bytes))


def cut_into_runs(images: Iterable[np.ndarray], length: int, n_warm_up: int) -> Iterator[Run]:
    """Cut a sequence of images into runs, each preceded by the end of the one before.

    Args:
        images: in order.
        length: images of a run; the last may be shorter.
        n_warm_up: images of the run before that a run begins with.

    Yields:
        Runs; ``first`` is the number of the first image, warm-up included.
    """
    run: list[np.ndarray] = []
    n_before = first = 0
    for image in images:
        if len(run) == n_before + length:
            yield Run(first, n_before, run)
            first += len(run) - n_warm_up
            run = run[len(run) - n_warm_up :]
            n_before = n_warm_up
        run.append(image)
    if len(run) > n_before:
        yield Run(first, n_before, run)
