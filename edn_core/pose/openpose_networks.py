"""OpenPose's networks as torch modules, and the public weight files read into them.

How wide a layer is comes from the file: a narrow network of the same form loads like a published
one (see openpose_layers).
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edn_core.errors import Refused
from edn_core.pose.openpose_layers import Architecture, body_25, coco_18, face, hand
from edn_core.skeleton import FACE_70


class PoseNetwork(nn.Module):
    """A network of the given architecture; ``widths`` names each layer's output channels."""

    def __init__(self, architecture: Architecture, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.architecture = architecture
        self.layers = nn.ModuleDict()
        for layer in architecture.layers:
            n_in = sum(widths[name] for name in layer.inputs) if layer.inputs else 3
            n_out, kernel = widths[layer.name], layer.kernel
            self.layers[layer.name] = nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2)
            if layer.activation == "prelu":
                self.layers[layer.slopes] = nn.PReLU(n_out)

    def forward(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Maps of every stage, the last one best, of (N, 3, H, W) BGR in [-0.5, 0.5).

        H and W are multiples of 8.

        Returns:
            heatmaps: per stage (N, K + 1, H / 8, W / 8), about 0..1, the last channel background.
            pafs: per stage (N, 2 L, H / 8, W / 8), about -1..1; [] for hand and face.
        """
        plan = self.architecture
        last_use = {name: layer for layer in plan.layers for name in layer.inputs}
        found: dict[str, Tensor] = {}
        for layer in plan.layers:
            inputs = [found[name] for name in layer.inputs] or [images]
            for name in layer.inputs:
                if last_use[name] is layer and name not in (*plan.heatmaps, *plan.pafs):
                    del found[name]
            x = inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=1)
            x = self.layers[layer.name](x)
            if layer.activation == "relu":
                x = F.relu(x, inplace=True)
            elif layer.activation == "prelu":
                x = self.layers[layer.slopes](x)
            found[layer.name] = F.max_pool2d(x, 2) if layer.is_pooled else x
        return [found[name] for name in plan.heatmaps], [found[name] for name in plan.pafs]


def flat_key(key: str) -> str:
    """A state-dict key without folders: model0.conv1_1.weight becomes conv1_1.weight."""
    return ".".join(key.split(".")[-2:])


def load_network(path: str | Path) -> PoseNetwork:
    """Read a public weight file; its keys and shapes say which network it is.

    Keys may carry the folders of a module (``model0.conv1_1.weight``) or not (``conv1_1.weight``).
    The network is on the CPU, float32, in evaluation mode, without gradients.

    Raises:
        Refused: not readable, none of OpenPose's networks, or a key or a shape that does not fit
            the others; names the first.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        weights = {flat_key(key): value.float() for key, value in dict(stored).items()}
    except Exception as error:  # torch raises half a dozen kinds for what is no file of its own
        problem = f"not readable as a weight file of OpenPose ({type(error).__name__})"
        raise Refused(path, problem, "", "fetch it anew") from error
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    architecture = _recognise(path, shapes)
    # What is missing or no convolution gets one channel here, and is named below.
    widths = {
        layer.name: (*shapes.get(f"{layer.name}.weight", ()), 1)[0] for layer in architecture.layers
    }
    with torch.device("meta"):
        network = PoseNetwork(architecture, widths | architecture.n_outputs())
    state = network.state_dict()
    is_it = f"looks like OpenPose's {architecture.name} network, but"
    for key, shape in ((flat_key(key), tuple(value.shape)) for key, value in state.items()):
        if shapes.get(key) != shape:
            found = f"has shape {shapes[key]}" if key in shapes else "is missing"
            raise Refused(path, f"{is_it} {key} {found}", f"{shape}", "fetch the file anew")
    if surplus := [*(shapes.keys() - map(flat_key, state))]:
        raise Refused(path, f"{is_it} it also holds {surplus[0]}", "", "fetch the file anew")
    network.load_state_dict({key: weights[flat_key(key)] for key in state}, assign=True)
    # The layout in which convolutions are fastest, on CUDA and on the CPU.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)


def _recognise(path: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> Architecture:
    def last_stage(suffix: str) -> int:
        found = (re.search(rf"_stage(\d+){suffix}(_\d)?\.", key) for key in shapes)
        return max((int(one[1]) for one in found if one), default=0)

    marks: dict[str, Callable[[], Architecture]] = {
        "Mconv1_stage0_L2_0": lambda: body_25(last_stage("_L2") + 1, last_stage("_L1") + 1),
        "conv5_5_CPM_L1": lambda: coco_18(max(last_stage("_L1"), last_stage("_L2"), 1)),
        "conv6_2_CPM": lambda: (
            face if shapes["conv6_2_CPM.weight"][:1] == (len(FACE_70) + 1,) else hand
        )(max(last_stage(""), 1)),
    }
    for mark, architecture in marks.items():
        if f"{mark}.weight" in shapes:
            return architecture()
    raise Refused(
        path,
        f"holds none of OpenPose's networks (its keys are {', '.join([*shapes][:3]) or 'none'} ..)",
        "COCO-18 or BODY_25 body, hand or face",
    )


@torch.inference_mode()
def run_network(
    network: PoseNetwork, images: np.ndarray, device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """Maps of a batch of (N, H, W, 3) uint8 RGB; bfloat16 on CUDA, float32 on the CPU.

    H and W are multiples of 8.

    Returns:
        heatmaps: (N, K + 1, H / 8, W / 8) float32 of the last stage, on the device.
        pafs: (N, 2 L, H / 8, W / 8) likewise; None for hand and face.
    """
    x = torch.from_numpy(np.ascontiguousarray(images[..., ::-1])).to(device)
    # A view of (N, H, W, 3): the layout that convolutions work on fastest.
    x = x.permute(0, 3, 1, 2).float() / 256 - 0.5
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        heatmaps, pafs = network(x)
    return heatmaps[-1].float(), pafs[-1].float() if pafs else None
