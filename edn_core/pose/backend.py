"""What every pose backend gives, and how a video is shown to it: in runs of consecutive frames."""

import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edn_core.keypoints import Doubt, Person
from edn_core.skeleton import Skeleton
from edn_core.timeline import Clip

Find = Callable[[list[np.ndarray], int], list[list[Person]]]
RUN_BYTES = 192 * 2**20  # of a run's frames in memory; runs waiting their turn hold as much each
LONGEST_RUN, SHORTEST_RUN = 64, 8  # frames


@dataclass(frozen=True)
class Backend:
    """A pose estimator made ready for one video.

    ``find(images, first)`` gives for each image all people in it, an empty list for nobody. The
    images are a run of consecutive frames, (H, W, 3) uint8 RGB at the video's own size; the
    coordinates are its pixels (origin at the centre of the top-left one). ``first`` is the number
    of the first one, counted from the start of the video file. Runs come in any order: nothing may
    be remembered from one to the next.
    """

    skeleton: Skeleton  # of the body part of the people it finds
    weights_sha256: str  # SHA-256 over its weight files; "" if it has none
    find: Find
    follow: Callable[[Iterable[np.ndarray]], Iterator[list[Person]]] | None = None
    """The same of one run without an end, each image's people before the next image is asked for;
    where looking at where somebody was a moment before costs less than looking everywhere."""
    warm_up: int = 0
    """Frames shown before a run whose answer is thrown away; for backends that look for people
    where they were a moment before."""
    has_copies: bool = False
    """Whether one copy per thread works side by side; else one copy gets all threads."""
    doubts: tuple[Doubt, ...] = ()
    """Of what was found before: what may not be as it was taken."""


class Run(NamedTuple):
    """Consecutive frames that a backend sees at once; the first ``n_warm_up`` came before."""

    first: int
    n_warm_up: int
    images: list[np.ndarray]


def find_people(
    images: Iterable[np.ndarray], copies: list[Backend], clip: Clip
) -> Iterator[list[Person]]:
    """Everybody in each frame of a video, in order; each copy of the backend works in a thread.

    At most one run more is in memory than there are copies.
    """
    start = round(clip.start_s * clip.fps)  # backends count from the start of the video
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
            for run in cut_into_runs(images, run_length(clip), copies[0].warm_up):
                waiting.append(pool.submit(find, run))
                while len(waiting) > len(copies):
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def run_length(clip: Clip) -> int:
    """Frames of a run: as many as RUN_BYTES holds, within bounds; a matter of picture size only."""
    frame_bytes = 3 * clip.height * clip.width
    return min(LONGEST_RUN, max(SHORTEST_RUN, RUN_BYTES // frame_bytes))


def cut_into_runs(images: Iterable[np.ndarray], length: int, n_warm_up: int) -> Iterator[Run]:
    """Cut images into runs of a length, each preceded by the last images of the one before."""
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


def largest_people(people: list[Person], count: int) -> list[Person]:
    """Of a crowd the ``count`` people whose bodies are largest; of no more, all as given."""
    return people if len(people) <= count else sorted(people, key=_extent, reverse=True)[:count]


def _extent(person: Person) -> float:
    """Longer side of the box around a body, px."""
    found = person["body"][person["body"][:, 2] > 0, :2]
    return float(np.ptp(found, axis=0).max()) if len(found) else 0.0


def drop_unsure(points: np.ndarray, min_score: float, size: tuple[int, int]) -> np.ndarray:
    """Make points missing that are too uncertain or lie outside the image of (H, W) px.

    (K, 3) x px, y px, score to (K, 3) float32; NaN, NaN, 0 where missing, else a score in (0, 1].
    """
    height, width = size
    x, y, score = points.T
    is_inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    is_found = is_inside & (score >= min_score)
    kept = np.where(is_found[:, None], points, (np.nan, np.nan, 0)).astype(np.float32)
    # A found point's score is above 0 by contract, even where min_score is 0.
    kept[is_found, 2] = kept[is_found, 2].clip(1e-6, 1)
    return kept
