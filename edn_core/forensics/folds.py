"""Who a detector learns from and who it is tested on."""

from collections.abc import Sequence
from dataclasses import dataclass

from edn_core.config import ForensicsConfig
from edn_core.forensics.pairs import Subject, split_in_time

HELD_OUT, SAME_SUBJECT = "subjects held out", "same subject"
"""What a test is worth: of people never seen, or only of frames never seen."""


@dataclass(frozen=True)
class Fold:
    """One training with its test.

    Attributes:
        train: subjects learned from.
        test: subjects tested on.
    """

    train: tuple[Subject, ...]
    test: tuple[Subject, ...]


def plan_folds(subjects: Sequence[Subject], config: ForensicsConfig) -> tuple[str, list[Fold]]:
    """Who is learned from and who is tested on.

    Returns:
        The protocol, HELD_OUT or SAME_SUBJECT, and the folds: one where the configuration names
        the subjects, one per subject left out where it does not.

    Raises:
        ValueError: a name that is no subject, or nobody left to train or test on.
    """
    by_name = {subject.name: subject for subject in subjects}
    for name in (*config.train, *config.test):
        if name not in by_name:
            raise ValueError(
                f"config.yaml: forensics names {name!r}; known targets: {', '.join(by_name)}"
            )
    if config.train or config.test:
        test = config.test or tuple(name for name in by_name if name not in config.train)
        train = config.train or tuple(name for name in by_name if name not in config.test)
        if not train or not test:
            raise ValueError(
                "config.yaml: forensics leaves no target to train or none to test on; name others "
                "in train and test, or leave both empty"
            )
        return HELD_OUT, [
            Fold(tuple(by_name[name] for name in train), tuple(by_name[name] for name in test))
        ]
    if len(subjects) == 1:
        earlier, later = split_in_time(subjects[0])
        return SAME_SUBJECT, [Fold((earlier,), (later,))]
    return HELD_OUT, [
        Fold(tuple(other for other in subjects if other is not one), (one,)) for one in subjects
    ]
