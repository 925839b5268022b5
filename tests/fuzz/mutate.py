"""How good texts and good values are spoiled; the same random numbers spoil them the same way."""

import json
import random
from typing import Any

ODD_TEXTS = (
    *("", "..", "../../etc/passwd", "/etc/passwd", "a\nb", "\0", "$(touch x)", "a" * 5000),
    *("ä\u202e\ud7ff", "{0.__class__}", "%s%n"),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 10**400, -(2**63), 0.0, -0.0, 1e308, 1e-320),
    *(float("nan"), float("inf"), float("-inf"), [], {}, [[]], [None], [[[[[[]]]]]], {"": {}}),
    *([1] * 1000, {"a": 1}, ["x", 1], [1.5, 2, 3], *ODD_TEXTS),
)


def spoiled(rng: random.Random, seeds: list[bytes]) -> bytes:
    """One of some good texts with one to four changes."""
    case = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(case) + 1)
        length = min(rng.choice((1, 2, 4, 8, 32)), len(case) - place)
        kind = rng.randrange(7)
        if kind == 0 and length:  # a bit
            case[place] ^= 1 << rng.randrange(8)
        elif kind == 1:  # a piece taken out
            del case[place : place + length]
        elif kind == 2:  # a piece twice
            case[place:place] = case[place : place + length]
        elif kind == 3:  # a piece of another one
            other = rng.choice(seeds)
            start = rng.randrange(len(other) + 1)
            case[place : place + length] = other[start : start + length]
        elif kind == 4:  # something odd put in
            case[place:place] = rng.choice(ODD_TEXTS)[:100].encode()
        elif kind == 5 and rng.random() < 0.3:  # cut off
            del case[place:]
        else:
            case[place : place + length] = rng.randbytes(length)
    return bytes(case)


def spoiled_json(rng: random.Random, seeds: list[bytes]) -> bytes:
    """One of some JSON texts with one to three values changed."""
    value = json.loads(rng.choice(seeds))
    for _ in range(rng.randint(1, 3)):
        value = _spoiled_value(rng, value)
    try:
        return json.dumps(value).encode()
    except ValueError:  # an integer of too many digits to be written
        return b"{}"


def _spoiled_value(rng: random.Random, value: Any) -> Any:
    """A copy of nested lists and dicts with one place replaced, taken out, doubled or renamed."""
    kind = rng.random()
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if kind < 0.05:
            return {one: each for one, each in value.items() if one != key}
        if kind < 0.1:
            return value | {rng.choice((*ODD_TEXTS, str(key)[:-1])): value[key]}
        return value | {key: _spoiled_value(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        if kind < 0.1:
            return value[:place] + value[place + 1 :]
        if kind < 0.2:
            return value[:place] + value[place : place + 1] * rng.choice((2, 50)) + value[place:]
        return value[:place] + [_spoiled_value(rng, value[place])] + value[place + 1 :]
    if isinstance(value, int | float) and abs(value) < 1e9 and kind < 0.5:
        return rng.choice((-value, value + 1, value * 1e30, int(value)))
    return rng.choice(ODD_VALUES)
