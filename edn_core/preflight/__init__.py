"""Will this work? Measured in seconds, before hours of training (``edn-preflight``).

Of every video: is the dancer found, steady, whole, large enough, do camera and light hold still.
Of every pair: how much of the dance the target's own video covers. Each answer is a verdict with
its reasons and what to film instead, as JSON and as one sheet to look at.
"""

from edn_core.preflight.pair import PairFiles, preflight_pair
from edn_core.preflight.video import preflight_video

__all__ = ["PairFiles", "preflight_pair", "preflight_video"]
