"""The comparison: source, stick figure and result side by side, for people to look at."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edn_core.compose import Composer, halved, on_chequers, read_background
from edn_core.config import AssemblyConfig
from edn_core.errors import Refused, remake
from edn_core.footage import Footage, halvings_to
from edn_core.frames import FrameReader
from edn_core.keypoints import Keypoints
from edn_core.logs import progress
from edn_core.mark import draw_mark
from edn_core.pictures import BLACK, MAX_HEIGHT, write_text
from edn_core.provenance import COMPOSITE, Provenance, to_metadata
from edn_core.render import draw_label
from edn_core.video import SoundTrack, encode

LANDSCAPE_HEIGHT, PORTRAIT_HEIGHT = 480, 720  # px, of the three pictures
TITLE_HEIGHT = 32  # px


def write_comparison(
    source_video: str | Path,
    source: Keypoints,
    labels_path: str | Path,
    frames_path: str | Path,
    path: str | Path,
    config: AssemblyConfig,
    room: str | Path | None = None,
    target: str = "",
) -> None:
    """Write an mp4 of source, stick figure and result side by side, marked as synthetic in part.

    Args:
        source_video: the source's video, for picture and sound.
        source: its keypoints.
        labels_path: its labels in the target's window.
        frames_path: the synthesized pictures.
        path: the mp4 to write.
        config: background and mark.
        room: the target's room.png; none where the pictures show it.
        target: name of the video that the looks come from.
    """
    labels, frames = FrameReader(labels_path), FrameReader(frames_path)
    for store in (labels, frames):
        if len(store) != len(source):
            found, expected = f"has {len(store)} frames", f"the {len(source)} of {source.video}"
            raise Refused(store.path, found, expected, remake(store.path))
    size = frames.info.clip.size
    halvings = halvings_to(size[0], MAX_HEIGHT)
    filmed = Footage(source_video, source.clip, halvings_to(source.height, MAX_HEIGHT))
    finished = Composer(frames, read_background(config.background, room, size), halvings)
    paper = np.full((*finished.size, 3), 255, np.uint8)
    if (shown := read_background("room", room, size)) is not None:
        paper = 255 - (255 - halved(shown, halvings)) // 3
    height = LANDSCAPE_HEIGHT if size[1] > size[0] else PORTRAIT_HEIGHT

    def pictures() -> Iterator[np.ndarray]:
        for frame in progress(range(len(source)), f"comparison {source.video}"):
            skeleton = draw_label(labels, frame, finished.to_frame[frame], paper)
            panels = (
                (filmed[frame], f"source: {source.video}", ""),
                (skeleton, "its skeleton in the target's room", ""),
                (on_chequers(finished[frame]), "result", config.mark),
            )
            yield np.hstack([_panel(picture, height, *texts) for picture, *texts in panels])

    sound = SoundTrack(Path(source_video), source.start_s)
    about = Provenance(source.video, target, frames.info.generator_sha256, source_type=COMPOSITE)
    encode(path, pictures(), source.fps, sound, to_metadata(about))


def _panel(picture: np.ndarray, height: int, title: str, mark: str) -> np.ndarray:
    """A picture at its aspect, of even size, under its title."""
    size = height, 2 * max(1, round(picture.shape[1] / picture.shape[0] * height / 2))
    how = cv2.INTER_AREA if size[0] < picture.shape[0] else cv2.INTER_CUBIC
    picture = draw_mark(cv2.resize(picture, size[::-1], interpolation=how), mark)
    picture = cv2.copyMakeBorder(picture, TITLE_HEIGHT, 0, 0, 0, cv2.BORDER_CONSTANT, value=BLACK)
    write_text(picture, title, 8, TITLE_HEIGHT - 10)
    return picture
