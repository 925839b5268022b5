"""Live: never late, never short, and where the figure stands while only the past is known."""

import os
import re
import signal
import threading
import time
from dataclasses import asdict, replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from conftest import STANDING
from test_containers import read_rgba
from tiny import NETWORK

from edn_core import window
from edn_core.checkpoint import TrainedGenerator, core_network, save_generator
from edn_core.config import LabelConfig, NormalizationConfig, PoseConfig, StatisticsConfig
from edn_core.keypoints import from_people, missing_person
from edn_core.live.__main__ import main
from edn_core.live.capture import Moment, newest_of
from edn_core.live.dancer import LiveDancer, LiveSettings
from edn_core.live.placing import LivePlacing
from edn_core.live.run import Shown, by_the_clock
from edn_core.live.window import Window
from edn_core.networks import generator, initialize
from edn_core.normalize import (
    measure_video,
    normalize_keypoints,
    place_figure,
    read_statistics,
    write_statistics,
)
from edn_core.pose import BACKENDS
from edn_core.pose.backend import Backend
from edn_core.provenance import read_provenance
from edn_core.render import describe_drawing
from edn_core.skeleton import BODY_25
from edn_core.store import write_json
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


def test_one_that_waits_leaves_none_out_and_looks_one_ahead():
    looked_at = []

    def moments():
        for number in range(9):
            looked_at.append(number)
            yield number

    for given, number in enumerate(newest_of(moments(), never, waits=True)):
        time.sleep(0.01)
        assert number == given and len(looked_at) <= given + 2


# A constant rate


def test_a_file_lasts_as_long_as_its_source_and_shows_each_picture_in_its_time():
    every = [Shown(GREY + number, number / 25) for number in range(100)]
    made = [image[0, 0, 0] for image in by_the_clock(every, Fraction(25), lambda: 4.0)]
    assert made == list(range(100))
    few = [every[0], every[10], every[50]]
    made = [image[0, 0, 0] for image in by_the_clock(few, Fraction(5), lambda: 4.0)]
    assert made == [0] * 2 + [10] * 8 + [50] * 10  # from 0, 0.4 and 2 s on
    assert list(by_the_clock([], Fraction(25), lambda: 4.0)) == []


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
        placed = placing.place(people[frame], 5 + frame / 25)
        np.testing.assert_allclose(
            placed.xy["body"][-1], expected.move(keypoints_of(people).xy["body"])[frame], atol=0.01
        )


def test_a_dancer_is_placed_from_his_first_frame_on_and_calibrated_after_the_time_given():
    people = walker(50)
    target = measure_video(keypoints_of(walker(100)), StatisticsConfig())
    placing = LivePlacing(
        target, BODY_25, (400, 200), StatisticsConfig(), NormalizationConfig(), 1.0
    )
    nobody = placing.place(missing_person(), 0.0)
    assert np.isnan(nobody.xy["body"]).all()
    for frame in range(26):
        assert not placing.is_calibrated
        placed = placing.place(people[frame], 2 + frame / 25)
        assert np.isfinite(placed.xy["body"][-1]).all()
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
    np.testing.assert_allclose(placed.point("nose")[-1], last.point("nose")[-1], atol=1.5)
    assert np.isnan(placed.xy["body"][-1, feet]).all()


def test_a_window_that_knows_the_past_alone_lies_where_that_of_a_film_would():
    statistics, normalization = StatisticsConfig(), NormalizationConfig()
    target = measure_video(keypoints_of(walker(100, 380, 350), "target"), statistics)
    people = [*walker(100), *walker(100)]
    dance = keypoints_of(people)
    source = measure_video(dance, statistics)
    film = normalize_keypoints(dance, source, target, normalization, dance)
    of_film = window.place_window(WINDOW, film, target)
    placing = LivePlacing(target, BODY_25, (400, 200), statistics, normalization, 4.0)
    for frame, person in enumerate(people):
        placed = placing.place(person, frame / 25)
        if placing.is_calibrated:
            live = window.place_window(WINDOW, placed, target)[-1]
            hips, of_hips = (one @ (WINDOW.x, WINDOW.y, 1) for one in (live, of_film[frame]))
            # Half a per cent of the figure's 270 px, and 6 % of its size: it shrinks by 16 % a s.
            np.testing.assert_allclose(hips, of_hips, atol=1.5)
            np.testing.assert_allclose(live[0, 0], of_film[frame, 0, 0], rtol=0.06)


# From a video to a file

