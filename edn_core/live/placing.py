"""Where the live dancer stands in the target's video: normalization while the video goes on."""

from collections import deque
from fractions import Fraction
from typing import Any

import numpy as np

from edn_core.config import NormalizationConfig, StatisticsConfig
from edn_core.keypoints import Keypoints, Person, from_people, missing_person
from edn_core.normalize import (
    Placement,
    VideoStatistics,
    enlarged,
    enlargement,
    measure_video,
    place_figure,
    placed_heights,
)
from edn_core.skeleton import Skeleton

REMEMBERED_S = 2.0  # of the past, for the level of the ground and for a window that glides
MOST_REMEMBERED = 64  # frames of it


class LivePlacing:
    """Moves a dancer of whom only the past is known into the target's video.

    His own ankle levels and heights (``source``; None before anybody was seen) are measured while
    he calibrates: anew with every frame, so that there is something to see from the first one on,
    and then fixed (``is_calibrated``). The level of the ground under him is a running median of the
    last ``level_window_s`` seconds, with the window mirrored at the newest frame. Parts stay as
    danced: the target's keypoints, of which it is known what he has shown, are not at hand.
    """

    def __init__(
        self,
        target: VideoStatistics,
        skeleton: Skeleton,
        size: tuple[int, int],
        statistics: StatisticsConfig,
        normalization: NormalizationConfig,
        calibrate_s: float,
    ) -> None:
        """Begin without anybody in sight.

        Pictures of (H, W) ``size`` px; the mode is ``paper``, levels are fixed ``calibrate_s``
        after he was first seen.
        """
        self.source: VideoStatistics | None = None
        self.is_calibrated = False
        self._target, self._skeleton, self._size = target, skeleton, size
        self._statistics, self._normalization = statistics, normalization
        self._calibrate_s = calibrate_s
        self._calibration: list[tuple[float, Person]] = []
        self._recent: deque[tuple[float, Person]] = deque(maxlen=MOST_REMEMBERED)
        self._placement: Placement | None = None

    def place(self, person: Person, time_s: float) -> Keypoints:
        """Move one frame's keypoints, px of the live picture, and those of the frames before it.

        ``time_s`` is the source's clock, ascending. What comes back is in px of the target's video,
        with how tall the target stands there, and this frame is its last; nothing is found where no
        place is known yet.
        """
        if not self.is_calibrated:
            self._calibrate({"body": person["body"]}, time_s)
        remembered_s = max(REMEMBERED_S, self._statistics.level_window_s)
        self._recent.append((time_s, person))
        while self._recent[0][0] < time_s - remembered_s:
            self._recent.popleft()
        seen = self._keypoints(list(self._recent))
        placement = self._find_place(seen)
        if self.source is None or placement is None:
            return self.nobody()
        xy = {part: placement.move(one).astype(np.float32) for part, one in seen.xy.items()}
        heights = placed_heights(placement, self.source, self._target, float(seen.fps))
        return self._in_target(seen.replaced(xy=xy, figure_height=heights.astype(np.float32)))

    def nobody(self) -> Keypoints:
        """A frame of the target's video without anybody."""
        return self._in_target(self._keypoints([(0.0, missing_person(self._skeleton))]))

    def _in_target(self, keypoints: Keypoints) -> Keypoints:
        return keypoints.replaced(width=self._target.width, height=self._target.height)

    def _find_place(self, seen: Keypoints) -> Placement | None:
        if self.source is not None:
            try:
                self._placement = place_figure(seen, self.source, self._target, self._normalization)
            except ValueError:  # no feet for a while: he stays where he was
                if self._placement is not None:
                    self._placement = _held(self._placement, len(seen))
        return self._placement

    def _calibrate(self, person: Person, time_s: float) -> None:
        self._calibration.append((time_s, person))
        try:
            self.source = measure_video(self._keypoints(self._calibration), self._statistics)
        except ValueError:
            self._calibration.clear()  # not enough of anybody was ever seen: begin anew
            return
        self.is_calibrated = time_s - self._calibration[0][0] >= self._calibrate_s

    def _keypoints(self, seen: list[tuple[float, Person]]) -> Keypoints:
        """In live pictures made as large as the target's."""
        span = seen[-1][0] - seen[0][0]
        # Only the lengths of filters in frames depend on the rate.
        fps = Fraction((len(seen) - 1) / span).limit_denominator(1000) if span > 0 else Fraction(25)
        found = from_people(
            [person for _, person in seen],
            self._skeleton,
            width=self._size[1],
            height=self._size[0],
            fps=max(fps, Fraction(1, 1000)),
            video="live",
        )
        return enlarged(found, enlargement(found, self._target.width, self._target.height))


def _held(placement: Placement, n_frames: int) -> Placement:
    """As in its last frame, for so many."""
    last: dict[str, Any] = {
        name: value if name == "by_torso" else np.repeat(value[-1:], n_frames, axis=0)
        for name, value in vars(placement).items()
    }
    return Placement(**last)
