"""Lock, environments, containers and pyproject.toml say the same.

No image is built here: there is no engine, and the base image would have to be fetched.
"""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import edn_core

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
DOCKERFILE = (ROOT / "envs/Dockerfile").read_text()
APPTAINER = (ROOT / "envs/edn.def").read_text()


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


def environment(path: Path) -> tuple[str, dict[str, Requirement]]:
    """A conda environment's version of Python and what pip installs into it."""
    lines = yaml.safe_load(path.read_text())["dependencies"]
    (python,) = [one for one in lines if str(one).startswith("python=")]
    (pip,) = [one["pip"] for one in lines if isinstance(one, dict)]
    packages = requirements([line for line in pip if not line.startswith("-")])
    return python.removeprefix("python="), packages


def test_the_lock_satisfies_pyproject_with_all_extras():
    for name, requirement in EVERYTHING.items():
        assert name in LOCK, f"{name} is missing from requirements.lock"
        assert requirement.specifier.contains(pinned(LOCK[name])), requirement


def test_the_lock_leaves_cuda_to_torch():
    assert not [name for name in LOCK if re.search("nvidia|cuda|triton", name)]


def test_the_only_opencv_is_the_headless_one_and_there_is_no_torchvision():
    names = {*LOCK, *EVERYTHING}
    assert {name for name in names if "opencv" in name} == {"opencv-contrib-python-headless"}
    assert "torchvision" not in names


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.name)
def test_an_environment_names_the_packages_of_pyproject_at_the_versions_of_the_lock(path):
    _, packages = environment(path)
    assert {name: pinned(one) for name, one in packages.items()} == {
        name: pinned(LOCK[name]) for name in RUNTIME
    }


def test_containers_and_environments_have_one_python_that_pyproject_allows():
    image = re.compile(r"^(?:FROM|From:) docker\.io/library/python:([\d.]+)-slim", re.MULTILINE)
    versions = {image.search(recipe)[1] for recipe in (DOCKERFILE, APPTAINER)}
    (version,) = versions | {environment(path)[0] for path in ENVIRONMENTS}
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)


def test_there_is_an_environment_with_and_one_without_cuda():
    assert [path.name for path in ENVIRONMENTS] == ["edn-gpu.yaml", "edn.yaml"]
    without = ["download.pytorch.org/whl/cpu" in path.read_text() for path in ENVIRONMENTS]
    assert without == [False, True]


RUNS = re.findall(r"^RUN (.+?)(?<!\\)$", DOCKERFILE, re.MULTILINE | re.DOTALL)
POST = re.search(r"%post\n(.+?)\n\n%", APPTAINER, re.DOTALL)[1]
INSTALL = {
    "Dockerfile": "\n".join(f"({run})" for run in RUNS),
    "edn.def": POST.replace("{{ DEVICE }}", "$DEVICE"),  # put in before the shell sees the line
}
CPU_INDEX = " --extra-index-url https://download.pytorch.org/whl/cpu"


@pytest.mark.parametrize("recipe", INSTALL)
@pytest.mark.parametrize(("device", "index"), [("cpu", CPU_INDEX), ("gpu", "")])
def test_a_container_installs_the_lock_and_then_the_library(tmp_path, recipe, device, index):
    # The recipe's own commands, with a `python` that only says what it was asked.
    said = tmp_path / "python"
    said.write_text('#!/bin/sh\necho "$@"\n')
    said.chmod(0o755)
    ran = subprocess.run(
        ["/bin/sh", "-e", "-c", INSTALL[recipe]],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "DEVICE": device},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        f"-m pip install --no-cache-dir{index} -r /opt/edn/requirements.lock",
        "-m pip install --no-cache-dir --no-deps --no-build-isolation /opt/edn",
    ]


def test_both_containers_copy_the_same_files_and_these_are_there():
    copied = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    docker = {name for line in copied for name in line.split()}
    section = re.search(r"%files\n(.+?)\n\n", APPTAINER, re.DOTALL)[1]
    apptainer = {line.split()[0] for line in section.splitlines()}
    allowed = set(re.findall(r"^!(.+)$", (ROOT / "envs/Dockerfile.dockerignore").read_text(), re.M))
    assert docker == apptainer == allowed
    assert all((ROOT / name).exists() for name in docker)
    assert {PROJECT["readme"], *PROJECT["license-files"], "edn_core"} <= docker


def test_the_workflow_catalog_finds_what_its_standardized_usage_asks_for():
    assert (ROOT / "workflow/Snakefile").is_file()
    assert (ROOT / "config/README.md").is_file()
    settings = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
    assert settings["usage"]["software-stack-deployment"]["conda"] is True


def test_the_version_has_an_entry_in_the_changelog():
    assert f"\n## {edn_core.__version__}" in (ROOT / "CHANGELOG.md").read_text()
