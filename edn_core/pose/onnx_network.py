"""Networks in ONNX files, loaded and run by ONNX Runtime."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edn_core.device import pick_device
from edn_core.errors import Refused


@dataclass(frozen=True)
class Network:
    """A network that takes pictures."""

    path: Path  # its file
    height: int  # of its input, px; 0 where the file leaves it open
    width: int  # likewise
    batch_size: int  # pictures it takes at once; 0 for any number
    provider: str  # execution provider it runs on; the CPU's where CUDA could not be loaded
    run: Callable[[np.ndarray], dict[str, np.ndarray]]
    """(N, 3, H, W) float32 -> its outputs by name, in the order of the file."""


def choose_providers(device: str) -> list[Any]:
    """ONNX Runtime's execution providers for a device (auto, cpu or cuda), the preferred one first.

    Raises ValueError: ONNX Runtime is not installed, or without CUDA where it is asked for.
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
        found = "is 'cuda' but the installed onnxruntime has no CUDA"
        remedy = "install onnxruntime-gpu in its place, or set it to auto or cpu"
        raise Refused("runtime.device", found, "", remedy)
    if device == "cpu" or not has_cuda:
        return [cpu]
    # pick_device imports torch, which also loads the CUDA libraries that onnxruntime looks for.
    return [("CUDAExecutionProvider", {"device_id": pick_device(device).index or 0}), cpu]


def load_network(path: str | Path, threads: int, providers: list[Any]) -> Network:
    """Load an ONNX file, to run on so many threads of the CPU or what choose_providers gave.

    Raises Refused: not readable, or its input is no float32 picture.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions have no base of their own
        problem = f"not readable as an ONNX network ({_line(error)})"
        raise Refused(path, problem, "", "download it again") from error
    names = [output.name for output in session.get_outputs()]
    source, *others = session.get_inputs()
    if others or source.type != "tensor(float)" or len(source.shape) != 4:
        found = f"takes {len(others) + 1} inputs, the first {source.type} of shape {source.shape}"
        raise Refused(path, found, "one tensor(float) of shape (N, 3, H, W)")
    batch_size, _, height, width = (side if isinstance(side, int) else 0 for side in source.shape)

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        try:
            return dict(zip(names, session.run(None, {source.name: images}), strict=True))
        except Exception as error:
            problem = f"fails on pictures of shape {images.shape} ({_line(error)})"
            raise Refused(path, problem, "", "give one of the published files") from error

    return Network(Path(path), height, width, batch_size, session.get_providers()[0], run)


def output_shapes(outputs: dict[str, np.ndarray]) -> str:
    """Names and shapes of outputs, for messages."""
    return "gives " + ", ".join(f"{name} {value.shape}" for name, value in outputs.items())


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
