"""Frame after frame, each fed the one before (paper, section 3.1, and its face GAN, 3.3).

One step, from label and previous output to output (module step), serves one video in order, pieces
of it side by side as one batch (module pieces), the exported model and live video.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edn_core.synthesize.files import (
        JPEG_QUALITY,
        check_labels,
        load_networks,
        synthesize_frames,
    )
    from edn_core.synthesize.pieces import Piece, cut_into_pieces, synthesize_pieces
    from edn_core.synthesize.sequence import face_arguments, synthesize
    from edn_core.synthesize.step import add_faces, synthesize_step, to_levels

__all__ = [
    "JPEG_QUALITY",
    "Piece",
    "add_faces",
    "check_labels",
    "cut_into_pieces",
    "face_arguments",
    "load_networks",
    "synthesize",
    "synthesize_frames",
    "synthesize_pieces",
    "synthesize_step",
    "to_levels",
]

_HOMES = {
    **dict.fromkeys(
        ["JPEG_QUALITY", "check_labels", "load_networks", "synthesize_frames"], "files"
    ),
    **dict.fromkeys(["Piece", "cut_into_pieces", "synthesize_pieces"], "pieces"),
    **dict.fromkeys(["face_arguments", "synthesize"], "sequence"),
    **dict.fromkeys(["add_faces", "synthesize_step", "to_levels"], "step"),
}


def __getattr__(name: str) -> Any:
    # When asked for: benchmarks.gpu takes module step, where little besides torch is installed.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
