"""Are frames synthetic? A detector of pairs of frames (paper, section 5), and its use on videos.

``python -m edn_core.forensics VIDEO`` looks at a video.
"""

from edn_core.forensics.detector import load_detector
from edn_core.forensics.pairs import SubjectFiles, open_subject
from edn_core.forensics.training import fit_detector, train_detector
from edn_core.forensics.verdict import describe_verdict, examine_video

__all__ = [
    "SubjectFiles",
    "describe_verdict",
    "examine_video",
    "fit_detector",
    "load_detector",
    "open_subject",
    "train_detector",
]
