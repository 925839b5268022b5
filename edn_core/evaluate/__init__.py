"""How good is it? On frames nobody trained on, and on transfers, where there is no truth.

``evaluate_truth`` and ``evaluate_baselines`` run once per target, ``evaluate_model`` once per
training stage, ``evaluate_target`` makes one table of them; ``evaluate_transfer`` judges a
transfer. docs/evaluation.md says what the columns mean.
"""

from edn_core.evaluate.baselines import evaluate_baselines
from edn_core.evaluate.files import EvaluationFiles, Measures, named_files, read_measures
from edn_core.evaluate.model import evaluate_model
from edn_core.evaluate.poses import evaluate_truth
from edn_core.evaluate.table import evaluate_target
from edn_core.evaluate.transfer import TransferFiles, evaluate_transfer

__all__ = [
    "EvaluationFiles",
    "Measures",
    "TransferFiles",
    "evaluate_baselines",
    "evaluate_model",
    "evaluate_target",
    "evaluate_transfer",
    "evaluate_truth",
    "named_files",
    "read_measures",
]
