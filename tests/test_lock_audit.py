"""The packages of requirements.lock: which kind of version, under which licence, known faults."""

import importlib.metadata
import json
import re
from pathlib import Path

import pytest
from read_audit import verdict

TESTS = Path(__file__).parent
LOCK = [
    line
    for line in (TESTS.parent / "requirements.lock").read_text().splitlines()
    if line and not line.startswith("#")
]
LICENCES, PACKAGES = (TESTS / "licences.txt").read_text().split("[packages]")
ALLOWED = {line for line in LICENCES.splitlines() if line and line[0] != "#"}
SAID_HERE = dict(line.split(": ", 1) for line in PACKAGES.strip().splitlines())


def licences(name: str) -> set[str]:
    """The licences a package's metadata names: an expression's parts, else classifiers and text."""
    about = importlib.metadata.metadata(name)
    if expression := about.get("License-Expression", ""):
        return set(re.split(r" (?:AND|OR) ", expression.replace("(", "").replace(")", "")))
    classifiers = [one.split(" :: ") for one in about.get_all("Classifier") or []]
    named = {one[-1] for one in classifiers if one[0] == "License"} - {"DFSG approved"}
    text = about.get("License") or ""
    return named or (set(text.split(" AND ")) if text and "\n" not in text else set())


def test_the_lock_holds_released_versions_only_and_no_option_url_or_file():
    for line in LOCK:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9.]+(\.?post[0-9]+)?", line), line


def test_a_locked_package_has_a_licence_that_is_allowed():
    for name in (line.partition("==")[0] for line in LOCK):
        found = licences(name)
        if name not in SAID_HERE:
            assert found, f"{name} names no licence in its metadata; add it to licences.txt"
            assert found <= ALLOWED, f"{name}: {found - ALLOWED}"
        else:
            assert not found or not found <= ALLOWED, f"{name} says it itself now"
    assert set(SAID_HERE) <= {line.partition("==")[0] for line in LOCK}


LOCKED = "# a comment with ==\nnumpy==2.4.6\nstorage_plugin==5.2.5\n"
NUMPY = {"name": "numpy", "version": "2.4.6", "vulns": []}
PLUGIN = {"name": "storage-plugin", "version": "5.2.5", "vulns": []}
SKIPPED = {"name": "storage-plugin", "skip_reason": "could not be audited: not found on PyPI"}
FAULT = {"id": "CVE-2026-1", "fix_versions": ["5.2.6"], "description": "", "aliases": []}


@pytest.mark.parametrize(
    ("packages", "status", "says"),
    [
        ([NUMPY, PLUGIN], 0, "edn: audit: no known vulnerabilities in 2 packages"),
        ([NUMPY, SKIPPED], 2, "edn: audit skipped for 1 of 2 packages"),
        ([{**PLUGIN, "vulns": [FAULT]}], 1, "storage-plugin 5.2.5: CVE-2026-1, mended in 5.2.6"),
    ],
)
def test_only_what_was_looked_up_is_called_clean(packages, status, says):
    found, lines = verdict(json.dumps({"dependencies": packages}), LOCKED)
    assert found == status
    assert lines[0].startswith(says)
    assert verdict("no json", LOCKED)[0] == verdict("{}", LOCKED)[0] == 2
