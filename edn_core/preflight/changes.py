"""Which parts of a dance were brought to what the target has shown, and by how much.

Of the same dance in the target's video: ``danced`` as it was moved there, ``shown`` with its parts
brought to what the target has shown.
"""

import numpy as np

from edn_core.keypoints import Keypoints
from edn_core.normalize import part_changes, parts_of
from edn_core.normalize.paper import TORSOS
from edn_core.preflight.sheet import THUMBNAILS, Picture
from edn_core.render import draw_stick_figure

CHANGED = 0.05  # torso lengths; what was moved by less nobody sees
CLOSE_UP = 0.45  # of the figure's height, in a picture of so many px each way
CLOSE_UP_PX = 200
STROKE = 4.0  # thickness of its lines


def changes_of(danced: Keypoints, shown: Keypoints) -> dict[str, np.ndarray]:
    """Part -> (T,) torso lengths that it was moved by; 0 where it stayed or is missing."""
    changes = part_changes(danced, shown).items()
    return {name: TORSOS * np.nan_to_num(moved) for name, moved in changes}


def share_changed(changes: dict[str, np.ndarray]) -> tuple[float, str]:
    """In how many percent of the dance something was changed, and what in words."""
    share = 100 * float((np.max([*changes.values()], axis=0) > CHANGED).mean())
    told = [
        f"{name} ({100 * (one > CHANGED).mean():.0f} %, by {one[one > CHANGED].mean():.2f})"
        for name, one in changes.items()
        if (one > CHANGED).any()
    ]
    says = f"drawn back to what the target has shown, in torso lengths: {', '.join(told) or 'none'}"
    return share, says


def change_pictures(
    danced: Keypoints, shown: Keypoints, changes: dict[str, np.ndarray]
) -> list[Picture]:
    """Close-ups of the most changed moments, half a second apart, in order: danced and shown."""
    most = np.max([*changes.values()], axis=0)
    fps, pictures = float(danced.fps), dict[int, Picture]()
    while len(pictures) < THUMBNAILS and most.max() > CHANGED:
        frame = int(most.argmax())
        name = max(changes, key=lambda name: float(changes[name][frame]))
        centre = danced.point(parts_of(danced.skeleton)[name].end)[frame]
        both = [_close_up(one, frame, centre) for one in (danced, shown)]
        caption = f"{frame / fps:.1f} s: {name} by {most[frame]:.2f}"
        pictures[frame] = Picture(np.hstack(both), caption)
        most[max(0, frame - int(fps / 2)) : frame + int(fps / 2) + 1] = 0
    return [pictures[frame] for frame in sorted(pictures)]


def _close_up(keypoints: Keypoints, frame: int, centre: np.ndarray) -> np.ndarray:
    """What surrounds a point of the dancer: (CLOSE_UP_PX, CLOSE_UP_PX, 3) uint8."""
    scale = CLOSE_UP_PX / (CLOSE_UP * keypoints.figure_height[frame])
    shift = CLOSE_UP_PX / 2 - scale * centre
    size = CLOSE_UP_PX, CLOSE_UP_PX
    near = keypoints.moved(np.column_stack([scale * np.eye(2), shift]), size)
    return draw_stick_figure(near.person(frame), near.skeleton, size, STROKE)
