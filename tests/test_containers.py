"""The container recipes and the Workflow Catalog's files say what pyproject.toml and the lock say.

No image is built here: there is no engine, and the base image would have to be fetched.
"""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (ROOT / "envs/Dockerfile").read_text()
APPTAINER = (ROOT / "envs/edn.def").read_text()
# In a definition file DEVICE is put in before the shell sees the line.
POST = re.search(r"%post\n(.+?)\n\n%", APPTAINER, re.DOTALL)[1]
RUNS = re.findall(r"^RUN (.+?)(?<!\\)$", DOCKERFILE, re.MULTILINE | re.DOTALL)
INSTALL = {
    "Dockerfile": "\n".join(f"({run})" for run in RUNS),
    "edn.def": POST.replace("{{ DEVICE }}", "$DEVICE"),
}
CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu"
LOCK = "-m pip install --no-cache-dir{} -r /opt/edn/requirements.lock"
LIBRARY = "-m pip install --no-cache-dir --no-deps --no-build-isolation /opt/edn"


def python_of(recipe: str) -> str:
    """The version of Python in the base image's tag."""
    return re.search(r"^(?:FROM|From:) docker\.io/library/python:([\d.]+)-slim", recipe, re.M)[1]


def environment_python(name: str) -> str:
    """The version of Python in a conda environment."""
    lines = yaml.safe_load((ROOT / "envs" / name).read_text())["dependencies"]
    (python,) = [one for one in lines if str(one).startswith("python=")]
    return python.removeprefix("python=")


def test_containers_and_conda_environments_have_one_python_that_pyproject_allows():
    versions = {python_of(DOCKERFILE), python_of(APPTAINER)}
    versions |= {environment_python("edn.yaml"), environment_python("edn-gpu.yaml")}
    (version,) = versions
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)


@pytest.mark.parametrize("recipe", INSTALL)
@pytest.mark.parametrize(("device", "index"), [("cpu", f" {CPU_INDEX}"), ("gpu", "")])
def test_the_lock_is_installed_and_then_the_library(tmp_path, recipe, device, index):
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
    assert ran.stdout.splitlines() == [LOCK.format(index), LIBRARY]


def test_both_recipes_copy_the_same_files_and_these_are_there():
    copied = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    docker = {name for line in copied for name in line.split()}
    section = re.search(r"%files\n(.+?)\n\n", APPTAINER, re.DOTALL)[1]
    apptainer = {line.split()[0] for line in section.splitlines()}
    allowed = set(re.findall(r"^!(.+)$", (ROOT / "envs/Dockerfile.dockerignore").read_text(), re.M))
    assert docker == apptainer == allowed
    assert all((ROOT / name).exists() for name in docker)
    assert {PROJECT["readme"], *PROJECT["license-files"], "edn_core"} <= docker


def test_the_default_is_the_cpu_and_the_entry_point_snakemake():
    assert "ARG DEVICE=cpu\n" in DOCKERFILE
    assert "%arguments\n    DEVICE=cpu\n" in APPTAINER
    entry = json.loads(re.search(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.MULTILINE)[1])
    assert entry == ["python", "-m", "snakemake"]
    assert '%runscript\n    exec python -m snakemake "$@"\n' in APPTAINER


def test_the_cpu_index_is_that_of_the_conda_environment():
    assert CPU_INDEX in (ROOT / "envs/edn.yaml").read_text()
    assert CPU_INDEX not in (ROOT / "envs/edn-gpu.yaml").read_text()


def test_the_workflow_catalog_finds_what_its_standardized_usage_asks_for():
    assert (ROOT / "workflow/Snakefile").is_file()
    assert (ROOT / "config/README.md").is_file()
    assert list((ROOT / "workflow/rules").glob("*.smk"))
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme
    assert "workflow" in readme
    settings = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
    assert settings["usage"]["software-stack-deployment"]["conda"] is True
