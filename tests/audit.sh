#!/usr/bin/env bash
# Known vulnerabilities of every package in requirements.lock, by pip-audit in an environment of its
# own. Exit status: 0 none is known; 1 some are; 2 it could not be found out, which is not "none".
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-python3}
AUDIT=.venv-audit/bin/python
PIP_AUDIT=pip-audit==2.10.1

skip() {
    echo "edn: audit skipped, nothing is known about the packages: $1" >&2
    exit 2
}

if ! "$AUDIT" -m pip_audit --version > /dev/null 2>&1; then
    rm -rf .venv-audit
    "$PYTHON" -m venv .venv-audit > /dev/null 2>&1 || skip "$PYTHON could not make .venv-audit"
    "$AUDIT" -m pip install -qq --disable-pip-version-check "$PIP_AUDIT" > /dev/null 2>&1 \
        || { rm -rf .venv-audit; skip "$PIP_AUDIT could not be installed"; }
fi

found=$(mktemp)
trap 'rm -f "$found"' EXIT
# The lock names every package: pip-audit need not work out what else belongs to them.
"$AUDIT" -m pip_audit --requirement requirements.lock --no-deps --disable-pip --format json \
    --progress-spinner off "$@" > "$found" 2> /dev/null
# Its own summary says "No known vulnerabilities found" also where nothing could be looked up.
"$AUDIT" tests/read_audit.py "$found" requirements.lock
