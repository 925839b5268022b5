"""Video files in, video files out; the videos are made here, frame by frame.

Most frames are of one grey level, so that a frame says which one it is.
"""

import itertools
import struct
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


def corners(image: np.ndarray) -> list[tuple[int, int, int]]:
    """Which of the four colours is nearest top left, top right, bottom left, bottom right."""
    height, width = image.shape[:2]
    known = np.array([RED, GREEN, BLUE, WHITE])
    places = itertools.product((height // 8, -height // 8), (width // 8, -width // 8))
    found = (np.abs(known - image[y, x].astype(int)).sum(axis=1).argmin() for y, x in places)
    return [tuple(known[i].tolist()) for i in found]


def tone(seconds: float, channels: int = 1, rate: int = 48_000, silence_s: float = 0.0) -> Sound:
    """A sine of 440 Hz, after so much silence."""
    time = np.arange(round(seconds * rate)) / rate
    wave = np.where(time >= silence_s, 12_000 * np.sin(2 * np.pi * 440 * time), 0)
    return Sound(np.repeat(wave.astype(np.int16)[:, None], channels, axis=1), rate)


def write_foreign(
    path: Path,
    images: list[np.ndarray],
    pts: list[int] | None = None,
    *,
    time_base: Fraction = Fraction(1, 1000),
    codec: str = "libx264",
    aspect: Fraction | None = None,
    sound: Sound | None = None,
    sound_codec: str = "pcm_s16le",
) -> Path:
    """Write a video as other programs would: any container, any times, any sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "10"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = time_base
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        track = None
        if sound is not None:
            channels = sound.samples.shape[1]
            layout = "mono" if channels == 1 else "stereo"
            track = container.add_stream(sound_codec, rate=sound.rate, layout=layout)
        for image, time in zip(images, pts or range(0, 40 * len(images), 40), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            for start in range(0, len(sound.samples), 960):
                packed = np.ascontiguousarray(sound.samples[start : start + 960]).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
                frame.rate, frame.pts = sound.rate, start
                frame.time_base = Fraction(1, sound.rate)
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


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(60)], ids=str)
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


def test_an_ending_in_upper_case_changes_nothing(tmp_path):
    encode(tmp_path / "a.mp4", [grey(9), grey(200)], Fraction(25))
    (tmp_path / "a.mp4").rename(tmp_path / "A.MP4")
    assert probe(tmp_path / "A.MP4").n_frames == 2


@pytest.mark.parametrize("name", ["a.mkv", "a.mov", "a.avi", "a.webm"])
def test_other_containers_are_read(tmp_path, name):
    codec = {"a.webm": "libvpx", "a.avi": "mpeg4"}.get(name, "libx264")
    step = Fraction(1, 25)
    images = [grey(20 * i + 30) for i in range(8)]
    path = write_foreign(tmp_path / name, images, list(range(8)), time_base=step, codec=codec)
    info = probe(path)
    assert (info.width, info.height, info.n_frames) == (96, 64, 8)
    assert float(info.fps) == pytest.approx(25, rel=0.01)
    assert levels(decode(path, info.timeline())) == [30, 50, 70, 90, 110, 130, 150, 170]


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


def test_a_long_pause_between_frames_is_filled_with_the_frame_before(tmp_path):
    pts = [0, 40, 80, 120, 1120, 1160]
    path = write_foreign(tmp_path / "a.mkv", [grey(40 * i + 20) for i in range(6)], pts)
    info = probe(path)
    found = levels(decode(path, info.timeline()))
    assert len(found) == info.n_frames
    assert found[0] == 20
    assert found == sorted(found)


def rotated(path: Path, matrix: tuple[int, ...]) -> Path:
    """Write the display matrix of a file's only track (in its ``tkhd`` box)."""
    data = bytearray(path.read_bytes())
    # Type, version and flags, then 36 bytes to the matrix (ISO/IEC 14496-12, 8.3.2, version 0).
    start = data.index(b"tkhd") + 4 + 4 + 36
    one, wide = 1 << 16, 1 << 30
    scaled = [value * (wide if i == 8 else one) for i, value in enumerate(matrix)]
    data[start : start + 36] = struct.pack(">9i", *scaled)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "matrix, expected",
    [
        ((1, 0, 0, 0, 1, 0, 0, 0, 1), [RED, GREEN, BLUE, WHITE]),
        # A telephone held upright: the picture is to be turned clockwise to be shown.
        ((0, 1, 0, -1, 0, 0, 64, 0, 1), [BLUE, RED, WHITE, GREEN]),
        ((-1, 0, 0, 0, -1, 0, 96, 64, 1), [WHITE, BLUE, GREEN, RED]),
        ((0, -1, 0, 1, 0, 0, 0, 96, 1), [GREEN, WHITE, RED, BLUE]),
    ],
    ids=["upright", "clockwise", "upside down", "counter-clockwise"],
)
def test_the_picture_is_turned_as_its_metadata_says(tmp_path, matrix, expected):
    encode(tmp_path / "a.mp4", [quarters()] * 2, Fraction(25))
    path = rotated(tmp_path / "a.mp4", matrix)
    info = probe(path)
    image = next(decode(path, info.timeline()))
    assert corners(image) == expected
    assert image.shape == (info.height, info.width, 3)
    assert (info.width < info.height) == (matrix[0] == 0)


@pytest.mark.parametrize("aspect, width", [(Fraction(2), 192), (Fraction(1, 2), 48)])
def test_pixels_that_are_not_square_are_made_so(tmp_path, aspect, width):
    path = write_foreign(tmp_path / "a.mp4", [quarters()] * 3, aspect=aspect)
    info = probe(path)
    assert (info.width, info.height) == (width, 64)
    image = next(decode(path, info.timeline()))
    assert image.shape == (64, width, 3)
    assert corners(image) == [RED, GREEN, BLUE, WHITE]


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


@pytest.mark.parametrize(("start_s", "first"), [(0.1, 2), (0.3, 8), (0.5, 12), (0.51, 13)])
def test_a_part_that_begins_between_two_frames_has_each_frame_once(second_of_grey, start_s, first):
    timeline = probe(second_of_grey).timeline(start_s)
    assert timeline.start_s == first / 25
    assert levels(decode(second_of_grey, timeline)) == list(range(10 * first, 250, 10))


def test_a_part_that_would_end_after_the_video_ends_with_it(second_of_grey):
    timeline = probe(second_of_grey).timeline(start_s=0.8, stop_s=100)
    assert levels(decode(second_of_grey, timeline)) == [200, 210, 220, 230, 240]


def test_a_part_after_the_end_is_refused(second_of_grey):
    with pytest.raises(ValueError, match=r"nothing left between 2.0 s and 1.0 s.*start_s"):
        probe(second_of_grey).timeline(start_s=2.0)


def test_a_timeline_beyond_the_video_is_noticed(second_of_grey, tmp_path):
    encode(tmp_path / "longer.mp4", [grey(0)] * 40, Fraction(25))
    timeline = probe(tmp_path / "longer.mp4").timeline()
    with pytest.raises(ValueError, match=r"second.mp4: ends at 0.96 s, .*cut off"):
        list(decode(second_of_grey, timeline))


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


@pytest.mark.parametrize("sound_codec", ["pcm_s16le", "libopus", "flac"])
def test_sound_that_mp4_cannot_carry_is_encoded_as_aac(tmp_path, sound_codec):
    source = write_foreign(
        tmp_path / "source.mkv",
        [grey(90)] * 25,
        sound=tone(1.0, 2, silence_s=0.5),
        sound_codec=sound_codec,
    )
    codec, samples, rate = heard(with_sound(tmp_path / "a.mp4", SoundTrack(source)))
    assert codec == "aac"
    assert rate == 48_000
    assert len(samples) / rate == pytest.approx(1.0, abs=0.05)
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


def test_the_sound_follows_the_picture_where_the_picture_begins_late(tmp_path):
    # The picture begins at 0.4 s of the file's clock, the tone at 0.8 s.
    source = write_foreign(
        tmp_path / "source.mkv",
        [grey(90)] * 25,
        list(range(400, 1400, 40)),
        sound=tone(1.4, silence_s=0.8),
    )
    assert probe(source).first_s == pytest.approx(0.4)
    _, samples, rate = heard(with_sound(tmp_path / "a.mp4", SoundTrack(source)))
    assert first_heard_s(samples, rate) == pytest.approx(0.4, abs=0.04)


def test_a_silent_source_gives_a_silent_video(tmp_path):
    source = with_sound(tmp_path / "source.mp4", None)
    assert not probe(with_sound(tmp_path / "a.mp4", SoundTrack(source))).has_sound


# What is refused: one readable line each


def check_refused(path: Path, match: str) -> None:
    """Whatever looks at the file first, it is a ValueError of one line that names the file."""
    with pytest.raises(ValueError, match=match) as caught:
        info = probe(path)
        list(decode(path, info.timeline()))
    assert type(caught.value) is ValueError
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    check_refused(tmp_path / "none.mp4", "no such video")


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    check_refused(tmp_path / "folder.mp4", "no such video")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.mp4").touch()
    check_refused(tmp_path / "a.mp4", "empty")


@pytest.mark.parametrize(
    "content",
    [
        b"my holiday\n" * 100,
        b"\n",
        b"1\n00:00:00,000 --> 00:00:02,000\nhello\n\n",
        "Grüße, ein Text".encode("latin-1") * 40,
        bytes(range(256)) * 20,
    ],
    ids=["text", "one line", "subtitles", "latin-1", "bytes"],
)
def test_a_file_that_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    check_refused(tmp_path / "a.mp4", "not a readable video|no picture in it|no frames")


def test_sound_only_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        samples = tone(1.0).samples.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    check_refused(path, "no picture in it .*sound only")


@pytest.fixture(scope="module")
def noise_video(tmp_path_factory) -> Path:
    """Two seconds of noise, its index in front of the pictures."""
    folder = tmp_path_factory.mktemp("noise")
    random = np.random.default_rng(0)
    images = [random.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(50)]
    encode(folder / "noise.mp4", images, Fraction(25))
    return folder / "noise.mp4"


@pytest.mark.parametrize("kept", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95])
def test_a_video_cut_off_after_its_index_is_refused(tmp_path, noise_video, kept):
    data = noise_video.read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: int(len(data) * kept)])
    check_refused(tmp_path / "a.mp4", "cut off|not a readable video|damaged|cannot be decoded")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_video_cut_off_before_its_index_is_refused(tmp_path, kept):
    random = np.random.default_rng(0)
    images = [random.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(50)]
    data = write_foreign(tmp_path / "whole.mp4", images).read_bytes()
    assert data.index(b"moov") > data.index(b"mdat")
    (tmp_path / "a.mp4").write_bytes(data[: int(len(data) * kept)])
    check_refused(tmp_path / "a.mp4", "a.mp4: not a readable video")


