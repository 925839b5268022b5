"""What a command's exit status says (docs/logs.md): 0 done, 1 an error, 2 wrongly called."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
# What each command is given to fail: files that are not there.
FAILING = {
    "evaluate": "compare no.mp4 no.mp4",
    "export": "no.pt out.onnx",
    "forensics": "no.mp4",
    "live": "no.pt --from no.mp4 --to out.mp4",
    "provenance": "no.mp4",
    "published": "import no.pth out.pt --height 64 --width 64",
    "status": "--log",
    "summary": "nobody no-one",
    "verify": "nothing",
}


def edn(folder: Path, module: str, *arguments: str) -> subprocess.CompletedProcess:
    """One of our commands, in a folder."""
    return subprocess.run(
        [sys.executable, "-m", f"edn_core.{module}", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_there_is_is_tested_here():
    programs = {
        path.relative_to(ROOT / "edn_core").parts[0].removesuffix(".py")
        for path in (ROOT / "edn_core").rglob("*.py")
        if 'if __name__ == "__main__":' in path.read_text()
    }
    assert programs == {*FAILING, "doctor"}  # test_doctor.py has its


@pytest.mark.parametrize("module", FAILING)
def test_a_file_that_is_not_there_is_one_line_and_status_1(module, tmp_path):
    done = edn(tmp_path, module, *FAILING[module].split())
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("edn: error: "), done.stderr


@pytest.mark.parametrize("module", ["doctor", "status", "summary"])
def test_an_unknown_option_is_status_2_and_the_usage(module, tmp_path):
    done = edn(tmp_path, module, "--nonsense")
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: python -m edn_core.{module} ")


def test_watching_may_be_ended_with_ctrl_c(tmp_path):
    runs = tmp_path / "logs" / "runs"
    runs.mkdir(parents=True)
    line = '{"time": "2026-01-01T00:00:00+00:00", "event": "run_started", "host": "elsewhere"}\n'
    (runs / "20260101T000000Z-1.jsonl").write_text(line.replace("2026", "2996"))
    watching = subprocess.Popen(
        [sys.executable, "-m", "edn_core.status", "--watch", "60"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert watching.stdout is not None
    assert watching.stdout.readline().startswith("run of 2996-01-01 00:00 UTC on elsewhere")
    time.sleep(0.2)
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=30)
    assert (watching.returncode, said) == (0, "")
