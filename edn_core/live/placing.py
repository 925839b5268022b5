"""Where the live dancer stands in the target's frame: normalization while the video goes on."""

from collections import deque
from fractions import Fraction

import numpy as np

from edn_core.config import NormalizationConfig, StatisticsConfig
from edn_core.keypoints import Keypoints, Person, from_people, missing_person
from edn_core.normalize import VideoStatistics, measure_video, place_figure
from edn_core.skeleton import Skeleton

LONGEST_LEVEL = 64  # frames that the running median of the foot level looks back, at most


class LivePlacing:
    """Moves a dancer of whom only the past is known into the target's frame.

    His own ankle levels and heights are measured while he calibrates: anew with every frame, so
    that there is something to see from the first one on, and then fixed. The level of the ground
    under him is a running median of the last ``level_window_s`` seconds, with the window mirrored
    at the newest frame.

    Attributes:
        source: the live dancer's levels as known so far; None before anybody was seen.
        is_calibrated: whether they are fixed.
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

        Args:
            target: statistics of the target video.
            skeleton: of the live dancer's body.
            size: (H, W) of the live pictures, px.
            statistics: thresholds for measuring the live dancer.
            normalization: horizontal placement and clamping; the mode is ``paper``.
            calibrate_s: seconds after which his levels are fixed, from when he was first seen.
        """
        self.source: VideoStatistics | None = None
        self.is_calibrated = False
        self._target, self._skeleton, self._size = target, skeleton, size
        self._statistics, self._normalization = statistics, normalization
        self._calibrate_s = calibrate_s
        self._calibration: list[tuple[float, Person]] = []
        self._recent: deque[tuple[float, Person]] = deque(maxlen=LONGEST_LEVEL)
        # The figure moves by q' = scale (q - pivot) + to.
        self._placed: tuple[float, np.ndarray, np.ndarray] | None = None

    def place(self, person: Person, time_s: float) -> Person:
        """Move one frame's keypoints.

        Args:
            person: in px of the live picture.
            time_s: when, by the source's clock; ascending.

        Returns:
            The same in px of the target's canvas; nothing found where no place is known yet.
        """
        body = {"body": person["body"]}
        if not self.is_calibrated:
            self._calibrate(body, time_s)
        if self.source is None:
            return missing_person(self._skeleton)
        self._recent.append((time_s, body))
        while self._recent[0][0] < time_s - self._statistics.level_window_s:
            self._recent.popleft()
        try:
            found = place_figure(
                self._keypoints(list(self._recent)), self.source, self._target, self._normalization
            )
            self._placed = float(found.scale[-1]), found.pivot[-1], found.placed[-1]
        except ValueError:
            pass  # no feet for a while: he stays where he was
        if self._placed is None:
            return missing_person(self._skeleton)
        scale, pivot, to = self._placed
        moved = {part: points.copy() for part, points in person.items()}
        for points in moved.values():
            points[:, :2] = scale * (points[:, :2] - pivot) + to
        return moved

    def _calibrate(self, person: Person, time_s: float) -> None:
        self._calibration.append((time_s, person))
        try:
            self.source = measure_video(self._keypoints(self._calibration), self._statistics)
        except ValueError:
            self._calibration.clear()  # not enough of anybody was ever seen: begin anew
            return
        self.is_calibrated = time_s - self._calibration[0][0] >= self._calibrate_s

    def _keypoints(self, seen: list[tuple[float, Person]]) -> Keypoints:
        span = seen[-1][0] - seen[0][0]
        # Only the length of the median's window in frames depends on the rate.
        fps = Fraction((len(seen) - 1) / span).limit_denominator(1000) if span > 0 else Fraction(25)
        return from_people(
            [person for _, person in seen],
            self._skeleton,
            width=self._size[1],
            height=self._size[0],
            fps=max(fps, Fraction(1, 1000)),
            video="live",
        )