def test_a_length_beyond_all_memory_is_damage_and_no_want_of_memory(tmp_path, second_of_grey):
    content = bytearray(second_of_grey.read_bytes())
    at = content.index(b"stts") + 8  # how many entries of times
    content[at : at + 4] = (2**30).to_bytes(4, "big")
    (tmp_path / "a.mp4").write_bytes(content)
    check_refused(tmp_path / "a.mp4", "a.mp4: not a readable video")


def test_a_video_with_a_hole_in_it_is_read_or_refused_readably(tmp_path, noise_video):
    data = bytearray(noise_video.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    try:
        info = probe(path)
        assert len(list(decode(path, info.timeline()))) == info.n_frames
    except ValueError as error:
        assert str(path) in str(error)


def test_damaged_sound_is_silent_where_it_is_damaged_and_told(tmp_path, caplog):
    source = write_foreign(
        tmp_path / "source.mkv", [grey(90)] * 25, sound=tone(1.0), sound_codec="flac"
    )
    data = bytearray(source.read_bytes())
    first = data.rindex(b"\xff\xf8", 0, len(data) // 2)
    data[first:-200] = bytes(len(data) - 200 - first)
    source.write_bytes(data)
    path = with_sound(tmp_path / "a.mp4", SoundTrack(source))
    assert "source.mkv: " in caplog.text
    assert "of its sound are damaged; they are silent" in caplog.text
    _, samples, rate = heard(path)
    assert first_heard_s(samples, rate) == pytest.approx(0, abs=0.04)
    assert np.abs(samples[round(0.7 * rate) :]).max(initial=0) < 0.01


@pytest.mark.parametrize("size", [(63, 96), (64, 95)])
def test_an_odd_size_is_refused(tmp_path, size):
    with pytest.raises(ValueError, match=rf"a.mp4: frames are {size[1]}x{size[0]}, .*even"):
        encode(tmp_path / "a.mp4", [grey(0, size)], Fraction(25))
    assert list(tmp_path.iterdir()) == []


def test_a_changing_size_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="frame 1 is 32x32, expected 96x64"):
        encode(tmp_path / "a.mp4", [grey(0), grey(0, (32, 32))], Fraction(25))
    assert list(tmp_path.iterdir()) == []


def test_no_frames_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no frames to write"):
        encode(tmp_path / "a.mp4", [], Fraction(25))
    assert list(tmp_path.iterdir()) == []


def test_decoding_takes_frames_as_they_are_asked_for(second_of_grey):
    frames = decode(second_of_grey, probe(second_of_grey).timeline())
    assert round(float(next(frames).mean())) < 3
    frames.close()


def test_the_same_frames_and_sound_give_the_same_bytes(tmp_path):
    images = [draw_frame(DANCERS["target"], i / 30)[0] for i in range(30)]
    sound = Sound(synthesize_beat(1.0)[:, None], 44_100)
    for name in ("one.mp4", "two.mp4"):
        encode(tmp_path / name, images, Fraction(30), sound)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
