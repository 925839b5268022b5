"""From a configuration file's values to the sections."""

import dataclasses
import difflib
import functools
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from edn_core.config.checks import shown

Section = TypeVar("Section")
LONGEST_NAME = 255
"""Letters of a video's name in the file; check_name allows fewer."""
_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def read_section(cls: type[Section], values: dict[str, Any] | None, name: str) -> Section:
    """Make a section's dataclass from the values of the config file, sub-sections included.

    Args:
        cls: one of the dataclasses of ``edn_core.config``.
        values: what the file says under that name; None for nothing.
        name: dotted place in the file, "" for the whole file.

    Raises:
        ValueError: an unknown key (the nearest known one is named), a wrong type or an impossible
            value; the message begins with the place.
    """
    place = f"config.yaml: {name}" if name else "config.yaml"
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ValueError(f"{place} is {shown(values)}; expected a section of settings")
    hints = _hints(typing.cast(type, cls))
    for key in values:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(hints)}"
            raise ValueError(f"{place} has no key {shown(key)}; {hint}")
    converted = {
        key: _convert(hints[key], value, f"{name}.{key}" if name else key)
        for key, value in values.items()
    }
    try:
        return cls(**converted)
    except (TypeError, ValueError) as error:  # TypeError: a value without default is not given
        raise ValueError(f"{place}: {str(error).replace('__init__() ', '')}") from error


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _convert(hint: Any, value: Any, name: str) -> Any:
    """Turn a YAML value into the field's type, or say what was expected."""
    if dataclasses.is_dataclass(hint):
        return read_section(typing.cast(type, hint), value, name)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _convert(arguments[0], value, name)
    if origin is typing.Literal and isinstance(value, str):
        if value in arguments:
            return value
        raise ValueError(f"config.yaml: {name} is {shown(value)}; known: {', '.join(arguments)}")
    if origin is tuple and isinstance(value, list | tuple):
        hints = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(hints) == len(value):
            pairs = enumerate(zip(hints, value, strict=True))
            return tuple(_convert(one, item, f"{name}[{i}]") for i, (one, item) in pairs)
    elif origin is dict and isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or not key.isprintable() or len(key) > LONGEST_NAME:
                raise ValueError(
                    f"config.yaml: {name} has the key {shown(key)}; expected a name, in quotes "
                    "where it is a number, true or false"
                )
        return {key: _convert(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    elif hint is float and type(value) in (int, float):
        try:
            return float(value)
        except OverflowError:  # an integer of hundreds of digits
            raise ValueError(f"config.yaml: {name} is too large a number") from None
    elif type(value) is hint:
        return value
    raise ValueError(f"config.yaml: {name} is {shown(value)}; expected {_type_name(hint)}")


def _type_name(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return "a list" if arguments[-1] is Ellipsis else f"a list of {len(arguments)}"
    if origin is dict:
        return "a section of settings"
    return _TYPE_NAMES.get(str if origin is typing.Literal else hint, str(hint))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file of settings; an empty one holds none.

    Raises:
        ValueError: the file is not readable as YAML, or is no section of settings.
    """
    import yaml  # here: a GPU machine with little besides torch trains without it

    try:
        content = yaml.safe_load(Path(path).read_text())
    # Values that YAML has and Python has not (the 32nd of a month) are ValueErrors.
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{path}: not readable as YAML ({' '.join(str(error).split())}); correct it"
        ) from error
    if not isinstance(content, dict | None):
        raise ValueError(
            f"{path}: expected settings, found {type(content).__name__}; write `name: value`"
        )
    return content or {}
