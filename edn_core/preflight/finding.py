"""What a preflight finds: a value, a verdict, what it means and what to film instead."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

VERDICTS = ("good", "fair", "poor")
"""From best to worst."""
ROLES = ("source", "target")
SCHEMA = "edn-preflight"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Measure:
    """Something that is measured, and from where on it is good, fair or poor.

    Attributes:
        title: in two or three words, for people.
        unit: of the value.
        good: at least as good as this is good; where it lies above ``fair`` more is better.
        fair: at least as good as this is fair, anything beyond is poor.
        advice: what to film or to set instead.
        roles: for which videos it matters: of the dance (source), of the looks (target).
        worst: "fair" for what cannot spoil a transfer by itself.
        digits: decimals people are shown.
    """

    title: str
    unit: str
    good: float
    fair: float
    advice: str
    roles: tuple[str, ...] = ROLES
    worst: str = "poor"
    digits: int = 0

    def judge(self, value: float) -> str:
        """good, fair or poor; what could not be measured (NaN) is no reproach: good."""
        sign = 1 if self.good > self.fair else -1
        if math.isnan(value) or sign * value >= sign * self.good:
            return "good"
        return "fair" if sign * value >= sign * self.fair or self.worst == "fair" else "poor"


@dataclass(frozen=True)
class Finding:
    """One measure of one video or pair.

    Attributes:
        name: key of the measure.
        title: the measure in words.
        value: in ``unit``; NaN where nothing was there to measure.
        unit: of the value and its thresholds.
        good: threshold of good.
        fair: threshold of fair.
        verdict: good, fair or poor.
        roles: the roles of a video this matters for.
        says: what was found, in a sentence.
        advice: what to film or to set instead; empty where all is well.
        digits: decimals people are shown.
    """

    name: str
    title: str
    value: float
    unit: str
    good: float
    fair: float
    verdict: str
    roles: tuple[str, ...]
    says: str
    advice: str
    digits: int = 0

    def shown(self) -> str:
        """The value as people read it."""
        if not math.isfinite(self.value):
            return "–"
        return f"{self.value:.{self.digits}f} {self.unit}".strip()


def make_finding(
    name: str, measures: Mapping[str, Measure], value: float, says: str, advice: str = ""
) -> Finding:
    """Judge a value.

    Args:
        name: key of ``measures``.
        measures: what is measured, by name.
        value: in the measure's unit.
        says: what was found, in a sentence.
        advice: in place of the measure's own.
    """
    measure = measures[name]
    verdict = measure.judge(value)
    return Finding(
        name=name,
        title=measure.title,
        value=float(value),
        unit=measure.unit,
        good=measure.good,
        fair=measure.fair,
        verdict=verdict,
        roles=measure.roles,
        says=f"{measure.title}: nothing was there to measure" if math.isnan(value) else says,
        advice="" if verdict == "good" else advice or measure.advice,
        digits=measure.digits,
    )


def worst_verdict(findings: Iterable[Finding], role: str | None = None) -> str:
    """The worst verdict of those findings that matter for a role (none: of all); else good."""
    verdicts = [one.verdict for one in findings if role is None or role in one.roles]
    return max(verdicts, key=VERDICTS.index, default="good")


def reasons(findings: Iterable[Finding], role: str | None = None) -> str:
    """What is not good, worst first, in one line; or that nothing stands against it."""
    concerned = [
        one for one in findings if one.verdict != "good" and (role is None or role in one.roles)
    ]
    concerned.sort(key=lambda one: -VERDICTS.index(one.verdict))
    return "; ".join(one.says for one in concerned) or "nothing stands against it"


def finding_content(finding: Finding) -> dict[str, Any]:
    """A finding as it stands in ``preflight.json``; null for what could not be measured.

    A value beyond all measure (the room was not found again) is null as well, its verdict poor.
    """
    content = dataclasses.asdict(finding)
    del content["digits"]
    value = finding.value
    return content | {
        "value": round(value, 4) if math.isfinite(value) else None,
        "good": float(finding.good),
        "fair": float(finding.fair),
        "roles": list(finding.roles),
    }
