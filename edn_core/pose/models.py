"""The pose networks' weight files: which, where from, and whether they are right.

MediaPipe's are Google's BlazePose, hand and face networks (Apache-2.0). The PyPI wheel of mediapipe
0.10.21 is the last one that holds them; it is read as an archive and never installed. Those of
OpenPose and of the whole-body networks are files of the user's own.
"""

import contextlib
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from edn_core.config import PoseConfig
from edn_core.errors import Refused
from edn_core.logs import LOGGER
from edn_core.store import file_sha256, write_beside


class Model(NamedTuple):
    """One of MediaPipe's weight files."""

    folder: str  # where it lies inside the wheel, below mediapipe/modules
    name: str  # of the file, without .tflite
    sha256: str  # of its content

    @property
    def member(self) -> str:
        """Its path inside the wheel."""
        return f"mediapipe/modules/{self.folder}/{self.name}.tflite"


REQUIREMENT = "mediapipe==0.10.21"
_TABLE = """
pose_detection pose_detection 9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c
pose_landmark pose_landmark_full e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f
hand_landmark hand_landmark_full 11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3
holistic_landmark hand_recrop 67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d
face_landmark face_landmark 1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814
"""
MODELS = tuple(Model(*line.split()) for line in _TABLE.strip().splitlines())
# The files inside are the same in every wheel of that version; naming one platform lets any
# Python on any machine fetch it.
_PIP_DOWNLOAD = (
    "download --no-deps --only-binary=:all: --python-version 3.11 "
    "--platform manylinux_2_28_x86_64 --no-input --disable-pip-version-check"
)

_ANNOTATORS = "huggingface.co/lllyasviel/Annotators"
_OPENMMLAB = "download.openmmlab.com/mmpose/v1/projects"
KNOWN_FILES = {
    "openpose": {
        "body": f"body_pose_model.pth (COCO-18; {_ANNOTATORS}) or body_25.pth (BODY_25; "
        "github.com/beingjoey/pytorch_openpose_body_25)",
        "hand": f"hand_pose_model.pth ({_ANNOTATORS})",
        "face": f"facenet.pth ({_ANNOTATORS})",
    },
    "wholebody": {
        "detector": "yolox_m_8xb8-300e_humanart-c2c7a14a or yolox_tiny_8xb8-300e_humanart-6f3252f9 "
        f"(end2end.onnx in the zip of that name, {_OPENMMLAB}/rtmposev1/onnx_sdk/) or "
        "yolox_l.onnx (huggingface.co/yzd-v/DWPose)",
        "pose": "rtmw-dw-x-l_simcc-cocktail14_270e-384x288_20231122 (end2end.onnx in the zip of "
        f"that name, {_OPENMMLAB}/rtmw/onnx_sdk/), rtmpose-l_simcc-ucoco_dw-ucoco_270e-384x288-"
        "2438fd99_20230728 (likewise, under rtmposev1) or dw-ll_ucoco_384.onnx "
        "(huggingface.co/yzd-v/DWPose)",
    },
}
"""Backends whose weights are the user's own files: for each part where to get one."""
_LICENCES = {
    "openpose": "OpenPose's licence: academic or non-profit, non-commercial use only",
    "wholebody": "licence: the code is Apache-2.0, the weights were trained on data for research, "
    "whose terms hold",
}
_OPTIONAL = ("hand", "face")  # without OpenPose's networks for them they are left out


def weight_files(config: PoseConfig) -> dict[str, Path]:
    """The user's own weight files: part -> path; none for backends that bring their weights.

    Raises Refused: one is not set or not there; says where to get it.
    """
    files = {}
    for part, where_from in KNOWN_FILES.get(config.backend, {}).items():
        path = getattr(getattr(config, config.backend), part)
        if not path and part in _OPTIONAL:
            continue
        if not path or not Path(path).is_file():
            name = f"pose.{config.backend}.{part}"
            found = f"is {path}, where there is no file" if path else "is not set"
            get_it = f"download {where_from} and set it to the file's path"
            licence = f"({_LICENCES[config.backend]}); {name}_sha256 pins the file"
            raise Refused(name, found, "", f"{get_it} {licence}")
        files[part] = Path(path)
    return files


