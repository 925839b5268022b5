"""Key poses on the beat, and the skeleton in space that takes them.

Space: x to the image's right, y up from the floor, z towards the camera, in metres.
"""

from collections import namedtuple
from functools import lru_cache

import numpy as np

from edn_core.demo.dancers import SIDES, Choreography, Dancer, Points
from edn_core.skeleton import FINGERS

BEATS_PER_MINUTE = 100
BEATS_PER_SPOT = 2


Pose = namedtuple(
    "Pose",
    "right_raise right_bend right_forward left_raise left_bend left_forward "
    "lean bow turn twist crouch head_turn head_tilt nod mouth fingers",
)
"""What the body does at one moment. Angles in radians, 0 when standing with arms hanging; crouch in
m that the hips sink; mouth 0 closed, 1 wide open; fingers 0 loosely bent, 1 spread."""

# Upper arm raised sideways, forearm turned on from there, upper arm brought forward.
ARM_MOVES = (
    *((0.25, 0.10, 0.00), (0.85, -1.55, 0.00), (0.60, 0.40, 0.10), (0.55, 1.75, 0.15)),
    *((1.35, 0.65, 0.00), (1.45, 1.35, 0.10), (1.90, 0.85, 0.00), (2.50, 0.25, 0.00)),
    (0.50, -1.25, 0.25),
)


@lru_cache(maxsize=1024)
def _key_pose(choreography: Choreography, beat: int) -> np.ndarray:
    """The pose on one beat; drawn by itself, so late poses follow the same law as early ones."""
    random = np.random.default_rng([choreography.seed, beat + 1000])
    first, second = random.integers(len(ARM_MOVES), size=2)
    right, left = ARM_MOVES[first], ARM_MOVES[first if random.random() < 0.3 else second]
    noise = random.uniform(-1, 1, (2, 3)) * (0.2, 0.25, 0.15)
    # lean to nod
    widest = np.array([0.14, 0.08, 0.40, 0.18, 0.05, 0.40, 0.16, 0.12])
    sway = random.uniform(-1, 1, len(widest)) * widest
    mouth, fingers = max(0.0, random.uniform(-1, 1)), random.uniform(0, 1)
    key = np.concatenate([right + noise[0], left + noise[1], sway, [mouth, fingers]])
    key[Pose._fields.index("crouch")] += 0.06
    return key


def _eased(part: float) -> float:
    """0..1 to 0..1, starting and ending at rest."""
    return part * part * (3 - 2 * part)


def pose_at(choreography: Choreography, beat: float) -> Pose:
    """The pose at a time in beats, eased from key pose to key pose."""
    number = int(np.floor(beat))
    here, there = _key_pose(choreography, number), _key_pose(choreography, number + 1)
    return Pose(*(here + (there - here) * _eased(beat - number)))


def _spot(choreography: Choreography, beat: float) -> np.ndarray:
    """Where on the floor the dancer is: (3,) m.

    Spots lie left and right in turn, so that the room behind is seen everywhere, and follow the
    additive recurrence of the plastic number, which fills the stage evenly and never repeats.
    """
    number = int(np.floor(beat / BEATS_PER_SPOT))
    steps = np.array([[0.7548776662466927, 0.5698402909980532]])
    parts = (np.array([[number], [number + 1]]) * steps + 0.17 * choreography.seed) % 1
    side = 1 if number % 2 == 0 else -1
    x = np.array([side, -side]) * (0.5 + 0.5 * parts[:, 0]) * choreography.half_width
    z = (2 * parts[:, 1] - 1) * choreography.half_depth
    ease = _eased(beat / BEATS_PER_SPOT - number)
    return np.array([x[0] + (x[1] - x[0]) * ease, 0.0, z[0] + (z[1] - z[0]) * ease])


