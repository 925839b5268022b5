"""Who a detector learns from and who it is tested on."""

from collections.abc import Sequence

from edn_core.config import ForensicsConfig
from edn_core.errors import Refused
from edn_core.forensics.pairs import Subject, split_in_time

HELD_OUT, SAME_SUBJECT = "subjects held out", "same subject"
"""What a test is worth: of people never seen, or only of frames never seen."""
Fold = tuple[list[Subject], list[Subject]]
"""Of one training: who is learned from, and who is tested on."""


def plan_folds(subjects: Sequence[Subject], config: ForensicsConfig) -> tuple[str, list[Fold]]:
    """Who is learned from and who is tested on.

    Returns:
        The protocol, HELD_OUT or SAME_SUBJECT, and the folds: one where the configuration names
        the subjects, one per subject left out where it does not.

    Raises:
        Refused: nobody is left to train or test on, or a single subject has too few frames.
    """
    if config.train or config.test:
        named = {one.name: one for one in subjects}
        learned = config.train or [name for name in named if name not in config.test]
        tested = config.test or [name for name in named if name not in config.train]
        if not learned or not tested:
            raise Refused(
                "config.yaml: forensics",
                "leaves no target to train or none to test on",
                remedy="name others in train and test, or leave both empty",
            )
        return HELD_OUT, [([named[one] for one in learned], [named[one] for one in tested])]
    if len(subjects) == 1:
        earlier, later = split_in_time(subjects[0])
        return SAME_SUBJECT, [([earlier], [later])]
    return HELD_OUT, [
        ([other for other in subjects if other is not one], [one]) for one in subjects
    ]
