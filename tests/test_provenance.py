"""What a synthesized video says about itself, and the mark in its corner."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from tiny import SIZE, first_frames, tiny_info

from edn_core.comparison import write_comparison
from edn_core.config import AssemblyConfig
from edn_core.film import assemble_video
from edn_core.frames import FrameWriter
from edn_core.mark import MIN_SIZE, draw_mark
from edn_core.provenance import (
    COMPOSITE,
    SYNTHETIC,
    Provenance,
    describe_provenance,
    main,
    read_provenance,
    to_metadata,
)
from edn_core.video import decode, encode, probe, read_metadata

MODEL = "ab" * 32
OF_ALICE = Provenance("alice", "bob", MODEL)
ALICE = first_frames(5).replaced(video="alice")


def grey(level: int, size: tuple[int, int] = (SIZE, SIZE)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def write_store(path: Path, n_frames: int = 5, sha256: str = "", style: str = "") -> Path:
    info = tiny_info(n_frames, generator_sha256=sha256, video="alice", style=style)
    with FrameWriter(path, info) as writer:
        for frame in range(n_frames):
            writer.append(grey(20 * frame))
    return path


@pytest.fixture
def transfer(tmp_path) -> Path:
    """A folder with a silent video of alice, its frames, and frames synthesized from it."""
    encode(tmp_path / "alice.mp4", [grey(0)] * 5, Fraction(25))
    write_store(tmp_path / "labels.zip", style="edn")
    write_store(tmp_path / "made.zip", sha256=MODEL)
    return tmp_path


def assembled(folder: Path, name: str = "alice_to_bob.mp4", mark: str = "") -> Path:
    made, film = folder / "made.zip", folder / "alice.mp4"
    assemble_video(made, ALICE, film, folder / name, AssemblyConfig(mark=mark), target="bob")
    return folder / name


def compared(folder: Path, mark: str = "") -> Path:
    path, config = folder / f"comparison{mark}.mp4", AssemblyConfig(mark=mark)
    stores = folder / "labels.zip", folder / "made.zip"
    write_comparison(folder / "alice.mp4", ALICE, *stores, path, config, target="bob")
    return path


def marked_video(path: Path, provenance: Provenance = OF_ALICE) -> Path:
    encode(path, [grey(0)] * 3, Fraction(25), metadata=to_metadata(provenance))
    return path


def copy_streams(source: Path, copy: Path, **options: str) -> Path:
    """What `ffmpeg -i source -c copy copy` does: the same packets in a new file."""
    with av.open(str(source)) as old, av.open(str(copy), "w", options=options) as new:
        new.metadata.update(old.metadata)
        output = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = output
                new.mux(packet)
    return copy


# What is written


def test_a_finished_video_says_that_it_is_synthetic_and_by_which_model(transfer):
    path = assembled(transfer)
    with av.open(str(path)) as container:
        texts = dict(container.metadata)
    assert texts["edn_synthetic"] == "true"
    assert texts["edn_model_sha256"] == MODEL
    assert (texts["edn_source"], texts["edn_target"]) == ("alice", "bob")
    assert texts["comment"].startswith("Synthetic video ")
    assert texts["digital_source_type"].endswith("/trainedAlgorithmicMedia")
    # And neither when nor where it was made.
    assert "creation_time" not in texts and str(transfer).encode() not in path.read_bytes()
    assert assembled(transfer, "two.mp4").read_bytes() == path.read_bytes()


def test_a_comparison_is_a_composite_of_real_and_synthetic(transfer):
    path = compared(transfer)
    assert read_provenance(path) == Provenance("alice", "bob", MODEL, source_type=COMPOSITE)


def test_other_programs_find_iptcs_term_in_an_xmp_packet(tmp_path):
    # libav's own reader of XMP, which knows nothing of the keys.
    with av.open(str(marked_video(tmp_path / "a.mp4")), options={"export_xmp": "1"}) as container:
        packet = container.metadata["xmp"]
    assert f'Iptc4xmpExt:DigitalSourceType="{SYNTHETIC}"' in packet


# What survives


def test_a_copy_that_is_told_to_keeps_everything_and_a_plain_one_the_sentence(tmp_path):
    original = marked_video(tmp_path / "a.mp4")
    for name, options in (("a.mkv", {}), ("b.mp4", {"movflags": "use_metadata_tags"})):
        assert read_provenance(copy_streams(original, tmp_path / name, **options)) == OF_ALICE
    copy = copy_streams(original, tmp_path / "copy.mp4")
    assert "edn_synthetic" not in read_metadata(copy)
    assert read_provenance(copy) == Provenance("", "", MODEL)


def test_another_programs_mark_counts_by_iptcs_term(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        container.metadata["digital_source_type"] = SYNTHETIC
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(grey(9, (32, 32)), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    provenance = read_provenance(tmp_path / "a.mkv")
    assert provenance == Provenance(version="", source_type=SYNTHETIC)
    assert "another program" in describe_provenance(provenance)


# The command


def test_the_command_prints_the_model_and_its_status_says_what_was_found(tmp_path, capsys):
    assert main([str(marked_video(tmp_path / "a.mp4"))]) == 0
    printed = capsys.readouterr().out
    assert MODEL in printed and "alice" in printed and SYNTHETIC in printed
    encode(tmp_path / "a.mp4", [grey(0)] * 3, Fraction(25))
    assert main([str(tmp_path / "a.mp4")]) == 3
    assert "proves nothing" in capsys.readouterr().out


# The visible mark


@pytest.mark.parametrize(("size", "level"), [((96, 72), 0), ((270, 480), 128), ((96, 72), 255)])
def test_a_mark_has_light_letters_and_a_dark_edge_on_any_ground(size, level):
    marked = draw_mark(grey(level, size), "AI-generated")
    changed = (marked != level).any(axis=2)
    ys, xs = np.nonzero(changed)
    inside = marked[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    assert inside.min() < 40 and inside.max() > 215
    assert ys.min() > size[0] / 2  # at the bottom, at the right, inside
    assert xs.max() > 0.8 * size[1] and xs.min() > 0
    # Never less than can be read: capitals are about 0.7 of the letters' size.
    assert ys.max() - ys.min() >= 0.7 * max(MIN_SIZE, size[0] / 28)


def test_a_long_mark_is_broken_into_lines_and_a_word_too_wide_written_smaller():
    columns = np.flatnonzero(
        (draw_mark(grey(255, (96, 40)), "AI-generated") != 255).any(axis=(0, 2))
    )
    assert columns.min() > 0 and columns.max() < 39
    np.testing.assert_array_equal(draw_mark(grey(77), ""), grey(77))
    short, long = (draw_mark(grey(0, (96, 64)), text) for text in ("made", "made by machines"))
    rows = [(image != 0).any(axis=(1, 2)).sum() for image in (short, long)]
    assert rows[1] > 1.8 * rows[0]


def test_a_mark_on_a_transparent_picture_is_opaque_and_lies_over_what_is_there():
    picture = np.zeros((96, 72, 4), np.uint8)
    picture[:, 40:] = 128, 128, 128, 255
    marked = draw_mark(picture, "AI-generated")
    seen = draw_mark(picture[..., :3], "AI-generated")
    # On nothing the letters are their own colours; over the grey half it is as without opacity.
    letters = (marked != picture).any(axis=2)
    assert letters[:, :36].any() and (marked[letters][:, 3] > 0).all()
    share = marked[..., 3:] / 255
    assert np.abs(share * marked[..., :3] - seen).max() <= 1
    np.testing.assert_array_equal(marked[:, 40:, :3], seen[:, 40:])
    np.testing.assert_array_equal(marked[:, 40:, 3], 255)
    np.testing.assert_array_equal(marked[~letters], picture[~letters])


def test_a_letter_that_cannot_be_drawn_is_refused():
    with pytest.raises(
        ValueError, match="assembly.mark is '合成': the font has no letter for '合'"
    ):
        draw_mark(grey(0), "合成")


def test_the_mark_is_on_the_result_of_a_comparison_only(transfer):
    pictures = []
    for mark in ("", "AI"):
        path = compared(transfer, mark)
        pictures.append(next(iter(decode(path, probe(path).timeline()))).astype(int))
    difference = np.abs(pictures[0] - pictures[1]).max(axis=(0, 2))
    width = len(difference)
    assert difference[: width * 2 // 3].max() < 30
    assert difference[width * 2 // 3 :].max() > 100
