"""How every file of the workflow is put in its place: written beside it, then renamed into it."""

import glob
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from edn_core.config import printable
from edn_core.disk import disk_errors_named

JSON_DIGEST = "content_sha256"
"""Last member of every JSON file: SHA-256 over the others."""
MAX_JSON_BYTES = 64 * 2**20
MAX_JSON_DEPTH = 32
_HEXADECIMAL = frozenset("0123456789abcdef")


def remake(path: str | Path) -> str:
    """What a message about a file that is no good ends with: how to have it written anew."""
    return f"delete it and run `snakemake {path}` to write it anew"


_HOST = platform.node() or "localhost"
SECONDS_OF_THE_LEFT = 24 * 3600.0
"""Another machine's partial file that nobody has written to for so long has no writer any more."""


@contextmanager
def write_beside(path: str | Path) -> Iterator[Path]:
    """Give a partial path beside ``path``; rename it into place when the block succeeds.

    The partial name keeps the suffix (encoders look at it) and holds machine and process id, so
    two processes never share one. If the block raises, the partial file is removed and whatever
    stood at ``path`` before is untouched. What a killed process left half-written is removed too.

    Args:
        path: where the finished file shall stand; its folder is made if need be.

    Yields:
        The path to write to.

    Raises:
        ValueError: the folder cannot be made or written, a folder stands in the file's place, or
            the disk is full.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: a folder stands in the file's place; move it away and run again")
    partial = path.with_name(f".{path.stem}.{_HOST}.{os.getpid()}.partial{path.suffix}")
    try:
        with disk_errors_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path)
            partial.touch()
    except OSError as error:
        raise ValueError(
            f"{path}: cannot be written ({error.strerror}: {error.filename}); "
            "make its folder a writable one and run again"
        ) from error
    try:
        with disk_errors_named(path):
            yield partial
            with open(partial, "rb") as stream:
                os.fsync(stream.fileno())
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what killed processes left half-written of a file: gigabytes, perhaps."""
    import psutil  # here, so that benchmarks.gpu runs where there is little besides torch

    for left in path.parent.glob(f".{glob.escape(path.stem)}.*.partial{glob.escape(path.suffix)}"):
        name = left.name.removeprefix(f".{path.stem}.").removesuffix(f".partial{path.suffix}")
        host, _, process = name.rpartition(".")
        try:
            age = time.time() - left.stat().st_mtime
        except FileNotFoundError:  # its writer has just finished
            continue
        is_dead = host == _HOST and process.isdigit() and not psutil.pid_exists(int(process))
        if is_dead or age > SECONDS_OF_THE_LEFT:
            left.unlink(missing_ok=True)


def check_schema(path: str | Path, found: tuple[Any, Any], expected: tuple[str, int]) -> None:
    """Refuse a file of another schema or version.

    Args:
        path: the file, for the message.
        found: schema name and version read from the file; None where it has none.
        expected: the schema and version this release reads.

    Raises:
        ValueError: names both and the command that remakes the file.
    """
    is_plain = isinstance(found[0], str | None) and type(found[1]) in (int, type(None))
    if not is_plain:
        raise ValueError(
            f"{path}: expected schema {expected[0]} version {expected[1]}, found neither a name "
            f"nor a number; {remake(path)}"
        )
    if tuple(found) != tuple(expected):
        # A good file given in the wrong place must not be deleted.
        is_other_kind = found[0] is not None and found[0] != expected[0]
        raise ValueError(
            f"{path}: expected schema {expected[0]} version {expected[1]}, "
            f"found {printable(found[0])} version {printable(found[1])}; "
            + (
                f"give an {expected[0]} file, or let `snakemake {path}` write one"
                if is_other_kind
                else remake(path)
            )
        )


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """Write a dict as indented JSON, atomically; the same dict gives the same bytes.

    Its last member is a digest over the others, so that damage is noticed.
    """
    # Through JSON first: what is read back is what the digest is over.
    plain = json.loads(json.dumps(content, allow_nan=False))
    sealed = {**plain, JSON_DIGEST: json_digest(plain)}
    with write_beside(path) as partial:
        partial.write_text(json.dumps(sealed, indent=2, allow_nan=False) + "\n")


def json_digest(content: dict[str, Any]) -> str:
    """SHA-256 of a JSON object: of its text with sorted keys and nothing between the tokens."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON object and check its digest; files of earlier releases have none.

    Raises:
        ValueError: the file is not a JSON object, is damaged, or is larger or deeper than any that
            is written here; the message says where and how to remake it.
    """
    path = Path(path)
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(
            f"{path}: has {path.stat().st_size} bytes, expected at most {MAX_JSON_BYTES}; "
            f"{remake(path)}"
        )
    try:
        text = path.read_text(encoding="utf-8")
        _check_depth(text)
        content = json.loads(
            text, object_pairs_hook=_without_doubles, parse_constant=_refuse_constant
        )
        # Escapes can spell halves of characters, and figures be beyond all numbers.
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as JSON ({error}); {remake(path)}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(content).__name__}")
    *_, (last, value) = [("", None), *content.items()]
    if JSON_DIGEST in content or _is_digest(value):  # the digest's own name may be damaged
        content.pop(last)
        if last != JSON_DIGEST or value != json_digest(content):
            raise ValueError(f"{path}: is damaged: not what was written; {remake(path)}")
    return content


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= _HEXADECIMAL


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", re.sub(r'"(?:[^"\\]|\\.)*+"', "", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_JSON_DEPTH:
            raise ValueError(f"nested deeper than {MAX_JSON_DEPTH}")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
