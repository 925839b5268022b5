"""The canvas chosen for a video, its store of frames, and the finished video made of it."""

import json
import math
import multiprocessing
import zipfile
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edn_core.config import CanvasConfig, VideoConfig
from edn_core.errors import Refused
from edn_core.film import assemble_video, extract_frames
from edn_core.frames import FrameReader, FramesInfo, FrameWriter, choose_canvas, fit_to_canvas
from edn_core.store import file_sha256
from edn_core.video import Sound, decode, encode, probe

SIDE = st.integers(min_value=16, max_value=5000)


def canvas_of(width: int, height: int, pixels: int, **about) -> FramesInfo:
    """The canvas of a video of that size."""
    scale, size, offset = choose_canvas(width, height, pixels)
    about = {"video": "walk", "n_frames": 1, "fps": Fraction(25)} | about
    return FramesInfo(
        width=size[1],
        height=size[0],
        source_width=width,
        source_height=height,
        scale=scale,
        offset=offset,
        **about,
    )


SMALL = canvas_of(64, 32, 2048, n_frames=3)


# The canvas


@pytest.mark.parametrize(
    "video, pixels, canvas",
    [
        ((1920, 1080), 131_072, (288, 480)),
        ((1080, 1920), 131_072, (480, 288)),
        ((512, 256), 131_072, (256, 512)),
        ((64, 32), 131_072, (32, 64)),
    ],
)
def test_known_videos_get_a_canvas_of_their_aspect(video, pixels, canvas):
    _, size, _ = choose_canvas(*video, pixels)
    assert size[0] / size[1] == pytest.approx(canvas[0] / canvas[1], rel=0.15)
    assert math.prod(size) <= 1.25 * pixels


def test_a_video_of_the_canvas_own_size_is_left_as_it_is():
    assert choose_canvas(512, 256, 131_072) == (1.0, (256, 512), (0, 0))


@given(SIDE, SIDE, st.integers(min_value=1024, max_value=300_000))
def test_every_canvas_holds_its_picture_in_multiples_of_32(width, height, pixels):
    scale, (high, wide), (x, y) = choose_canvas(width, height, pixels)
    picture = max(1, round(width * scale)), max(1, round(height * scale))
    assert high % 32 == wide % 32 == 0
    assert 0 < scale <= 1
    assert 0 <= x <= wide - picture[0]
    assert 0 <= y <= high - picture[1]
    assert high * wide <= max(1.25 * pixels, 32 * 32)
    assert picture[0] * picture[1] <= 1.05 * pixels + picture[0] + picture[1]


@given(SIDE, SIDE, st.integers(min_value=32_768, max_value=300_000))
def test_the_padding_is_even_on_both_sides(width, height, pixels):
    scale, (high, wide), (x, y) = choose_canvas(width, height, pixels)
    assert wide - round(width * scale) - 2 * x in (0, 1)
    assert high - round(height * scale) - 2 * y in (0, 1)


@given(SIDE, SIDE, st.integers(min_value=4096, max_value=300_000))
def test_the_picture_box_has_even_sides_inside_the_canvas_and_holds_the_picture(
    width, height, pixels
):
    info = canvas_of(width, height, pixels)
    x0, y0, x1, y1 = info.picture_box
    assert 0 <= x0 < x1 <= info.width
    assert 0 <= y0 < y1 <= info.height
    assert (x1 - x0) % 2 == (y1 - y0) % 2 == 0
    picture = round(width * info.scale), round(height * info.scale)
    assert 0 <= x1 - x0 - picture[0] <= 1
    assert 0 <= y1 - y0 - picture[1] <= 1
    assert x0 <= info.offset[0]
    assert y0 <= info.offset[1]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(min_value=64, max_value=400),
    st.integers(min_value=64, max_value=400),
    st.integers(min_value=4096, max_value=40_000),
    st.floats(min_value=0.2, max_value=0.8),
    st.floats(min_value=0.2, max_value=0.8),
)
def test_a_dot_in_the_video_is_found_on_the_canvas_where_to_canvas_says(
    width, height, pixels, right, down
):
    info = canvas_of(width, height, pixels)
    x, y = round(right * width), round(down * height)
    image = np.zeros((height, width, 3), np.uint8)
    image[y - 4 : y + 5, x - 4 : x + 5] = 255  # centred on the pixel (x, y)
    canvas = fit_to_canvas(image, info)
    assert canvas.shape == (*info.size, 3)
    light = canvas[..., 0].astype(float)
    rows, columns = np.indices(light.shape)
    found = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
    expected = info.to_canvas(np.array([x, y]))
    assert expected.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_pixel_centres_are_whole_numbers_on_both_sides():
    # Half the size: the first two pixels, 0 and 1, become the first one. Then 8 px of padding.
    info = canvas_of(64, 32, 2048).replaced(scale=0.5, offset=(8, 0))
    np.testing.assert_array_equal(info.to_canvas(np.array([[0.5, 0.5]])), [[8, 0]])
    np.testing.assert_array_equal(info.to_canvas(np.array([[63.5, 31.5]])), [[39.5, 15.5]])