N_FRAMES, FPS = 40, Fraction(25)
# 70 of 270 px from ankle to head; the hips in the middle.
WINDOW = window.Window("bob", 64, 96, 200, 400, 70.0, 31.5, 47.5)
ROOM = np.kron(
    np.random.default_rng(0).integers(0, 256, (8, 4, 3), np.uint8), np.ones((50, 50, 1), np.uint8)
)


def write_generator(folder, has_matte=True):
    """An untrained one, in bob's window or, without a matte, of the whole picture."""
    network = generator(NETWORK, 3, has_matte)
    initialize(network, torch.Generator().manual_seed(0))
    whole = window.whole_picture("bob", 200, 400, 64 * 96)
    where = WINDOW if has_matte else whole
    trained = TrainedGenerator(
        stage="temporal",
        network=NETWORK,
        weights=core_network(network).state_dict(),
        face_weights=None,
        has_matte=has_matte,
        label_style="edn",
        label_config=describe_drawing(LabelConfig("edn", 3.0), BODY_25),
        label_channels=3,
        height=where.height,
        width=where.width,
        face_side=32,
        steps=1,
        window=asdict(where),
    )
    save_generator(folder / "results/models/bob/temporal/generator.safetensors", trained)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A video, a target, and a pose backend that knows the truth and takes two frames' time."""
    people = walker(N_FRAMES)

    def find(images, first):
        time.sleep(0.08)
        return [[people[first + number]] for number in range(len(images))]

    monkeypatch.setitem(BACKENDS, "truth", lambda *_: Backend(BODY_25, "", find))
    encode(tmp_path / "dance.mp4", [np.zeros((400, 200, 3), np.uint8)] * N_FRAMES, FPS)
    write_generator(tmp_path)
    bob = tmp_path / "results/videos/bob"
    statistics = measure_video(keypoints_of(people, "bob"), StatisticsConfig())
    write_statistics(bob / "statistics.json", statistics)
    cv2.imwrite(str(bob / "room.png"), ROOM[..., ::-1])
    handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield tmp_path
    for one, handler in handlers.items():
        signal.signal(one, handler)


def dancer_of(folder, **more) -> LiveDancer:
    return LiveDancer(
        folder / "results/models/bob/temporal/generator.safetensors",
        folder / "results/videos/bob/statistics.json",
        LiveSettings(PoseConfig(backend="truth", max_people=1), calibrate_s=0, **more),
        torch.device("cpu"),
        "dance",
        (400, 200),
    )


def test_where_nobody_is_seen_the_room_is_and_the_next_picture_begins_anew(stage, monkeypatch):
    people = walker(N_FRAMES)
    of_frame = {0: [people[0]], 1: [people[0]], 2: [], 3: [people[0]]}
    backend = Backend(BODY_25, "", lambda _, first: [of_frame[first]])
    monkeypatch.setitem(BACKENDS, "truth", lambda *_: backend)
    dancer = dancer_of(stage)
    pictures = [dancer.dance(GREY, number, number / 25) for number in range(4)]
    np.testing.assert_array_equal(pictures[2], ROOM)
    np.testing.assert_array_equal(pictures[3], pictures[0])
    assert (pictures[1] != pictures[0]).any()  # it was fed the one before
    # 96 px are 96 * 270 / 70 = 370 of the video's, about the hips at 200: rows 15 to 385.
    np.testing.assert_array_equal(pictures[0][390:], ROOM[390:])
    assert (pictures[0][20:380] != ROOM[20:380]).any(axis=2).mean() > 0.9


def test_a_backend_that_follows_is_given_each_picture_once_in_one_run(stage, monkeypatch):
    person, given = walker(1)[0], []

    def follow(images):
        for image in images:
            given.append(int(image[0, 0, 0]))
            yield [person]

    backend = Backend(BODY_25, "", lambda *_: [], follow)
    monkeypatch.setitem(BACKENDS, "truth", lambda *_: backend)
    dancer = dancer_of(stage)
    seen = [dancer.see(np.full_like(GREY, number), number, number / 25) for number in (5, 6, 8)]
    assert given == [0, 5, 6, 8]  # 0: run once beforehand, a run of its own
    assert all(one.is_there for one in seen)


