"""Who a detector learns from and who it is tested on."""

from collections.abc import Sequence
from dataclasses import dataclass

from edn_core.config import ForensicsConfig
from edn_core.errors import Refused
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
        Refused: a name that is no subject, or nobody left to train or test on.
    """
    where, by_name = "config.yaml: forensics", {subject.name: subject for subject in subjects}
    for name in (*config.train, *config.test):
        if name not in by_name:
            raise Refused(where, f"names {name!r}", "", f"known targets: {', '.join(by_name)}")
    if config.train or config.test:
        train = config.train or tuple(name for name in by_name if name not in config.test)
        test = config.test or tuple(name for name in by_name if name not in config.train)
        if not train or not test:
            remedy = "name others in train and test, or leave both empty"
            raise Refused(where, "leaves no target to train or none to test on", "", remedy)
        learned, tested = (tuple(by_name[name] for name in names) for names in (train, test))
        return HELD_OUT, [Fold(learned, tested)]
    if len(subjects) == 1:
        earlier, later = split_in_time(subjects[0])
        return SAME_SUBJECT, [Fold((earlier,), (later,))]
    return HELD_OUT, [
        Fold(tuple(other for other in subjects if other is not one), (one,)) for one in subjects
    ]
