"""From a video to the pictures of its dancer, and from painted windows to a finished video."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from walkers import dancer

from edn_core.config import AssemblyConfig, CanvasConfig, VideoConfig
from edn_core.errors import Refused
from edn_core.film import assemble_video, cut_window, plan_clip
from edn_core.footage import Footage
from edn_core.frames import FrameReader, FramesInfo, FrameWriter
from edn_core.normalize import VideoStatistics
from edn_core.timeline import Clip
from edn_core.video import Sound, decode, encode, probe
from edn_core.window import Window, whole_picture

RED, GREY = (200, 20, 20), (90, 90, 90)
STANDING = VideoStatistics(0, 0, 0, 0, height_median=60.0, fallback="single scale")
# Half the video's size: its first pixel covers those from 30 px left of the hips and above them.
WINDOW = Window("a", 32, 32, 160, 96, figure_px=30.0, x=14.75, y=14.75)


def assert_near(found, colour, levels):
    """Every pixel has a colour, but for so many levels."""
    assert np.abs(found.astype(int) - colour).max() <= levels


def film(path, n_frames: int, size=(96, 160), fps=Fraction(25), sound=None):
    """A video whose frame i has the grey level 10 i, and a red left half."""
    images = []
    for i in range(n_frames):
        image = np.full((*size, 3), 10 * i, np.uint8)
        image[:, : size[1] // 2] = RED
        images.append(image)
    encode(path, images, fps, sound)
    return path


def test_the_part_of_a_video_that_is_used_is_known_from_its_file(tmp_path):
    path = film(tmp_path / "a.mp4", 6)
    clip = plan_clip(path, "a", VideoConfig(start_s=0.04, stop_s=0.2))
    about = {"video": "a", "width": 160, "height": 96, "fps": Fraction(25)}
    assert clip == Clip(n_frames=4, start_s=0.04, **about)


# Cut out


def standing(x: float, n_frames: int = 3):
    """Somebody 60 px tall with the hips at (x, 50), in a video of 160 x 96."""
    return dancer([80.0] * n_frames, ankle_x=x, height=60.0, size=(96, 160), video="a")


def write_masks(path, mask, n_frames=3, without=()):
    """A mask of the video's size for every frame but some."""
    to_video = np.tile(np.eye(2, 3), (n_frames, 1, 1))
    info = FramesInfo("a", n_frames, Fraction(25), 160, 96, 160, 96, to_video)
    with FrameWriter(path, info.replaced(codec="png", channels=1)) as writer:
        for frame in range(n_frames):
            writer.append(None if frame in without else mask)
    return path


def cut_out_of(folder, x: float, mask: np.ndarray, without=()) -> FrameReader:
    """The windows of somebody who stands at x in front of the film's first frames."""
    video = film(folder / "a.mp4", 3)
    masks = write_masks(folder / "masks.zip", mask, without=without)
    frames = folder / "frames.zip"
    canvas = CanvasConfig(jpeg_quality=100)
    cut_window(video, masks, standing(x), STANDING, WINDOW, frames, canvas)
    return FrameReader(frames)


def test_the_dancer_is_cut_out_with_his_matte_and_stands_on_neutral_ground(tmp_path):
    mask = np.zeros((96, 160), np.uint8)
    mask[30:70, 60:100] = 255  # 20 px about the hips on all sides, half of it red
    frames = cut_out_of(tmp_path, 80, mask, without=[1])
    info = frames.info
    assert (info.channels, info.size, info.figure_px) == (4, (32, 32), 30)
    assert (info.video_width, info.video_height, info.n_frames) == (160, 96, 3)
    np.testing.assert_allclose(info.to_video, [[[2, 0, 50.5], [0, 2, 20.5]]] * 3)
    assert [frames.has(frame) for frame in range(3)] == [True, False, True]
    picture = frames[2]
    # The window's first column is 50 of the video, its first row 20.
    opaque = np.zeros((32, 32), int)
    opaque[5:25, 5:25] = 255
    np.testing.assert_array_equal(picture[..., 3], opaque)
    assert_near(picture[6:24, 6:14, :3], RED, 12)
    assert_near(picture[6:24, 17:24, :3], 20, 12)
    assert_near(picture[:3, :, :3], 128, 3)


