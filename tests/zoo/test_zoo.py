"""Bad videos, from frame store to finished video: the right result, or one clear line."""

from dataclasses import replace

import av
import numpy as np
import pytest
from zoo_animals import CLOCKS, MJPEG, SOUNDS, WOUNDS, Film, filmed
from zoo_filming import BEEP, Seen, look_at
from zoo_looks import LOOKS
from zoo_surgery import changed, spoil

from edn_core.config import AssemblyConfig, CanvasConfig, VideoConfig
from edn_core.film import assemble_video, cut_window, plan_clip
from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints, from_people, write_keypoints
from edn_core.normalize import VideoStatistics
from edn_core.preflight import preflight_video
from edn_core.skeleton import BODY_25
from edn_core.store import read_json
from edn_core.window import whole_picture

pytestmark = pytest.mark.usefixtures("ordinary_priority")

ANIMALS = CLOCKS | LOOKS | SOUNDS | WOUNDS
SETTINGS = {"part": VideoConfig(start_s=0.52), "late_begun": VideoConfig(start_s=11.97)}
FILMS = [name for name, (_, outcome) in ANIMALS.items() if isinstance(outcome, Film)]
REFUSED = [name for name in ANIMALS if name not in FILMS]


def extract(path, store, name: str, settings: VideoConfig) -> Keypoints:
    """All of every picture into a store; who was found in them: nobody."""
    clip = plan_clip(path, name, settings)
    about = {"width": clip.width, "height": clip.height, "fps": clip.fps, "start_s": clip.start_s}
    nobody = from_people([None] * clip.n_frames, BODY_25, video=name, **about)
    window = whole_picture(name, clip.width, clip.height, 131_072)
    levels = VideoStatistics(0, 0, 0, 0)
    cut_window(path, None, nobody, levels, window, store, CanvasConfig())
    return nobody


@pytest.mark.parametrize("name", FILMS)
def test_an_animal_becomes_what_the_table_says(name, tmp_path, caplog):
    make, expected = ANIMALS[name]
    path, settings = make(tmp_path), SETTINGS.get(name, VideoConfig())
    store, finished = tmp_path / "frames.zip", tmp_path / "finished.mp4"
    nobody = extract(path, store, name.replace("_", "-"), settings)
    info = FrameReader(store).info
    assert (info.n_frames, info.fps) == (expected.n_frames, expected.fps)
    assert (info.video_width, info.video_height) == expected.size
    assemble_video(store, nobody, path, finished, AssemblyConfig())
    check_finished(look_at(finished), expected)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == (1 if expected.says else 0), warnings
    assert expected.says in "".join(warnings)


def check_finished(seen: Seen, expected: Film) -> None:
    """Number, times, order, size, colours and sound of a finished video."""
    frame_s = float(1 / expected.fps)
    assert len(seen.times) == expected.n_frames
    assert seen.times == pytest.approx([i * frame_s for i in range(expected.n_frames)], abs=1e-4)
    if expected.numbers is not None:
        assert seen.numbers == list(expected.numbers or range(expected.n_frames))
    width, height = expected.size
    assert seen.size == (height - height % 2, width - width % 2)
    if expected.colours is not None:
        assert np.abs(seen.colours - expected.colours).max() <= expected.tolerance, seen.colours
    if expected.flash is not None:
        assert seen.flash_s == pytest.approx(expected.flash * frame_s, abs=1e-4)
    if expected.hertz is None:
        assert seen.sound_s == 0
    else:
        assert seen.beep_s is not None
        assert abs(seen.beep_s - seen.flash_s) <= min(frame_s, 0.03)
        assert seen.hertz == pytest.approx(expected.hertz, rel=0.05)
        assert seen.sound_s <= expected.n_frames * frame_s + 0.05


def test_what_is_left_out_stands_in_the_preflight(tmp_path, monkeypatch):
    monkeypatch.setattr("edn_core.preflight.footage.LOOKED_AT", 2)
    monkeypatch.setattr("edn_core.preflight.video.write_sheet", lambda *_: None)  # takes seconds
    make = changed(
        filmed(noises=[replace(BEEP, codec="flac")] * 2, look=MJPEG), picture=spoil(20, 21)
    )
    path, table = make(tmp_path), tmp_path / "a.h5"
    write_keypoints(table, extract(path, tmp_path / "frames.zip", "a", VideoConfig()))
    report, sheet = tmp_path / "preflight.json", tmp_path / "preflight.png"
    preflight_video(path, table, table, report, sheet)
    sound, damage = read_json(report)["left_out"]
    assert sound == "of its 2 sounds number 1 (flac) is taken"
    assert damage.endswith(
        "2 of 50 frames are damaged, after 0.76 s; the nearest good ones stand in for them"
    )


def combs(image: np.ndarray) -> float:
    """How far lines differ from both of their neighbours, in the part where the bar moves."""
    lines = image[4:20].astype(float)
    return float(np.abs(2 * lines[1:-1] - lines[:-2] - lines[2:]).mean())


@pytest.mark.parametrize("name", ["interlaced", "interlaced_mpeg2"])
def test_a_film_of_two_fields_a_frame_has_no_combs(name, tmp_path):
    path = ANIMALS[name][0](tmp_path)
    extract(path, tmp_path / "frames.zip", name, VideoConfig())
    frames = FrameReader(tmp_path / "frames.zip")
    with av.open(str(path)) as container:
        woven = [combs(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    shown = [combs(frames[i]) for i in range(len(frames))]
    moving = [i for i in range(50) if i not in (0, 30, 49)]
    assert min(woven[i] for i in moving) > 25
    assert max(shown[i] for i in moving) < 5


@pytest.mark.parametrize("name", REFUSED)
def test_an_animal_is_refused_in_one_line_and_leaves_nothing(name, tmp_path):
    make, expected = ANIMALS[name]
    path = make(tmp_path)
    with pytest.raises(ValueError) as caught:
        extract(path, tmp_path / "frames.zip", name, VideoConfig())
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert expected in line
    assert "\n" not in line
    assert not list(tmp_path.glob("*frames*"))
