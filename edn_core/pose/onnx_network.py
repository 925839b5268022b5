"""Networks in ONNX files of the user's own: checked, loaded and run by ONNX Runtime."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edn_core.device import pick_device


@dataclass(frozen=True)
class Network:
    """A network that takes pictures.

    Attributes:
        path: its file.
        height: of its input, px; 0 where the file leaves it open.
        width: likewise.
        batch_size: pictures it takes at once; 0 for any number.
        provider: the execution provider it runs on; the CPU's where CUDA could not be loaded.
        run: (N, 3, H, W) float32 -> its outputs by name, in the order of the file.
    """

    path: Path
    height: int
    width: int
    batch_size: int
    provider: str
    run: Callable[[np.ndarray], dict[str, np.ndarray]]


def check_sha256(path: str | Path, expected: str | None, setting: str) -> str:
    """SHA-256 of a file, compared with how a setting says that it begins.

    Args:
        path: the file.
        expected: first hexadecimal digits; None: anything is right.
        setting: name of the setting, for the message.

    Returns:
        All 64 hexadecimal digits.

    Raises:
        ValueError: it begins differently.
    """
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if expected is not None and not found.startswith(expected.lower()):
        raise ValueError(
            f"{path}: has SHA-256 {found}, {setting} says {expected}; download the file again or "
            "correct the setting"
        )
    return found


def choose_providers(device: str) -> list[Any]:
    """ONNX Runtime's execution providers for a device, the preferred one first.

    Args:
        device: runtime.device: auto, cpu or cuda.

    Raises:
        ValueError: ONNX Runtime is not installed, or without CUDA where it is asked for.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(
            f"pose.backend wholebody needs the package onnxruntime ({error}); "
            "install it with `pip install onnxruntime`"
        ) from error
    cpu = "CPUExecutionProvider"
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise ValueError(
            "runtime.device is 'cuda' but the installed onnxruntime has no CUDA; install "
            "onnxruntime-gpu in its place, or set runtime.device to auto or cpu"
        )
    if device == "cpu" or not has_cuda:
        return [cpu]
    # pick_device imports torch, which also loads the CUDA libraries that onnxruntime looks for.
    return [("CUDAExecutionProvider", {"device_id": pick_device(device).index or 0}), cpu]


def load_network(path: str | Path, threads: int, providers: list[Any]) -> Network:
    """Load an ONNX file.

    Args:
        path: the file.
        threads: CPU threads.
        providers: as from choose_providers.

    Raises:
        ValueError: not readable, or its input is no float32 picture.
    """
    import onnxruntime

    path = Path(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions have no base of their own
        raise ValueError(
            f"{path}: not readable as an ONNX network ({_line(error)}); download it again"
        ) from error
    names = [output.name for output in session.get_outputs()]
    source, *others = session.get_inputs()
    shape = [side if isinstance(side, int) else 0 for side in source.shape]
    if others or source.type != "tensor(float)" or len(shape) != 4 or shape[1] not in (0, 3):
        raise ValueError(
            f"{path}: takes {len(others) + 1} inputs, the first {source.type} of shape "
            f"{source.shape}, expected one tensor(float) of shape (N, 3, H, W); give a network "
            "exported as mmdeploy or YOLOX do it"
        )

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        try:
            return dict(zip(names, session.run(None, {source.name: images}), strict=True))
        except Exception as error:
            raise ValueError(
                f"{path}: fails on pictures of shape {images.shape} ({_line(error)}); export it "
                "anew, or give one of the published files"
            ) from error

    return Network(
        path=path,
        height=shape[2],
        width=shape[3],
        batch_size=shape[0],
        provider=session.get_providers()[0],
        run=run,
    )


def output_shapes(outputs: dict[str, np.ndarray]) -> str:
    """Names and shapes of outputs, for messages."""
    return ", ".join(f"{name} {value.shape}" for name, value in outputs.items())


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
