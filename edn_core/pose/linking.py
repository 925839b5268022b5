"""Who is who from frame to frame: the people found in a video, linked into tracks.

Each track is moved on at constant velocity; then the assignment (scipy's linear_sum_assignment) is
taken that makes the sum of object keypoint similarities largest (OKS, COCO's keypoint evaluation:
exp(-d² / (2 s² k²)) averaged over the keypoints, s² being the person's area).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from edn_core.keypoints import Person

# OKS's k for every keypoint. COCO's (0.05 to 0.21) describe how exactly people can point at a
# joint; here a limb may swing between two frames.
FALLOFF = 0.2
CENTRE_FALLOFF = 0.4  # of a centre, which moves when other points of the body are seen
MIN_SHARED = 4  # fewer keypoints in common than this say less
MIN_SIMILARITY = 0.2  # nothing less similar is linked
IS_COPY = 0.9  # two found in one frame who are more similar are one person found twice
MAX_LOST_FRAMES = 30  # about one second; a track that is lost for so long has ended
GAIN = 0.3  # part of what the prediction missed by that corrects the velocity
SLOWING = 0.95  # velocity from frame to frame while lost: nobody walks on for ever
SPREAD = 0.1  # a lost person may be anywhere: growth of k² per frame, as in a random walk
MIN_SIDE = 0.25  # a box counts as at least this part of its longer side wide


@dataclass(frozen=True)
class Track:
    """One person in those frames in which he was found."""

    frames: np.ndarray  # (n,) int64, ascending
    indices: np.ndarray  # (n,) int64, which of the frame's people he is
    boxes: np.ndarray  # (n, 4) float64 x0, y0, x1, y1 px, around the body points found

    def __len__(self) -> int:
        """Number of frames in which he was found."""
        return len(self.frames)

    @property
    def area(self) -> float:
        """Median area of the box, px²."""
        return float(np.median(np.prod(self.boxes[:, 2:] - self.boxes[:, :2], axis=1)))


@dataclass
class _Live:
    """A track being made, and where its person is believed to be in the frame at hand."""

    xy: np.ndarray  # (K, 2) px; 0 where never seen
    n_unseen: np.ndarray  # (K,) frames since the point was found
    velocity: np.ndarray  # (2,) px per frame
    n_lost: int = 0
    rows: list[int] = field(default_factory=list)


def link_people(people: list[list[Person]], size: tuple[int, int]) -> list[Track]:
    """Link the people found in each frame into tracks, in the order in which they begin.

    A track remembers for MAX_LOST_FRAMES where each of its keypoints was and moves it on with the
    body, so that somebody half hidden is recognised by what is seen of him. Where fewer than
    MIN_SHARED points can be compared they count for less, and the middle of all points may decide.
    Those without any body point are passed over, of somebody found twice in a frame one is; no
    person is in two tracks. All in px of the video of (H, W) ``size``.
    """
    places = [
        (frame, index)
        for frame, found in enumerate(people)
        # The result shall not depend on the order within a frame, not even in a tie.
        for index in sorted(range(len(found)), key=lambda i: found[i]["body"].tobytes())
        if (found[index]["body"][:, 2] > 0).any()
    ]
    if not places:
        return []
    bodies = np.stack([people[frame][index]["body"] for frame, index in places]).astype(np.float64)
    is_seen = bodies[..., 2] > 0
    xy = np.where(is_seen[..., None], bodies[..., :2], 0)
    boxes = _boxes(xy, is_seen)
    areas = _scale_area(boxes, size)
    frames, indices = np.array(places).T
    starts = np.searchsorted(frames, np.arange(len(people) + 1))

    finished: list[_Live] = []
    live: list[_Live] = []
    for first, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        rows = np.arange(first, stop)
        if len(rows) > 1:
            rows = _without_copies(rows, xy, is_seen, areas)
        for track in live:  # to this frame, at constant velocity
            if track.n_lost:
                track.velocity *= SLOWING
            track.xy += track.velocity
            track.n_unseen += 1
        links = _assign(live, xy[rows], is_seen[rows], areas[rows], size) if live else {}
        for number, track in enumerate(live):
            if number in links:
                _extend(track, int(rows[links[number]]), xy, is_seen)
            else:
                track.n_lost += 1
        finished += [track for track in live if track.n_lost == MAX_LOST_FRAMES]
        live = [track for track in live if track.n_lost < MAX_LOST_FRAMES]
        taken = set(links.values())
        for number, row in enumerate(rows.tolist()):
            if number not in taken:
                n_unseen = np.where(is_seen[row], 0, MAX_LOST_FRAMES + 1)
                live.append(_Live(xy[row].copy(), n_unseen, np.zeros(2), rows=[row]))
    return [
        Track(frames[track.rows], indices[track.rows], boxes[track.rows])
        for track in sorted(finished + live, key=lambda track: track.rows[0])
    ]


def _boxes(xy: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Around the points seen: (..., K, 2) px -> (..., 4) x0, y0, x1, y1."""
    low = np.where(is_seen[..., None], xy, np.inf).min(axis=-2)
    high = np.where(is_seen[..., None], xy, -np.inf).max(axis=-2)
    return np.concatenate([low, high], axis=-1)


