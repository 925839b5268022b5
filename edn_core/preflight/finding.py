"""What a preflight finds: a value, a verdict, what it means and what to film instead."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

VERDICTS = ("good", "fair", "poor")
"""From best to worst."""
ROLES = ("source", "target")
TARGET = ("target",)
SCHEMA = "edn-preflight", 3


@dataclass(frozen=True)
class Measure:
    """Something that is measured, and from where on it is good, fair or poor."""

    title: str  # in two or three words, for people
    unit: str
    good: float  # at least as good as this is good; where it lies above ``fair`` more is better
    fair: float  # at least as good as this is fair, anything beyond is poor
    advice: str  # what to film or to set instead
    roles: tuple[str, ...] = ROLES  # where it matters: in the dance (source), the looks (target)
    worst: str = "poor"  # "fair" for what cannot spoil a transfer by itself
    digits: int = 0  # decimals people are shown

    @property
    def sign(self) -> str:
        """On which side of its thresholds a value is better."""
        return "≥" if self.good > self.fair else "≤"


@dataclass(frozen=True)
class Finding:
    """One measure of one video or pair."""

    name: str
    measure: Measure
    value: float  # in its unit; NaN where nothing was there to measure
    found: str  # the value in a sentence

    @property
    def verdict(self) -> str:
        """Good, fair or poor; what could not be measured (NaN) is no reproach: good."""
        one, sign = self.measure, 1 if self.measure.good > self.measure.fair else -1
        if math.isnan(self.value) or sign * self.value >= sign * one.good:
            return "good"
        return "fair" if one.worst == "fair" or sign * self.value >= sign * one.fair else "poor"

    @property
    def says(self) -> str:
        """What was found, in a sentence."""
        nothing = f"{self.measure.title}: nothing was there to measure"
        return nothing if math.isnan(self.value) else self.found

    @property
    def advice(self) -> str:
        """What to film or to set instead; empty where all is well."""
        return "" if self.verdict == "good" else self.measure.advice

    def content(self) -> dict[str, Any]:
        """As it stands in ``preflight.json``.

        ``value`` is null for what could not be measured, and for what is beyond all measure (the
        room was not found again), its verdict then poor.
        """
        return {
            "name": self.name,
            "title": self.measure.title,
            "value": round(self.value, 4) if math.isfinite(self.value) else None,
            "unit": self.measure.unit,
            "good": float(self.measure.good),
            "fair": float(self.measure.fair),
            "verdict": self.verdict,
            "roles": list(self.measure.roles),
            "says": self.says,
            "advice": self.advice,
        }


def make_findings(
    measures: Mapping[str, Measure], values: Mapping[str, tuple[float, str]]
) -> list[Finding]:
    """A finding for each measure, in their order, from its value and what it says."""
    return [
        Finding(name, measure, float(values[name][0]), values[name][1])
        for name, measure in measures.items()
    ]


def worst_verdict(findings: Iterable[Finding], role: str | None = None) -> str:
    """The worst verdict of those findings that matter for a role (none: of all); else good."""
    verdicts = [one.verdict for one in findings if role is None or role in one.measure.roles]
    return max(verdicts, key=VERDICTS.index, default="good")


def reasons(findings: Iterable[Finding]) -> str:
    """What is not good, worst first, in one line; or that nothing stands against it."""
    concerned = [one for one in findings if one.verdict != "good"]
    concerned.sort(key=lambda one: -VERDICTS.index(one.verdict))
    return "; ".join(one.says for one in concerned) or "nothing stands against it"


def percentile(values: Sequence[float] | np.ndarray, percent: float) -> float:
    """The nearest value there is, NaN left out, infinite the largest; NaN where all is NaN."""
    known = np.sort(np.asarray(values, np.float64))
    known = known[~np.isnan(known)]
    return float(known[round(percent / 100 * (len(known) - 1))]) if len(known) else math.nan


def mean(values: np.ndarray) -> float:
    """Mean of what is finite; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def median(values: np.ndarray) -> float:
    """Median of what is finite; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan
