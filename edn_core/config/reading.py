"""From a configuration file's values to the sections."""

import dataclasses
import difflib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from edn_core.config.presets import with_preset
from edn_core.config.whole import Config

Section = TypeVar("Section")


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
        raise ValueError(f"{place} is {values!r}; expected a section of settings")
    hints = typing.get_type_hints(cls)
    for key in values:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(hints)}"
            raise ValueError(f"{place} has no key {key!r}; {hint}")
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
        return {key: _convert(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and type(value) is hint:
        return value
    raise ValueError(f"config.yaml: {name} is {value!r}; expected {_type_name(hint)}")


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
    import yaml

    # Under a preset, as in use: a stage's steps may come from there. Which one changes no verdict.
    read_section(Config, with_preset(values, "8gb"), "")
    schema = yaml.safe_load(Path(schema_path).read_text())
    for error in jsonschema.Draft202012Validator(schema).iter_errors(values):
        place = ".".join(str(part) for part in error.absolute_path)
        raise ValueError(f"config.yaml: {place or 'the file'}: {error.message}")
