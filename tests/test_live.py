"""Live: never late, never short, and where the figure stands while only the past is known."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import STANDING
from hypothesis import given
from hypothesis import strategies as st

from edn_core.checkpoint import TrainedGenerator, save_generator
from edn_core.config import LabelConfig, NetworkConfig, NormalizationConfig, StatisticsConfig
from edn_core.demo import DANCERS, film_demo
from edn_core.keypoints import from_people, missing_person, read_keypoints
from edn_core.live import (
    LivePlacing,
    Moment,
    Shown,
    Window,
    by_the_clock,
    newest_of,
    open_camera,
    open_video,
    play,
)
from edn_core.live.__main__ import main
from edn_core.networks import generator, initialize
from edn_core.normalize import measure_video, place_figure, write_statistics
from edn_core.provenance import read_provenance
from edn_core.render import describe_drawing
from edn_core.skeleton import BODY_25
from edn_core.video import decode, probe

ROOT = Path(__file__).parent.parent
GREY = np.zeros((4, 4, 3), np.uint8)


def moment(number: int, fps: float = 25) -> Moment:
    return Moment(GREY + number % 200, number, number / fps, time.monotonic())


def never() -> bool:
    return False


# The newest frame


def test_what_nobody_took_in_time_is_replaced_by_what_is_newer():
    def moments():
        for number in range(10):
            yield moment(number)
            time.sleep(0.02)

    seen = []
    for one in newest_of(moments(), never):
        seen.append(one.number)
        time.sleep(0.07)
        # What is taken is never older than the time the work on one frame takes, and a bit.
    assert seen[0] == 0
    assert seen == sorted(set(seen))
    assert len(seen) < 8
    assert seen[-1] == 9  # the last frame is shown


def test_a_source_that_fails_says_so_where_it_is_looked_at():
    def moments():
        yield moment(0)
        raise ValueError("the video is damaged")

    with pytest.raises(ValueError, match="the video is damaged"):
        list(newest_of(moments(), never))


def test_a_source_that_gives_nothing_can_be_stopped():
    stopped = threading.Event()

    def moments():
        time.sleep(1.0)
        yield moment(0)

    threading.Timer(0.2, stopped.set).start()
    assert list(newest_of(moments(), stopped.is_set)) == []


# A constant rate


@given(
    times=st.lists(st.integers(0, 200), min_size=1, max_size=30, unique=True).map(sorted),
    fps=st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(10)]),
    rest=st.integers(1, 30),
)
def test_a_file_lasts_as_long_as_its_source_and_shows_each_picture_in_its_time(times, fps, rest):
    shown = [Shown(GREY + number, number / 25) for number in times]
    end = (times[-1] + rest) / 25
    made = [int(image[0, 0, 0]) for image in by_the_clock(iter(shown), fps, lambda: end)]
    assert abs(len(made) / fps - end) <= 1 / fps
    assert made == sorted(made)
    for frame, number in enumerate(made):
        # What stands there was the newest then, to half a frame.
        newest = [one for one in times if one / 25 <= frame / fps + 0.5 / float(fps) + 1e-9]
        assert number == (newest[-1] if newest else times[0])


def test_at_the_sources_own_rate_every_frame_is_itself():
    shown = (Shown(GREY + number, number / 25) for number in range(100))
    made = [image[0, 0, 0] for image in by_the_clock(shown, Fraction(25), lambda: 4.0)]
    assert made == list(range(100))


def test_frames_that_were_left_out_count_as_dropped():
    said = []
    moments = [moment(number) for number in (0, 3, 4)]
    list(play(moments, lambda image, number, at: image, said.append))
    assert re.search(r"in all: .* frames/s, latency \d+ ms .*, 2 of 5 frames dropped", said[-1])


# Where the dancer stands


def walker(n_frames: int, close: float = 340, far: float = 300):
    """A person of 270 px, smaller when far away, who walks there and back."""
    standing = np.array([(*STANDING[name], 0.9) for name in BODY_25.keypoints], np.float32)
    people = []
    for frame in range(n_frames):
        away = (1 - np.cos(2 * np.pi * frame / n_frames)) / 2
        body = standing.copy()
        body[:, :2] = (body[:, :2] - (100, 340)) * (1 - 0.2 * away)
        body[:, :2] += (100, close + (far - close) * away)
        people.append(missing_person() | {"body": body})
    return people


def keypoints_of(people, video="walker"):
    about = {"width": 200, "height": 400, "fps": Fraction(25), "video": video}
    return from_people(people, BODY_25, **about)


def test_once_calibrated_a_dancer_stands_where_the_whole_video_would_have_put_him():
    people = walker(100)
    # Without a median of the level, whose end differs where the future is known.
    statistics, normalization = StatisticsConfig(level_window_s=0), NormalizationConfig()
    target = measure_video(keypoints_of(walker(100, 380, 350), "target"), statistics)
    placing = LivePlacing(target, BODY_25, (400, 200), statistics, normalization, 4.0)
    for frame, person in enumerate([*people, people[0]]):
        placing.place(person, frame / 25)
    assert placing.is_calibrated
    source = measure_video(keypoints_of([*people, people[0]]), statistics)
    assert placing.source.ankle_close == source.ankle_close
    expected = place_figure(keypoints_of(people), source, target, normalization)
    for frame in (0, 30, 50):
        placed = placing.place(people[frame], 5 + frame / 25)["body"][:, :2]
        np.testing.assert_allclose(
            placed, expected.move(keypoints_of(people).xy["body"])[frame], atol=0.01
        )


def test_a_dancer_is_placed_from_his_first_frame_on_and_calibrated_after_the_time_given():
    people = walker(50)
    target = measure_video(keypoints_of(walker(100)), StatisticsConfig())
    placing = LivePlacing(
        target, BODY_25, (400, 200), StatisticsConfig(), NormalizationConfig(), 1.0
    )
    nobody = placing.place(missing_person(), 0.0)
    assert np.isnan(nobody["body"][:, :2]).all()
    for frame in range(26):
        assert not placing.is_calibrated
        placed = placing.place(people[frame], 2 + frame / 25)
        assert np.isfinite(placed["body"][:, :2]).all()
    assert placing.is_calibrated  # a second after he was first seen
    fixed = placing.source
    placing.place(people[40], 4.0)
    assert placing.source is fixed


def test_a_dancer_whose_feet_are_hidden_for_a_while_stays_where_he_was():
    people = walker(50)
    target = measure_video(keypoints_of(walker(100)), StatisticsConfig())
    placing = LivePlacing(
        target, BODY_25, (400, 200), StatisticsConfig(), NormalizationConfig(), 0.5
    )
    for frame in range(20):
        last = placing.place(people[frame], frame / 25)
    hidden = {part: points.copy() for part, points in people[19].items()}
    feet = [BODY_25.index(f"{side}_ankle") for side in ("left", "right")]
    hidden["body"][feet] = np.nan, np.nan, 0
    for frame in range(60):
        placed = placing.place(hidden, 1 + frame / 25)
    nose = BODY_25.index("nose")
    np.testing.assert_allclose(placed["body"][nose], last["body"][nose], atol=1.5)
    assert np.isnan(placed["body"][feet, :2]).all()


# From a video to a file


SLOW = NetworkConfig(generator_channels=48, downsamplings=2, residual_blocks=9)
SECONDS, FPS = 6, Fraction(25)
DRIVER = """
import sys
import numpy as np
import torch
from edn_core.keypoints import read_keypoints
from edn_core.live.__main__ import main
from edn_core.pose import BACKENDS
from edn_core.pose.backend import Backend
from edn_core.skeleton import BODY_25