def test_beyond_the_picture_there_is_nobody(tmp_path):
    frames = cut_out_of(tmp_path, 10, np.full((96, 160), 255, np.uint8))
    picture = frames[0]
    # The window's first column would be -20 of the video.
    assert (picture[:, :9, 3] == 0).all()
    assert (picture[:, 11:, 3] == 255).all()
    assert_near(picture[:, :8, :3], 128, 4)
    assert_near(picture[:, 12:, :3], RED, 12)


def test_a_window_of_the_whole_picture_has_the_room_in_it_and_its_edge_beyond(tmp_path):
    video, window = film(tmp_path / "a.mp4", 3), whole_picture("a", 160, 96, 5000)
    frames = tmp_path / "frames.zip"
    cut_window(video, None, standing(80), STANDING, window, frames, CanvasConfig())
    reader = FrameReader(frames)
    assert reader.info.channels == 3
    assert [reader.has(frame) for frame in range(3)] == [True] * 3
    right = [reader[frame][:, -8:].mean() for frame in range(3)]
    np.testing.assert_allclose(right, [0, 10, 20], atol=3)
    assert_near(reader[0][:, :4], RED, 8)


def test_masks_of_another_length_are_refused(tmp_path):
    video = film(tmp_path / "a.mp4", 3)
    masks = write_masks(tmp_path / "masks.zip", np.zeros((96, 160), np.uint8), n_frames=2)
    out = tmp_path / "frames.zip"
    with pytest.raises(Refused, match=r"masks.zip: has 2 frames, expected 3; delete it"):
        cut_window(video, masks, standing(80), STANDING, WINDOW, out, CanvasConfig())
    assert not out.exists()


# By number


def test_frames_of_a_video_are_had_by_number_forwards_and_back(tmp_path):
    path = film(tmp_path / "a.mp4", 8)
    clip = plan_clip(path, "a", VideoConfig(start_s=0.04))
    footage = Footage(path, clip)
    assert len(footage) == 7
    assert footage[0].shape == (96, 160, 3)
    levels = [footage[frame][50, 120].mean() for frame in (0, 1, 1, 0, 5, 4, 6, 2)]
    np.testing.assert_allclose(levels, [10, 20, 20, 10, 60, 50, 70, 30], atol=3)
    for frame in (-1, 7):
        with pytest.raises(IndexError, match=f"frame {frame} of 7"):
            footage[frame]


def test_frames_of_a_video_are_halved_by_the_mean_of_their_pixels(tmp_path):
    path = film(tmp_path / "a.mp4", 3, size=(94, 158))
    footage = Footage(path, plan_clip(path, "a", VideoConfig()), halvings=2)
    assert footage.size == (23, 39)
    assert footage[1].shape == (23, 39, 3)
    assert_near(footage[1][10, 4], RED, 8)


# Put together again


@pytest.mark.parametrize("size", [(96, 160), (70, 50), (103, 63)])
def test_the_finished_video_is_as_large_as_the_targets_with_the_sources_rate_and_sound(
    tmp_path, size
):
    samples = (8000 * np.sin(np.arange(48_000) / 20)).astype(np.int16)[:, None]
    rate = Fraction(30000, 1001)
    source = film(tmp_path / "source.mp4", 10, (64, 64), rate, Sound(samples, 48_000))
    cv2.imwrite(str(tmp_path / "room.png"), np.full((*size, 3), GREY, np.uint8))
    to_video = np.tile([[2.0, 0, 10.5], [0, 2, 10.5]], (10, 1, 1))
    info = FramesInfo("source", 10, rate, 16, 16, size[1], size[0], to_video, channels=4)
    with FrameWriter(tmp_path / "made.zip", info) as writer:
        for frame in range(10):
            painted = np.full((16, 16, 4), (*RED, 255), np.uint8)
            writer.append(painted if frame != 3 else None)
    out = tmp_path / "out.mp4"
    keypoints = dancer([50.0] * 10, size=(64, 64), video="source").replaced(fps=rate)
    made, room = tmp_path / "made.zip", tmp_path / "room.png"
    assemble_video(made, keypoints, source, out, AssemblyConfig(), room)
    found = probe(out)
    assert (found.fps, found.n_frames, found.has_sound) == (rate, 10, True)
    # Codecs want even sides.
    assert (found.height, found.width) == (size[0] // 2 * 2, size[1] // 2 * 2)
    pictures = list(decode(out, found.timeline()))
    assert_near(pictures[0][25, 25], RED, 12)
    assert_near(pictures[0][:6], GREY, 4)
    assert_near(pictures[3], GREY, 4)  # the empty room
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
