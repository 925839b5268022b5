"""The comparison: three pictures of one height, the result as it is finished."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from edn_core.comparison import TITLE_HEIGHT, write_comparison
from edn_core.compose import CHEQUERS
from edn_core.config import AssemblyConfig, LabelConfig
from edn_core.frames import FramesInfo, FrameWriter
from edn_core.render import render_labels
from edn_core.video import decode, encode, probe

N_FRAMES = 5
# The target's video is 48 x 96 px; the window, of 32 x 32 px, lies in the middle of it.
TO_VIDEO = np.tile([[1.0, 0, 8], [0, 1, 32]], (N_FRAMES, 1, 1))
WINDOW = FramesInfo("standing", N_FRAMES, Fraction(25), 32, 32, 48, 96, TO_VIDEO, figure_px=20.0)
WHOLE = np.tile(np.eye(2, 3), (N_FRAMES, 1, 1))


class Transfer:
    """A source of grey level 50, labels, painted frames of level 200 and a room of level 120."""

    def __init__(self, folder, standing_dancer, window=WINDOW, channels=4):
        self.folder = folder
        self.source = standing_dancer.replaced(width=128, height=96)
        encode(folder / "source.mp4", [np.full((96, 128, 3), 50, np.uint8)] * 5, Fraction(25))
        # In the target's video the dancer is 84 px tall and as wide as the window.
        placed = standing_dancer.moved(np.array([[0.24, 0, 0], [0, 0.24, 0]]), (96, 48))
        render_labels(placed, LabelConfig(thickness=10.0), folder / "labels.zip", window)
        with FrameWriter(folder / "frames.zip", window.replaced(channels=channels)) as writer:
            for _ in range(N_FRAMES):
                picture = np.full((*window.size, channels), 200, np.uint8)
                picture[..., 3:] = 255
                writer.append(picture)
        cv2.imwrite(str(folder / "room.png"), np.full((96, 48, 3), 120, np.uint8))

    def compare(self, background="room", room="room.png"):
        """The first frame of the comparison."""
        out = self.folder / "comparison.mp4"
        write_comparison(
            self.folder / "source.mp4",
            self.source,
            self.folder / "labels.zip",
            self.folder / "frames.zip",
            out,
            AssemblyConfig(background=background),
            self.folder / room if room else None,
        )
        frames = list(decode(out, probe(out).timeline()))
        assert len(frames) == N_FRAMES
        # The target's video is upright: 720 rows and a title; 960 + 360 + 360 columns.
        assert frames[0].shape == (720 + TITLE_HEIGHT, 1680, 3)
        return frames[0].mean(axis=2)


# In the panels a pixel of the target's video is 7.5 px wide, the window lies at 60 to 300 px and,
# below the title, at 240 to 480 px.
SKELETON, RESULT = 960, 1320


def test_a_comparison_shows_source_skeleton_and_result_at_one_height(tmp_path, standing_dancer):
    picture = Transfer(tmp_path, standing_dancer).compare()[TITLE_HEIGHT:]
    assert picture[300, 480] == pytest.approx(50, abs=8)
    # The skeleton stands in the paled room: 255 - 135 / 3.
    assert picture[300, SKELETON + 30] == pytest.approx(210, abs=8)
    assert np.abs(picture[300:420, SKELETON + 100 : SKELETON + 260] - 210).max() > 60
    assert picture[300, RESULT + 30] == pytest.approx(120, abs=8)
    assert picture[300, RESULT + 180] == pytest.approx(200, abs=8)
    assert picture[100, RESULT + 180] == pytest.approx(120, abs=8)


def test_where_the_painted_pictures_show_the_room_the_skeleton_stands_on_white(
    tmp_path, standing_dancer
):
    whole = WINDOW.replaced(width=48, height=96, figure_px=0.0, to_video=WHOLE)
    picture = Transfer(tmp_path, standing_dancer, whole, channels=3).compare(room="")
    assert picture[TITLE_HEIGHT + 50, SKELETON + 30] == pytest.approx(255, abs=8)
    assert picture[TITLE_HEIGHT + 50, RESULT + 180] == pytest.approx(200, abs=8)


@pytest.mark.parametrize(
    ("background", "levels"), [("transparent", CHEQUERS), ("#303030", (48, 48))]
)
def test_the_result_is_shown_in_front_of_what_was_asked_for(
    tmp_path, standing_dancer, background, levels
):
    picture = Transfer(tmp_path, standing_dancer).compare(background)
    assert picture[TITLE_HEIGHT + 300, RESULT + 180] == pytest.approx(200, abs=8)
    top = picture[TITLE_HEIGHT + 20 : TITLE_HEIGHT + 200, RESULT + 20 : RESULT + 340]
    assert np.percentile(top, 2) == pytest.approx(min(levels), abs=8)
    assert np.percentile(top, 98) == pytest.approx(max(levels), abs=8)


@pytest.mark.parametrize("name", ["frames.zip", "labels.zip"])
def test_a_result_of_another_length_is_refused_by_name(tmp_path, standing_dancer, name):
    transfer = Transfer(tmp_path, standing_dancer)
    short = WINDOW.replaced(n_frames=4, to_video=TO_VIDEO[:4])
    with FrameWriter(tmp_path / name, short) as writer:
        for _ in range(4):
            writer.append(np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(ValueError, match=rf"{name}: has 4 frames, expected the 5 of standing"):
        transfer.compare()
