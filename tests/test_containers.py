"""The ending of a video's name decides what it is: mp4, or webm and mov, which can be transparent.

What holds for every mp4: test_video.py; a flipped bit in each of the three: test_verify.py.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from test_video import first_heard_s, grey, heard, kind_of, quarters, tone

from edn_core.demo import DANCERS, draw_frame
from edn_core.errors import Refused
from edn_core.provenance import Provenance, read_provenance, to_metadata
from edn_core.video import SoundTrack, encode, read_metadata

TRANSPARENT = (".webm", ".mov")
# From left to right 0, 2, 4 ... 190.
SLOPE = np.tile(np.arange(0, 192, 2, dtype=np.uint8), (64, 1))
ABOUT = to_metadata(Provenance("alice", "bob", "ab" * 32))


def transparent(n_frames: int) -> list[np.ndarray]:
    """Red, green, blue and white under an opacity that moves by 5 px a frame."""
    return [np.dstack([quarters(), np.roll(SLOPE, 5 * i, axis=1)]) for i in range(n_frames)]


def read_rgba(path: Path) -> np.ndarray:
    """(n, H, W, 4) as players that know transparency see it; libav's own VP9 leaves it out."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = stream.codec_context
        if path.suffix == ".webm":
            decoder = av.VideoCodecContext.create("libvpx-vp9", "r")
        packets = [*(packet for packet in container.demux(stream) if packet.size), None]
        frames = [frame for packet in packets for frame in decoder.decode(packet)]
        return np.stack([frame.to_ndarray(format="rgba") for frame in frames])


@pytest.mark.parametrize("ending", TRANSPARENT)
def test_opacity_and_colours_come_back_frame_by_frame(tmp_path, ending):
    # More than the 25 frames that VP9 looks ahead.
    path, frames = tmp_path / f"a{ending}", transparent(30)
    encode(path, frames, Fraction(25))
    found = read_rgba(path)
    assert found.shape == (30, 64, 96, 4)
    difference = np.abs(found.astype(int) - np.stack(frames))
    assert difference[..., 3].max() <= 5
    assert difference[..., :3].mean() < 3  # VP9 halves the resolution of colours
    kinds = {".webm": ("vp9", "yuv420p"), ".mov": ("prores", "yuva444p12le")}
    assert kind_of(path) == kinds[ending]


# Sound and what is said


@pytest.mark.parametrize(
    ("name", "codec", "kind"),
    [("a.webm", "opus", "samples"), ("a.webm", "opus", "aac"), ("a.mov", "aac", "opus")],
)
def test_sound_ends_with_the_picture(tmp_path, name, codec, kind):
    sound, path = tone(2.0, rate=44_100, silence_s=0.5), tmp_path / name
    if kind != "samples":
        source = tmp_path / {"aac": "b.mp4", "opus": "b.webm"}[kind]
        encode(source, [grey(90)] * 50, Fraction(25), sound)
        sound = SoundTrack(source)
    encode(path, [grey(90)] * 25, Fraction(25), sound)
    found, samples, rate = heard(path)
    assert found == codec
    assert len(samples) / rate == pytest.approx(1.0, abs=0.05)
    assert first_heard_s(samples, rate) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_the_sound_of_a_part_is_copied_packet_by_packet(tmp_path, ending):
    whole, part = (tmp_path / f"{name}{ending}" for name in ("whole", "part"))
    encode(whole, [grey(90)] * 50, Fraction(25), tone(2.0, silence_s=1.2))
    encode(part, [grey(90)] * 25, Fraction(25), SoundTrack(whole, 0.9))
    packets = []
    for path in (whole, part):
        with av.open(str(path)) as container:
            packets.append([bytes(packet) for packet in container.demux(audio=0) if packet.size])
    known, copied = packets
    assert any(copied == known[at : at + len(copied)] for at in range(1, len(known)))
    _, samples, rate = heard(part)
    assert first_heard_s(samples, rate) == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize("ending", [".mp4", *TRANSPARENT])
def test_each_says_what_it_is_and_gives_the_same_bytes_again(tmp_path, ending):
    dancing = [draw_frame(DANCERS["target"], i / 10)[0] for i in range(8)]
    frames = dancing if ending == ".mp4" else transparent(5)
    one, two = (tmp_path / f"{name}{ending}" for name in ("one", "two"))
    for path in (one, two):
        encode(path, frames, Fraction(25), tone(1.0), ABOUT)
    assert one.read_bytes() == two.read_bytes()
    found = read_metadata(one)
    assert {key: found.get(key) for key in ABOUT.texts} == ABOUT.texts
    assert found["xmp"] == ABOUT.xmp
    assert read_provenance(one) == Provenance("alice", "bob", "ab" * 32)


# What is refused


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "a.mp4",
            "a.mp4: a transparent background needs .webm or .mov; "
            "name the file so, or set assembly.background",
        ),
        ("a.mkv", "a.mkv: the ending is '.mkv', expected one of .mp4, .webm, .mov"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused) as caught:
        encode(Path(name), transparent(1), Fraction(25))
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_frames_of_two_kinds_are_refused(tmp_path):
    with pytest.raises(ValueError, match="frame 1 is 96x64, expected 96x64 of 4 channels"):
        encode(tmp_path / "a.webm", [*transparent(1), quarters()], Fraction(25))
    assert list(tmp_path.iterdir()) == []
