"""Video files in, video files out; the videos are made here, frame by frame.

Most frames are of one grey level, so that a frame says which one it is.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edn_core.demo import DANCERS, draw_frame, synthesize_beat
from edn_core.video import Sound, SoundTrack, decode, encode, probe

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


def write_foreign(
    path: Path, images: list[np.ndarray], pts: list[int] | None = None, sound: Sound | None = None
) -> Path:
    """Write a video as other programs would: at any times, in ms, with sound in PCM."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 1000)
        track = container.add_stream("pcm_s16le", rate=sound.rate, layout="mono") if sound else None
        for image, time in zip(images, pts or range(0, 40 * len(images), 40), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if track is not None:
            packed = np.ascontiguousarray(sound.samples).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="s16", layout="mono")
            frame.rate, frame.pts = sound.rate, 0
            container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return path


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


# There and back


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)], ids=str)
def test_frames_come_back_in_number_size_rate_and_colour(tmp_path, fps):
    images = [quarters(), grey(30), grey(200), quarters()[::-1], grey(100)]
    encode(tmp_path / "a.mp4", images, fps)
    info = probe(tmp_path / "a.mp4")
    assert (info.width, info.height, info.fps, info.n_frames) == (96, 64, fps, 5)
    assert not info.has_sound
    found = list(decode(tmp_path / "a.mp4", info.timeline()))
    assert len(found) == 5
    for image, expected in zip(found, images, strict=True):
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - expected).mean() < 3
    np.testing.assert_allclose(found[0][16, 16], RED, atol=6)
    np.testing.assert_allclose(found[0][48, 16], BLUE, atol=6)


def test_a_written_video_can_be_played_while_it_loads_and_names_its_colours(tmp_path):
    encode(tmp_path / "a.mp4", [grey(9)] * 3, Fraction(25))
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.colorspace) == ("h264", "yuv420p", 1)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_variable_rate_becomes_constant_by_the_nearest_frame_in_time(tmp_path, name):
    pts = [0, 10, 190, 210, 430, 500]
    images = [grey(40 * i + 20) for i in range(6)]
    path = write_foreign(tmp_path / name, images, pts)
    info = probe(path)
    seconds = info.n_frames / float(info.fps)
    assert seconds == pytest.approx(0.5, abs=2 / float(info.fps))
    times = np.arange(info.n_frames) / float(info.fps)
    nearest = np.abs(times[:, None] - np.array(pts) / 1000).argmin(axis=1)
    assert levels(decode(path, info.timeline())) == (40 * nearest + 20).tolist()


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


def with_sound(path: Path, sound: Sound | SoundTrack | None, n_frames: int = 25) -> Path:
    encode(path, [grey(90)] * n_frames, Fraction(25), sound)
    return path


@pytest.mark.parametrize("channels", [1, 2])
def test_samples_are_written_as_aac_and_end_with_the_picture(tmp_path, channels):
    path = with_sound(tmp_path / "a.mp4", tone(3.0, channels, silence_s=0.5))
    codec, samples, rate = heard(path)
    assert codec == "aac"
    assert len(samples) / rate == pytest.approx(1.0, abs=0.05)
    assert first_heard_s(samples, rate) == pytest.approx(0.5, abs=0.01)
    assert probe(path).has_sound


def test_aac_is_copied_packet_by_packet(tmp_path):
    source = with_sound(tmp_path / "source.mp4", tone(1.0, silence_s=0.5))
    copy = with_sound(tmp_path / "copy.mp4", SoundTrack(source))
    packets = []
    for path in (source, copy):
        with av.open(str(path)) as container:
            packets.append([bytes(p) for p in container.demux(audio=0) if p.size])
    # The encoder's run-up before time 0 may stay behind.
    assert packets[1] in (packets[0], packets[0][1:])
    codec, samples, rate = heard(copy)
    assert codec == "aac"
    assert first_heard_s(samples, rate) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("kind", ["copied", "encoded"])
def test_the_sound_of_a_part_begins_with_that_part(tmp_path, kind):
    if kind == "copied":
        source = with_sound(tmp_path / "source.mp4", tone(2.0, silence_s=1.2), n_frames=50)
    else:
        source = write_foreign(
            tmp_path / "source.mkv", [grey(90)] * 50, sound=tone(2.0, silence_s=1.2)
        )
    path = with_sound(tmp_path / "a.mp4", SoundTrack(source, start_s=0.9))
    _, samples, rate = heard(path)
    assert first_heard_s(samples, rate) == pytest.approx(0.3, abs=0.04)
    assert len(samples) / rate == pytest.approx(1.0, abs=0.06)


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


@pytest.fixture(scope="module")
def noise_video(tmp_path_factory) -> Path:
    """Two seconds of noise, its index in front of the pictures."""
    folder = tmp_path_factory.mktemp("noise")
    random = np.random.default_rng(0)
    images = [random.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(50)]
    encode(folder / "noise.mp4", images, Fraction(25))
    return folder / "noise.mp4"


@pytest.mark.parametrize("kept", [0.02, 0.95])
def test_a_video_cut_off_after_its_index_is_refused(tmp_path, noise_video, kept):
    data = noise_video.read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: int(len(data) * kept)])
    check_refused(tmp_path / "a.mp4", "cut off|not a readable video|damaged|cannot be decoded")


def test_an_odd_and_a_changing_size_and_no_frames_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"a.mp4: frames are 95x64, .*even"):
        encode(tmp_path / "a.mp4", [grey(0, (64, 95))], Fraction(25))
    with pytest.raises(ValueError, match="no frames to write"):
        encode(tmp_path / "a.mp4", [], Fraction(25))
    with pytest.raises(ValueError, match="frame 1 is 32x32, expected 96x64"):
        encode(tmp_path / "a.mp4", [grey(0), grey(0, (32, 32))], Fraction(25))
    assert list(tmp_path.iterdir()) == []


def test_the_same_frames_and_sound_give_the_same_bytes(tmp_path):
    images = [draw_frame(DANCERS["target"], i / 10)[0] for i in range(8)]
    sound = Sound(synthesize_beat(1.0)[:, None], 44_100)
    for name in ("one.mp4", "two.mp4"):
        encode(tmp_path / name, images, Fraction(10), sound)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
