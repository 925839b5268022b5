"""Binary files: stores, checkpoints, weights, archives, pictures, videos."""

import io
import random
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import torch
from engine import Target
from keypoint_files import archive, body, document, frame_name
from mutate import ODD_NUMBERS, ODD_TEXTS, spoiled
from text_targets import in_file

from edn_core.background import read_plate
from edn_core.checkpoint import (
    TrainedGenerator,
    load_generator,
    load_state,
    save_generator,
    save_state,
)
from edn_core.config import LabelConfig, NetworkConfig, PoseConfig
from edn_core.frames import FrameReader, FramesInfo, FrameWriter
from edn_core.hdf5 import DIGEST
from edn_core.keypoints import from_people, read_keypoints, write_keypoints
from edn_core.networks import ARCHITECTURES
from edn_core.pose.models import MODELS, extract_models
from edn_core.pose.openpose_files import make
from edn_core.pose.openpose_networks import load_network
from edn_core.provenance import read_provenance
from edn_core.published.state_dicts import read_published_generator
from edn_core.skeleton import BODY_25
from edn_core.video import decode, encode, probe

SIZE = 64
PICTURE = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8)
NETWORK = NetworkConfig(
    generator_channels=2,
    downsamplings=1,
    residual_blocks=1,
    discriminator_channels=2,
    discriminator_scales=1,
    discriminator_layers=1,
)


def made(name: str, write: Callable[[Path], object]) -> bytes:
    """The bytes of a file that something writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def keypoint_store(path: Path) -> None:
    points = np.tile(np.array([[30.0, 40.0, 0.9]], np.float32), (25, 1))
    people = [{"body": points}, {"body": points}]
    about = {"width": SIZE, "height": SIZE, "fps": Fraction(25), "video": "dance"}
    write_keypoints(path, from_people(people, BODY_25, **about))


def frame_store(path: Path, codec: str = "jpeg") -> None:
    info = FramesInfo("dance", 2, Fraction(25), SIZE, SIZE, SIZE, SIZE, 1.0, (0, 0))
    with FrameWriter(path, info, codec) as writer:
        for _ in range(2):
            writer.append(PICTURE)


def all_frames(path: Path) -> None:
    reader = FrameReader(path)
    for number in range(min(len(reader), 5)):
        reader[number]


def as_of_old(content: bytes) -> bytes:
    """A store in HDF5's oldest format and without its digest: nothing in it is checked by sums."""
    stream = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as store, h5py.File(stream, "w") as copy:
        copy.attrs.update({k: v for k, v in store.attrs.items() if k != DIGEST})
        for name in store:
            h5py.h5o.copy(store.id, name.encode(), copy.id, name.encode())
    return stream.getvalue()


def spoiled_attributes(rng: random.Random, seeds: list[bytes]) -> bytes:
    """A store of which one to three attributes hold something else, or are gone."""
    stream = io.BytesIO(rng.choice(seeds))
    with h5py.File(stream, "r+") as store:
        places = [store]
        store.visititems(lambda name, item: places.append(item))
        for _ in range(rng.randint(1, 3)):
            place = rng.choice([one for one in places if len(one.attrs)])
            name = rng.choice(list(place.attrs))
            del place.attrs[name]
            texts = [one.replace("\0", "").encode() for one in ODD_TEXTS]
            others = (np.nan, np.inf, -1, [], [1, 2], np.zeros((3, 3)), h5py.Empty("f"), "1/0")
            values = (*texts, *ODD_NUMBERS, *others, *[one.decode() for one in texts])
            if rng.random() < 0.9:
                place.attrs[name] = rng.choice(values)
            if not any(len(one.attrs) for one in places):
                break
    return stream.getvalue()


def keypoints() -> Target:
    store = made("k.h5", keypoint_store)
    return Target(in_file("k.h5", read_keypoints), [store, *[as_of_old(store)] * 2], 6_000)


def keypoint_attributes() -> Target:
    seeds = [as_of_old(made("k.h5", keypoint_store))]
    return Target(in_file("k.h5", read_keypoints), seeds, 2_000, spoil=spoiled_attributes)


def frames() -> Target:
    seeds = [made("f.h5", lambda path, one=one: frame_store(path, one)) for one in ("jpeg", "png")]
    seeds += [as_of_old(one) for one in seeds for _ in range(2)]
    return Target(in_file("f.h5", all_frames), seeds, 8_000)


def frame_attributes() -> Target:
    seeds = [as_of_old(made("f.h5", frame_store))]
    return Target(in_file("f.h5", all_frames), seeds, 2_000, spoil=spoiled_attributes)