def test_a_canvas_is_padded_by_the_pictures_edge():
    info = canvas_of(50, 32, 2048)
    image = np.zeros((32, 50, 3), np.uint8)
    image[:, 0], image[:, -1] = 100, 200
    canvas = fit_to_canvas(image, info)
    assert info.offset == (7, 0)
    assert (canvas[:, :8] == 100).all()
    assert (canvas[:, 56:] == 200).all()
    assert (canvas[:, 8:56] == 0).all()


# The store


def pictures(n: int = 3) -> list[np.ndarray]:
    """Smooth pictures of 32 x 64, each another."""
    ramp = np.linspace(0, 200, 64, dtype=np.uint8)[None, :, None]
    return [np.broadcast_to(ramp + np.uint8(10 * i), (32, 64, 3)).copy() for i in range(n)]


def write_store(path, info=SMALL, codec="png", images=None):
    with FrameWriter(path, info, codec) as writer:
        for image in pictures(info.n_frames) if images is None else images:
            writer.append(image)


def test_images_come_back_exactly_from_png_and_nearly_from_jpeg(tmp_path):
    images = pictures()
    images[1][:, 32:] = 250, 20, 20
    for codec, tolerance in (("png", 0), ("jpeg", 8)):
        write_store(tmp_path / "a.zip", codec=codec, images=images)
        reader = FrameReader(tmp_path / "a.zip")
        assert len(reader) == 3
        for i in (2, 0, 1):
            assert reader[i].dtype == np.uint8
            assert np.abs(reader[i].astype(int) - images[i]).max() <= tolerance


def test_what_the_images_are_comes_back(tmp_path):
    info = SMALL.replaced(
        fps=Fraction(30000, 1001),
        start_s=1.5,
        stop_s=1.6,
        source_sha256="ab",
        style="edn",
        style_config={"thickness": 2.0},
        scale=1 / 3,
        offset=(3, 4),
    )
    write_store(tmp_path / "a.zip", info)
    assert FrameReader(tmp_path / "a.zip").info == info.replaced(codec="png")
    assert info.timeline.n_frames == 3
    assert info.timeline.fps == Fraction(30000, 1001)
    assert info.timeline.start_s == 1.5


def test_a_failure_half_way_leaves_nothing(tmp_path):
    with (
        pytest.raises(RuntimeError, match="half way"),
        FrameWriter(tmp_path / "a.zip", SMALL, "png") as writer,
    ):
        writer.append(pictures()[0])
        raise RuntimeError("half way")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_half_way_leaves_the_store_that_was_there(tmp_path):
    write_store(tmp_path / "a.zip")
    before = (tmp_path / "a.zip").read_bytes()
    with pytest.raises(ValueError, match="1 frames were made, expected 3"):
        write_store(tmp_path / "a.zip", images=pictures(1))
    assert (tmp_path / "a.zip").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_too_few_and_too_many_frames_are_refused(tmp_path):
    with pytest.raises(ValueError, match="a.zip: 2 frames were made, expected 3"):
        write_store(tmp_path / "a.zip", images=pictures(2))
    with pytest.raises(ValueError, match="a.zip: more than the 3 frames announced"):
        write_store(tmp_path / "a.zip", images=pictures(4))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((32, 32, 3), np.uint8), np.zeros((32, 64), np.uint8), np.zeros((32, 64, 3))],
    ids=["size", "grey", "float"],
)
def test_an_image_that_does_not_fit_is_refused_and_numbered(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"frame 1 is .*expected uint8 \(32, 64, 3\)"):
        write_store(tmp_path / "a.zip", images=[pictures()[0], wrong])
    assert list(tmp_path.iterdir()) == []


def test_anybody_can_unzip_it_and_look(tmp_path):
    write_store(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["info.json", "000000.png", "000001.png", "000002.png"]
        assert json.loads(archive.read("info.json"))["fps"] == "25"
        image = cv2.imdecode(np.frombuffer(archive.read("000001.png"), np.uint8), 1)
    np.testing.assert_array_equal(image, pictures()[1])


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
    with pytest.raises(Refused, match="a.zip: frame 1 has no image"):
        reader[1]


def test_forked_processes_read_through_one_reader_at_once(tmp_path):
    write_store(tmp_path / "a.zip")
    reader = FrameReader(tmp_path / "a.zip")
    expected = [int(reader[frame].sum()) for frame in range(3)]

    def read_often(result):
        result.put([int(reader[i % 3].sum()) for i in range(300)])

    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    readers = [fork.Process(target=read_often, args=(results,)) for _ in range(3)]
    for one in readers:
        one.start()
    for _ in readers:
        assert results.get(timeout=60) == expected * 100


def test_another_file_and_a_damaged_one_are_refused(tmp_path):
    path = tmp_path / "a.zip"
    with pytest.raises(FileNotFoundError, match="a.zip"):
        FrameReader(path)
    path.write_text("no store")
    with pytest.raises(Refused, match="a.zip: not a whole ZIP file .*`snakemake"):
        FrameReader(path)
    write_store(path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-1], b""):
        path.write_bytes(content)
        with pytest.raises(Refused, match="a.zip: "):
            FrameReader(path)


