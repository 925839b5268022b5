"""How good files and good values are spoiled; the same random numbers spoil them the same way."""

import json
import random
import struct
from typing import Any

ODD_NUMBERS = (
    0,
    1,
    2,
    127,
    128,
    255,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)
ODD_TEXTS = (
    "",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a\nb",
    "\0",
    "$(touch x)",
    "a" * 5000,
    "ä\u202e\ud7ff",
    "{0.__class__}",
    "%s%n",
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 10**400, -(2**63), 0.0, -0.0, 1e308, 1e-320),
    *(float("nan"), float("inf"), float("-inf"), [], {}, [[]], [None], [[[[[[]]]]]], {"": {}}),
    *([1] * 1000, {"a": 1}, ["x", 1], [1.5, 2, 3], *ODD_TEXTS),
)


def spoiled(rng: random.Random, seeds: list[bytes]) -> bytes:
    """One of some good files with one to four changes."""
    case = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 4)):
        _change(rng, case, seeds)
    return bytes(case)


def _change(rng: random.Random, case: bytearray, seeds: list[bytes]) -> None:
    place = rng.randrange(len(case) + 1)
    length = min(rng.choice((1, 2, 4, 8, 32, 512)), len(case) - place)
    kind = rng.randrange(8)
    if kind <= 1 and case:  # a bit
        case[place % len(case)] ^= 1 << rng.randrange(8)
    elif kind == 2 and case:  # a byte
        case[place % len(case)] = rng.randrange(256)
    elif kind == 3:  # a number
        form = rng.choice(("<H", "<I", ">I", "<Q"))
        number = rng.choice(ODD_NUMBERS) % 256 ** struct.calcsize(form)
        case[place : place + struct.calcsize(form)] = struct.pack(form, number)
    elif kind == 4:  # a piece taken out
        del case[place : place + length]
    elif kind == 5:  # a piece twice
        case[place:place] = case[place : place + length]
    elif kind == 6:  # a piece of another file
        other = rng.choice(seeds)
        start = rng.randrange(len(other) + 1)
        case[place : place + length] = other[start : start + length]
    elif rng.random() < 0.3:  # cut off
        del case[place:]
    else:
        case[place : place + length] = rng.randbytes(length)


def spoiled_value(rng: random.Random, value: Any) -> Any:
    """A copy of nested lists and dicts with one place replaced, taken out, doubled or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.05:
            return {one: each for one, each in value.items() if one != key}
        if kind < 0.1:
            return value | {rng.choice((*ODD_TEXTS, str(key)[:-1])): value[key]}
        return value | {key: spoiled_value(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        kind = rng.random()
        if kind < 0.1:
            return value[:place] + value[place + 1 :]
        if kind < 0.2:
            return value[:place] + value[place : place + 1] * rng.choice((2, 50)) + value[place:]
        return value[:place] + [spoiled_value(rng, value[place])] + value[place + 1 :]
    is_small = isinstance(value, int | float) and abs(value) < 1e9
    if is_small and rng.random() < 0.5:
        return rng.choice((-value, value + 1, value * 1e30, int(value)))
    return rng.choice(ODD_VALUES)


def spoiled_json(rng: random.Random, seeds: list[bytes]) -> bytes:
    """One of some JSON texts with one to three values changed."""
    value = json.loads(rng.choice(seeds))
    for _ in range(rng.randint(1, 3)):
        value = spoiled_value(rng, value)
    try:
        return json.dumps(value).encode()
    except ValueError:  # an integer of too many digits to be written
        return b"{}"
