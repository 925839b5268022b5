"""Memory is flat: a video ten times as long takes hardly more, stage by stage.

Every stage runs in a process of its own, on a short and on a long video of the same content, and
says the most memory it ever held (Linux: VmHWM; getrusage's ru_maxrss would still hold that of the
process it was forked from).
"""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from edn_core.keypoints import Keypoints, write_keypoints
from edn_core.skeleton import BODY_25, PARTS, part_skeleton
from edn_core.video import encode

SHORT, LONG = 200, 2000  # frames; the short one is longer than what estimate_pose holds at once
HEIGHT, WIDTH = 320, 480
# The keypoints of 1,800 more frames, and what threads and the allocator hold at one time and not at
# another, 20 to 40 MB; one in ten of the images alone would be 81 MB.
ROOM_KIB = 60 * 1024
LOOP = 40  # frames until the content repeats
PEAK = """
with open("/proc/self/status") as status:
    print([line.split()[1] for line in status if line.startswith("VmHWM")][0])
"""
EXTRACT = """
import sys
from edn_core.config import CanvasConfig, VideoConfig
from edn_core.film import extract_frames
folder = sys.argv[1]
canvas = CanvasConfig(pixels=65536)
extract_frames(folder + "/video.mp4", folder + "/frames.zip", "video", VideoConfig(), canvas)
"""
POSE = """
import sys
from edn_core.config import CanvasConfig, PoseConfig, VideoConfig
from edn_core.film import plan_frames
from edn_core.pose import estimate_pose
folder = sys.argv[1]
info = plan_frames(folder + "/video.mp4", "video", VideoConfig(), CanvasConfig())
config = PoseConfig(backend="openpose_files", openpose_files=folder + "/openpose")
keypoints = estimate_pose(folder + "/video.mp4", info, config, threads=2)
assert (keypoints.score["body"] > 0).all()
"""
LABELS = """
import sys
from edn_core.config import LabelConfig
from edn_core.keypoints import read_keypoints
from edn_core.render import render_labels
folder = sys.argv[1]
render_labels(read_keypoints(folder + "/keypoints.h5"), LabelConfig(), folder + "/labels.zip")
"""
HOARD = """
import sys
from edn_core.video import decode, probe
path = sys.argv[1] + "/video.mp4"
images = decode(path, probe(path).timeline())
kept = [image for number, image in enumerate(images) if number % 4 == 0]
"""


def dancer_at(frame):
    """Every part a circle of keypoints that turns with the loop."""
    person = {}
    for part, x, radius in zip(PARTS, (240, 240, 60, 420), (60, 12, 12, 12), strict=True):
        angle = np.linspace(0, 2 * np.pi, len(part_skeleton(part))) + 2 * np.pi * frame / LOOP
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        person[part] = (x, HEIGHT / 2) + radius * circle
    return person


def draw(frame):
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for x, y in dancer_at(frame)["body"]:
        cv2.circle(image, (round(x), round(y)), 9, (200, 180, 60), -1)
    return image


def write_inputs(folder, n_frames):
    """A drawn video, OpenPose's files for it and keypoints of a quarter of its frames."""
    encode(folder / "video.mp4", (draw(frame % LOOP) for frame in range(n_frames)), Fraction(25))
    (folder / "openpose").mkdir()
    names = {"body": "pose", "face": "face", "hand_left": "hand_left", "hand_right": "hand_right"}
    texts = []
    for frame in range(LOOP):
        person = {
            f"{names[part]}_keypoints_2d": [
                round(float(value), 2) for x, y in points for value in (x, y, 0.9)
            ]
            for part, points in dancer_at(frame).items()
        }
        texts.append(json.dumps({"people": [person]}))
    for frame in range(n_frames):
        name = f"video_{frame:012d}_keypoints.json"
        (folder / "openpose" / name).write_text(texts[frame % LOOP])
    people = [dancer_at(frame % LOOP) for frame in range(n_frames // 4)]  # drawing takes long
    xy = {part: np.stack([person[part] for person in people]).astype(np.float32) for part in PARTS}
    score = {part: np.full(points.shape[:2], 0.9, np.float32) for part, points in xy.items()}
    about = {"width": WIDTH, "height": HEIGHT, "fps": Fraction(25), "video": "video"}
    write_keypoints(folder / "keypoints.h5", Keypoints(xy, score, skeleton=BODY_25, **about))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    both = [tmp_path_factory.mktemp("short"), tmp_path_factory.mktemp("long")]
    for folder, n_frames in zip(both, (SHORT, LONG), strict=True):
        write_inputs(folder, n_frames)
    return both


def peak_kib(program, folder):
    """The most memory the program held while it worked on a folder."""
    done = subprocess.run(
        [sys.executable, "-c", program + PEAK, str(folder)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize(
    "program", [EXTRACT, POSE, LABELS], ids=["extract_frames", "estimate_pose", "render_labels"]
)
def test_ten_times_the_frames_take_hardly_more_memory(program, folders):
    short, long = (peak_kib(program, folder) for folder in folders)
    assert long - short <= ROOM_KIB, f"short: {short} KiB, long: {long} KiB"


def test_a_stage_that_keeps_every_fourth_frame_would_be_seen(folders):
    short, long = (peak_kib(HOARD, folder) for folder in folders)
    assert long > 2 * short
