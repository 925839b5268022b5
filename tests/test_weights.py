"""Weight files by name: fetched whole or not at all, and settled once."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edn_core import weights
from edn_core.config import PoseConfig, TrainingConfig, read_config
from edn_core.weights import WEIGHTS, settle_weights

FILE = "vgg19-dcbb9e9d.pth"
CONTENT = b"what torchvision published"


class Handler(SimpleHTTPRequestHandler):
    """A server that goes away in the middle of cut/."""

    def copyfile(self, source, outputfile):
        outputfile.write(source.read(9) if "/cut/" in self.path else source.read())

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Its address; whole/, cut/ and wrong/ below it."""
    for folder, content in {"whole": CONTENT, "cut": CONTENT, "wrong": b"a page"}.items():
        (tmp_path / "served" / folder).mkdir(parents=True)
        (tmp_path / "served" / folder / FILE).write_bytes(content)
    vgg19 = WEIGHTS[0]._replace(sha256=hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "WEIGHTS", (vgg19,))
    handler = partial(Handler, directory=tmp_path / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{one.server_port}"
        one.shutdown()


def settled(tmp_path, vgg19, kept=None):
    """The setting as it came out, and what is to be had."""
    pose = PoseConfig(models_folder=str(tmp_path / "models"))
    settings = weights.replace(read_config({}, "cpu"), pose=pose)
    settings = weights.replace(settings, training=TrainingConfig(vgg19=vgg19))
    settings, found = settle_weights(settings, kept or {})
    return settings.training.vgg19, *found


def test_the_whole_file_is_fetched_once_into_the_models_folder(server, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PUBLISHED", f"{server}/whole")
    path, one = settled(tmp_path, "auto")
    assert path == str(tmp_path / "models" / FILE)
    assert one.is_there and one.is_auto and not Path(path).exists()
    one.fetch()
    assert Path(path).read_bytes() == CONTENT
    Path(path).write_bytes(b"mine")  # there: nobody looks for it
    one.fetch()
    assert Path(path).read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("cut", "9 of 26 bytes came from .*; run again, or put the file there by hand"),
        ("wrong", "what came from .* has SHA-256 .*, expected .*; put the file there by hand"),
        ("nowhere", r"could not be fetched from .* \(HTTP Error 404.*L1 stands in for it"),
    ],
)
def test_of_a_file_that_is_not_the_right_one_nothing_stays(server, tmp_path, folder, message):
    path, one = settled(tmp_path, f"{server}/{folder}/{FILE}")
    with pytest.raises(ValueError, match=f"^{path}: {message}"):
        one.fetch()
    assert list((tmp_path / "models").iterdir()) == []


def test_offline_auto_comes_to_nothing_and_what_was_settled_before_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PUBLISHED", "http://127.0.0.1:9")  # nobody listens there
    path, vgg19 = settled(tmp_path, "auto")
    assert path is None and not vgg19.is_there
    assert settled(tmp_path, "auto", {"vgg19": True})[0] == str(tmp_path / "models" / FILE)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / FILE).touch()
    assert settled(tmp_path, "auto")[0] == str(tmp_path / "models" / FILE)
    assert settled(tmp_path, "auto", {"vgg19": False})[0] is None


def test_a_path_of_ones_own_is_taken_as_it_is(tmp_path):
    with pytest.raises(ValueError, match="training.vgg19 is .*mine.pth', and there is no such"):
        settled(tmp_path, str(tmp_path / "mine.pth"))
    (tmp_path / "mine.pth").touch()
    path, one = settled(tmp_path, str(tmp_path / "mine.pth"))
    assert (path, one.address, one.is_auto) == (str(tmp_path / "mine.pth"), "", False)


def test_the_presets_of_gpus_want_both_and_that_of_a_cpu_none():
    for preset, wanted in {"cpu": None, "8gb": "auto", "80gb": "auto"}.items():
        config = read_config({}, preset)
        assert (config.training.vgg19, config.evaluation.alexnet) == (wanted, wanted)
