"""No library takes more processors than a job was given."""

import json
import subprocess
import sys

from conftest import REPOSITORY

USE = """
import json, subprocess, sys
import cv2, torch
from edn_core.threads import use_threads
use_threads(int(sys.argv[1]))
ask = "import cv2; print(cv2.getNumThreads())"
child = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
print(json.dumps([cv2.getNumThreads(), torch.get_num_threads(), int(child.stdout)]))
"""
ALONE = """
import json, sys
from edn_core.threads import use_threads
use_threads(2)
print(json.dumps("torch" in sys.modules))
"""


def said(program: str, *arguments: str) -> object:
    """What a program prints as JSON, in a Python of its own."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_opencv_torch_and_what_is_started_later_are_held_to_it():
    assert said(USE, "3") == [3] * 3


def test_torch_is_not_loaded_for_it():
    assert said(ALONE) is False
