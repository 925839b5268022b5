"""OpenPose's networks: their convolutions, as torch modules, and the public weight files read.

Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (2017): COCO-18;
Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (2019),
section 3.1: BODY_25; Simon et al., "Hand Keypoint Detection in Single Images using Multiview
Bootstrapping" (2017): hand, and face likewise. Layers have the names of the public weight files,
and are as wide as a file says: a narrow network of the same form loads like a published one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edn_core.errors import Refused
from edn_core.pose.grouping import PAF_LIMBS
from edn_core.skeleton import BODY_25, COCO_18, FACE_70, HAND_21, Skeleton


@dataclass(frozen=True)
class Layer:
    """A convolution with what follows it.

    Its name is that in the weight files. It reads the outputs of the layers named in ``inputs``,
    concatenated; without any, the image.
    """

    name: str
    kernel: int  # side; padded, so that the size stays
    inputs: tuple[str, ...]
    activation: str = "relu"  # or "prelu", or "" for none
    is_pooled: bool = False  # to half the size

    @property
    def slopes(self) -> str:
        """Name of its PReLU's slopes in the weight files."""
        return self.name.replace("conv", "prelu", 1)


@dataclass(frozen=True)
class Architecture:
    """Which convolutions a network has."""

    name: str  # as it is called in messages
    skeleton: Skeleton  # what its heatmaps show, one each, then one of the background
    layers: tuple[Layer, ...]  # in order of execution
    heatmaps: tuple[str, ...]  # names of the layers that give them, stage by stage
    pafs: tuple[str, ...] = ()  # likewise the part affinity fields; none for hand and face

    def n_outputs(self) -> dict[str, int]:
        """How many maps each of the layers in ``heatmaps`` and ``pafs`` gives."""
        outputs = dict.fromkeys(self.heatmaps, len(self.skeleton) + 1)
        if self.pafs:
            outputs |= dict.fromkeys(self.pafs, 2 * len(PAF_LIMBS[self.skeleton.name]))
        return outputs


_VGG = "conv1_1 conv1_2* conv2_1 conv2_2* conv3_1 conv3_2 conv3_3 conv3_4* conv4_1 conv4_2"


def _chain(names: str, kernel: int, inputs: tuple[str, ...] = ()) -> list[Layer]:
    """Layers one after another; those marked with * are pooled."""
    layers: list[Layer] = []
    for name in names.split():
        plain = name.rstrip("*")
        layers.append(Layer(plain, kernel, inputs, is_pooled=name != plain))
        inputs = (plain,)
    return layers


def _output(name: str, *inputs: str) -> Layer:
    """The last layer of a stage: maps may be negative."""
    return Layer(name, 1, inputs, activation="")


def _refinement(suffix: str, inputs: tuple[str, ...]) -> list[Layer]:
    """Five 7 x 7 convolutions and two 1 x 1."""
    names = [f"Mconv{number}_{suffix}" for number in range(1, 8)]
    wide = _chain(" ".join(names[:5]), 7, inputs)
    return [*wide, *_chain(names[5], 1, (names[4],)), _output(names[6], names[5])]


def coco_18(stages: int = 6) -> Architecture:
    """The COCO-18 body network: branches L1 of PAFs and L2 of heatmaps, refined stage by stage."""
    layers = _chain(f"{_VGG} conv4_3_CPM conv4_4_CPM", 3)
    for branch in ("L1", "L2"):
        names = [f"conv5_{number}_CPM_{branch}" for number in range(1, 6)]
        layers += _chain(" ".join(names[:3]), 3, ("conv4_4_CPM",))
        layers += _chain(names[3], 1, (names[2],))
        layers.append(_output(names[4], names[3]))
    pafs, heatmaps = ["conv5_5_CPM_L1"], ["conv5_5_CPM_L2"]
    for stage in range(2, stages + 1):
        inputs = (pafs[-1], heatmaps[-1], "conv4_4_CPM")
        for branch, maps in (("L1", pafs), ("L2", heatmaps)):
            layers += _refinement(f"stage{stage}_{branch}", inputs)
            maps.append(f"Mconv7_stage{stage}_{branch}")
    return Architecture("COCO-18 body", COCO_18, tuple(layers), tuple(heatmaps), tuple(pafs))


