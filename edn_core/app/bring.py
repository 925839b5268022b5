"""Videos that are brought: checked, named and put into the folder; stills and people in them."""

import os
import re
import threading
from itertools import chain, count
from pathlib import Path

import cv2
import numpy as np

from edn_core.app.runs import FOLDER
from edn_core.config import printable
from edn_core.errors import Refused
from edn_core.intake import DEMO_VIDEOS, SUFFIXES, safe_name
from edn_core.keypoints import read_keypoints
from edn_core.store import write_beside
from edn_core.timeline import Timeline
from edn_core.video import decode, probe
from edn_core.video.opening import check_moving

STILL_WIDTH = 640
_NAMING = threading.Lock()


def keep_video(filename: str, content: Path, videos: Path) -> str:
    """Check a file that was sent and put it into the folder of videos, under a safe name.

    Args:
        filename: what the sender calls it: any text.
        content: what was sent, in a file on the same disk; moved.
        videos: the folder.

    Returns:
        The video's name there, one that was free.

    Raises:
        Refused: no video; calls it as the sender does.
    """
    suffix, shown = Path(filename).suffix.lower(), printable(Path(filename).name[:120])
    try:
        probe(content)
        check_moving(content)
    except Refused as error:
        raise Refused(shown, error.found, error.expected, error.remedy) from error
    suffix = suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else SUFFIXES[0]
    with _NAMING:  # several may arrive at once
        videos.mkdir(exist_ok=True)
        taken = {*DEMO_VIDEOS, *(one.stem for one in videos.iterdir())}
        first = safe_name(Path(filename).stem)
        names = chain([first], (f"{first}-{number}" for number in count(2)))
        name = next(one for one in names if one not in taken)
        os.chmod(content, 0o644)
        os.replace(content, videos / f"{name}{suffix}")
    return name


def still_of(name: str, path: str, frame: int | None = None) -> Path:
    """A JPEG of a video's frame, of the one after a second if none is named; kept for the next."""
    still = FOLDER / "stills" / f"{name}.{frame}.jpg"
    if not still.is_file() or still.stat().st_mtime < os.stat(path).st_mtime:
        info = probe(path)
        number = min(round(info.fps), info.n_frames // 2) if frame is None else frame
        image = next(decode(path, Timeline(1, info.fps, number / float(info.fps))))
        size = STILL_WIDTH, round(image.shape[0] * STILL_WIDTH / image.shape[1])
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        with write_beside(still) as partial:
            partial.write_bytes(cv2.imencode(".jpg", small[..., ::-1])[1].tobytes())
    return still


def people_of(name: str) -> tuple[int, list[list[int]], list[list[float]]]:
    """Who is in a video, in the first frame that shows the most people, the dancer first.

    Returns:
        That frame, counted from the video's beginning; of each person the box x0, y0, x1, y1 in px,
        and left, top, width, height in % of the picture. Nobody where fewer than two were found, or
        nobody looked yet.
    """
    path = Path("results/videos") / name / "keypoints.raw.h5"
    if not path.is_file():
        return 0, [], []
    found = read_keypoints(path)
    frame = int(found.n_people.argmax())
    bodies = [found.person(frame)["body"], *found.bystanders_in(frame)]
    points = [body[body[:, 2] > 0, :2] for body in bodies if body[:, 2].any()]
    if len(points) < 2:
        return frame, [], []
    low = np.array([one.min(axis=0) for one in points])
    size = np.array([one.max(axis=0) for one in points]) + 1 - low
    of_picture = np.concatenate([low, size], 1) * 100 / np.tile([found.width, found.height], 2)
    boxes = np.concatenate([low, low + size], 1).round().astype(int).tolist()
    return frame + round(found.start_s * found.fps), boxes, of_picture.round(2).tolist()