def check_weight_files(config: PoseConfig) -> str:
    """Refuse a weight file that is not the one whose SHA-256 the settings give.

    Returns one SHA-256 for all: that of the files' hexadecimal digests; "" without such files.
    Raises Refused: names the file, what was found and what the setting says; or as weight_files.
    """
    digests = []
    for part, path in weight_files(config).items():
        expected = getattr(getattr(config, config.backend), f"{part}_sha256") or ""
        digests.append(file_sha256(path))
        if not digests[-1].startswith(expected.lower()):
            says = f"{expected} as pose.{config.backend}.{part}_sha256 says"
            remedy = "download the file again or correct the setting"
            raise Refused(path, f"has SHA-256 {digests[-1]}", says, remedy)
    return _digest_of_all(digests) if digests else ""


def _digest_of_all(digests: list[str]) -> str:
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def model_path(folder: str | Path, name: str) -> Path:
    """Where one of MediaPipe's networks lies in a models folder."""
    return Path(folder) / f"{name}.tflite"


def fetch_models(folder: str | Path) -> None:
    """Put MediaPipe's weight files into a folder, unless they are there and right.

    Downloads the wheel with pip, so pip's own settings for indexes, proxies and caches hold. Raises
    Refused: the download failed, the message says what to do by hand; or the wheel holds other
    files than expected.
    """
    with contextlib.suppress(Refused):
        check_models(folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        LOGGER.info(f"fetching the pose networks ({REQUIREMENT}, Apache-2.0, 36 MB, once)")
        result = subprocess.run(
            [sys.executable, "-m", "pip", *_PIP_DOWNLOAD.split(), "-d", temporary, REQUIREMENT],
            capture_output=True,
            text=True,
        )
        wheels = sorted(Path(temporary).glob("*.whl"))
        if result.returncode != 0 or not wheels:
            said = result.stderr.strip().splitlines() or ["pip said nothing"]
            problem = f"the pose networks could not be fetched ({said[-1].strip()})"
            names = ", ".join(one.name for one in MODELS)
            by_hand = (
                f"on a machine with network access download the wheel {REQUIREMENT} from PyPI and "
                f"unzip its five files mediapipe/modules/*/NAME.tflite ({names}) into this folder, "
                "or set pose.models_folder to a folder that has them"
            )
            raise Refused(folder, problem, "", by_hand)
        extract_models(wheels[0], folder)


def extract_models(wheel: str | Path, folder: str | Path) -> None:
    """Take the weight files out of mediapipe's wheel; all are checked before one is written.

    Raises Refused: not such a wheel: unreadable, a file missing in it or a wrong SHA-256.
    """
    again = f"download the wheel of {REQUIREMENT} from PyPI again"
    try:
        with zipfile.ZipFile(wheel) as archive:
            contents = {one: archive.read(one.member) for one in MODELS}
    except Exception as error:  # zipfile and zlib raise a dozen kinds
        problem = f"not the wheel of {REQUIREMENT} ({' '.join(str(error).split())})"
        raise Refused(wheel, problem, "", again) from error
    for one, content in contents.items():
        found = hashlib.sha256(content).hexdigest()
        if found != one.sha256:
            raise Refused(wheel, f"{one.member} has SHA-256 {found}", one.sha256, again)
    for one, content in contents.items():
        with write_beside(model_path(folder, one.name)) as partial:
            partial.write_bytes(content)


def check_models(folder: str | Path) -> str:
    """Refuse a folder in which one of MediaPipe's weight files is missing or another one.

    Returns one SHA-256 for all: that of the files' hexadecimal digests, in the order of MODELS.
    Raises Refused: names the file, what was found and expected, and what to do.
    """
    for one in MODELS:
        path = model_path(folder, one.name)
        found = file_sha256(path) if path.is_file() else None
        if found != one.sha256:
            problem = f"has SHA-256 {found}" if found else "is missing"
            fetch = "run `snakemake fetch_pose_models` to fetch it"
            remedy = f"{fetch}, or set pose.models_folder to a folder that has the five networks"
            raise Refused(path, problem, f"SHA-256 {one.sha256}", remedy)
    return _digest_of_all([one.sha256 for one in MODELS])
