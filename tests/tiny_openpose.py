"""A small OpenPose body network that knows the two drawn dancers: trained in a CPU-minute.

Same layers and keys as body_pose_model.pth, but narrow, with two of its six stages, and made for
frames of 128 rows. Also a program, ``python tiny_openpose.py WEIGHTS.pth``.
"""

import hashlib
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

import edn_core.demo
from edn_core.config import OpenposeConfig
from edn_core.demo import DANCERS, draw_frame
from edn_core.pose import openpose_layers, openpose_networks, openpose_targets, paf_layout
from edn_core.pose.openpose_layers import Architecture, coco_18, face, hand
from edn_core.pose.openpose_networks import PoseNetwork, flat_key
from edn_core.pose.openpose_targets import heatmap_targets, paf_targets
from edn_core.skeleton import BODY_25, COCO_18, convert
from edn_core.store import write_beside

CACHE = Path(__file__).resolve().parents[1] / ".pytest_cache" / "d" / "openpose"
NET_HEIGHT = 128
FRAME_HEIGHT = 640
N_MOMENTS = 150  # of each dance, in the first 47 seconds
STEPS, BATCH_SIZE, LEARNING_RATE = 400, 4, 4e-3
PEOPLE_WEIGHT = 10.0  # errors where somebody is count so much more: most cells are empty

Panel = tuple[np.ndarray, np.ndarray]
"""A picture of one dancer, (H, W, 3) uint8 RGB, and the keypoints, (18, 3) px."""


def draw_panel(name: str, time_s: float, height: int) -> Panel:
    """One dancer, scaled to so many rows."""
    image, person = draw_frame(DANCERS[name], time_s)
    width = round(image.shape[1] * height / image.shape[0])
    points = convert(person["body"], BODY_25, COCO_18)
    points[:, 0] = (points[:, 0] + 0.5) * width / image.shape[1] - 0.5
    points[:, 1] = (points[:, 1] + 0.5) * height / image.shape[0] - 0.5
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), points


