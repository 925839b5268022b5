"""From a configuration file's values to the sections."""

import dataclasses
import difflib
import functools
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from edn_core.config.checks import shown
from edn_core.config.presets import with_preset
from edn_core.config.whole import Config

Section = TypeVar("Section")
LONGEST_NAME = 255
"""Letters of a video's name in the file; check_name allows fewer."""


def read_section(cls: type[Section], values: dict[str, Any] | None, name: str) -> Section:
    """Make a section's dataclass from the values of the config file.

    Args:
        cls: one of the dataclasses of this module.
        values: what the file says under that name; None for nothing.
        name: dotted place in the file, "" for the whole file.

    Returns:
        The section, sub-sections included.

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
    except TypeError as error:
        raise ValueError(f"{place}: {str(error).replace('__init__() ', '')}") from error
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _convert(hint: Any, value: Any, name: str) -> Any:
    """Turn a YAML value into the field's type, or say what was expected."""
    if dataclasses.is_dataclass(hint):
        return read_section(typing.cast(type, hint), value, name)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if value is None:
            return None
        return _convert(arguments[0], value, name)
    if origin is tuple and isinstance(value, list | tuple):
        if arguments[-1] is Ellipsis:
            return tuple(
                _convert(arguments[0], item, f"{name}[{i}]") for i, item in enumerate(value)
            )
        if len(arguments) == len(value):
            return tuple(
                _convert(one, item, name) for one, item in zip(arguments, value, strict=True)
            )
    elif origin is dict and isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or not key.isprintable() or len(key) > LONGEST_NAME:
                raise ValueError(
                    f"config.yaml: {name} has the key {shown(key)}; expected a name, in quotes "
                    "where it is a number, true or false"
                )
        return {key: _convert(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:  # an integer of hundreds of digits
            raise ValueError(f"config.yaml: {name} is too large a number") from None
    elif isinstance(hint, type) and type(value) is hint:
        return value
    raise ValueError(f"config.yaml: {name} is {shown(value)}; expected {_type_name(hint)}")


def _type_name(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)}"
    return names.get(hint) or {tuple: "a list", dict: "a section of settings"}.get(
        origin, str(hint)
    )


def check_config(values: dict[str, Any], schema_path: str | Path) -> None:
    """Check a configuration against the closed schema, then every value.

    Args:
        values: what the config files and --config say.
        schema_path: ``workflow/schemas/config.schema.yaml`` (types; no key beyond those it names).

    Raises:
        ValueError: one line for the first thing that is wrong; an unknown key comes with the
            nearest known one.
    """
    import jsonschema  # here, so that benchmarks.gpu runs where there is little besides torch

    # Under a preset, as in use: a stage's steps may come from there. Which one changes no verdict.
    read_section(Config, with_preset(values, "8gb"), "")
    schema = read_yaml(schema_path)
    for error in jsonschema.Draft202012Validator(schema).iter_errors(values):
        place = ".".join(str(part) for part in error.absolute_path)
        raise ValueError(f"config.yaml: {place or 'the file'}: {error.message}")


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file of settings; an empty one holds none.

    Raises:
        ValueError: the file is not readable as YAML, or is no section of settings.
    """
    import yaml  # here, as jsonschema above

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
