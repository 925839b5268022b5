"""How good is it? On frames nobody trained on, and on transfers, where there is no truth.

``evaluate_target`` makes a table of a target's generators, on what ``evaluate_truth`` found in the
true frames; ``evaluate_transfer`` judges a transfer. docs/evaluation.md says what the columns mean.
"""

from edn_core.evaluate.files import EvaluationFiles, Measures, named_files, read_measures
from edn_core.evaluate.poses import evaluate_truth
from edn_core.evaluate.target import evaluate_target
from edn_core.evaluate.transfer import TransferFiles, evaluate_transfer

__all__ = [
    "EvaluationFiles",
    "Measures",
    "TransferFiles",
    "evaluate_target",
    "evaluate_transfer",
    "evaluate_truth",
    "named_files",
    "read_measures",
]
