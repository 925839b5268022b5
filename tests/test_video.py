"""Video files in, video files out; the videos are made here, frame by frame.

Most frames are of one grey level, so that a frame says which one it is.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edn_core.video import Sound, decode, encode, probe

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (250, 250, 250)


def grey(level: int, size: tuple[int, int] = (64, 96)) -> np.ndarray:
    """(H, W, 3) of one grey level."""
    return np.full((*size, 3), level, np.uint8)


def levels(images) -> list[int]:
    """The grey levels of frames, to the nearest ten."""
    return [round(float(image.mean()), -1) for image in images]


def quarters() -> np.ndarray:
    """64 x 96: red top left, green top right, blue bottom left, white bottom right."""
    image = grey(0)
    image[:32, :48], image[:32, 48:], image[32:, :48], image[32:, 48:] = RED, GREEN, BLUE, WHITE
    return image


def tone(seconds: float, channels: int = 1, rate: int = 48_000, silence_s: float = 0.0) -> Sound:
    """A sine of 440 Hz, after so much silence."""
    time = np.arange(round(seconds * rate)) / rate
    wave = np.where(time >= silence_s, 12_000 * np.sin(2 * np.pi * 440 * time), 0)
    return Sound(np.repeat(wave.astype(np.int16)[:, None], channels, axis=1), rate)


def heard(path: Path) -> tuple[str, np.ndarray, int]:
    """Codec of a video's sound, and its (n,) samples on the picture's clock, and their rate."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        pieces, start = [], None
        for frame in container.decode(stream):
            start = frame.time if start is None else start
            pieces.append(frame.to_ndarray().astype(float).reshape(len(frame.layout.channels), -1))
        samples = np.concatenate(pieces, axis=1)[0]
        rate = stream.codec_context.sample_rate
        lead = round(start * rate)
        samples = np.concatenate([np.zeros(max(lead, 0)), samples[max(-lead, 0) :]])
        return stream.codec_context.name, samples / np.abs(samples).max(), rate


def first_heard_s(samples: np.ndarray, rate: int) -> float:
    """When the tone begins, s."""
    return float(np.argmax(np.abs(samples) > 0.3)) / rate


def kind_of(path: Path) -> tuple[str, str]:
    """Codec and pixel format; that the colours are marked as BT.709 of limited range."""
    with av.open(str(path)) as container:
        context, frame = container.streams.video[0].codec_context, next(container.decode(video=0))
        assert context.colorspace == context.color_primaries == context.color_trc == 1
        assert frame.color_primaries == frame.color_trc == frame.color_range == 1
        return context.name, context.pix_fmt


# There and back


NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("name", "fps", "kind"),
    [("a.mp4", Fraction(25), ("h264", "yuv420p")), ("a.mp4", NTSC, ("h264", "yuv420p")),
     ("a.webm", NTSC, ("vp9", "yuv420p")), ("a.mov", NTSC, ("prores", "yuv444p12le"))],
)  # fmt: skip
def test_frames_come_back_in_number_size_rate_and_colour(tmp_path, name, fps, kind):
    images = [quarters(), grey(30), grey(200), quarters()[::-1], grey(100)]
    encode(tmp_path / name, images, fps)
    info = probe(tmp_path / name)
    assert (info.width, info.height, info.fps, info.n_frames) == (96, 64, fps, 5)
    assert not info.has_sound
    assert kind_of(tmp_path / name) == kind
    found = list(decode(tmp_path / name, info.timeline()))
    assert len(found) == 5
    for image, expected in zip(found, images, strict=True):
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - expected).mean() < 3
    np.testing.assert_allclose(found[0][16, 16], RED, atol=6)
    np.testing.assert_allclose(found[0][48, 16], BLUE, atol=6)


def test_a_written_video_can_be_played_while_it_loads(tmp_path):
    encode(tmp_path / "a.mp4", [grey(9)] * 3, Fraction(25))
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


# Parts of a video


@pytest.fixture
def second_of_grey(tmp_path) -> Path:
    """Frame i of 25 has the level 10 i."""
    encode(tmp_path / "second.mp4", [grey(10 * i) for i in range(25)], Fraction(25))
    return tmp_path / "second.mp4"


def test_a_part_begins_and_ends_at_its_seconds(second_of_grey):
    timeline = probe(second_of_grey).timeline(start_s=0.2, stop_s=0.6)
    assert timeline.n_frames == 10
    assert levels(decode(second_of_grey, timeline)) == list(range(50, 150, 10))
    timeline = probe(second_of_grey).timeline(start_s=0.8, stop_s=100)
    assert levels(decode(second_of_grey, timeline)) == [200, 210, 220, 230, 240]


@pytest.mark.parametrize(("start_s", "first"), [(0.1, 2), (0.51, 13)])
def test_a_part_that_begins_between_two_frames_has_each_frame_once(second_of_grey, start_s, first):
    timeline = probe(second_of_grey).timeline(start_s)
    assert timeline.start_s == first / 25
    assert levels(decode(second_of_grey, timeline)) == list(range(10 * first, 250, 10))


def test_a_part_after_the_end_is_refused(second_of_grey):
    with pytest.raises(ValueError, match=r"nothing left between 2.0 s and 1.0 s.*start_s"):
        probe(second_of_grey).timeline(start_s=2.0)


# Sound


@pytest.mark.parametrize("channels", [1, 2])
def test_samples_are_written_as_aac_and_end_with_the_picture(tmp_path, channels):
    path = tmp_path / "a.mp4"
    encode(path, [grey(90)] * 25, Fraction(25), tone(3.0, channels, silence_s=0.5))
    codec, samples, rate = heard(path)
    assert codec == "aac"
    assert len(samples) / rate == pytest.approx(1.0, abs=0.05)
    assert first_heard_s(samples, rate) == pytest.approx(0.5, abs=0.01)
    assert probe(path).has_sound


# What is refused: one readable line each


def check_refused(path: Path, match: str) -> None:
    """Whatever looks at the file first, it is a ValueError of one line that names the file."""
    with pytest.raises(ValueError, match=match) as caught:
        info = probe(path)
        list(decode(path, info.timeline()))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"1\n00:00:00,000 --> 00:00:02,000\nhello\n\n", bytes(range(256)) * 20],
    ids=["empty", "subtitles", "bytes"],
)
def test_a_file_that_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    check_refused(tmp_path / "a.mp4", "the file is empty|not a readable|no picture in it|no frames")
    check_refused(tmp_path / "none.mp4", "no such video")


def test_an_odd_and_a_changing_size_and_no_frames_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"a.mp4: frames are 95x64, .*even"):
        encode(tmp_path / "a.mp4", [grey(0, (64, 95))], Fraction(25))
    with pytest.raises(ValueError, match="no frames to write"):
        encode(tmp_path / "a.mp4", [], Fraction(25))
    with pytest.raises(ValueError, match="frame 1 is 32x32, expected 96x64"):
        encode(tmp_path / "a.mp4", [grey(0), grey(0, (32, 32))], Fraction(25))
    assert list(tmp_path.iterdir()) == []
