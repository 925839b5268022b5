"""HDF5 files, JSON and checkpoints from a stranger: refused in one line, and no more happens."""

import pickle
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import torch
from test_damage import memory_mb, short_dancer, tiny_generator, write_store

from edn_core.background import read_plate
from edn_core.checkpoint import load_generator, save_generator
from edn_core.frames import FrameReader
from edn_core.hdf5 import DIGEST
from edn_core.hdf5.heaps import check_heaps
from edn_core.keypoints import read_keypoints, write_keypoints
from edn_core.store import read_json
from edn_core.tensor_file import check_tensor_file, list_storages

SECRET = b"a text that is none of the store's business"
MOST_MB = 200


def refusal(read: Callable[[Path], Any], path: Path) -> str:
    """What a reader says of a file; it must be one line with the file's name, and cheap."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the most memory ever held
    before = memory_mb("VmRSS")
    with pytest.raises(ValueError, match=re.escape(str(path))) as refused:
        read(path)
    assert memory_mb("VmHWM") < before + MOST_MB
    assert "\n" not in str(refused.value)
    return str(refused.value).replace(str(path.parent), "")


def first_image(path: Path) -> np.ndarray:
    with FrameReader(path) as reader:
        return reader[0]


@pytest.fixture
def frames(tmp_path) -> Path:
    write_store(tmp_path / "frames.zip", "jpeg")
    return without_digest(tmp_path / "frames.zip")


@pytest.fixture
def keypoints(tmp_path) -> Path:
    write_keypoints(tmp_path / "keypoints.h5", short_dancer())
    return without_digest(tmp_path / "keypoints.h5")


def without_digest(path: Path) -> Path:
    """A stranger writes checksums that fit, or as here none at all."""
    with h5py.File(path, "r+") as store:
        del store.attrs[DIGEST]
        if "crc32" in store:
            del store["crc32"]
    return path


def replaced(path: Path, name: str, **creation: Any) -> None:
    """Another dataset in the place of one, as h5py.create_dataset makes it."""
    with h5py.File(path, "r+") as store:
        del store[name]
        store.create_dataset(name, **creation)


def test_links_to_other_files_and_places_are_refused_unopened(keypoints):
    elsewhere = keypoints.with_name("elsewhere.h5")
    with h5py.File(elsewhere, "w") as other:
        other["xy"] = np.zeros((4, 25, 2), "f4")
    for link in (h5py.ExternalLink(str(elsewhere), "xy"), h5py.SoftLink("/face/xy")):
        with h5py.File(keypoints, "r+") as store:
            del store["body/xy"]
            store["body/xy"] = link
        assert "body/xy is a link to another place" in refusal(read_keypoints, keypoints)


def test_a_group_that_holds_itself_is_refused(keypoints):
    with h5py.File(keypoints, "r+") as store:
        store["body/again"] = store["/"]
    assert "holds 'body/again', expected only" in refusal(read_keypoints, keypoints)


def test_numbers_of_another_size_are_refused(tmp_path):
    # They lie elsewhere then, and so would all that was looked at before HDF5 was asked.
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_sizes(4, 4)
    h5py.h5f.create(str(tmp_path / "keypoints.h5").encode(), fcpl=creation).close()
    assert "places and lengths are of another" in refusal(read_keypoints, tmp_path / "keypoints.h5")


def test_a_length_beyond_all_memory_is_damage_and_no_want_of_memory(keypoints):
    with h5py.File(keypoints) as store, h5py.File(keypoints.with_name("old.h5"), "w") as old:
        old.attrs.update(store.attrs)
        for name in store:
            h5py.h5o.copy(store.id, name.encode(), old.id, name.encode())
    path = keypoints.with_name("old.h5")
    content = bytearray(path.read_bytes())
    # After superblock and head: where the root's messages go on, type 16, and for how long.
    assert content[112] == 16
    content[128:136] = (2**40).to_bytes(8, "little")
    path.write_bytes(content)
    assert "delete it and run" in refusal(read_keypoints, path)


@pytest.mark.parametrize("reserved", [b"\0\0\0", b"\0\7\0"])
def test_a_heap_of_texts_that_goes_round_is_found_wherever_it_lies(tmp_path, reserved):
    item = (1).to_bytes(8, "little") + (2**64 - 16).to_bytes(8, "little")
    heap = b"GCOL\1" + reserved + (4096).to_bytes(8, "little") + item
    path = tmp_path / "keypoints.h5"
    for before in (0, 2**20 - 4, 2 * 2**20 + 5):
        path.write_bytes(bytes(before) + heap.ljust(4096, b"\0") + bytes(2**21))
        with pytest.raises(ValueError, match=r"keypoints.h5: is damaged"):
            check_heaps(path, has_images=False)
    # Such bytes among packed values, with a length that the file does not have, are no heap.
    path.write_bytes(b"GCOL\1abc" + (2**21).to_bytes(8, "little") + item + bytes(2**20))
    check_heaps(path, has_images=False)


def test_a_group_of_a_great_many_entries_is_refused(keypoints):
    with h5py.File(keypoints, "r+") as store:
        for i in range(1000):
            store.create_group(f"face/{i}")
    assert "holds 1002 entries in /face" in refusal(read_keypoints, keypoints)


def test_data_kept_in_another_file_are_not_read(keypoints):
    (keypoints.parent / "secret").write_bytes(SECRET * 100)
    outside = [(str(keypoints.parent / "secret"), 0, 800)]
    replaced(keypoints, "body/xy", shape=(4, 25, 2), dtype="f4", external=outside)
    assert "/body/xy is kept outside this file" in refusal(read_keypoints, keypoints)


def test_a_virtual_dataset_is_refused(keypoints):
    layout = h5py.VirtualLayout((4, 25, 2), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "xy", (4, 25, 2), "f4")
    with h5py.File(keypoints, "r+") as store:
        del store["body/xy"]
        store.create_virtual_dataset("body/xy", layout)
    assert "/body/xy is kept outside this file" in refusal(read_keypoints, keypoints)


def test_filters_that_are_never_written_are_refused(keypoints):
    values = np.ones((4, 25), "f4")
    for name, creation in {
        "lzf": {"compression": "lzf"},
        "scale-offset": {"scaleoffset": 3},
    }.items():
        replaced(keypoints, "body/score", data=values, **creation)
        assert "is packed by HDF5 filters" in refusal(read_keypoints, keypoints), name


@pytest.mark.parametrize(
    ("creation", "said"),
    [
        ({"shape": (10**9, 25, 2), "chunks": (1024, 25, 2)}, "is stored in 0 bytes"),
        ({"shape": (10**6, 25, 2), "chunks": (10**6, 25, 2)}, "in pieces of 200000000 bytes"),
        ({"data": np.zeros((4, 25, 2), "f8")}, "is float64 of 3 dimensions"),
        ({"data": np.zeros((4, 25), "f4")}, "is float32 of 2 dimensions"),
        ({"data": np.zeros((4, 25, 2), "S4")}, "expected float32 of 3"),
        ({"data": np.zeros((4, 25, 2), [("xy", "f4")])}, "expected float32 of 3"),
        ({"shape": (4, 25, 2), "dtype": h5py.ref_dtype}, "expected float32 of 3"),
        ({"shape": (4, 25, 2), "dtype": h5py.regionref_dtype}, "expected float32 of 3"),
        ({"shape": (4, 25, 2), "dtype": h5py.vlen_dtype("f4")}, "expected float32 of 3"),
    ],
)
def test_shapes_and_types_are_checked_before_anything_is_read(keypoints, creation, said):
    replaced(
        keypoints, "body/xy", **({"dtype": "f4"} | creation if "shape" in creation else creation)
    )
    assert said in refusal(read_keypoints, keypoints)


def test_a_packed_array_that_would_fill_the_memory_is_refused(keypoints):
    # 8 GB of nothing in a few MB: within what deflate can do, so the limit itself must hold.
    replaced(
        keypoints, "body/xy", shape=(40 * 10**6, 25, 2), dtype="f4", chunks=(40_000, 25, 2),
        compression="gzip",
    )  # fmt: skip
    piece = zlib.compress(bytes(40_000 * 25 * 2 * 4), 9)
    with h5py.File(keypoints, "r+") as store:
        for start in range(1000):
            store["body/xy"].id.write_direct_chunk((start * 40_000, 0, 0), piece)
    assert re.search(
        r"its arrays are of 8\d{9} bytes, expected", refusal(read_keypoints, keypoints)
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fps", "1/0"), ("fps", "1e9"), ("fps", "-25"), ("fps", "nan"), ("fps", "9" * 10**5),
        ("fps", 25), ("width", 10**9), ("width", -64), ("width", 0), ("width", "64"),
        ("height", 2**63 - 1),
        ("scale", np.nan), ("scale", np.inf), ("scale", 0.0), ("offset", [0, -(2**60)]),
        ("offset", "here"), ("source_width", 10**12), ("start_s", -np.inf), ("n_frames", 10**12),
        ("n_frames", -1), ("codec", "exr"), ("style_config", "[" * 10**5), ("video", b"\xff\xfe"),
        ("video", np.zeros(3)), ("video", h5py.Empty("f4")),
    ],
)  # fmt: skip
def test_attributes_that_no_video_has_are_refused(frames, name, value):
    with h5py.File(frames, "r+") as store:
        store.attrs[name] = value
    refusal(FrameReader, frames)


def test_attributes_beyond_count_size_and_kind_are_refused(frames):
    with h5py.File(frames, "r+") as store:
        store.attrs["more"] = np.zeros(8000)  # 64,000 bytes, nearly what is allowed
        store.attrs["video"] = "v"
    FrameReader(frames)
    for value, said in (
        (np.zeros(9000), "attribute 'more' has 72000 bytes"),
        (h5py.Reference(), "is of type object, expected text or numbers"),
    ):
        with h5py.File(frames, "r+") as store:
            del store.attrs["more"]
            kind = {"dtype": h5py.ref_dtype} if isinstance(value, h5py.Reference) else {}
            store.attrs.create("more", value, **kind)
        assert said in refusal(FrameReader, frames)
    with h5py.File(frames, "r+") as store:
        del store.attrs["more"]
        for i in range(100):
            store.attrs[str(i)] = i
    assert re.search(r"has 1\d\d attributes, expected at most 64", refusal(FrameReader, frames))


def test_a_length_that_the_file_cannot_hold_is_refused_before_memory_is_taken(frames):
    with h5py.File(frames) as store:
        place = store["images"].id.get_offset()
    with open(frames, "r+b") as stream:
        stream.seek(place)
        stream.write((2**32 - 1).to_bytes(4, "little"))
    assert "is damaged" in refusal(FrameReader, frames)


def test_the_same_bytes_given_for_all_images_are_refused(frames):
    with h5py.File(frames, "r+") as store:
        del store["images"]
        images = store.create_dataset("images", (1000,), dtype=h5py.vlen_dtype(np.uint8))
        images[0] = np.zeros(10**6, np.uint8)
        images[1:] = [np.zeros(1, np.uint8)] * 999
        place, store.attrs["n_frames"] = images.id.get_offset(), 1000
    content = bytearray(frames.read_bytes())
    content[place : place + 16_000] = content[place : place + 16] * 1000
    frames.write_bytes(content)
    assert "is damaged" in refusal(FrameReader, frames)


def huge_png(side: int) -> bytes:
    """A PNG of one colour, in a few bytes of 65,000 x 65,000 pixels."""
    small = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    head = b"IHDR" + side.to_bytes(4, "big") * 2 + small[24:29]
    return small[:12] + head + zlib.crc32(head).to_bytes(4, "big") + small[33:]


def test_an_image_that_claims_more_than_the_canvas_is_not_decoded(tmp_path):
    write_store(tmp_path / "labels.zip", "png")
    path = without_digest(tmp_path / "labels.zip")
    for claimed in (huge_png(30_000), huge_png(65), b"\xff\xd8\xff not jpeg", b"II*\0 a TIFF"):
        with h5py.File(path, "r+") as store:
            store["images"][0] = np.frombuffer(claimed, np.uint8)
        assert "frame 0 is damaged" in refusal(first_image, path)


def test_a_plate_that_claims_more_pixels_than_any_canvas_is_not_decoded(tmp_path):
    (tmp_path / "background.png").write_bytes(huge_png(30_000))
    assert "claims 30000x30000 pixels" in refusal(read_plate, tmp_path / "background.png")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 10**6, "nested deeper than 32"),
        ('{"a":' * 10**5, "nested deeper than 32"),
        ('{"a": 1, "a": 2}', "a name stands twice"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": -Infinity}', "Infinity is not JSON"),
        ('{"a": 1e999}', "not JSON compliant"),
        ('{"a": ' + "9" * 10**5 + "}", "not readable as JSON"),
        ('{"a": "\\ud800"}', "not readable as JSON"),
        ("\x00", "not readable as JSON"),
        ("", "not readable as JSON"),
    ],
    ids=range(10),
)
def test_json_that_no_stage_writes_is_refused(tmp_path, text, said):
    (tmp_path / "a.json").write_text(text)
    assert re.search(said, refusal(read_json, tmp_path / "a.json"))


def test_json_beyond_the_limit_is_not_even_read(tmp_path):
    with open(tmp_path / "a.json", "wb") as stream:
        stream.truncate(artefact.MAX_JSON_BYTES + 1)  # a hole: takes no disk
    assert "expected at most 67108864" in refusal(read_json, tmp_path / "a.json")


def changed_generator(path: Path, **changes: Any) -> Path:
    """A generator's file with other entries."""
    save_generator(path, tiny_generator())
    torch.save(torch.load(path, weights_only=True) | changes, path)
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"height": 10**9}, "height is 1000000000"),
        ({"width": -8}, "width is -8"),
        ({"width": True}, "width is True"),
        ({"label_channels": 2**40}, "label_channels is"),
        ({"network": {"residual_blocks": 10**9}}, "network is"),
        ({"network": {"generator_channels": float("nan")}}, "network is"),
        ({"label_style": "s" * 10**6}, "label_style is"),
        ({"stage": None}, "stage is None"),
        ({"weights": {"a": torch.zeros(1).expand(10**12)}}, "weights is"),
        ({"weights": {"a": torch.zeros(2).to_sparse()}}, "names 'torch._utils _rebuild_sparse"),
        ({"weights": [1, 2]}, r"weights is \[1, 2\]"),
        ({"face_weights": 7}, "face_weights is 7"),
        ({"background": {"plate": torch.zeros(1).expand(8, 8, 3), "seen": 1}}, "background is"),
        ({"background": {"plate": torch.zeros(9, 8, 3, dtype=torch.uint8)}}, "background is"),
    ],
)
def test_what_a_checkpoint_claims_of_itself_is_checked(tmp_path, changes, said):
    path = changed_generator(tmp_path / "generator.safetensors", **changes)
    assert re.search(said, refusal(load_generator, path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": torch.zeros(2)}, "found neither a name nor a number"),
        ({"schema": ["edn-generator"]}, "found neither a name nor a number"),
        ({"architecture": []}, r"architecture \[\]"),
        ({"architecture": None}, "architecture None"),
    ],
)
def test_what_a_checkpoint_says_it_is_may_be_anything(tmp_path, changes, said):
    path = changed_generator(tmp_path / "generator.safetensors", **changes)
    assert re.search(said, refusal(load_generator, path))


