"""Small OpenPose networks: one that knows the two drawn dancers, and built ones.

The trained one has the layers and keys of body_pose_model.pth, but is narrow, has one of its six
stages, and is made for frames of 96 rows.
"""

import hashlib
import shutil
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

import edn_core.demo
from edn_core.config import OpenposeConfig
from edn_core.demo import DANCERS, draw_frame
from edn_core.pose.grouping import PAF_LIMBS
from edn_core.pose.heatmap_peaks import STRIDE
from edn_core.pose.openpose_layers import Architecture, coco_18, face, hand
from edn_core.pose.openpose_networks import PoseNetwork, flat_key
from edn_core.skeleton import BODY_25, COCO_18, Skeleton, convert
from edn_core.store import write_beside

CACHE = Path(__file__).resolve().parents[1] / ".pytest_cache" / "d" / "openpose"
NET_HEIGHT = 96
N_MOMENTS = 30  # of each dance, in the first 9 seconds
STEPS, BATCH_SIZE, LEARNING_RATE = 80, 8, 5e-3
PEOPLE_WEIGHT = 10.0  # errors where somebody is count so much more: most cells are empty


def draw_maps(
    people: np.ndarray, size: tuple[int, int], skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    """Heatmaps and part affinity fields of some people, as a network is trained towards them.

    Cao et al. (2017), equations 6 to 9: Gaussians of 7 px, unit vectors within a cell of a limb.

    Args:
        people: (P, K, 2 or more) px; NaN for missing.
        size: (H, W) px, multiples of 8.
        skeleton: COCO_18 or BODY_25.

    Returns:
        (K + 1, H / 8, W / 8) and (2 L, H / 8, W / 8) float32.
    """
    y, x = STRIDE * np.mgrid[: size[0] // STRIDE, : size[1] // STRIDE] + (STRIDE - 1) / 2
    at_x, at_y = people[..., 0, None, None], people[..., 1, None, None]
    gaussians = np.nan_to_num(np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * 7.0**2)))
    heatmaps = gaussians.max(axis=0, initial=0)
    limbs = PAF_LIMBS[skeleton.name]
    pafs = np.zeros((2 * len(limbs), *x.shape))
    for limb in limbs:
        covered = np.zeros(x.shape)
        for person in people:
            start, end = (person[skeleton.index(name), :2] for name in (limb.start, limb.end))
            length = np.hypot(*(end - start))
            if not length > 0:
                continue
            ux, uy = (end - start) / length
            along = np.clip((x - start[0]) * ux + (y - start[1]) * uy, 0, length)
            apart = np.hypot(x - start[0] - along * ux, y - start[1] - along * uy)
            covered += apart <= STRIDE
            pafs[limb.channel] += (apart <= STRIDE) * ux
            pafs[limb.channel + 1] += (apart <= STRIDE) * uy
        pafs[limb.channel : limb.channel + 2] /= np.maximum(covered, 1)
    maps = np.concatenate([heatmaps, 1 - heatmaps.max(axis=0)[None]])
    return maps.astype(np.float32), pafs.astype(np.float32)


def draw_dancer(name: str, time_s: float, height: int) -> tuple[np.ndarray, np.ndarray]:
    """One dancer, scaled to so many rows: (H, W, 3) uint8 RGB, and (18, 3) px."""
    image, person = draw_frame(DANCERS[name], time_s)
    width = round(image.shape[1] * height / image.shape[0])
    points = convert(person["body"], BODY_25, COCO_18)
    points[:, 0] = (points[:, 0] + 0.5) * width / image.shape[1] - 0.5
    points[:, 1] = (points[:, 1] + 0.5) * height / image.shape[0] - 0.5
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), points


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
    """Train on moments of both dances; one thread, always the same."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    moments = []
    for name in DANCERS:
        for number in range(N_MOMENTS):
            image, points = draw_dancer(name, 0.05 + 0.31 * number, NET_HEIGHT)
            right = 128 - image.shape[1]
            image = cv2.copyMakeBorder(image, 0, 0, 0, right, cv2.BORDER_CONSTANT, value=(128,) * 3)
            maps = draw_maps(points[None], image.shape[:2], COCO_18)
            x = image[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 256 - 0.5
            moments.append((x, *maps))

    def batch() -> list[Tensor]:
        chosen = [moments[i] for i in random.integers(len(moments), size=BATCH_SIZE)]
        return [torch.from_numpy(np.stack(one)) for one in zip(*chosen, strict=True)]

    architecture = coco_18(stages=1)
    network = PoseNetwork(architecture, tiny_widths(architecture))
    balance(network, batch()[0])
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.15
    )
    for _ in range(STEPS):
        x, heatmaps, pafs = batch()
        (found,), (fields,) = network(x)
        weight = heatmaps.clone()
        weight[:, -1] = 0
        loss = ((found - heatmaps) ** 2 * (1 + PEOPLE_WEIGHT * weight)).sum(dim=1).mean()
        loss += ((fields - pafs) ** 2 * (1 + PEOPLE_WEIGHT * (pafs != 0))).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def balance(network: PoseNetwork, images: Tensor) -> None:
    """Start with outputs of unit variance in every layer (Mishkin & Matas, 2016, "LSUV")."""
    for layer in network.layers.values():
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    for name, layer in network.layers.items():
        wanted = 0.1 if name in network.architecture.n_outputs() else 1.0
        seen: list[Tensor] = []
        hook = layer.register_forward_hook(
            lambda _, __, output, seen=seen: seen.append(output.clone())
        )
        network(images)
        hook.remove()
        layer.weight.mul_(wanted / seen[0].std())
        layer.bias.sub_(wanted / seen[0].std() * seen[0].mean(dim=(0, 2, 3)))


def tiny_weights() -> Path:
    """The weight file in pytest's cache, trained if it is not there or the code has changed.

    Its keys are the flat ones of body_pose_model.pth.
    """
    sources = [Path(__file__), *sorted(Path(edn_core.demo.__file__).parent.glob("*.py"))]
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
        for name in architecture.n_outputs():
            nn.init.zeros_(network.layers[name].bias)
            nn.init.normal_(network.layers[name].weight, std=1e-3)
        paths[part] = str(folder / f"{part}.pth")
        save_flat(Path(paths[part]), network)
    return paths


def bright_network(architecture: Architecture) -> PoseNetwork:
    """A network that shows in every map how bright the blue channel is, the rest cut away."""
    network = PoseNetwork(architecture, tiny_widths(architecture)).eval().requires_grad_(False)
    for layer in architecture.layers:
        module = network.layers[layer.name]
        middle = layer.kernel // 2
        module.weight.zero_()
        module.weight[:, -1 if "Mconv" in layer.name else 0, middle, middle] = 1
        # What the input lacks to 0..1, so that no ReLU cuts it.
        module.bias.fill_(0.0 if layer.inputs else 0.5)
    return network


def save_flat(path: Path, network: PoseNetwork) -> None:
    torch.save({flat_key(key): value for key, value in network.state_dict().items()}, path)
