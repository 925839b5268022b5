"""What pip-audit found, in words; used by audit.sh.

python read_audit.py AUDIT.json requirements.lock

Exit status: 0 each package was looked up and none has a known vulnerability; 1 some have; 2 some
could not be looked up (or none at all), and of the others none has.
"""

import json
import sys
from pathlib import Path


def verdict(text: str, lock: str) -> tuple[int, list[str]]:
    """Exit status and lines, from pip-audit's JSON and the text of the lock file."""
    locked = {
        line.partition("==")[0].strip().lower().replace("_", "-").replace(".", "-")
        for line in lock.splitlines()
        if "==" in line and not line.startswith("#")
    }
    try:
        packages = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return 2, ["edn: audit skipped, nothing is known about the packages: pip-audit gave none"]
    asked = {
        one["name"].lower().replace("_", "-").replace(".", "-")
        for one in packages
        if "skip_reason" not in one
    }
    lines = [
        f"{one['name']} {one['version']}: {fault['id']}, mended in "
        f"{', '.join(fault.get('fix_versions', [])) or 'no version yet'}"
        for one in packages
        for fault in one.get("vulns", [])
    ]
    if lines:
        return 1, [*lines, f"edn: audit: {len(lines)} known vulnerabilities"]
    missing = sorted(locked - asked)
    if missing:
        return 2, [
            f"edn: audit skipped for {len(missing)} of {len(locked)} packages, which the advisory "
            f"service did not answer for ({', '.join(missing[:3])} ...): nothing is known of them"
        ]
    return 0, [f"edn: audit: no known vulnerabilities in {len(locked)} packages"]


if __name__ == "__main__":
    status, lines = verdict(Path(sys.argv[1]).read_text(), Path(sys.argv[2]).read_text())
    print("\n".join(lines))
    sys.exit(status)