def body_25(paf_stages: int = 4, heatmap_stages: int = 2) -> Architecture:
    """The BODY_25 network: PAF stages (L2) one after another, then heatmap stages (L1).

    A stage is five blocks of three convolutions, of which all three outputs are passed on, and two
    1 x 1 convolutions (Cao et al. 2019, figure 3).
    """
    features = _chain(f"{_VGG} conv4_3_CPM conv4_4_CPM", 3)
    layers = features[:-3] + [replace(layer, activation="prelu") for layer in features[-3:]]
    pafs, heatmaps = [], []
    inputs: tuple[str, ...] = ("conv4_4_CPM",)
    for stage in range(paf_stages):
        layers += _dense_stage(f"stage{stage}_L2", inputs)
        pafs.append(f"Mconv7_stage{stage}_L2")
        inputs = ("conv4_4_CPM", pafs[-1])
    for stage in range(heatmap_stages):
        layers += _dense_stage(f"stage{stage}_L1", inputs)
        heatmaps.append(f"Mconv7_stage{stage}_L1")
        inputs = ("conv4_4_CPM", heatmaps[-1], pafs[-1])
    return Architecture("BODY_25 body", BODY_25, tuple(layers), tuple(heatmaps), tuple(pafs))


def _dense_stage(suffix: str, inputs: tuple[str, ...]) -> list[Layer]:
    layers: list[Layer] = []
    for block in range(1, 6):
        names = tuple(f"Mconv{block}_{suffix}_{number}" for number in range(3))
        layers += _chain(" ".join(names), 3, inputs)
        inputs = names
    layers.append(Layer(f"Mconv6_{suffix}", 1, inputs))
    dense = [replace(layer, activation="prelu") for layer in layers]
    return [*dense, _output(f"Mconv7_{suffix}", f"Mconv6_{suffix}")]


def hand(stages: int = 6) -> Architecture:
    """The hand network, 21 points."""
    return _heatmaps_only("hand", HAND_21, stages)


def face(stages: int = 6) -> Architecture:
    """The face network, 70 points."""
    return _heatmaps_only("face", FACE_70, stages)


def _heatmaps_only(name: str, skeleton: Skeleton, stages: int) -> Architecture:
    layers = _chain(f"{_VGG} conv4_3 conv4_4 conv5_1 conv5_2 conv5_3_CPM", 3)
    layers += _chain("conv6_1_CPM", 1, ("conv5_3_CPM",))
    layers.append(_output("conv6_2_CPM", "conv6_1_CPM"))
    heatmaps = ["conv6_2_CPM"]
    for stage in range(2, stages + 1):
        layers += _refinement(f"stage{stage}", (heatmaps[-1], "conv5_3_CPM"))
        heatmaps.append(f"Mconv7_stage{stage}")
    return Architecture(name, skeleton, tuple(layers), tuple(heatmaps))


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

        H and W are multiples of 8. Per stage heatmaps (N, K + 1, H / 8, W / 8), about 0..1, the
        last channel background; fields (N, 2 L, H / 8, W / 8), about -1..1, none for hand and face.
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
    The network is on the CPU, float32, in evaluation mode, without gradients. Raises Refused: not
    readable, none of OpenPose's networks, or a key or a shape that does not fit the others; names
    the first.
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

    H and W are multiples of 8. Heatmaps (N, K + 1, H / 8, W / 8) float32 of the last stage, on the
    device; fields (N, 2 L, H / 8, W / 8) likewise, None for hand and face.
    """
    x = torch.from_numpy(np.ascontiguousarray(images[..., ::-1])).to(device)
    # A view of (N, H, W, 3): the layout that convolutions work on fastest.
    x = x.permute(0, 3, 1, 2).float() / 256 - 0.5
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        heatmaps, pafs = network(x)
    return heatmaps[-1].float(), pafs[-1].float() if pafs else None