def beside(left: Panel, right: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Two panels as one frame: the picture, and (2, 18, 3) px."""
    moved = right[1] + np.array([left[0].shape[1], 0, 0], np.float32)
    return np.hstack([left[0], right[0]]), np.stack([left[1], moved])


def draw_pair(time_s: float, is_swapped: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Both dancers in one frame of 992 x 640 px.

    Returns:
        image: (640, 992, 3) uint8 RGB.
        truth: (2, 18, 3) px, the left one first; NaN, NaN, 0 for a hidden ear.
    """
    panels = [draw_panel(name, time_s, FRAME_HEIGHT) for name in ("source", "target")]
    return beside(*(panels[::-1] if is_swapped else panels))


def tiny_config(weights: Path) -> OpenposeConfig:
    """Settings that go with the weights."""
    return OpenposeConfig(body=str(weights), net_height=NET_HEIGHT)


def tiny_widths(architecture: Architecture) -> dict[str, int]:
    """Channels of each layer: an eighth to a quarter of the published ones."""
    width = {"conv1": 8, "conv2": 16, "conv3": 32, "conv4": 64, "Mconv": 32}
    widths = {
        layer.name: next((n for name, n in width.items() if layer.name.startswith(name)), 32)
        for layer in architecture.layers
    }
    widths |= {"conv4_4_CPM": 32, "conv5_4_CPM_L1": 64, "conv5_4_CPM_L2": 64}
    return widths | architecture.n_outputs()


def train(seed: int = 0) -> PoseNetwork:
    """Train on pairs of moments put side by side; one thread, always the same."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    panels = {
        name: [draw_panel(name, 0.05 + 0.31 * i, NET_HEIGHT) for i in range(N_MOMENTS)]
        for name in DANCERS
    }

    def batch() -> tuple[Tensor, Tensor, Tensor]:
        images, heatmaps, pafs = [], [], []
        for _ in range(BATCH_SIZE):
            names = random.permutation(list(DANCERS))
            image, people = beside(*(panels[n][random.integers(N_MOMENTS)] for n in names))
            right = -image.shape[1] % 8
            image = cv2.copyMakeBorder(image, 0, 0, 0, right, cv2.BORDER_CONSTANT, value=(128,) * 3)
            images.append(image[..., ::-1].transpose(2, 0, 1))
            heatmaps.append(heatmap_targets(people, image.shape[:2]))
            pafs.append(paf_targets(people, image.shape[:2], COCO_18))
        x = torch.from_numpy(np.stack(images).astype(np.float32) / 256 - 0.5)
        return x, torch.from_numpy(np.stack(heatmaps)), torch.from_numpy(np.stack(pafs))

    architecture = coco_18(stages=2)
    network = PoseNetwork(architecture, tiny_widths(architecture))
    balance(network, batch()[0])
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.15
    )
    for _ in range(STEPS):
        x, *truth = batch()
        # Every stage is trained towards the same maps (Cao et al. 2017, equation 5).
        loss = sum(
            (one - maps).square().mul(1 + PEOPLE_WEIGHT * weight).sum(dim=1).mean()
            for stages, maps, weight in zip(network(x), truth, people_weights(*truth), strict=True)
            for one in stages
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def people_weights(heatmaps: Tensor, pafs: Tensor) -> tuple[Tensor, Tensor]:
    """How much each value counts beyond an empty one, 0..1; the background does not."""
    weights = heatmaps.clone()
    weights[:, -1] = 0
    return weights, (pafs != 0).float()


@torch.no_grad()
def balance(network: PoseNetwork, images: Tensor) -> None:
    """Start with outputs of unit variance in every layer (Mishkin & Matas, 2016, "LSUV").

    Without it the loss after the same steps is nearly twice as high.
    """
    architecture = network.architecture
    for layer in architecture.layers:
        convolution = network.get_submodule(layer.key)
        nn.init.kaiming_normal_(convolution.weight)
        nn.init.zeros_(convolution.bias)
    for layer in architecture.layers:
        convolution = network.get_submodule(layer.key)
        wanted = 0.1 if layer.name in architecture.n_outputs() else 1.0
        seen: list[Tensor] = []
        hook = convolution.register_forward_hook(
            lambda _, __, output, seen=seen: seen.append(output.clone())
        )
        network(images)
        hook.remove()
        convolution.weight.mul_(wanted / seen[0].std())
        convolution.bias.sub_(wanted / seen[0].std() * seen[0].mean(dim=(0, 2, 3)))


def tiny_weights() -> Path:
    """The weight file in pytest's cache, trained if it is not there or the code has changed.

    Its keys are the flat ones of body_pose_model.pth.
    """
    sources = [Path(__file__), *sorted(Path(edn_core.demo.__file__).parent.glob("*.py"))]
    sources += [
        Path(module.__file__)
        for module in (openpose_layers, openpose_networks, openpose_targets, paf_layout)
    ]
    code = b"".join(path.read_bytes() for path in sources) + torch.__version__.encode()
    path = CACHE / f"tiny_{hashlib.sha256(code).hexdigest()[:12]}.pth"
    if not path.is_file():
        with write_beside(path) as partial:
            save_flat(partial, train())
    return path


def write_tiny_weights(path: Path) -> None:
    """Write the trained weight file to a path."""
    with write_beside(path) as partial:
        shutil.copyfile(tiny_weights(), partial)


def write_openpose_weights(folder: Path) -> dict[str, str]:
    """Untrained networks of two channels a layer that see nobody: the file of each part."""
    torch.manual_seed(0)
    paths = {}
    for part, architecture in (("body", coco_18()), ("hand", hand()), ("face", face())):
        widths = {layer.name: 2 for layer in architecture.layers} | architecture.n_outputs()
        network = PoseNetwork(architecture, widths)
        for layer in architecture.layers:
            if layer.name in architecture.n_outputs():
                nn.init.zeros_(network.get_submodule(layer.key).bias)
                nn.init.normal_(network.get_submodule(layer.key).weight, std=1e-3)
        paths[part] = str(folder / f"{part}.pth")
        save_flat(Path(paths[part]), network)
    return paths


def bright_network(
    architecture: Architecture, convolution: str = "", value: float = 0.0
) -> PoseNetwork:
    """A network that shows in every map how bright the blue channel is, the rest cut away.

    ``convolution`` names a layer whose bias is set to ``value`` and whose weights to 0.
    """
    network = PoseNetwork(architecture, tiny_widths(architecture)).eval().requires_grad_(False)
    for layer in architecture.layers:
        module = network.get_submodule(layer.key)
        middle = layer.kernel // 2
        module.weight.zero_()
        module.weight[:, -1 if "Mconv" in layer.name else 0, middle, middle] = 1
        module.bias.zero_()
        if layer.inputs == ():
            module.bias.fill_(0.5)  # what the input lacks to 0..1, so that no ReLU cuts it
        if layer.name == convolution:
            module.weight.zero_()
            module.bias.fill_(value)
    return network


def save_flat(path: Path, network: PoseNetwork) -> None:
    torch.save({flat_key(key): value for key, value in network.state_dict().items()}, path)


if __name__ == "__main__":
    write_tiny_weights(Path(sys.argv[1]))
