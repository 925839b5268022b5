"""MediaPipe's weight files: fetched with pip, taken out of the wheel, checked."""

import hashlib
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edn_core.pose.models import MODELS, check_models, extract_models, fetch_models, model_path

WHEEL = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"


def ask_pip_to_look(monkeypatch, place: Path | str) -> None:
    """Only there, not in the registry."""
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(place), "NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def write_wheel(path: Path, contents: dict[str, bytes]) -> Path:
    """A wheel of mediapipe with these networks, and other files that nobody wants."""
    info = "mediapipe-0.10.21.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for one in MODELS:
            archive.writestr(one.member, contents.get(one.name, b""))
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: mediapipe\nVersion: 0.10.21\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("../evil.py", "")
    return path


def networks(folder: Path) -> dict[str, bytes]:
    return {one.name: model_path(folder, one.name).read_bytes() for one in MODELS}


def test_the_networks_come_out_of_the_wheel_that_a_server_has(monkeypatch, tmp_path, pose_models):
    (tmp_path / "served").mkdir()
    write_wheel(tmp_path / "served" / WHEEL, networks(pose_models))
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ask_pip_to_look(monkeypatch, f"http://127.0.0.1:{server.server_port}/")
        fetch_models(tmp_path / "models")
        server.shutdown()
    assert networks(tmp_path / "models") == networks(pose_models)
    assert len(check_models(tmp_path / "models")) == 64
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models", "served"]


def test_a_failed_download_says_in_one_line_what_to_do_by_hand(monkeypatch, tmp_path):
    ask_pip_to_look(monkeypatch, tmp_path / "no_wheels_here")
    with pytest.raises(ValueError, match="could not be fetched") as caught:
        fetch_models(tmp_path / "models")
    message = str(caught.value)
    assert "\n" not in message
    assert "mediapipe==0.10.21" in message
    assert "mediapipe/modules/*/NAME.tflite" in message
    assert "pose.models_folder" in message
    assert not (tmp_path / "models").exists()


def test_a_wheel_with_one_wrong_byte_is_refused_and_nothing_is_written(tmp_path, pose_models):
    content = bytearray(networks(pose_models)[MODELS[-1].name])
    content[100] ^= 1
    contents = networks(pose_models) | {MODELS[-1].name: bytes(content)}
    wheel = write_wheel(tmp_path / WHEEL, contents)
    found = hashlib.sha256(content).hexdigest()
    with pytest.raises(ValueError, match=f"{MODELS[-1].member} has SHA-256 {found}, expected"):
        extract_models(wheel, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_missing_and_a_damaged_network_are_named_with_the_way_to_get_them(tmp_path, pose_models):
    for one in MODELS:
        content = model_path(pose_models, one.name).read_bytes()
        model_path(tmp_path, one.name).write_bytes(
            content[:-1] if "recrop" in one.name else content
        )
    with pytest.raises(ValueError, match=r"hand_recrop\.tflite: has SHA-256 .* expected SHA-256"):
        check_models(tmp_path)
    model_path(tmp_path, "hand_recrop").unlink()
    with pytest.raises(ValueError, match=r"hand_recrop\.tflite: is missing.*snakemake"):
        check_models(tmp_path)


def test_networks_already_there_are_not_fetched_again(monkeypatch, tmp_path, pose_models):
    ask_pip_to_look(monkeypatch, tmp_path)
    times = {path: path.stat().st_mtime_ns for path in pose_models.glob("*.tflite")}
    assert len(times) == 5
    fetch_models(pose_models)
    assert {path: path.stat().st_mtime_ns for path in pose_models.glob("*.tflite")} == times
