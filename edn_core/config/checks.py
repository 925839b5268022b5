"""How messages show a value, and the refusals that several sections share."""

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


def refuse_below(least: float, section: Any, *names: str) -> None:
    """Refuse values under the least one; a setting that is not set has none."""
    for name in names:
        value = getattr(section, name)
        if value is not None and not value >= least:
            what = "not be negative" if least == 0 else f"be at least {least}"
            raise ValueError(f"{name} must {what}, got {value}")


def refuse_not_above_0(section: Any, *names: str) -> None:
    """Refuse 0 and less."""
    for name in names:
        if not getattr(section, name) > 0:
            raise ValueError(f"{name} must be above 0, got {getattr(section, name)}")


def refuse_no_fraction(section: Any, *names: str) -> None:
    """Refuse values outside 0..1."""
    for name in names:
        if not 0 <= getattr(section, name) <= 1:
            raise ValueError(f"{name} must lie in 0..1, got {getattr(section, name)}")
