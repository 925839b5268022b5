"""Small OpenPose networks whose weights are set by hand, and maps as a network should give them."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from edn_core.pose.grouping import PAF_LIMBS
from edn_core.pose.heatmap_peaks import STRIDE
from edn_core.pose.openpose_networks import Architecture, PoseNetwork, coco_18, face, flat_key, hand
from edn_core.skeleton import COCO_18, Skeleton


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


def narrow(architecture: Architecture) -> PoseNetwork:
    """A network of three channels a layer, of random weights."""
    torch.manual_seed(0)
    widths = {layer.name: 3 for layer in architecture.layers} | architecture.n_outputs()
    return PoseNetwork(architecture, widths).eval().requires_grad_(False)


def write_openpose_weights(folder: Path) -> dict[str, str]:
    """Untrained networks that see nobody: the file of each part."""
    paths = {}
    for part, architecture in (("body", coco_18()), ("hand", hand()), ("face", face())):
        network = narrow(architecture)
        for name in architecture.n_outputs():
            nn.init.zeros_(network.layers[name].bias)
            nn.init.normal_(network.layers[name].weight, std=1e-3)
        paths[part] = str(folder / f"{part}.pth")
        save_flat(Path(paths[part]), network)
    return paths


def bright_network(architecture: Architecture) -> PoseNetwork:
    """A network that shows in every map how bright the blue channel is, the rest cut away."""
    network = narrow(architecture)
    for layer in architecture.layers:
        module = network.layers[layer.name]
        middle = layer.kernel // 2
        module.weight.zero_()
        module.weight[:, -1 if "Mconv" in layer.name else 0, middle, middle] = 1
        # What the input lacks to 0..1, so that no ReLU cuts it.
        module.bias.fill_(0.0 if layer.inputs else 0.5)
    return network


def colour_network() -> PoseNetwork:
    """A COCO-18 body network of one stage: blue is a nose, red a neck, green the way between."""
    architecture, names = coco_18(1), COCO_18.keypoints
    (neck_to_nose,) = (
        limb for limb in PAF_LIMBS["COCO_18"] if (limb.start, limb.end) == ("neck", "nose")
    )
    network = narrow(architecture)
    for layer in architecture.layers:
        module, middle = network.layers[layer.name], layer.kernel // 2
        module.weight.zero_()
        module.bias.fill_(0.0 if layer.inputs else 0.5)  # BGR of -0.5 to 0.5 becomes 0 to 1
        reads = {(channel, channel): 1 for channel in range(3)}
        if layer.name in architecture.heatmaps:
            reads = {(names.index("nose"), 0): 1, (names.index("neck"), 2): 1}
        if layer.name in architecture.pafs:
            reads = {(neck_to_nose.channel + 1, 1): -1}  # upwards
        for (output, channel), weight in reads.items():
            module.weight[output, channel, middle, middle] = weight
    return network


def save_flat(path: Path, network: PoseNetwork) -> None:
    torch.save({flat_key(key): value for key, value in network.state_dict().items()}, path)
