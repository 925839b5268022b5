"""Folders and archives of keypoint files."""

import tarfile
import zipfile

import pytest
from keypoint_files import IMAGE, archive, body, config, document, frame_name, write

from edn_core.pose.keypoint_archive import MAX_FILE_BYTES, list_files, read_files
from edn_core.pose.openpose_files import make, read_frames


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.xz", "A.ZIP"])
def test_an_archive_is_read_like_the_folder_in_it(tmp_path, name):
    members = {
        f"out/json/{frame_name(i)}": document({"pose_keypoints_2d": body(30 + i)}) for i in (0, 2)
    }
    members |= {"__MACOSX/out/json/._" + frame_name(0): "\0", "out/.hidden/0_keypoints.json": "{"}
    path = archive(tmp_path / name.lower(), members).rename(tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    people = make(config(path), "dance").find([IMAGE] * 3, 0)
    assert [[one["body"][0, 0] for one in found] for found in people] == [[30], [], [32]]
    assert sorted(tmp_path.rglob("*")) == before  # nothing was unpacked


def test_the_file_inside_the_archive_is_named(tmp_path):
    path = archive(tmp_path / "a.zip", {"out/1_keypoints.json": '{"people": 3}'})
    with pytest.raises(ValueError, match=r"a\.zip: out/1_keypoints\.json: has no list 'people'"):
        make(config(path), "dance")


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_read(tmp_path):
    path = archive(tmp_path / "a.zip", {"1_keypoints.json": " " * (MAX_FILE_BYTES + 1)})
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"a\.zip: 1_keypoints\.json: larger than 16 MiB"):
        make(config(path), "dance")


def test_a_member_without_a_name_is_no_frame(tmp_path):
    path = archive(
        tmp_path / "a.zip",
        {"~unnamed~": "{", frame_name(0): document({"pose_keypoints_2d": body(30)})},
    )
    path.write_bytes(path.read_bytes().replace(b"~unnamed~", bytes(9)))
    (people,) = make(config(path), "dance").find([IMAGE], 0)
    assert [one["body"][0, 0] for one in people] == [30]


def test_a_size_that_the_archive_states_wrongly_is_not_believed(tmp_path):
    path = archive(tmp_path / "a.zip", {"1_keypoints.json": " " * (MAX_FILE_BYTES + 1)})
    stated = (MAX_FILE_BYTES + 1).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(stated, (20).to_bytes(4, "little")))
    with pytest.raises(ValueError, match=r"a\.zip: 1_keypoints\.json: "):
        make(config(path), "dance")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_unpacks_without_a_limit_is_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as store:
        store.writestr(frame_name(0), document())
    with pytest.raises(ValueError, match=rf"a\.zip: is packed by method {method}"):
        make(config(tmp_path / "a.zip"), "dance")


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_name_as_long_as_a_video_is_refused_unread(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz", format=kind) as store:
        store.addfile(tarfile.TarInfo("n" * (2 * MAX_FILE_BYTES)))
    with pytest.raises(ValueError, match=r"a\.tar\.xz: .*claims \d+ bytes in one piece"):
        list_files(tmp_path / "a.tar.xz")


def test_links_in_an_archive_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as store:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo("1_keypoints.json")
            info.type, info.linkname = kind, "/etc/passwd"
            store.addfile(info)
    assert list_files(tmp_path / "a.tar") == []


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz"])
def test_a_damaged_archive_is_named(tmp_path, name):
    for content in (b"", b"no archive", b"PK\3\4" * 100):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}: cannot be read"):
            make(config(tmp_path / name), "dance")


def test_a_file_that_is_neither_folder_nor_archive_is_refused(tmp_path):
    path = write(tmp_path, frame_name(0), {"pose_keypoints_2d": body(30)})
    with pytest.raises(ValueError, match=r"no folder and no archive; expected .*\.zip"):
        make(config(path), "dance")


def test_files_are_read_in_any_order_of_the_archive(tmp_path):
    members = {f"{i}_keypoints.json": document({"pose_keypoints_2d": body(i)}) for i in (3, 1, 2)}
    path = archive(tmp_path / "a.tar.gz", members)
    assert [name for name, _ in read_files(path, set(members))] == list(members)
    assert list_files(path) == sorted(members)
    assert [*read_frames(path)[0]] == [0, 1, 2]
