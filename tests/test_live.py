"""Live: never late, never short, and where the figure stands while only the past is known."""

import os
import re
import signal
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import STANDING
from tiny import NETWORK

from edn_core.checkpoint import TrainedGenerator, save_generator
from edn_core.config import LabelConfig, NormalizationConfig, StatisticsConfig
from edn_core.keypoints import from_people, missing_person
from edn_core.live.__main__ import main
from edn_core.live.capture import Moment, newest_of
from edn_core.live.placing import LivePlacing
from edn_core.live.run import Shown, by_the_clock, play
from edn_core.live.window import Window
from edn_core.networks import generator, initialize
from edn_core.normalize import measure_video, place_figure, write_statistics
from edn_core.pose import BACKENDS
from edn_core.pose.backend import Backend
from edn_core.provenance import read_provenance
from edn_core.render import describe_drawing
from edn_core.skeleton import BODY_25
from edn_core.video import decode, encode, probe

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
    assert seen == sorted(set(seen))
    assert len(seen) < 8
    assert seen[-1] == 9  # the last frame is shown


def test_a_source_that_fails_says_so_and_one_that_gives_nothing_can_be_stopped():
    def failing():
        yield moment(0)
        raise ValueError("the video is damaged")

    with pytest.raises(ValueError, match="the video is damaged"):
        list(newest_of(failing(), never))

    given, stopped = threading.Event(), threading.Event()

    def moments():
        given.wait(60)
        yield moment(0)

    threading.Timer(0.1, stopped.set).start()
    threading.Timer(0.3, given.set).start()
    assert list(newest_of(moments(), stopped.is_set)) == []


# A constant rate


def test_a_file_lasts_as_long_as_its_source_and_shows_each_picture_in_its_time():
    every = [Shown(GREY + number, number / 25) for number in range(100)]
    made = [image[0, 0, 0] for image in by_the_clock(every, Fraction(25), lambda: 4.0)]
    assert made == list(range(100))
    few = [every[0], every[10], every[50]]
    made = [image[0, 0, 0] for image in by_the_clock(few, Fraction(5), lambda: 4.0)]
    assert made == [0] * 2 + [10] * 8 + [50] * 10  # from 0, 0.4 and 2 s on
    assert list(by_the_clock([], Fraction(25), lambda: 4.0)) == []


def test_frames_that_were_left_out_count_as_dropped(capsys):
    list(play([moment(number) for number in (0, 3, 4)], lambda image, number, at: image))
    said = capsys.readouterr().out
    assert re.search(r"in all: .* frames/s, latency \d+ ms .*, 2 of 5 frames dropped", said)


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

N_FRAMES, FPS = 40, Fraction(25)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A video, a target, and a pose backend that knows the truth and takes two frames' time."""
    people = walker(N_FRAMES)

    def find(images, first):
        time.sleep(0.08)
        return [[people[first + number]] for number in range(len(images))]

    monkeypatch.setitem(BACKENDS, "truth", lambda *_: Backend(BODY_25, "", find))
    encode(tmp_path / "dance.mp4", [np.zeros((400, 200, 3), np.uint8)] * N_FRAMES, FPS)
    network = generator(NETWORK, 3, None)
    initialize(network, torch.Generator().manual_seed(0))
    drawing = describe_drawing(LabelConfig("edn", 3.0), BODY_25)
    labels = "edn", drawing, 3
    trained = TrainedGenerator(
        "temporal", NETWORK, network.state_dict(), None, None, *labels, 96, 64, 1
    )
    save_generator(tmp_path / "results/models/bob/temporal/generator.safetensors", trained)
    dancer = keypoints_of(people, "bob")
    dancer = dancer.replaced(
        xy={part: points * 0.24 for part, points in dancer.xy.items()}, width=64, height=96
    )
    statistics = measure_video(dancer, StatisticsConfig())
    write_statistics(tmp_path / "results/videos/bob/statistics.json", statistics)
    handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield tmp_path
    for one, handler in handlers.items():
        signal.signal(one, handler)


def dance(folder, *more: str, source: str = "dance.mp4", out: str = "out.mp4") -> None:
    model = folder / "results/models/bob/temporal/generator.safetensors"
    ends = ["--from", source if source.isdigit() else str(folder / source)]
    ends += ["--to", out if out == "window" else str(folder / out)]
    main([str(model), *ends, "--backend", "truth", "--device", "cpu", *more])


def test_a_slow_backend_drops_frames_and_the_file_lasts_as_long_as_the_dance(stage, capsys):
    dance(stage)
    made = probe(stage / "out.mp4")
    assert abs(made.n_frames - N_FRAMES) <= 1
    assert (made.width, made.height) == (64, 96)
    dropped, of = map(
        int, re.search(r"in all: .* (\d+) of (\d+)", capsys.readouterr().out).groups()
    )
    assert of == N_FRAMES
    assert 5 <= dropped < of
    pictures = list(decode(stage / "out.mp4", made.timeline()))
    assert np.abs(pictures[0].astype(int) - pictures[N_FRAMES // 2]).max() > 20  # it moves
    said = read_provenance(stage / "out.mp4")
    assert (said.source, said.target) == ("dance", "bob")
    assert len(said.model_sha256) == 64


def test_with_every_frame_none_is_dropped(stage, capsys):
    dance(stage, "--every-frame", "--fps", "10")
    assert f" 0 of {N_FRAMES} frames dropped" in capsys.readouterr().out
    made = probe(stage / "out.mp4")
    assert (made.fps, made.n_frames) == (10, 10 * N_FRAMES / FPS)


def test_ctrl_c_ends_it_with_a_complete_file(stage, monkeypatch):
    paint = BACKENDS["truth"]().find

    def find(images, first):
        if first == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return paint(images, first)

    monkeypatch.setitem(BACKENDS, "truth", lambda *_: Backend(BODY_25, "", find))
    dance(stage, "--every-frame")
    made = probe(stage / "out.mp4")
    assert 10 <= made.n_frames < N_FRAMES
    assert sum(1 for _ in decode(stage / "out.mp4", made.timeline())) == made.n_frames


def test_what_cannot_be_opened_is_said_in_one_line(stage, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for ends, more, match in (
        ({"source": "99"}, [], r"camera 99 cannot be opened; check that it is plugged in"),
        ({"out": "window"}, [], r"no window: .*write a file with --to FILE.mp4"),
        ({"source": "no.mp4"}, [], r"no.mp4: no such video"),
        ({"out": "dance.mp4"}, [], r"--to is '.*dance.mp4', the video that it is made from"),
        ({"out": "out.avi"}, [], r"--to is '.*out.avi'; expected window or a file .* .mp4"),
        ({}, ["--statistics", "no.json"], r"no.json: no such file; name the target's"),
        ({}, ["--backend", "eyes"], r"pose backend is 'eyes'; known backends: mediapipe"),
        ({}, ["--calibrate", "-1"], r"--calibrate is -1"),
        ({}, ["--config", "no.yaml"], r"no.yaml: No such file"),
    ):
        with pytest.raises(SystemExit, match=f"^edn: error: .*{match}") as ended:
            dance(stage, *more, **ends)
        assert "\n" not in str(ended.value)
    assert sorted(one.name for one in stage.iterdir()) == ["dance.mp4", "results"]


@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="no display")
def test_a_window_shows_a_picture_and_closes_with_q():
    window = Window()
    window.show(np.zeros((64, 48, 3), np.uint8))
    assert not window.look()
    window._root.event_generate("<Key-q>")
    assert window.look() or window.is_closed
