"""Nothing in the project unpickles, starts a shell, fetches, or unpacks where an archive says."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from edn_core.errors import Refused
from edn_core.networks.alexnet import read_lpips
from edn_core.networks.vgg19 import read_vgg19
from edn_core.published import (
    convert_generator,
    read_published_discriminator,
    read_published_generator,
)
from edn_core.store import file_sha256

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = [
    path
    for folder in ("edn_core", "workflow", "benchmarks")
    for path in (REPOSITORY / folder).rglob("*.py")
]
RULES = [REPOSITORY / "Snakefile", *(REPOSITORY / "workflow").rglob("*.smk")]
FORBIDDEN = re.compile(
    r"(pickle|dill|cloudpickle|joblib|marshal|shelve|runpy|ctypes)\b.*"
    r"|yaml\.(?!safe_load$|safe_dump$|YAMLError$|SafeLoader$|CSafeLoader$).*"
    r"|torch\.(jit|hub|package)\..*|(builtins\.)?(eval|exec|compile|__import__)"
    r"|shutil\.unpack_archive|.*\.(extract|extractall)|cv2\.FileStorage"
    r"|os\.(system|popen|exec.*|spawn.*)|subprocess\.get.*output|snakemake\.shell.*"
    r"|(socket|http|urllib\.request|urllib3|requests|httpx|ftplib|ssl|pip)\b.*"
    r"|.*\.(urlopen|urlretrieve|load_state_dict_from_url|hf_hub_download)"
)
FETCHES = {"weights.py": "urllib.request"}
"""The one module that fetches, from a published address and by its SHA-256."""
# An error, the machine's own name, and a training that becomes torchrun.
ALLOWED = ("pickle.UnpicklingError", "socket.gethostname", "os.execv")


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """A name or attribute in full, whatever it was imported as; "?.load" for one of a value."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    return f"{dotted(node.value, names)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"


def dangers(tree: ast.Module) -> Iterator[str]:
    """What a module does that none of the project's may."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.asname or one.name.partition(".")[0]: one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    used = {dotted(node, names) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {dotted(node.func, names) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    used |= {name for name in names.values() if name not in ("pickle", "socket", "yaml")}
    yield from (name for name in used if FORBIDDEN.fullmatch(name) and name not in ALLOWED)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = dotted(node.func, names)
            given = {one.arg: ast.unparse(one.value) for one in node.keywords}
            if name == "torch.load" and given.get("weights_only") != "True":
                yield "torch.load without weights_only=True"
            if (
                given.get("allow_pickle", "False") != "False"
                or given.get("shell", "False") != "False"
            ):
                yield f"{name} with pickles or a shell"


def test_no_module_or_script_does_what_would_let_a_file_or_a_name_do_harm():
    assert len(SOURCES) > 100
    found = [
        f"{path}: {one}"
        for path in SOURCES
        for one in dangers(ast.parse(path.read_text()))
        if not one.startswith(FETCHES.get(path.name, "?"))
    ]
    assert found == []
    for path in RULES:  # a name in a shell command would have to be quoted in each
        assert not re.search(r"^\s+(shell|run):", path.read_text(), re.MULTILINE), path


@pytest.mark.parametrize(
    "source",
    [
        "import pickle as p\np.load(x)",
        "from pickle import loads\nloads(x)",
        "import torch as t\nt.load(path, weights_only=False)",
        "import torch\ntorch.load(path)",
        "import numpy as np\nnp.load(path, allow_pickle=flag)",
        "import yaml\nyaml.load(x, yaml.Loader)",
        "eval(x)",
        "import subprocess\nsubprocess.run(f'ls {x}', shell=True)",
        "import tarfile\ntarfile.open(x).extractall()",
        "from urllib import request\nrequest.urlopen(x)",
    ],
)
def test_each_of_these_would_be_found(source):
    assert list(dangers(ast.parse(source)))


class Bomb:
    """Whoever unpickles it makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.marker,)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_weight_file_that_would_run_something_is_refused_unread(tmp_path, is_zip):
    path, marker = tmp_path / "w.pth", tmp_path / "marker"
    content = {"schema": "edn-generator", "schema_version": 2, "weights": Bomb(marker)}
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    for read in (
        read_published_generator,
        read_published_discriminator,
        lambda path: read_vgg19(path, file_sha256(path)),
        lambda path: read_lpips(path, file_sha256(path)),
        lambda path: convert_generator(path, tmp_path / "generator.safetensors"),
    ):
        with pytest.raises(Refused, match=r"w.pth: not readable \(UnpicklingError\)") as refused:
            read(path)
        # None of torch's advice to read the file unsafely.
        assert "weights_only" not in str(refused.value)
    assert [one.name for one in tmp_path.iterdir()] == ["w.pth"]
    torch.load(path, weights_only=False)
    assert marker.is_dir()  # else the above would hold for a dud
