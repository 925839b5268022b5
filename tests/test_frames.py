"""The store of pictures: masks, cut-out dancers, labels, painted windows."""

from fractions import Fraction

import numpy as np
import pytest

from edn_core.errors import Refused
from edn_core.frames import FrameReader, FramesInfo, FrameWriter
from edn_core.timeline import Clip

# Three pictures of 64 x 32 at half the size of a video of 200 x 100, each 10 px farther right.
TO_VIDEO = np.array([[[2.0, 0, 20 + 10 * i], [0, 2, 5]] for i in range(3)])
SMALL = FramesInfo("walk", 3, Fraction(25), 64, 32, 200, 100, TO_VIDEO, codec="png")


def pictures(n: int = 3) -> list[np.ndarray]:
    """Smooth pictures of 32 x 64, each another."""
    ramp = np.linspace(0, 200, 64, dtype=np.uint8)[None, :, None]
    return [np.broadcast_to(ramp + np.uint8(10 * i), (32, 64, 3)).copy() for i in range(n)]


def write_store(path, info=SMALL, images=None):
    with FrameWriter(path, info) as writer:
        for image in pictures(info.n_frames) if images is None else images:
            writer.append(image)


def test_images_come_back_exactly_from_png_and_nearly_from_jpeg(tmp_path):
    images = pictures()
    images[1][:, 32:] = 250, 20, 20
    for codec, tolerance in (("png", 0), ("jpeg", 8)):
        write_store(tmp_path / "a.zip", SMALL.replaced(codec=codec), images)
        reader = FrameReader(tmp_path / "a.zip")
        assert len(reader) == 3
        for i in (2, 0, 1):
            assert reader[i].dtype == np.uint8
            assert np.abs(reader[i].astype(int) - images[i]).max() <= tolerance


def test_what_the_images_are_comes_back(tmp_path):
    info = SMALL.replaced(
        fps=Fraction(30000, 1001),
        start_s=1.5,
        figure_px=20.5,
        style="edn",
        style_config={"thickness": 2.0},
        to_video=TO_VIDEO / 3,
    )
    write_store(tmp_path / "a.zip", info)
    found = FrameReader(tmp_path / "a.zip").info
    assert found == info
    np.testing.assert_array_equal(found.to_video, TO_VIDEO / 3)
    assert found.clip == Clip(
        n_frames=3, fps=Fraction(30000, 1001), start_s=1.5, video="walk", width=200, height=100
    )


def test_a_point_of_the_video_is_found_in_the_picture_and_back():
    # In frame 1, (30, 5) is the corner of the picture, and (32, 9) one px right and two down.
    np.testing.assert_allclose(SMALL.to_picture[1] @ [32, 9, 1], [1, 2])
    np.testing.assert_allclose(SMALL.to_video[1] @ [1, 2, 1], [32, 9])


def test_a_mask_is_grey_and_comes_back_exactly(tmp_path):
    mask = np.arange(32 * 64, dtype=np.uint8).reshape(32, 64)
    info = SMALL.replaced(channels=1)
    write_store(tmp_path / "a.zip", info, [mask] * 3)
    assert info.shape == (32, 64)
    np.testing.assert_array_equal(FrameReader(tmp_path / "a.zip")[1], mask)


def test_a_failure_half_way_leaves_the_store_that_was_there_or_nothing(tmp_path):
    with pytest.raises(ValueError, match="a.zip: more than the 3 frames announced"):
        write_store(tmp_path / "a.zip", images=pictures(4))
    assert list(tmp_path.iterdir()) == []
    write_store(tmp_path / "a.zip")
    before = (tmp_path / "a.zip").read_bytes()
    with pytest.raises(ValueError, match="1 frames were made, expected 3"):
        write_store(tmp_path / "a.zip", images=pictures(1))
    assert (tmp_path / "a.zip").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_an_image_that_does_not_fit_is_refused_and_numbered(tmp_path):
    for wrong in (np.zeros((32, 32, 3), np.uint8), np.zeros((32, 64, 3))):
        with pytest.raises(ValueError, match=r"frame 1 is .*expected uint8 \(32, 64, 3\)"):
            write_store(tmp_path / "a.zip", images=[pictures()[0], wrong])
    assert list(tmp_path.iterdir()) == []


def test_the_same_images_give_the_same_bytes(tmp_path):
    for name in ("a.zip", "b.zip"):
        write_store(tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_frame_without_an_image_keeps_its_number(tmp_path):
    first, _, last = pictures()
    write_store(tmp_path / "a.zip", images=[first, None, last])
    reader = FrameReader(tmp_path / "a.zip")
    assert [reader.has(frame) for frame in range(3)] == [True, False, True]
    np.testing.assert_array_equal(reader[2], last)
    with pytest.raises(Refused, match="a.zip: frame 1 has no picture"):
        reader[1]


def test_another_file_and_none_are_refused(tmp_path):
    path = tmp_path / "a.zip"
    with pytest.raises(FileNotFoundError, match="a.zip"):
        FrameReader(path)
    path.write_text("no store")
    with pytest.raises(Refused, match="a.zip: not a whole ZIP file .*`snakemake"):
        FrameReader(path)


def test_another_version_is_refused_with_the_command_that_helps(tmp_path, monkeypatch):
    monkeypatch.setattr("edn_core.frames.SCHEMA_VERSION", 2)
    write_store(tmp_path / "a.zip")
    monkeypatch.undo()
    with pytest.raises(Refused, match=r"version 2, expected schema edn-frames version 3.*a.zip`"):
        FrameReader(tmp_path / "a.zip")


def test_there_is_no_frame_before_the_first_or_after_the_last(tmp_path):
    write_store(tmp_path / "a.zip")
    reader = FrameReader(tmp_path / "a.zip")
    for frame in (-1, 3):
        with pytest.raises(IndexError, match=f"frame {frame} of 3"):
            reader[frame]
