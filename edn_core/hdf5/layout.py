"""What a store must look like, and what was read of one."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edn_core.store import remake

DIGEST = "content_sha256"
"""Root attribute: SHA-256 over all other attributes and all arrays (see `digest_of`)."""


@dataclass(frozen=True)
class Layout:
    """What a store must look like.

    Attributes:
        schema: its name.
        version: of the schema.
        arrays: path -> dtype and number of dimensions.
        images: path of a (T,) dataset of variable-length bytes; "" where there is none.
        optional: paths of arrays that earlier releases did not write.
    """

    schema: str
    version: int
    arrays: dict[str, tuple[str, int]]
    images: str = ""
    optional: frozenset[str] = frozenset()

    @property
    def datasets(self) -> set[str]:
        """Paths of all datasets."""
        return {*self.arrays, *([self.images] if self.images else [])}

    @property
    def groups(self) -> set[str]:
        """Paths of all groups; "" is the root."""
        return {path.rpartition("/")[0] for path in self.datasets} | {""}


@dataclass
class Content:
    """What was read of a store.

    Attributes:
        attributes: path of a group or dataset -> its attributes; "" is the root.
        arrays: path -> array.
        is_sealed: whether the file carries a digest; those of earlier releases do not.
    """

    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    is_sealed: bool = False


def refused(path: str | Path, found: str, expected: str) -> ValueError:
    """The error that says what a store holds, what it should, and how to remake it."""
    return ValueError(f"{path}: {found}, expected {expected}; {remake(path)}")
