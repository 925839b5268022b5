"""Style ``facing``: a figure that tells front from back and near from far.

The release's figure looks nearly the same from the front and from behind, which confuses the
generator when the dancer turns round. Here the near side is drawn over the far side, opaque, and
the torso is filled with a colour that says where the dancer faces, all read from 2-D keypoints:

* Across: the direction at right angles to the torso (middle of the hips to neck), pointing to the
  right in the picture when the dancer stands upright. The yardstick is the torso's length; without
  hips, twice the distance of nose and neck.
* ``front``, about the cosine of yaw, 1 facing the camera, -1 facing away: the dancer's left
  shoulder minus the right one along ``across`` (and likewise the hips), as part of the width that
  shoulders (and hips) have from the front, 0.7 (and 0.35) of the torso. Near profile, where that
  says little, the head has a say of 0.25: nose or eyes found speak for the front, ears without
  them for the back.
* ``side``, about the sine of yaw, 1 facing right in the picture: the mean of the nose's distance
  from the neck along ``across``, as part of a fifth of the torso, and of the right ear's score
  minus the left one's; we see the right ear of a dancer who faces right.
* Depth: right limbs are near where ``side`` > 0. An arm lies over the torso where ``front`` plus
  ``side`` (right arm) or minus it (left arm) is > 0: both from the front, none from behind, the
  near one in profile. Around 0, where nobody can tell, both orders are mixed in proportion, so
  that a small change of the keypoints is a small change of the picture.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from edn_core.keypoints import Person
from edn_core.render.grid import (
    Grid,
    Shape,
    Spot,
    disc,
    limb,
    limb_outline,
    outer_box,
    paint,
    patch,
)
from edn_core.render.palettes import JOINT_RADIUS, LIMB_HALF_WIDTH, PALETTES, Color
from edn_core.render.stick_figure import face_shapes, hand_shapes
from edn_core.skeleton import Skeleton

SHOULDER_SPAN, HIP_SPAN = 0.7, 0.35  # seen from the front, as part of the torso
NOSE_REACH = 0.2  # of the nose from the neck in profile, as part of the torso
HEADS_PER_TORSO = 2.0
HEAD_WEIGHT = 0.25
UNDECIDED = 0.2  # both orders are mixed while the cue lies within this of 0
SPINE_HALF_WIDTH = 24  # of the torso's filling in profile, px at 1080 rows

_GROUPS = {
    "arm": ("elbow", "wrist"),
    "leg": ("knee", "ankle", "toe", "heel"),
    "head": ("nose", "eye", "ear"),
}


@dataclass(frozen=True)
class Heading:
    """Where the dancer faces, about the cosine and the sine of yaw."""

    front: float
    """-1 (away from the camera) to 1 (towards it)."""
    side: float
    """-1 (left in the picture) to 1 (right)."""

    @property
    def color(self) -> Color:
        """Of the torso: red from the front, blue from behind; more green facing right."""
        red, green, blue = 1 + self.front, 1 + self.side, 1 - self.front
        return round(255 * red / 2), round(255 * green / 2), round(255 * blue / 2)


def draw_facing_figure(
    person: Person, skeleton: Skeleton, size: tuple[int, int], thickness: float = 1.0
) -> np.ndarray:
    """Draw the figure with facing and depth order on white; the rule stands above.

    Widths, colours, face dots and hands are those of style ``edn``, opaque; arguments and result
    are those of draw_stick_figure.
    """
    grid = Grid.of(size, thickness)
    spots = dict(zip(skeleton.keypoints, grid.place(person["body"]), strict=True))
    heading = estimate_heading(spots.get)
    groups = _shapes_by_group(spots, skeleton, grid, heading)
    groups["head"] += face_shapes(person.get("face"), grid)
    for side in ("right", "left"):
        groups[f"{side}_arm"] += hand_shapes(person.get(f"hand_{side}"), grid, opacity=1.0)
    orders = _orders(heading, groups)
    return paint(
        [(weight, [shape for name in order for shape in groups[name]]) for weight, order in orders],
        grid,
    )


def estimate_heading(spot: Callable[[str], Spot | None]) -> Heading:
    """Where a dancer faces by the rule above; 0 for what nothing speaks of.

    ``spot``: name of a body keypoint -> x, y, score, or None where it was not found.
    """
    shoulders, hips = _pair(spot, "shoulder"), _pair(spot, "hip")
    neck, nose = _place(spot("neck")), _place(spot("nose"))
    neck = neck if neck is not None or shoulders is None else (shoulders[0] + shoulders[1]) / 2
    mid_hip = _place(spot("mid_hip"))
    mid_hip = mid_hip if mid_hip is not None or hips is None else (hips[0] + hips[1]) / 2
    across, torso = np.array([1.0, 0.0]), 0.0
    if neck is not None and mid_hip is not None:
        up = neck - mid_hip
        torso = float(np.hypot(*up))
        across = np.array([-up[1], up[0]]) / max(torso, 1.0)
    elif neck is not None and nose is not None:
        torso = HEADS_PER_TORSO * float(np.hypot(*(nose - neck)))
    torso = max(torso, 1.0)

    widths, spans = 0.0, 0.0
    for pair, span in ((shoulders, SHOULDER_SPAN), (hips, HIP_SPAN)):
        if pair is not None:
            widths += float((pair[1] - pair[0]) @ across)
            spans += span * torso
    front = float(np.clip(widths / spans, -1, 1)) if spans else 0.0
    scores = {name: _score(spot(name)) for name in ("nose", *_both("eye"), *_both("ear"))}
    seen = max(scores["nose"], *(scores[name] for name in _both("eye")))
    ears = max(scores[name] for name in _both("ear"))
    front += HEAD_WEIGHT * (seen - ears * (1 - seen)) * (1 - abs(front))

    cues = []
    if nose is not None and neck is not None:
        offset = float((nose - neck) @ across) / (NOSE_REACH * torso)
        cues.append(float(np.clip(offset, -1, 1)) * scores["nose"])
    if ears > 0:
        cues.append(scores["right_ear"] - scores["left_ear"])
    return Heading(front=front, side=sum(cues) / len(cues) if cues else 0.0)


def _both(name: str) -> tuple[str, str]:
    return f"right_{name}", f"left_{name}"


def _place(spot: Spot | None) -> np.ndarray | None:
    return None if spot is None else np.array(spot[:2])


def _pair(spot: Callable[[str], Spot | None], name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """The right and the left one; None if either is missing."""
    right, left = (_place(spot(one)) for one in _both(name))
    return None if right is None or left is None else (right, left)


def _score(spot: Spot | None) -> float:
    return 0.0 if spot is None else min(spot[2], 1.0)


def _group(name: str) -> str:
    """Which group a keypoint, and the limb that ends there, is drawn with."""
    for group, words in _GROUPS.items():
        if any(word in name for word in words):
            return group if group == "head" else f"{name.split('_')[0]}_{group}"
    return "torso"


def _shapes_by_group(
    spots: dict[str, Spot | None], skeleton: Skeleton, grid: Grid, heading: Heading
) -> dict[str, list[Shape]]:
    groups: dict[str, list[Shape]] = {
        name: [] for name in ("torso", "head", *_both("arm"), *_both("leg"))
    }
    groups["torso"] += _torso_shapes(spots, grid, heading.color)
    colors = dict(zip(skeleton.keypoints, PALETTES[skeleton.name], strict=True))
    for name, spot in spots.items():
        groups[_group(name)] += disc(spot, grid.width(JOINT_RADIUS), colors[name])
    for first, second in skeleton.limbs:
        groups[_group(second)] += limb(
            spots[first], spots[second], grid.width(LIMB_HALF_WIDTH), colors[first], opacity=1.0
        )
    return groups


def _torso_shapes(spots: dict[str, Spot | None], grid: Grid, color: Color) -> list[Shape]:
    """The quadrilateral of shoulders and hips, and a spine that is left of it in profile."""
    corners = [spots[name] for name in (*_both("shoulder"), *_both("hip"))]
    if any(corner is None for corner in corners):
        return []
    places = np.array([corner[:2] for corner in corners if corner is not None])
    (ax, ay), (bx, by) = places[:2].mean(axis=0).tolist(), places[2:].mean(axis=0).tolist()
    middle = int((ax + bx) / 2), int((ay + by) / 2)
    spine = limb_outline((ax, ay, 1.0), (bx, by, 1.0), middle, grid.width(SPINE_HALF_WIDTH))
    # The hull, since shoulders and hips that are turned against each other cross.
    hull = cv2.convexHull(places.astype(np.int32)).reshape(-1, 2)
    return [patch(hull, color), patch(spine, color)]


def _orders(heading: Heading, groups: dict[str, list[Shape]]) -> list[tuple[float, list[str]]]:
    """Orders to draw the groups in, and how much of the picture each of them makes."""
    orders = []
    # Where right and left do not meet, their order is one and the same picture.
    meet = any(_meet(*(groups[name] for name in _both(one))) for one in ("arm", "leg"))
    for right_is_near, right_is_over, left_is_over in itertools.product(
        _decide(heading.side) if meet else [(1.0, True)],
        _decide(heading.front + heading.side),
        _decide(heading.front - heading.side),
    ):
        weight = right_is_near[0] * right_is_over[0] * left_is_over[0]
        near, far = _both("") if right_is_near[1] else _both("")[::-1]
        over = {"right_": right_is_over[1], "left_": left_is_over[1]}
        arms = [f"{one}arm" for one in (far, near)]
        under = [name for name in arms if not over[name.removesuffix("arm")]]
        above = [name for name in arms if over[name.removesuffix("arm")]]
        orders.append((weight, [f"{far}leg", f"{near}leg", *under, "torso", "head", *above]))
    return orders


def _meet(some: list[Shape], others: list[Shape]) -> bool:
    """Whether the boxes around these shapes and around the others overlap."""
    if not some or not others:
        return False
    one, other = outer_box(some), outer_box(others)
    return all(one[i] < other[i + 2] and other[i] < one[i + 2] for i in (0, 1))


def _decide(cue: float) -> list[tuple[float, bool]]:
    """Yes or no by the sign of a cue, and how sure; both, each in part, near 0."""
    yes = min(max(0.5 + 0.5 * cue / UNDECIDED, 0.0), 1.0)
    return [(sure, answer) for sure, answer in ((yes, True), (1 - yes, False)) if sure > 0]
