"""How networks are made fast on the device at hand, without becoming other networks.

What is switched here changes results by rounding at most; docs/speed.md says what pays where.
"""

from edn_core.accelerate.networks import accelerate, accelerated_for_inference
from edn_core.accelerate.recorded import Recorded
from edn_core.accelerate.switches import (
    PLAIN,
    Acceleration,
    autocast,
    check_precision,
    choose_acceleration,
)