def _foot(dancer: Dancer, beat: float, side: int) -> np.ndarray:
    """Where one foot is: (3,) m, y is its lift. The feet step in turn, one each beat."""
    apart = np.array([side * (0.5 * dancer.hip_width + 0.07), 0.0, 0.0])

    def planted(number: int) -> np.ndarray:
        return _spot(dancer.choreography, number + 0.35) + apart

    number = int(np.floor(beat))
    if (number % 2 == 0) == (side > 0):
        return planted(number)
    part = beat - number
    step = planted(number - 1) + (planted(number + 1) - planted(number - 1)) * _eased(part)
    return step + np.array([0.0, 0.09 * np.sin(np.pi * part) ** 2, 0.0])


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector at length 1."""
    return vector / max(float(np.sqrt(vector @ vector)), 1e-9)


def _knee(
    hip: np.ndarray, ankle: np.ndarray, thigh: float, shin: float, ahead: np.ndarray
) -> np.ndarray:
    """The knee of a leg of known lengths, bent towards ``ahead``."""
    reach = unit(ankle - hip)
    span = min(float(np.linalg.norm(ankle - hip)), thigh + shin - 1e-4)
    along = (thigh**2 - shin**2 + span**2) / (2 * span)
    out = unit(ahead - (ahead @ reach) * reach)
    return hip + along * reach + np.sqrt(max(thigh**2 - along**2, 0.0)) * out


def joints_in_space(dancer: Dancer, pose: Pose, beat: float) -> Points:
    """The skeleton in space: name -> (3,) m."""
    up, towards = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    hip_left = np.array([np.cos(pose.turn), 0.0, -np.sin(pose.turn)])
    forward = np.cross(hip_left, up)
    turn = pose.turn + pose.twist
    chest_left = np.array([np.cos(turn), 0.0, -np.sin(turn)])
    bounce = 0.025 * (1 - np.cos(2 * np.pi * beat)) / 2
    ankle_height = 0.10
    standing = dancer.thigh + dancer.shin + ankle_height
    spine = unit(up + pose.lean * hip_left + pose.bow * forward)

    feet = {side: _foot(dancer, beat, side) for _, side in SIDES}
    middle = _spot(dancer.choreography, beat)
    height = standing - 0.02 - pose.crouch - bounce
    # A wide step pulls the hips down: a leg bends, but it never grows.
    for side, foot in feet.items():
        apart = foot - middle - side * dancer.hip_width / 2 * hip_left
        reach = dancer.thigh + dancer.shin - 0.01
        highest = ankle_height + foot[1] + np.sqrt(reach**2 - apart[0] ** 2 - apart[2] ** 2)
        height = min(height, highest)
    points = {"mid_hip": middle + height * up}
    points["neck"] = points["mid_hip"] + dancer.torso * spine
    head_up = unit(spine + pose.head_tilt * chest_left + 0.5 * pose.nod * forward)
    points["head"] = points["neck"] + (0.045 + dancer.head / 2) * head_up
    for name, side in SIDES:
        hip = points["mid_hip"] + side * dancer.hip_width / 2 * hip_left
        foot = feet[side]
        toes = unit(forward + 0.45 * side * hip_left)
        across = np.cross(up, toes)
        ankle = foot + ankle_height * up
        points[f"{name}_hip"] = hip
        points[f"{name}_ankle"] = ankle
        outwards = forward + 0.35 * side * hip_left
        points[f"{name}_knee"] = _knee(hip, ankle, dancer.thigh, dancer.shin, outwards)
        points[f"{name}_heel"] = foot - 0.05 * toes + 0.035 * up
        points[f"{name}_big_toe"] = foot + 0.15 * toes - 0.02 * side * across + 0.025 * up
        points[f"{name}_small_toe"] = foot + 0.13 * toes + 0.035 * side * across + 0.025 * up

        raised, bend, ahead = (
            getattr(pose, f"{name}_{what}") for what in ("raise", "bend", "forward")
        )

        def limb(angle: float, ahead: float, side: int = side) -> np.ndarray:
            sideways = np.sin(angle) * side * chest_left - np.cos(angle) * spine
            return np.cos(ahead) * sideways + np.sin(ahead) * forward

        shrug = 0.10 * dancer.shoulder_width * max(0.0, raised - 1.2) * up
        shoulder = points["neck"] + side * dancer.shoulder_width / 2 * chest_left
        points[f"{name}_shoulder"] = shoulder
        points[f"{name}_elbow"] = shoulder + shrug + dancer.upper_arm * limb(raised, ahead)
        along = limb(raised + bend, ahead + 0.1)
        wrist = points[f"{name}_elbow"] + dancer.forearm * along
        # A raised hand shows its palm, a hanging one its back: it turns over about the forearm.
        palm = np.tanh(5 * (along[1] + 0.45))
        thumbwards = side * palm * np.cross(towards, unit(along * [1, 1, 0]))
        thumbwards = thumbwards + np.sqrt(1 - palm**2) * towards
        hand = _hand(dancer, wrist, along, thumbwards, pose.fingers)
        points |= {f"{name}_{joint}": place for joint, place in hand.items()}
    return points


def _hand(
    dancer: Dancer, wrist: np.ndarray, along: np.ndarray, thumbwards: np.ndarray, spread: float
) -> Points:
    """Wrist and 20 finger joints in space; keys like ``index_1``."""
    points = {"wrist": wrist}
    joints = np.array([[0.16, 0.12], [0.32, 0.24], [0.48, 0.33], [0.62, 0.40]])  # the thumb
    joints[:, 1] *= 0.85 + 0.25 * spread
    straight = 0.82 + 0.18 * spread
    for number, finger in enumerate(FINGERS):
        if finger != "thumb":
            fan = (2.5 - number) * (0.05 + 0.10 * spread)
            length = (0.0, 0.40, 0.45, 0.42, 0.33)[number] * straight
            parts = np.array([0.0, 0.48, 0.76, 1.0])[:, None] * length
            base = np.array([(0.0, 0.52, 0.53, 0.50, 0.46)[number], 0.115 * (2.5 - number)])
            joints = base + parts * np.array([np.cos(fan), np.sin(fan)])
        for joint, (forth, sideways) in enumerate(joints, start=1):
            place = wrist + dancer.hand * (forth * along) + dancer.hand * sideways * thumbwards
            points[f"{finger}_{joint}"] = place
    return points
