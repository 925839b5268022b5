"""Two hours of video take no more memory than twelve minutes; what promises too much takes none.

The two hours are one film of 20 s, repeated without encoding it again.
"""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from zoo_animals import ANIMALS
from zoo_filming import Look, Noise, film, look_at
from zoo_surgery import remux

from edn_core.config import CanvasConfig, VideoConfig
from edn_core.film import assemble_video, extract_frames
from edn_core.frames import FrameReader
from edn_core.video import probe

pytestmark = pytest.mark.usefixtures("ordinary_priority")

LOOP_S, FPS = 20, 2
TWO_HOURS, TWELVE_MINUTES = 360, 36  # loops
EXTRACT = """
import sys
from edn_core.config import CanvasConfig, VideoConfig
from edn_core.film import extract_frames
try:
    extract_frames(sys.argv[1], sys.argv[2], "long", VideoConfig(), CanvasConfig())
except ValueError as error:
    print(error)
with open("/proc/self/status") as status:
    print([line.split()[1] for line in status if line.startswith("VmHWM")][0])
"""


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[int, Path]:
    """By number of loops."""
    folder = tmp_path_factory.mktemp("long")
    # Small pictures, and large packets of sound: what is long here is the time.
    look = Look(size=(16, 32), rate=Fraction(FPS))
    noise = Noise(6.0, LOOP_S, codec="libopus", options=(("frame_duration", "60"),))
    times = range(0, 1000 * LOOP_S, 1000 // FPS)
    loop = film(folder / "loop.mkv", times, 12, look=look, noises=[noise])
    return {
        n: remux(loop, folder / f"{n}.mkv", n_loops=n, loop_s=LOOP_S)
        for n in (TWO_HOURS, TWELVE_MINUTES)
    }


def peak_kib(path: Path, store: Path) -> tuple[int, str]:
    """The most memory that extracting the frames held, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", EXTRACT, str(path), str(store)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *said, peak = done.stdout.splitlines()
    return int(peak), "\n".join(said)


def test_two_hours_have_all_their_frames_and_take_no_more_memory_than_twelve_minutes(
    films, tmp_path
):
    info = probe(films[TWO_HOURS])
    assert (info.n_frames, info.fps) == (7200 * FPS, FPS)
    short, _ = peak_kib(films[TWELVE_MINUTES], tmp_path / "short.h5")
    long, _ = peak_kib(films[TWO_HOURS], tmp_path / "long.h5")
    assert len(FrameReader(tmp_path / "short.h5")) == 720 * FPS
    assert len(FrameReader(tmp_path / "long.h5")) == 7200 * FPS
    assert long <= 1.1 * short, f"short: {short} KiB, long: {long} KiB"


def test_the_end_of_two_hours_is_in_time(films, tmp_path):
    # The last loop begins at 7180 s, its frame 12 flashes at 7186 s.
    settings = VideoConfig(start_s=7184.0)
    store, finished = tmp_path / "frames.zip", tmp_path / "finished.mp4"
    extract_frames(films[TWO_HOURS], store, "end", settings, CanvasConfig())
    assemble_video(store, store, films[TWO_HOURS], finished)
    seen = look_at(finished)
    assert len(seen.times) == 16 * FPS
    assert seen.flash_s == pytest.approx(2.0)
    assert seen.beep_s == pytest.approx(2.0, abs=0.04)


@pytest.fixture(scope="module")
def control_kib(tmp_path_factory) -> int:
    """What an ordinary video takes."""
    folder = tmp_path_factory.mktemp("control")
    peak, said = peak_kib(ANIMALS["control"].make(folder), folder / "frames.zip")
    assert said == ""
    return peak


@pytest.mark.parametrize("name", ["huge", "huge_inside", "huge_pixels", "wide"])
def test_what_promises_too_much_is_refused_before_memory_is_taken(name, tmp_path, control_kib):
    peak, said = peak_kib(ANIMALS[name].make(tmp_path), tmp_path / "frames.zip")
    assert ANIMALS[name].outcome.match in said
    # A picture of 60000x60000 would be 10 GiB; one of 86400x64 16 MiB.
    assert peak < control_kib + 32 * 1024
