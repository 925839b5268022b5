import hashlib
import zipfile
from pathlib import Path

import pytest

from edn_core.pose.models import MODELS, check_models, extract_models, fetch_models, model_path


def cut_off_from_the_registry(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "no_wheels_here"))


def test_the_five_networks_are_named_by_their_files_and_all_differ():
    assert len(MODELS) == 5
    assert all(one.member.endswith(f"/{one.name}.tflite") for one in MODELS)
    assert len({one.sha256 for one in MODELS}) == 5


def test_a_failed_download_says_in_one_line_what_to_do_by_hand(monkeypatch, tmp_path):
    cut_off_from_the_registry(monkeypatch, tmp_path)
    with pytest.raises(ValueError, match="could not be fetched") as caught:
        fetch_models(tmp_path / "models")
    message = str(caught.value)
    assert "\n" not in message
    assert "mediapipe==0.10.21" in message
    assert "mediapipe/modules/*/NAME.tflite" in message
    assert "pose.models_folder" in message
    assert not (tmp_path / "models").exists()


def test_a_wheel_with_another_network_in_it_is_refused_and_nothing_is_written(tmp_path):
    wheel = tmp_path / "mediapipe-0.10.21-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for one in MODELS:
            archive.writestr(one.member, b"not the network")
    found = hashlib.sha256(b"not the network").hexdigest()
    with pytest.raises(ValueError, match=f"{MODELS[0].member} has SHA-256 {found}, expected"):
        extract_models(wheel, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_wheel_of_another_version_is_refused(tmp_path):
    wheel = tmp_path / "mediapipe-0.10.30-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mediapipe/__init__.py", "")
    with pytest.raises(ValueError, match=r"not the wheel of mediapipe==0\.10\.21"):
        extract_models(wheel, tmp_path)


def test_a_missing_network_is_named_with_the_way_to_get_it(tmp_path):
    with pytest.raises(ValueError, match=r"pose_detection\.tflite: is missing.*snakemake"):
        check_models(tmp_path)


def test_a_damaged_network_is_named_with_both_sums(tmp_path, pose_models):
    for one in MODELS:
        content = model_path(pose_models, one.name).read_bytes()
        model_path(tmp_path, one.name).write_bytes(content)
    damaged = model_path(tmp_path, "hand_recrop")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"hand_recrop\.tflite: has SHA-256 .* expected SHA-256"):
        check_models(tmp_path)


def test_the_sum_of_all_is_that_of_their_sums_in_order(pose_models):
    expected = hashlib.sha256("".join(one.sha256 for one in MODELS).encode()).hexdigest()
    assert check_models(pose_models) == expected


def test_networks_already_there_are_not_fetched_again(monkeypatch, tmp_path, pose_models):
    cut_off_from_the_registry(monkeypatch, tmp_path)
    times = {path: path.stat().st_mtime_ns for path in pose_models.glob("*.tflite")}
    assert len(times) == 5
    fetch_models(pose_models)
    assert {path: path.stat().st_mtime_ns for path in pose_models.glob("*.tflite")} == times
