"""Checks that several sections share."""

import reprlib
from typing import Any

# What a message shows of a value: YAML's anchors make a few lines into gigabytes of text.
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 80


def shown(value: Any) -> str:
    """A value as messages show it: as Python writes it, on one line, long ones cut."""
    return _SHOWN.repr(value)


def printable(value: Any) -> str:
    """A path or a name for messages: as it is, or as shown where a terminal would act on it."""
    text = str(value)
    return text if text.isprintable() and len(text) <= 500 else shown(text)


def check_dancer(index: int | None, box: tuple[float, float, float, float] | None) -> None:
    """Refuse an index or a box (x0, y0, x1, y1) that no dancer can have."""
    if index is not None and index < 0:
        raise ValueError(f"dancer_index must not be negative, got {index}")
    if box is not None and not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError(
            f"dancer_box is {list(box)}; expected [x0, y0, x1, y1] with x0 < x1 and y0 < y1"
        )


def check_fractions(section: Any, *names: str) -> None:
    """Refuse values outside 0..1."""
    for name in names:
        if not 0 <= getattr(section, name) <= 1:
            raise ValueError(f"{name} must lie in 0..1, got {getattr(section, name)}")


def check_choice(section: Any, name: str, known: tuple[str, ...]) -> None:
    """Refuse a value that is none of the known ones."""
    if getattr(section, name) not in known:
        raise ValueError(f"{name} is {shown(getattr(section, name))}; known: {', '.join(known)}")
