"""Lock, environments and pyproject.toml say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import edn_core

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def requirements(lines: list[str]) -> dict[str, Requirement]:
    """Requirements by canonical name."""
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): one for one in parsed}


RUNTIME = requirements(PROJECT["dependencies"])
EVERYTHING = RUNTIME | requirements(
    [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
)
LOCK = requirements(
    [
        line
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if line and not line.startswith("#")
    ]
)


def pinned(requirement: Requirement) -> str:
    """The one version a requirement allows."""
    (only,) = requirement.specifier
    assert only.operator == "==", requirement
    return only.version


def environment_pins(path: Path) -> dict[str, Requirement]:
    """What pip installs into a conda environment."""
    (pip,) = [
        one["pip"]
        for one in yaml.safe_load(path.read_text())["dependencies"]
        if "pip" in one and isinstance(one, dict)
    ]
    return requirements([line for line in pip if not line.startswith("-")])


def test_every_package_of_the_lock_is_pinned_to_one_public_version():
    for requirement in LOCK.values():
        assert re.fullmatch(r"[0-9][0-9a-z.]*", pinned(requirement)), requirement
        assert requirement.url is None


def test_the_lock_satisfies_pyproject_with_all_extras():
    for name, requirement in EVERYTHING.items():
        assert name in LOCK, f"{name} is missing from requirements.lock"
        assert requirement.specifier.contains(pinned(LOCK[name])), requirement


def test_the_lock_leaves_cuda_to_torch():
    assert not [name for name in LOCK if re.search("nvidia|cuda|triton", name)]


def test_the_only_opencv_is_the_headless_one_and_there_is_no_torchvision():
    names = {*LOCK, *EVERYTHING, *(name for one in ENVIRONMENTS for name in environment_pins(one))}
    assert {name for name in names if "opencv" in name} == {"opencv-python-headless"}
    assert "torchvision" not in names


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.name)
def test_an_environment_names_the_packages_of_pyproject_at_the_versions_of_the_lock(path):
    pins = environment_pins(path)
    assert set(pins) == set(RUNTIME)
    assert {name: pinned(one) for name, one in pins.items()} == {
        name: pinned(LOCK[name]) for name in pins
    }


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.name)
def test_an_environments_python_is_one_that_pyproject_allows(path):
    content = yaml.safe_load(path.read_text())
    (python,) = [one for one in content["dependencies"] if str(one).startswith("python=")]
    requires = Requirement(f"python{PROJECT['requires-python']}")
    assert requires.specifier.contains(python.removeprefix("python="))


def test_there_is_an_environment_with_and_one_without_cuda():
    assert [path.name for path in ENVIRONMENTS] == ["edn-gpu.yaml", "edn.yaml"]


def test_the_version_has_an_entry_in_the_changelog():
    assert f"\n## {edn_core.__version__}" in (ROOT / "CHANGELOG.md").read_text()