torch.set_num_threads(1)
truth = read_keypoints(sys.argv[1])

def find(images, first):
    return [[truth.person(first + number)] for number in range(len(images))]

BACKENDS["truth"] = lambda config, video, threads, device: Backend(BODY_25, "", find)
main(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A filmed source, and a target whose generator takes longer than a frame lasts."""
    folder = tmp_path_factory.mktemp("live")
    film_demo(DANCERS["source"], SECONDS, FPS, folder / "dance.mp4", folder / "dance.keypoints.h5")
    size = (96, 64)
    drawing = describe_drawing(LabelConfig("edn", 3.0), BODY_25)
    network = generator(SLOW, 3, None)
    initialize(network, torch.Generator().manual_seed(0))
    trained = TrainedGenerator(
        "temporal", SLOW, network.state_dict(), None, None, "edn", drawing, 3, *size, 1
    )
    path = folder / "results/models/bob/temporal/generator.safetensors"
    path.parent.mkdir(parents=True)
    save_generator(path, trained)
    keypoints = read_keypoints(folder / "dance.keypoints.h5")
    scale = size[1] / keypoints.width
    keypoints = keypoints.replaced(
        xy={part: points * scale for part, points in keypoints.xy.items()},
        width=size[1],
        height=size[0],
        video="bob",
    )
    statistics = folder / "results/videos/bob/statistics.json"
    statistics.parent.mkdir(parents=True)
    write_statistics(statistics, measure_video(keypoints, StatisticsConfig()))
    return folder


def command(folder: Path, *more: str) -> list[str]:
    generator_path = folder / "results/models/bob/temporal/generator.safetensors"
    files = [str(folder / "dance.keypoints.h5"), str(generator_path)]
    source = ["--from", str(folder / "dance.mp4"), "--backend", "truth", "--device", "cpu"]
    return [sys.executable, "-c", DRIVER, *files, *source, *more]


def run(folder: Path, *more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(folder, *more), cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_slow_generator_drops_frames_and_the_file_lasts_as_long_as_the_dance(stage, tmp_path):
    done = run(stage, "--to", str(tmp_path / "out.mp4"))
    assert done.returncode == 0, done.stderr
    made = probe(tmp_path / "out.mp4")
    assert abs(made.n_frames / made.fps - SECONDS) <= 1 / FPS
    assert (made.width, made.height) == (64, 96)
    *seconds, total = [line for line in done.stdout.splitlines() if "frames/s" in line]
    dropped, of, longest, latency = (
        int(re.search(pattern, total).group(1))
        for pattern in (r"(\d+) of", r"of (\d+) frames", r"at most (\d+)\)", r"latency (\d+)")
    )
    assert of == SECONDS * FPS
    assert 10 <= dropped < of
    assert len(seconds) >= 3
    # Whoever makes n frames in 6 s and never lags is about 6 / n late at most; whoever queues
    # them is late by the time that the dropped frames would have taken, some seconds.
    each_ms = 1000 * SECONDS / (of - dropped)
    assert latency <= 2 * each_ms + 40
    assert longest < 1000 * SECONDS * dropped / of
    # It moves: pictures of different moments differ.
    pictures = list(decode(tmp_path / "out.mp4", made.timeline()))
    assert np.abs(pictures[0].astype(int) - pictures[-1]).mean() > 1
    said = read_provenance(tmp_path / "out.mp4")
    assert (said.source, said.target) == ("dance", "bob")
    assert len(said.model_sha256) == 64


def test_with_every_frame_none_is_dropped(stage, tmp_path):
    done = run(stage, "--to", str(tmp_path / "out.mp4"), "--every-frame", "--fps", "10")
    assert done.returncode == 0, done.stderr
    assert f" 0 of {SECONDS * FPS} frames dropped" in done.stdout
    made = probe(tmp_path / "out.mp4")
    assert (made.fps, made.n_frames) == (10, 10 * SECONDS)


def test_ctrl_c_ends_it_with_a_complete_file(stage, tmp_path):
    with subprocess.Popen(
        command(stage, "--to", str(tmp_path / "out.mp4")),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        first = process.stdout.readline()  # it dances
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert "frames/s" in first
    assert "in all:" in rest
    made = probe(tmp_path / "out.mp4")
    assert 0.5 < made.n_frames / made.fps < SECONDS
    assert sum(1 for _ in decode(tmp_path / "out.mp4", made.timeline())) == made.n_frames


def test_what_cannot_be_opened_is_said_in_one_line(stage, tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    generator_path = stage / "results/models/bob/temporal/generator.safetensors"
    film, out = str(stage / "dance.mp4"), str(tmp_path / "out.mp4")
    for source, to, more, match in (
        ("99", out, [], r"camera 99 cannot be opened; check that it is plugged in"),
        (film, "window", [], r"no window: .*write a file with --to FILE.mp4"),
        (str(tmp_path / "no.mp4"), out, [], r"no.mp4: no such video"),
        (film, film, [], r"--to is '.*dance.mp4', the video that it is made from"),
        (film, "out.avi", [], r"--to is 'out.avi'; expected window or a file .* .mp4"),
        (film, out, ["--statistics", "no.json"], r"no.json: no such file; name the target's"),
        (film, out, ["--backend", "eyes"], r"pose backend is 'eyes'; known backends: mediapipe"),
        (film, out, ["--calibrate", "-1"], r"--calibrate is -1"),
        (film, out, ["--config", "no.yaml"], r"no.yaml: no such file"),
    ):
        with pytest.raises(SystemExit, match=f"^edn: error: .*{match}") as ended:
            main([str(generator_path), "--from", source, "--to", to, "--device", "cpu", *more])
        assert "\n" not in str(ended.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="no display")
def test_a_window_shows_a_picture_and_closes_with_q():
    window = Window()
    window.show(np.zeros((64, 48, 3), np.uint8))
    assert not window.look()
    window._root.event_generate("<Key-q>")
    assert window.look() or window.is_closed


def test_a_video_is_played_at_its_own_pace_and_a_camera_that_is_not_there_is_refused(stage):
    source = open_video(stage / "dance.mp4")
    assert source.fps == FPS
    begin = time.monotonic()
    numbers = [next(source.moments).number for _ in range(11)]
    assert numbers == list(range(11))
    assert time.monotonic() - begin >= 0.4
    with pytest.raises(ValueError, match="camera 99 cannot be opened"):
        open_camera(99)
