"""Frame after frame, each fed the one before (paper, section 3.1, and its face GAN, 3.3).

One step, from label and previous output to output (module step), serves one video in order, pieces
of it side by side as one batch (module recurrence), the exported model and live video.
"""

from edn_core.synthesize.files import (
    check_labels,
    load_networks,
    synthesize_frames,
)
from edn_core.synthesize.recurrence import (
    Piece,
    cut_into_pieces,
    face_arguments,
    synthesize,
    synthesize_pieces,
)
from edn_core.synthesize.step import synthesize_step, to_levels, to_picture

__all__ = [
    "Piece",
    "check_labels",
    "cut_into_pieces",
    "face_arguments",
    "load_networks",
    "synthesize",
    "synthesize_frames",
    "synthesize_pieces",
    "synthesize_step",
    "to_levels",
    "to_picture",
]
