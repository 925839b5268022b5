"""Which device a stage computes on."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from edn_core.device import claim_free, pick_device

ROOT = Path(__file__).resolve().parents[1]


def claim_in_another_process(names: list[str], folder: Path) -> subprocess.Popen:
    """A process that claims one of the names, says which and holds it until its input ends."""
    program = (
        "import sys; from pathlib import Path; from edn_core.device import claim_free; "
        f"print(claim_free({names!r}, Path({str(folder)!r})), flush=True); sys.stdin.read()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_claim_two_things_and_nothing_is_left_for_a_third(tmp_path):
    names = ["left", "right"]
    other = claim_in_another_process(names, tmp_path)
    assert other.stdout.readline() == "0\n"
    assert claim_free(names, tmp_path) == 1
    assert claim_free(names, tmp_path) is None
    other.communicate("")
    assert claim_free(["left"], tmp_path) == 0


def test_cuda_is_refused_where_there_is_none():
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ValueError, match=r"runtime\.device is 'cuda'"):
        pick_device("cuda")
