"""Memory is flat: a video eight times as long takes hardly more, stage by stage.

Every stage runs in a process of its own and says the most memory it ever held (Linux: VmHWM;
getrusage's ru_maxrss would still hold that of the process it was forked from).
"""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import standing_body

from edn_core.keypoints import from_people, write_keypoints
from edn_core.skeleton import BODY_25
from edn_core.video import encode

SHORT, LONG = 120, 960  # frames
SIZE = (160, 240)  # 115 kB each: a stage that kept every frame would hold 97 MB more
ROOM_KIB = 50 * 1024
"""What threads and the allocator hold at one time and not at another is 20 to 40 MB."""
STAGES = {
    "cut_window": """
from edn_core.config import CanvasConfig, MatteConfig
from edn_core.film import cut_window
from edn_core.keypoints import read_keypoints
from edn_core.matte import find_matte
from edn_core.normalize import VideoStatistics
from edn_core.room import build_room
from edn_core.window import plan_window
dancer = read_keypoints("keypoints.h5")
levels = VideoStatistics(0, 0, 0, 0, height_median=60, fallback="single scale")
find_matte("video.mp4", dancer, MatteConfig(by="skeleton"), "", "masks.zip")
build_room("video.mp4", dancer, levels, "masks.zip", range(120), "room.png", "room.json")
window = plan_window(dancer, levels, range(120), 9216)
cut_window("video.mp4", "masks.zip", dancer, levels, window, "frames.zip", CanvasConfig())
""",
    "hoard": """
from edn_core.video import decode, probe
kept = list(decode("video.mp4", probe("video.mp4").timeline()))
""",
}
PEAK = """
with open("/proc/self/status") as status:
    print([line.split()[1] for line in status if line.startswith("VmHWM")][0])
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    """A short and a long video of the same content."""
    both = [tmp_path_factory.mktemp("short"), tmp_path_factory.mktemp("long")]
    for folder, n_frames in zip(both, (SHORT, LONG), strict=True):
        images = (np.full((*SIZE, 3), frame % 200, np.uint8) for frame in range(n_frames))
        encode(folder / "video.mp4", images, Fraction(25))
        person = {"body": standing_body() * (0.35, 0.35, 1)}
        about = {"width": SIZE[1], "height": SIZE[0], "fps": Fraction(25), "video": "video"}
        write_keypoints(folder / "keypoints.h5", from_people([person] * n_frames, BODY_25, **about))
    return both


def peak_kib(stage: str, folder: Path) -> int:
    """The most memory a stage held while it worked in a folder."""
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
    command = [sys.executable, "-c", program + STAGES[stage] + PEAK]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize("stage", STAGES)
def test_eight_times_the_frames_take_hardly_more_memory(stage, folders):
    short, long = (peak_kib(stage, folder) for folder in folders)
    is_flat = long - short <= ROOM_KIB
    assert is_flat == (stage != "hoard"), f"short: {short} KiB, long: {long} KiB"
