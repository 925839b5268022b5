"""How messages show a value, and what numbers a setting may have."""

import reprlib
import typing
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

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


class Must(NamedTuple):
    """In a setting's annotation: what its number must be, and how a refusal says so."""

    holds: Callable[[Any], bool]
    says: str


Count = Annotated[int, Must(lambda n: n >= 1, "be at least 1")]
Index = Annotated[int, Must(lambda n: n >= 0, "not be negative")]
Amount = Annotated[float, Must(lambda x: x >= 0, "not be negative")]
Positive = Annotated[float, Must(lambda x: x > 0, "be above 0")]
Share = Annotated[float, Must(lambda x: 0 <= x <= 1, "lie in 0..1")]


class Section:
    """A section of settings; a number that its annotation rules out is refused."""

    def __post_init__(self) -> None:
        for name, hint in typing.get_type_hints(type(self), include_extras=True).items():
            value = getattr(self, name)
            for one in (hint, *typing.get_args(hint)):  # the second: ... | None
                for must in getattr(one, "__metadata__", ()):
                    if value is not None and not must.holds(value):
                        raise ValueError(f"{name} must {must.says}, got {value}")
