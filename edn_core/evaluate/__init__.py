"""How good is it? On frames nobody trained on, and on transfers, where there is no truth.

``evaluate_truth`` and ``evaluate_baselines`` run once per target, ``evaluate_model`` once per
training stage, ``evaluate_target`` makes one table of them; ``evaluate_transfer`` judges a
transfer. docs/evaluation.md says what the columns mean.
"""

from edn_core.evaluate.baselines import evaluate_baselines
from edn_core.evaluate.files import (
    EvaluationFiles,
    Measures,
    read_measures,
    read_metrics,
    target_files,
)
from edn_core.evaluate.model import evaluate_model
from edn_core.evaluate.poses import evaluate_truth
from edn_core.evaluate.table import compare_tables, evaluate_target
from edn_core.evaluate.transfer import TransferFiles, evaluate_transfer, transfer_files
from edn_core.metrics.target import read_table, short_table

__all__ = [
    "EvaluationFiles",
    "Measures",
    "TransferFiles",
    "compare_tables",
    "evaluate_baselines",
    "evaluate_model",
    "evaluate_target",
    "evaluate_transfer",
    "evaluate_truth",
    "read_measures",
    "read_metrics",
    "read_table",
    "short_table",
    "target_files",
    "transfer_files",
]
