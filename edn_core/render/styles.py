"""The styles of labels: the registry."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edn_core.keypoints import Person
from edn_core.render.limb_index import LIMB_CLASSES, draw_limb_index, limb_colors
from edn_core.render.stick_figure import draw_stick_figure
from edn_core.skeleton import Skeleton


@dataclass(frozen=True)
class LabelStyle:
    """One way to draw labels."""

    channels: int  # planes of the label as the networks read it
    # (person, body skeleton, (H, W), thickness) -> (H, W, 3) uint8, as it is stored
    draw: Callable[[Person, Skeleton, tuple[int, int], float], np.ndarray]
    is_index: bool = False  # three times the number of a class, read one-hot; else RGB, as 0..1
    # the stored label -> (H, W, 3) uint8 RGB for people to look at
    to_picture: Callable[[np.ndarray], np.ndarray] = lambda label: label


LABEL_STYLES = {
    "edn": LabelStyle(channels=3, draw=draw_stick_figure),
    "limb_index": LabelStyle(
        channels=LIMB_CLASSES, draw=draw_limb_index, is_index=True, to_picture=limb_colors
    ),
}


def find_style(name: str, where: str = "labels.style") -> LabelStyle:
    """A style by its name; ``where`` is the setting or file that names it.

    ValueError for an unknown one; lists the known ones.
    """
    if name not in LABEL_STYLES:
        raise ValueError(f"{where} is {name!r}; known styles: {', '.join(LABEL_STYLES)}")
    return LABEL_STYLES[name]