def test_a_checkpoint_that_has_any_amount_of_memory_taken_is_refused_unread(tmp_path):
    path = changed_generator(tmp_path / "generator.safetensors", stage=bytearray(b"12345678"))
    assert "names '__builtin__ bytearray'" in refusal(load_generator, path)


def test_a_reference_put_together_before_is_not_believed():
    # MARK, four pieces and then a tuple from before in the place of the number that is checked.
    tuple_of_before = pickle.TUPLE + pickle.BINPUT + b"\1"
    claims = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuJ\0\0\0\5"
    again = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\4h\1Q."
    with pytest.raises(ValueError, match="in another way than torch.save does"):
        list_storages("a.pt", b"\x80\2" + claims + tuple_of_before + again)


def test_one_storage_given_for_many_weights_is_refused(tmp_path):
    values = torch.zeros(10**6)
    weights = {str(i): values for i in range(1000)}  # 4 GB, says the file of 4 MB
    path = changed_generator(tmp_path / "generator.safetensors", weights=weights)
    assert "expected values of its own for each tensor" in refusal(load_generator, path)


def test_a_network_of_a_terabyte_is_refused_before_it_is_built(tmp_path):
    sizes = {"generator_channels": 1024, "downsamplings": 5, "residual_blocks": 64}
    changes = {"network": vars(tiny_generator().network) | sizes}
    trained = load_generator(changed_generator(tmp_path / "generator.safetensors", **changes))
    before = memory_mb("VmRSS")
    with pytest.raises(
        ValueError, match=r"the checkpoint's generator has 'model.1.weight' of shape"
    ):
        trained.build()
    assert memory_mb("VmHWM") < before + MOST_MB


