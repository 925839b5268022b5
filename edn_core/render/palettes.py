"""What the figure of the method's release is made of: colours, widths, thresholds, face dots.

Colours stand in the order of each skeleton's keypoints. A generator trained on one skeleton's
colours does not understand another's.
"""

from edn_core.skeleton import BODY_25, COCO_18, EDN_23, HAND_21

Color = tuple[int, int, int]

REFERENCE_HEIGHT = 1080
"""Rows of the canvas that the release draws on and its widths are meant for."""
JOINT_RADIUS, LIMB_HALF_WIDTH = 8, 4
HAND_RADIUS, HAND_HALF_WIDTH = 3, 2
FACE_RADIUS = 4
LIMB_OPACITY = 0.6
MIN_FACE_SCORE = 0.2  # mean over the 70 points
MIN_HAND_SCORE = 0.05
FULL_HAND_SCORE = 0.2  # mean over the points found; a hand less sure is drawn in proportion fainter
FACE_DOTS = (
    "nose_bridge_0",
    "nose_bridge_3",
    "jaw_8",
    "jaw_0",
    "jaw_16",
    "nostril_2",
    "right_pupil",
    "left_pupil",
)
BLACK: Color = (0, 0, 0)


def _colors(listed: str) -> tuple[Color, ...]:
    """Colours as the release writes them into its BGR canvas, turned into RGB."""
    numbers = [int(number) for number in listed.replace(",", " ").split()]
    rows = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    return tuple((red, green, blue) for blue, green, red in rows)


PALETTES: dict[str, tuple[Color, ...]] = {
    EDN_23.name: _colors(
        "255,0,0 255,55,0 255,110,0 255,165,0 255,215,0 255,235,0 255,255,0 255,0,0 175,255,0 "
        "85,255,0 0,255,0 0,255,85 0,255,170 25,25,128 0,85,255 0,170,255 0,212,255 0,255,255 "
        "255,0,0 255,0,255 238,130,238 138,43,226 75,0,130"
    ),
    COCO_18.name: _colors(
        "255,0,0 255,85,0 255,170,0 255,255,0 170,255,0 85,255,0 0,255,0 0,255,85 0,255,170 "
        "0,255,255 0,170,255 0,85,255 0,0,255 85,0,255 170,0,255 255,0,255 255,0,170 255,0,85"
    ),
    BODY_25.name: _colors(
        "255,0,85 255,0,0 255,85,0 255,170,0 255,255,0 170,255,0 85,255,0 0,255,0 255,0,0 "
        "0,255,85 0,255,170 0,255,255 0,170,255 0,85,255 0,0,255 255,0,170 170,0,255 255,0,255 "
        "85,0,255 0,0,255 0,0,255 0,0,255 0,255,255 0,255,255 0,255,255"
    ),
    HAND_21.name: _colors(
        "230,53,40 231,115,64 233,136,31 213,160,13 217,200,19 170,210,35 139,228,48 83,214,45 "
        "77,192,46 83,213,133 82,223,190 80,184,197 78,140,189 86,112,208 83,73,217 123,46,183 "
        "189,102,255 218,83,232 229,65,189 236,61,141 255,102,145"
    ),
}