def test_the_dancer_stands_on_a_colour_on_nothing_or_paints_his_room(stage):
    on_green = dancer_of(stage, background="#00ff00").dance(GREY, 0, 0.0)
    assert (on_green[390:] == (0, 255, 0)).all()
    alone = dancer_of(stage, background="transparent").dance(GREY, 0, 0.0)
    assert alone.shape == (400, 200, 4)
    assert (alone[390:, :, 3] == 0).all() and alone[20:380, :, 3].mean() > 64
    write_generator(stage, has_matte=False)
    whole = dancer_of(stage).dance(GREY, 0, 0.0)
    assert whole.shape == (400, 200, 3)
    (stage / "results/videos/bob/room.png").unlink()
    np.testing.assert_array_equal(dancer_of(stage).dance(GREY, 0, 0.0), whole)
    with pytest.raises(ValueError, match=r"paints the whole picture.*leave --background and"):
        dancer_of(stage, background="#00ff00")


def test_the_shadow_that_is_known_of_the_room_falls_at_the_live_feet(stage):
    without = dancer_of(stage, background="transparent").dance(GREY, 0, 0.0)[..., 3].astype(int)
    about = {"schema": "edn-room", "schema_version": 2, "never_bare": 0.0, "moving": 0.0}
    write_json(stage / "results/videos/bob/room.json", about | {"shadow": [[-0.2] * 30] * 22})
    shaded = dancer_of(stage, background="transparent").dance(GREY, 0, 0.0)[..., 3].astype(int)
    # Ankles at 340 and 270 px above them the head.
    assert (shaded - without)[340:360, 70:130].mean() > 20
    np.testing.assert_array_equal(shaded[:250], without[:250])


def test_pose_and_painting_side_by_side_give_what_they_give_one_after_the_other(stage):
    expected = [dancer.dance(GREY, i, i / 25) for dancer in [dancer_of(stage)] for i in range(9)]
    dancer = dancer_of(stage)
    seen = (dancer.see(GREY, i, i / 25) for i in range(9))
    made = [dancer.paint(one) for one in newest_of(seen, never, waits=True)]
    np.testing.assert_array_equal(made, expected)


def dance(folder, *more: str, source: str = "dance.mp4", out: str = "out.mp4") -> None:
    model = folder / "results/models/bob/temporal/generator.safetensors"
    ends = ["--from", source if source.isdigit() else str(folder / source)]
    ends += ["--to", out if out == "window" else str(folder / out)]
    main([str(model), *ends, "--backend", "truth", "--device", "cpu", *more])


def test_a_slow_backend_drops_frames_and_the_file_lasts_as_long_as_the_dance(stage, capsys):
    dance(stage)
    made = probe(stage / "out.mp4")
    assert abs(made.n_frames - N_FRAMES) <= 1
    assert (made.width, made.height) == (200, 400)
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


def test_with_every_frame_none_is_dropped_and_a_transparent_webm_stays_so(stage, capsys):
    dance(stage, "--every-frame", "--fps", "10", "--background", "transparent", out="out.webm")
    assert f" 0 of {N_FRAMES} frames dropped" in capsys.readouterr().out
    made = probe(stage / "out.webm")
    assert (made.fps, made.n_frames) == (10, 10 * N_FRAMES / FPS)
    alpha = read_rgba(stage / "out.webm")[0, ..., 3]
    assert alpha[392:].max() == 0 and alpha[20:380].mean() > 64


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
    monkeypatch.chdir(stage)
    ann = read_statistics("results/videos/bob/statistics.json")
    write_statistics("ann.json", replace(ann, video="ann"))
    for ends, more, match in (
        ({"source": "99"}, [], r"camera 99 cannot be opened; check that it is plugged in"),
        ({"out": "window"}, [], r"no window: .*write a file with --to FILE.mp4"),
        ({"out": "dance.mp4"}, [], r"--to is '.*dance.mp4', the video that it is made from"),
        ({}, ["--statistics", "ann.json"], r"ann.json: measured on ann of 200 .*expected bob of 2"),
        ({}, ["--room", "no.png"], r"no.png: no such file; run .*--room, or give a --background"),
        ({}, ["--background", "transparent"], r"no transparency, expected a .webm or"),
        ({}, ["--config", "no.yaml"], r"no.yaml: No such file"),
    ):
        with pytest.raises(SystemExit, match=f"^edn: error: .*{match}") as ended:
            dance(stage, *more, **ends)
        assert "\n" not in str(ended.value)
    assert sorted(one.name for one in stage.iterdir()) == ["ann.json", "dance.mp4", "results"]


@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="no display")
def test_a_window_shows_a_picture_and_closes_with_q():
    window = Window()
    window.show(np.zeros((64, 48, 3), np.uint8))
    assert not window.look()
    window._root.event_generate("<Key-q>")
    assert window.look() or window.is_closed