def rewritten(path: Path, change: Callable[[str, bytes], bytes], packed: bool = False) -> Path:
    """The zip file again, each member changed by name and content."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))
    return path


def test_a_tensor_that_claims_more_values_than_the_file_holds_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"a": torch.arange(8.0)}, path)
    check_tensor_file(path)
    more = b"M\x00\xf0"  # 61,440 in a pickle; K\x08 is 8
    rewritten(path, lambda name, one: one.replace(b"K\x08t", more + b"t"))
    assert "claims 61440 values of FloatStorage in '0', which has 32" in refusal(
        check_tensor_file, path
    )


def test_a_packed_checkpoint_is_refused_however_much_it_would_unpack_to(tmp_path):
    path = changed_generator(tmp_path / "generator.safetensors")
    rewritten(path, lambda name, one: bytes(10**8) if name.endswith("/0") else one, packed=True)
    assert "is packed or encrypted" in refusal(load_generator, path)


def test_what_is_written_by_torch_itself_passes(tmp_path):
    shared = torch.rand(4, 4)
    content = {
        "views": [shared, shared.T, shared[1:]], "empty": torch.zeros(0), "one": torch.tensor(3),
        "half": torch.rand(300).half(), "flags": torch.ones(70_000, dtype=torch.bool),
        "settings": {"a": [1, None, "storage", 2**40, 1.5, (True,)]},
        "state": {0: {"step": torch.tensor(5.0), "exp_avg": shared}},
    }  # fmt: skip
    torch.save(content, tmp_path / "a.pt")
    check_tensor_file(tmp_path / "a.pt")
