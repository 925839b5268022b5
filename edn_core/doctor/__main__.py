"""What this machine has and what is wrong with it, as Markdown for a bug report.

python -m edn_core.doctor [--json] [--configfile FILE ...]
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from edn_core.doctor import CHECKS, Check, examine, worst
from edn_core.doctor.check import FAIL, WARN, Place, without_home

WIDTH = 100


def main() -> None:
    """Examine and print; status 1 where something is broken."""
    parser = argparse.ArgumentParser(
        prog="python -m edn_core.doctor",
        description="What this machine has and what is wrong with it, for a bug report.",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--configfile", nargs="+", default=[], help="as snakemake's")
    arguments = parser.parse_args()
    place = Place(Path(), tuple(Path(path) for path in arguments.configfile))
    found = examine(CHECKS, place)
    if arguments.json:
        content = {heading: [asdict(one) for one in some] for heading, some in found.items()}
        print(without_home(json.dumps({"state": worst(found), "checks": content}, indent=2)))
    else:
        print(without_home("\n".join(_markdown(found))))
    if worst(found) == FAIL:
        sys.exit(1)


def _markdown(found: Mapping[str, Sequence[Check]]) -> list[str]:
    states = [check.state for checks in found.values() for check in checks]
    lines = [f"# edn doctor: {states.count(FAIL)} FAIL, {states.count(WARN)} warn"]
    for heading, checks in found.items():
        lines += ["", f"## {heading}", ""]
        for check in checks:
            text = f"- {check.state}: {check.name}: {check.found}"
            if check.advice:
                text += f" -> {check.advice}"
            lines += textwrap.wrap(
                text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
            )
    return lines


if __name__ == "__main__":
    main()
