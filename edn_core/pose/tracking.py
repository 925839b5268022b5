"""Which of the people in a video is the dancer."""

import numpy as np

from edn_core.config import PoseConfig
from edn_core.keypoints import Person
from edn_core.logs import LOGGER
from edn_core.pose.linking import Track, link_people

MIN_FRAMES = 5  # a shorter track is a slip of the backend, unless there is nothing else
MIN_RETURN = 0.1  # of the dancer's and a returning person's box area, the smaller by the larger
SAME_PLACE = 0.5  # overlap of two people's median boxes
CENTRE_WIDTH = 0.15  # of the picture's longer side: so near to its middle counts as central
MAX_TRACKS = 1000  # the longest ones; memory grows with the square
FIRST_FRAMES = 10  # in which a box shows where a track begins
MAX_SEEDS = 20  # tracks tried as the dancer's first one


def follow_dancer(
    people: list[list[Person]], config: PoseConfig, size: tuple[int, int]
) -> list[int | None]:
    """Follow one person through a video: for every frame which of its people; None: not seen.

    Does not depend on the order of the people, in px of the video of (H, W) ``size``, within a
    frame. A track that was in the picture together with the dancer is never taken for him (see
    choose_tracks). Raises ValueError: dancer_index or dancer_box names nobody; says who is where.
    """
    tracks = link_people(people, size)
    chosen = choose_tracks(tracks, config, size)
    dancer: list[int | None] = [None] * len(people)
    for track in chosen:
        for frame, index in zip(track.frames.tolist(), track.indices.tolist(), strict=True):
            dancer[frame] = index
    if chosen:
        spans = sorted((int(track.frames[0]), int(track.frames[-1])) for track in chosen)
        LOGGER.info(
            f"at most {max(map(len, people))} people in a frame, {len(tracks)} tracks; the dancer "
            f"({config.dancer}) is seen in {sum(map(len, chosen))} of {len(people)} frames: frames "
            + ", ".join(f"{first} to {last}" for first, last in spans)
        )
    return dancer


def choose_tracks(tracks: list[Track], config: PoseConfig, size: tuple[int, int]) -> list[Track]:
    """Choose the dancer's track, and those that go on where it is not there; the first one first.

    ``largest`` weighs the median area of the body box, ``centre`` how near its middle is to that of
    the picture, each times the number of frames, so that nobody wins by passing close to the camera
    for a second; ``longest`` counts frames. What follows a track counts with it. ``index`` and
    ``box`` name one track.

    The dancer goes on with the best track (by the same measure; for ``index`` and ``box`` frames
    times likeness in size) that was never there together with him, is not of another size
    altogether, and does not stand where somebody stood who was; and so on. Raises ValueError:
    dancer_index or dancer_box names nobody; says who is where.
    """
    if not tracks:
        return []
    tracks = [track for track in tracks if len(track) >= MIN_FRAMES] or tracks
    tracks = sorted(tracks, key=len, reverse=True)[:MAX_TRACKS]
    boxes = np.stack([np.median(track.boxes, axis=0) for track in tracks])
    n_frames = np.array([len(track) for track in tracks])
    areas = np.array([max(track.area, 1.0) for track in tracks])
    likeness = np.minimum.outer(areas, areas) / np.maximum.outer(areas, areas)
    if config.dancer in ("index", "box"):
        choose = _by_index if config.dancer == "index" else _by_box
        seeds = np.array([choose(tracks, config)])
        values = n_frames * likeness[seeds[0]]
    else:
        values = n_frames.astype(np.float64)
        if config.dancer == "largest":
            values *= areas
        elif config.dancer == "centre":
            middles = (boxes[:, :2] + boxes[:, 2:]) / 2 - (np.array(size[::-1]) - 1) / 2
            values *= np.exp(-0.5 * (np.hypot(*middles.T) / (CENTRE_WIDTH * max(size))) ** 2)
        else:
            values += 0.5 * areas / areas.max()  # of those seen equally long the larger one
        seeds = np.argsort(-values, kind="stable")[:MAX_SEEDS]
    first = np.array([track.frames[0] for track in tracks])
    last = np.array([track.frames[-1] for track in tracks])
    # Both there at some time, be it while one of them was lost for a moment.
    is_together = (first[:, None] <= last) & (first <= last[:, None])
    overlap = box_overlap(boxes[:, None], boxes)
    found = [_with_returns(seed, values, likeness, is_together, overlap) for seed in seeds.tolist()]
    if len(found) > 1:
        # He is known by his best track, or somebody who was there in a gap of his would win by him.
        found = [numbers for numbers in found if values[numbers].argmax() == 0]
    best = max(found, key=lambda numbers: values[numbers].sum())
    return [tracks[number] for number in best]


def _with_returns(
    seed: int, values: np.ndarray, likeness: np.ndarray, together: np.ndarray, overlap: np.ndarray
) -> list[int]:
    """A track and those that continue it."""
    chosen = [seed]
    is_met = together[seed].copy()
    for track in np.argsort(-values, kind="stable").tolist():
        if is_met[track] or likeness[seed, track] < MIN_RETURN:
            continue
        others = is_met.copy()
        others[chosen] = False
        # Somebody in the background, seen only now and then, makes many tracks in one place.
        same_place = overlap[track, others].max(initial=0)
        if same_place >= SAME_PLACE and same_place > overlap[track, chosen].max():
            continue
        chosen.append(track)
        is_met |= together[track]
    return chosen


def box_overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (..., 4) x0, y0, x1, y1, 0..1; 0 where both are empty."""
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = sides.clip(min=0).prod(axis=-1)
    both = (one[..., 2:] - one[..., :2]).prod(axis=-1)
    both = both + (other[..., 2:] - other[..., :2]).prod(axis=-1)
    overlap: np.ndarray = shared / np.maximum(both - shared, 1e-9)
    return overlap


def _by_index(tracks: list[Track], config: PoseConfig) -> int:
    """The dancer_index-th from the left in the first frame that shows the most people."""
    frame = int(np.bincount(np.concatenate([track.frames for track in tracks])).argmax())
    shown = sorted(
        ((box[0] + box[2]) / 2, number)
        for number, track in enumerate(tracks)
        for box in track.boxes[track.frames == frame]
    )
    if config.dancer_index >= len(shown):
        places = ", ".join(f"{x:.0f}" for x, _ in shown)
        raise ValueError(
            f"dancer_index is {config.dancer_index}, but at most {len(shown)} are seen at "
            f"once (first in frame {frame}, at x = {places} px); give 0 to {len(shown) - 1}"
        )
    return shown[config.dancer_index][1]


def _by_box(tracks: list[Track], config: PoseConfig) -> int:
    """The one who overlaps dancer_box best when first seen."""
    found = np.stack([np.median(track.boxes[:FIRST_FRAMES], axis=0) for track in tracks])
    overlap = box_overlap(found, np.array(config.dancer_box, np.float64))
    best = int(overlap.argmax())
    if overlap[best] <= 0:
        begins = sorted(
            (int(track.frames[0]), box.round().astype(int).tolist())
            for box, track in zip(found, tracks, strict=True)
        )
        there = "; ".join(f"{box} from frame {frame} on" for frame, box in begins[:10])
        raise ValueError(
            f"dancer_box is {list(config.dancer_box or ())}, where nobody is when first seen; "
            f"give [x0, y0, x1, y1] px around the dancer; people are found in {there}"
        )
    return best
