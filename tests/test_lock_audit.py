"""The packages of requirements.lock: where from, which kind of version, under which licence."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
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
    """The licences a package's metadata names: an expression's parts, else the classifiers."""
    about = importlib.metadata.metadata(name)
    expression = about.get("License-Expression", "")
    if expression:
        return set(re.split(r" (?:AND|OR) ", expression.replace("(", "").replace(")", "")))
    classifiers = [one.split(" :: ") for one in about.get_all("Classifier") or []]
    named = {one[-1] for one in classifiers if one[0] == "License"} - {"DFSG approved"}
    text = about.get("License") or ""
    return (
        named
        or ({text} if text and "\n" not in text and "AND" not in text else set())
        or set(text.split(" AND ") if text and "\n" not in text else [])
    )


def test_nothing_in_the_lock_is_an_option_a_url_or_a_file():
    for line in LOCK:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line), line


def test_nothing_in_the_lock_is_a_pre_release():
    for line in LOCK:
        (pin,) = Requirement(line).specifier
        version = Version(pin.version)
        assert not version.is_prerelease, line
        assert not version.is_devrelease, line
        assert version.local is None, line


@pytest.mark.parametrize("line", LOCK)
def test_a_locked_package_has_a_licence_that_is_allowed(line):
    name = line.partition("==")[0]
    if name in SAID_HERE:
        return
    found = licences(name)
    assert found, f"{name} names no licence in its metadata; look it up, add it to licences.txt"
    assert found <= ALLOWED, f"{name}: {found - ALLOWED}"


def test_licences_that_are_said_here_are_of_locked_packages_that_do_not_say_them():
    names = {line.partition("==")[0] for line in LOCK}
    for name in SAID_HERE:
        assert name in names
        assert not licences(name) or not licences(name) <= ALLOWED, f"{name} says it itself now"


# What is made of pip-audit's findings

LOCKED = "# a comment with ==\nnumpy==2.4.6\nmoto==5.2.5\ncosmic_ray==8.7.0\n"


def audit(*packages: dict) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


NUMPY = {"name": "numpy", "version": "2.4.6", "vulns": []}
MOTO = {"name": "moto", "version": "5.2.5", "vulns": []}
RAY = {"name": "cosmic-ray", "version": "8.7.0", "vulns": []}
SKIPPED = {"name": "moto", "skip_reason": "could not be audited: not found on PyPI"}


def test_only_when_every_package_was_looked_up_are_there_no_known_vulnerabilities():
    assert verdict(audit(NUMPY, MOTO, RAY), LOCKED) == (
        0,
        ["edn: audit: no known vulnerabilities in 3 packages"],
    )


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "{}", audit(), audit(SKIPPED), audit(NUMPY, SKIPPED, RAY)]
)
def test_what_was_not_looked_up_is_never_called_clean(text):
    status, lines = verdict(text, LOCKED)
    assert status == 2
    assert len(lines) == 1
    assert "skipped" in lines[0]
    assert "no known vulnerabilities" not in lines[0]


def test_a_vulnerability_counts_even_where_others_were_not_looked_up():
    fault = {"id": "CVE-2026-1", "fix_versions": ["5.2.6"], "description": "", "aliases": []}
    status, lines = verdict(audit({**MOTO, "vulns": [fault]}, {**SKIPPED, "name": "numpy"}), LOCKED)
    assert status == 1
    assert lines[0] == "moto 5.2.5: CVE-2026-1, mended in 5.2.6"


def test_the_program_ends_with_the_status_of_what_it_says(tmp_path):
    (tmp_path / "lock").write_text(LOCKED)
    (tmp_path / "audit.json").write_text(audit(NUMPY, MOTO, RAY))
    command = [sys.executable, str(TESTS / "read_audit.py"), str(tmp_path / "audit.json")]
    done = subprocess.run([*command, str(tmp_path / "lock")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "audit.json").write_text("")
    assert subprocess.run([*command, str(tmp_path / "lock")], capture_output=True).returncode == 2
