"""How every file of the workflow is put in its place, and how JSON files are sealed.

Whole or not at all: a file is written beside its place and renamed into it. What it holds is
guarded by a checksum of its own format.
"""

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from edn_core.errors import Refused, remake

JSON_DIGEST = "content_sha256"
"""Last member of every JSON file: SHA-256 over the others."""
SECONDS_OF_THE_LEFT = 24 * 3600.0
"""Another machine's partial file that nobody has written to for so long has no writer any more."""
_HOST = platform.node() or "localhost"


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Give an OSError of the block this file's name: a write that fails does not say of which."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def write_beside(path: str | Path) -> Iterator[Path]:
    """Give a partial path beside ``path``; rename it into place when the block succeeds.

    The partial name keeps the suffix (encoders look at it) and holds machine and process, so two
    processes never share one. If the block raises, the partial file is removed and whatever stood
    at ``path`` before is untouched. What a killed process left half-written is removed too. Its
    folder is made if need be.

    Raises:
        Refused: a folder stands in its place.
        OSError: names ``path``: the disk is full, its folder cannot be written, ...
    """
    path = Path(path)
    if path.is_dir():
        raise Refused(path, "a folder stands in its place", "", "move it away and run again")
    partial = path.with_name(f".{path.stem}.{_HOST}.{os.getpid()}.partial{path.suffix}")
    try:
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path)
            yield partial
            with open(partial, "rb") as stream:
                os.fsync(stream.fileno())
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what killed processes left half-written of a file: gigabytes, perhaps."""
    for left in path.parent.glob(f".{path.stem}.*.partial{path.suffix}"):
        host, _, process = left.name.removesuffix(f".partial{path.suffix}").rpartition(".")
        is_here = host == f".{path.stem}.{_HOST}" and process.isdigit()
        try:
            is_old = time.time() - left.stat().st_mtime > SECONDS_OF_THE_LEFT
            if is_old or (is_here and not psutil.pid_exists(int(process))):
                left.unlink()
        except FileNotFoundError:  # its writer has just finished
            continue


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_schema(path: str | Path, found: tuple[Any, Any], expected: tuple[str, int]) -> None:
    """Refuse a file of another schema (name, version); names both and what to do."""
    if found != expected:
        # A good file given in the wrong place must not be deleted.
        is_other_kind = found[0] is not None and found[0] != expected[0]
        give = f"give an {expected[0]} file, or let `snakemake {path}` write one"
        read, wanted = (f"schema {name} version {version}" for name, version in (found, expected))
        raise Refused(path, read, wanted, give if is_other_kind else remake(path))


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


def read_json(path: str | Path, schema: tuple[str, int] | None = None) -> dict[str, Any]:
    """Read a JSON object and check its digest and, if one is given, schema and version.

    Refused: no JSON object, damaged, or of another schema; says how to remake it.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        is_whole = content.pop(JSON_DIGEST) == json_digest(content)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise Refused(path, f"not readable as sealed JSON ({error})", "", remake(path)) from error
    if not is_whole:
        raise Refused(path, "is damaged: not what was written", "", remake(path))
    if schema is not None:
        check_schema(path, (content.get("schema"), content.get("schema_version")), schema)
    result: dict[str, Any] = content
    return result