def _scale_area(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """OKS's s² of boxes (..., 4): the area, for a thin box or a single point something sensible."""
    sides = boxes[..., 2:] - boxes[..., :2]
    longer = np.maximum(sides.max(axis=-1), 0.02 * max(size))
    area: np.ndarray = longer * np.maximum(sides.min(axis=-1), MIN_SIDE * longer)
    return area


def _similarity(
    squares: np.ndarray, is_shared: np.ndarray, area: np.ndarray, spread: np.ndarray | float
) -> np.ndarray:
    """OKS over the shared keypoints: squared distances (..., K) px² -> (...), 0 without any."""
    terms = np.exp(-squares / (2 * FALLOFF**2 * (area * spread)[..., None])) * is_shared
    total: np.ndarray = terms.sum(axis=-1) / np.maximum(is_shared.sum(axis=-1), 1)
    return total


def _without_copies(
    rows: np.ndarray, xy: np.ndarray, is_seen: np.ndarray, areas: np.ndarray
) -> np.ndarray:
    """Of people in nearly the same place with the same pose, the one with the most points."""
    kept: list[int] = []
    for row in sorted(rows.tolist(), key=lambda row: (-is_seen[row].sum(), row)):
        is_shared = is_seen[kept] & is_seen[row]
        squares = ((xy[kept] - xy[row]) ** 2).sum(axis=-1)
        alike = _similarity(squares, is_shared, np.maximum(areas[kept], areas[row]), 1.0)
        if not ((alike > IS_COPY) & (is_shared.sum(axis=-1) >= MIN_SHARED)).any():
            kept.append(row)
    return np.array(sorted(kept))


def _assign(
    live: list[_Live], xy: np.ndarray, is_seen: np.ndarray, areas: np.ndarray, size: tuple[int, int]
) -> dict[int, int]:
    """Live track -> person of the frame, both by number."""
    believed = np.stack([track.xy for track in live])[:, None]  # (tracks, 1, K, 2)
    is_known = (np.stack([track.n_unseen for track in live]) <= MAX_LOST_FRAMES)[:, None]
    area = np.maximum(_scale_area(_boxes(believed, is_known), size), areas)  # (tracks, people)
    spread = 1 + SPREAD * np.array([[track.n_lost] for track in live])
    is_shared = is_known & is_seen
    squares = ((believed - xy) ** 2).sum(axis=-1)
    alike = _similarity(squares, is_shared, area, spread)
    trust = np.minimum(is_shared.sum(axis=-1) / MIN_SHARED, 1)
    if (trust < 1).any():
        middles = [_middle(believed, is_known), _middle(xy, is_seen)]
        apart = ((middles[0] - middles[1]) ** 2).sum(axis=-1)
        by_middle = np.exp(-apart / (2 * CENTRE_FALLOFF**2 * area * spread))
        alike = np.where(trust < 1, np.maximum(trust * alike, by_middle), alike)
    alike = np.where(alike >= MIN_SIMILARITY, alike, 0)
    tracks, found = linear_sum_assignment(alike, maximize=True)
    return {int(a): int(b) for a, b in zip(tracks, found, strict=True) if alike[a, b] > 0}


def _middle(xy: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Mean of the points seen: (..., K, 2) -> (..., 2)."""
    total: np.ndarray = (xy * is_seen[..., None]).sum(axis=-2)
    return total / np.maximum(is_seen.sum(axis=-1), 1)[..., None]


def _extend(track: _Live, row: int, xy: np.ndarray, is_seen: np.ndarray) -> None:
    """Add what was found to a track; correct its velocity (an alpha-beta filter)."""
    found = is_seen[row]
    is_shared = found & (track.n_unseen <= MAX_LOST_FRAMES)
    if np.count_nonzero(is_shared) >= MIN_SHARED:
        missed = (xy[row] - track.xy)[is_shared].mean(axis=0) / (1 + track.n_lost)
        track.velocity += missed * (1.0 if len(track.rows) == 1 else GAIN)
    track.xy[found] = xy[row][found]
    track.n_unseen[found] = 0
    track.n_lost = 0
    track.rows.append(row)