def plates() -> Target:
    import cv2

    rgba = np.dstack([PICTURE, np.full((SIZE, SIZE), 255, np.uint8)])
    seeds = [cv2.imencode(".png", rgba)[1].tobytes(), cv2.imencode(".jpg", PICTURE)[1].tobytes()]
    return Target(in_file("background.png", read_plate), seeds, 30_000)


def tiny_generator(path: Path) -> None:
    save_generator(
        path,
        TrainedGenerator(
            stage="body",
            network=NETWORK,
            weights=ARCHITECTURES["global"](NETWORK, 3, None).state_dict(),
            face_weights=None,
            background=None,
            label_style="edn",
            label_config=asdict(LabelConfig()),
            label_channels=3,
            height=SIZE,
            width=SIZE,
            steps=4,
        ),
    )


def generators() -> Target:
    def read(path: Path) -> None:
        load_generator(path).build()

    return Target(in_file("generator.safetensors", read), [made("g.pt", tiny_generator)], 4_000)


def states() -> Target:
    state = {"step": 3, "optimizer": {"a": torch.zeros(5)}, "rng": torch.get_rng_state()}
    seeds = [made("s.pt", lambda path: save_state(path, "key", state))]
    return Target(in_file("s.pt", lambda path: load_state(path, "key")), seeds, 3_000)


def published() -> Target:
    weights = ARCHITECTURES["global"](NETWORK, 3, None).state_dict()
    seeds = [
        made("g.pth", lambda path, one=one: torch.save(weights, path, **one))
        for one in ({}, {"_use_new_zipfile_serialization": False})
    ]
    return Target(in_file("net_G.pth", read_published_generator), seeds, 3_000)


def openpose() -> Target:
    weights = {f"conv{i}_{j}.weight": torch.zeros(4, 3, 3, 3) for i in (1, 2) for j in (1, 2)}
    weights |= {"Mconv1_stage0_L2_0.weight": torch.zeros(4, 4, 3, 3), "conv6_2_CPM.weight": weights}
    seeds = [
        made("b.pth", lambda path, one=one: torch.save(weights, path, **one))
        for one in ({}, {"_use_new_zipfile_serialization": False})
    ]
    return Target(in_file("body_25.pth", load_network), seeds, 3_000)


def keypoint_archives(suffix: str) -> Target:
    text = document({"pose_keypoints_2d": body(30)})
    members = {frame_name(0): text, frame_name(1): text}
    seeds = [made(f"a{suffix}", lambda path: archive(path, members))]

    def read(path: Path) -> None:
        config = PoseConfig(backend="openpose_files", openpose_files=str(path))
        make(config, "dance").find([PICTURE], 0)

    return Target(in_file(f"a{suffix}", read), seeds, 8_000)


def wheels() -> Target:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as store:
            for one in MODELS:
                store.writestr(one.member, b"not the network" * 50)

    def read(path: Path) -> None:
        extract_models(path, path.parent / "models")

    return Target(in_file("m.whl", read), [made("m.whl", write)], 10_000)


def videos() -> Target:
    def read(path: Path) -> None:
        found = probe(path)
        if found.width * found.height <= 4096**2 and found.timeline().n_frames < 1000:
            for _ in decode(path, found.timeline()):
                pass

    seeds = [
        made(f"v{one}", lambda path: encode(path, iter([PICTURE] * 5), Fraction(25)))
        for one in (".mp4", ".mp4")
    ]
    return Target(in_file("v.mp4", read), seeds, 3_000, spoil=spoiled)


def provenance() -> Target:
    seeds = [made("v.mp4", lambda path: encode(path, iter([PICTURE] * 2), Fraction(25)))]
    return Target(in_file("v.mp4", read_provenance), seeds, 5_000)


TARGETS = {
    "keypoint stores, bytes": keypoints,
    "keypoint stores, attributes": keypoint_attributes,
    "frame stores, bytes": frames,
    "frame stores, attributes": frame_attributes,
    "background plates": plates,
    "generators": generators,
    "training states": states,
    "published generators": published,
    "OpenPose's weights": openpose,
    "keypoint archives, zip": lambda: keypoint_archives(".zip"),
    "keypoint archives, tar.gz": lambda: keypoint_archives(".tar.gz"),
    "keypoint archives, tar": lambda: keypoint_archives(".tar"),
    "mediapipe's wheel": wheels,
    "videos": videos,
    "provenance of videos": provenance,
}