def test_another_version_is_refused_with_the_command_that_helps(tmp_path, monkeypatch):
    monkeypatch.setattr("edn_core.frames.SCHEMA_VERSION", 1)
    write_store(tmp_path / "a.zip")
    monkeypatch.undo()
    with pytest.raises(Refused, match=r"version 1, expected schema edn-frames version 2.*a.zip`"):
        FrameReader(tmp_path / "a.zip")


def test_a_damaged_image_is_refused_when_it_is_read(tmp_path):
    path = tmp_path / "a.zip"
    write_store(path)
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("000001.png").header_offset + 60
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    reader = FrameReader(path)
    reader[0], reader[2]
    with pytest.raises(Refused, match="a.zip: 000001.png is damaged; delete it and run `snakemake"):
        reader[1]


def test_there_is_no_frame_before_the_first_or_after_the_last(tmp_path):
    write_store(tmp_path / "a.zip")
    reader = FrameReader(tmp_path / "a.zip")
    for frame in (-1, 3):
        with pytest.raises(IndexError, match=f"frame {frame} of 3"):
            reader[frame]


# From a video, and back to one


def film(path, n_frames: int, size=(96, 160), fps=Fraction(25), sound=None):
    """A video whose frame i has the grey level 10 i, and a red left half."""
    images = []
    for i in range(n_frames):
        image = np.full((*size, 3), 10 * i, np.uint8)
        image[:, : size[1] // 2] = 200, 20, 20
        images.append(image)
    encode(path, images, fps, sound)
    return path


def test_a_video_is_stored_on_its_canvas(tmp_path):
    path = film(tmp_path / "a.mp4", 6)
    settings_ = VideoConfig(start_s=0.04, stop_s=0.2)
    extract_frames(path, tmp_path / "a.zip", "a", settings_, CanvasConfig(pixels=4000))
    reader = FrameReader(tmp_path / "a.zip")
    info = reader.info
    assert (info.video, info.n_frames, info.fps) == ("a", 4, 25)
    assert (info.source_width, info.source_height) == (160, 96)
    assert info.source_sha256 == file_sha256(path)
    assert (info.start_s, info.stop_s) == (0.04, 0.2)
    assert info.width * info.height <= 5000
    right = [round(float(reader[i][:, -8:].mean()), -1) for i in range(4)]
    assert right == [10, 20, 30, 40]
    np.testing.assert_allclose(reader[0][10, 4], (200, 20, 20), atol=8)


def test_a_video_of_one_frame_is_refused(tmp_path):
    path = film(tmp_path / "a.mp4", 1)
    with pytest.raises(ValueError, match="a.mp4: has 1 frame, expected a moving picture"):
        extract_frames(path, tmp_path / "a.zip", "a", VideoConfig(), CanvasConfig())
    assert not (tmp_path / "a.zip").exists()


def test_a_part_outside_the_video_is_refused_by_name(tmp_path):
    path = film(tmp_path / "a.mp4", 5)
    with pytest.raises(ValueError, match=r"a.mp4: nothing left between 9.0 s"):
        extract_frames(path, tmp_path / "a.zip", "a", VideoConfig(start_s=9.0), CanvasConfig())


def test_a_single_image_is_no_video(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "a.png").rename(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match="a.mp4: "):
        extract_frames(tmp_path / "a.mp4", tmp_path / "a.zip", "a", VideoConfig(), CanvasConfig())


@pytest.mark.parametrize("size", [(96, 160), (70, 50), (102, 62)])
def test_the_finished_video_has_no_padding_and_the_sources_rate_and_sound(tmp_path, size):
    samples = (8000 * np.sin(np.arange(48_000) / 20)).astype(np.int16)[:, None]
    source = film(
        tmp_path / "source.mp4", 10, (64, 64), Fraction(30000, 1001), Sound(samples, 48_000)
    )
    extract_frames(source, tmp_path / "source.zip", "source", VideoConfig(), CanvasConfig())
    info = canvas_of(size[1], size[0], 4000, n_frames=10, fps=Fraction(30000, 1001))
    image = np.zeros((*size, 3), np.uint8)
    image[:, : size[1] // 2] = 200, 20, 20
    with FrameWriter(tmp_path / "made.zip", info, "jpeg") as writer:
        for _ in range(10):
            writer.append(fit_to_canvas(image, info))
    out = tmp_path / "out.mp4"
    assemble_video(tmp_path / "made.zip", tmp_path / "source.zip", source, out)
    found = probe(out)
    assert (found.fps, found.n_frames, found.has_sound) == (Fraction(30000, 1001), 10, True)
    x0, y0, x1, y1 = info.picture_box
    assert (found.width, found.height) == (x1 - x0, y1 - y0)
    assert found.width / found.height == pytest.approx(size[1] / size[0], rel=0.06)
    first = next(decode(out, found.timeline()))
    np.testing.assert_allclose(first[5, 3], (200, 20, 20), atol=12)
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
