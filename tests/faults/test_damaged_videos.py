"""Damaged videos: what the workflow made is made anew, what a user brought is copied again."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edn_core.video import encode, probe


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A video of eight frames as the workflow writes one."""
    path = tmp_path_factory.mktemp("made") / "made.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (8, 64, 64, 3), np.uint8)
    encode(path, noise, Fraction(25))
    return path


def placed(content: bytes, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("part", range(8))
def test_a_demo_video_with_a_flipped_bit_or_a_lost_end_is_made_anew(made, tmp_path, part):
    whole = made.read_bytes()
    place = len(whole) * part // 8 + 20
    flipped = whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :]
    for content in (flipped, whole[:place]):
        path = placed(content, tmp_path / "results/demo/demo_source.mp4")
        remedy = rf"demo_source.mp4: is damaged: .*; delete it and run `snakemake {path}` to"
        with pytest.raises(ValueError, match=remedy):
            probe(path)
    assert probe(placed(whole, path)).n_frames == 8


def test_a_video_of_ours_that_somebody_edited_is_read_as_any_other(made, tmp_path):
    # Programs that change a title in its place keep boxes that they do not know, our digest too.
    content = made.read_bytes().replace(b"isom", b"iso2", 1)
    assert content != made.read_bytes()
    assert probe(placed(content, tmp_path / "videos/dance.mp4")).n_frames == 8


def test_a_video_of_others_carries_no_digest_and_is_read_without(made, tmp_path):
    path = tmp_path / "videos" / "dance.mp4"
    path.parent.mkdir()
    with av.open(str(made)) as source, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    assert probe(path).n_frames == 8
