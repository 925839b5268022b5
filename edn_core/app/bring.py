"""Videos that are brought: checked, named and put into the folder; stills and people in them."""

import threading
from itertools import chain, count
from pathlib import Path
from urllib.parse import unquote

import cv2
from werkzeug.datastructures import FileStorage

from edn_core.config import printable
from edn_core.errors import Refused
from edn_core.intake import DEMO_VIDEOS, SUFFIXES, safe_name
from edn_core.keypoints import read_keypoints
from edn_core.store import write_beside
from edn_core.timeline import Timeline
from edn_core.video import decode, probe
from edn_core.video.opening import check_moving

_NAMING = threading.Lock()


def keep_video(sent: FileStorage, videos: Path) -> str:
    """Put a file of any name into the folder of videos, under a safe one that was free.

    Returns the video's name there. Raises Refused: it is no video; calls it as the sender does.
    """
    path = Path(unquote(sent.filename or ""))  # browsers send a quote as %22
    suffix = path.suffix.lower() if path.suffix.lower() in SUFFIXES else SUFFIXES[0]
    with _NAMING:  # several may arrive at once
        taken = {*DEMO_VIDEOS, *(one.stem for one in videos.glob("*"))}
        first = safe_name(path.stem)
        names = chain([first], (f"{first}-{number}" for number in count(2)))
        name = next(one for one in names if one not in taken)
        with write_beside(videos / f"{name}{suffix}") as partial:
            sent.save(partial)
            try:
                probe(partial)
                check_moving(partial)
            except Refused as error:
                shown = printable(path.name[:120])
                raise Refused(shown, error.found, error.expected, error.remedy) from error
    return name


def still_of(path: str, frame: int | None = None) -> bytes:
    """A JPEG of a video's frame, of the one after a second if none is named."""
    info = probe(path)
    number = min(round(info.fps), info.n_frames // 2) if frame is None else frame
    image = next(decode(path, Timeline(1, info.fps, number / float(info.fps))))
    return bytes(cv2.imencode(".jpg", image[..., ::-1])[1])


def people_of(name: str) -> tuple[int, tuple[int, int], list[list[int]]]:
    """Who is in a video, in the first frame that shows the most people, the dancer first.

    Returns that frame, counted from the video's beginning; width and height of the picture, px; of
    each the box x0, y0, x1, y1 in px, none where fewer than two were found, or nobody looked yet.
    """
    path = Path("results/videos") / name / "keypoints.raw.h5"
    if not path.is_file():
        return 0, (0, 0), []
    found = read_keypoints(path)
    frame = int(found.n_people.argmax())
    bodies = [found.person(frame)["body"], *found.bystanders_in(frame)]
    points = [body[body[:, 2] > 0, :2].round() for body in bodies if body[:, 2].any()]
    boxes = [[*map(int, one.min(axis=0)), *map(int, one.max(axis=0) + 1)] for one in points]
    first = round(found.start_s * found.fps)
    return frame + first, (found.width, found.height), boxes if len(boxes) > 1 else []
