"""Nothing in the project unpickles, starts a shell, fetches, or unpacks where an archive says."""

import ast

import pytest
from sources import RULES, SOURCES, compiled_rules, dangers, trees


def test_no_module_script_or_rule_does_what_would_let_a_file_or_a_name_do_harm():
    assert len(SOURCES) > 150
    assert len(RULES) > 10
    found = [f"{path}:{one}" for path, tree in trees() for one in dangers(tree)]
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.loads(x)",
        "import pickle as p\np.load(x)",
        "from pickle import loads\nloads(x)",
        "def f():\n    from _pickle import Unpickler",
        "import marshal",
        "import shelve",
        "import joblib",
        "import torch\ntorch.load(path)",
        "import torch as t\nt.load(path, weights_only=False)",
        "from torch import load\nload(path, weights_only=is_safe)",
        "import torch\ntorch.jit.load(path)",
        "import torch\ntorch.hub.load_state_dict_from_url(x)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.load(path, allow_pickle=flag)",
        "import yaml\nyaml.load(x, yaml.Loader)",
        "import yaml\nyaml.unsafe_load(x)",
        "from yaml import full_load",
        "eval(x)",
        "exec(x)",
        "compile(x, '', 'exec')",
        "__import__(x)",
        "import builtins\nbuiltins.eval(x)",
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module\nimport_module(f'{name}.make')",
        "import os\nos.system(x)",
        "from os import popen\npopen(x)",
        "import os\nos.execv(x, y)",
        "import subprocess\nsubprocess.run(f'ls {x}', shell=True)",
        "import subprocess\nsubprocess.run(command)",
        "from subprocess import Popen\nPopen(f'ls {x}')",
        "import subprocess\nsubprocess.getoutput(x)",
        "import tarfile\ntarfile.open(x).extractall()",
        "archive.extract(member)",
        "import shutil\nshutil.unpack_archive(x)",
        "import cv2\ncv2.FileStorage(x, 0)",
        "import socket",
        "import urllib.request",
        "from urllib import request\nrequest.urlopen(x)",
        "import requests",
        "import http.client",
        "import pip",
        "from multiprocessing.connection import Listener",
        "import multiprocessing\nmultiprocessing.Manager()",
        "from snakemake.shell import shell",
    ],
    ids=lambda source: source.replace("\n", "; "),
)
def test_each_of_these_would_be_found(source):
    assert list(dangers(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\ntry:\n    f()\nexcept pickle.UnpicklingError:\n    pass",
        "import torch\ntorch.load(path, weights_only=True)\ntorch.compile(network)",
        "import numpy as np\nnp.load(path)\nnp.load(path, allow_pickle=False)",
        "import yaml\nyaml.safe_load(text)",
        "network.eval()",
        "import subprocess\nsubprocess.run([tool, name], shell=False)",
        "from importlib import import_module\nimport_module(f'edn_core.pose.{name}')",
        "from urllib.parse import quote",
        "import re\nre.compile(x)",
        "from socket import gethostname\ngethostname()",
        "import numpy as np\nnp.fromfile(path, dtype)",
    ],
    ids=lambda source: source.replace("\n", "; "),
)
def test_what_does_no_harm_passes(source):
    assert not list(dangers(ast.parse(source)))


def test_no_rule_has_a_shell_command_or_code_of_its_own():
    """A name in a shell command would have to be quoted in each; a script gets it as it is."""
    for path in RULES:
        for node in ast.walk(ast.parse(compiled_rules(path))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("shell", "workflow.shellcmd"), path
            if isinstance(node, ast.FunctionDef) and node.name.startswith("__rule_"):
                (statement,) = map(ast.unparse, node.body)
                assert statement == "pass" or statement.startswith("script('../scripts/"), path


def test_a_shell_command_in_a_rule_would_be_found(tmp_path):
    rules = tmp_path / "bad.smk"
    rules.write_text('rule a:\n    output:\n        "b",\n    shell:\n        "touch {output}"\n')
    assert "workflow.shellcmd" in compiled_rules(rules)
    rules.write_text('rule a:\n    run:\n        import os\n        os.system("ls")\n')
    assert list(dangers(ast.parse(compiled_rules(rules))))
