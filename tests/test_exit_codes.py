"""What a command's exit status says: 0 done, 1 an error (in one line), 2 wrongly called."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What each command is given to fail: files that are not there, or an address.
FAILING = {
    "app": "--host 256.0.0.1",
    "evaluate": "compare no nowhere",
    "export": "no.safetensors out.onnx",
    "forensics": "no.mp4",
    "live": "no.safetensors --from no.mp4 --to out.mp4",
    "provenance": "no.mp4",
    "published": "import no.pth out.safetensors --height 64 --width 64",
    "status": "nowhere",
    "summary": "nobody no-one",
    "verify": "nothing",
}


@pytest.fixture
def end(monkeypatch, tmp_path):
    """A function that runs one of the commands in an empty folder; what it exits with."""

    def run(module: str, *arguments: str) -> str | int | None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", [module, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(f"edn_core.{module}", run_name="__main__")
        return ended.value.code

    return run


def test_every_command_there_is_is_tested_here():
    programs = {
        path.relative_to(ROOT / "edn_core").parts[0].removesuffix(".py")
        for path in (ROOT / "edn_core").rglob("*.py")
        if 'if __name__ == "__main__":' in path.read_text()
    }
    assert programs == {*FAILING, "doctor"}  # test_doctor.py has its


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("module", FAILING)
def test_what_is_not_there_is_one_line_and_status_1(module, end):
    line = end(module, *FAILING[module].split())  # Python prints a text and ends with status 1
    assert str(line).startswith("edn: error: ") and "\n" not in line


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_a_port_that_none_can_be_is_no_other_one(end):
    assert end("app", "--port", "99999").startswith("edn: error: --port: is 99999, expected 1 to")


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("module", [*FAILING, "doctor"])
def test_an_unknown_option_is_status_2_and_the_usage(module, end, capsys):
    assert end(module, "--nonsense") == 2
    assert capsys.readouterr().err.startswith(f"usage: python -m edn_core.{module} ")
