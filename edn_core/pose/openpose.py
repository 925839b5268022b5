"""The ``openpose`` backend: OpenPose's networks in PyTorch, from weight files of the user's own.

A network shows each keypoint as a heatmap and each limb as a field of directions, all people at
once (Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", 2017);
grouping makes people of them, and smaller networks look for the hands and the face of each.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edn_core.config import OpenposeConfig, PoseConfig
from edn_core.device import pick_device
from edn_core.errors import Refused
from edn_core.keypoints import Person, missing_person
from edn_core.logs import LOGGER
from edn_core.pose.backend import Backend, drop_unsure, largest_people
from edn_core.pose.grouping import group_people
from edn_core.pose.heatmap_peaks import STRIDE
from edn_core.pose.models import KNOWN_FILES, check_weight_files, weight_files
from edn_core.pose.openpose_networks import PoseNetwork, load_network, run_network
from edn_core.pose.openpose_parts import Crop, find_parts, part_regions
from edn_core.skeleton import Skeleton
from edn_core.timeline import Clip

PADDING_GREY = 128
_FITTING = {"body": ("COCO-18 body", "BODY_25 body"), "hand": ("hand",), "face": ("face",)}


def make(config: PoseConfig, video: Clip, threads: int = 1, device: str = "auto") -> Backend:
    """Load the networks; hands and faces are left out where the settings name no file for them.

    Raises ValueError: a weight file is not set, missing, another one or no such network; or CUDA is
    asked for and not there.
    """
    settings = config.openpose
    paths = weight_files(config)
    weights_sha256 = check_weight_files(config)
    torch.set_num_threads(max(1, threads))
    chosen = pick_device(device)
    networks = {part: _read_network(part, path).to(chosen) for part, path in paths.items()}
    body = networks["body"]
    skeleton = body.architecture.skeleton
    LOGGER.info("pose: %s on %s", ", ".join(str(path) for path in paths.values()), chosen)

    def find(images: list[np.ndarray], first: int) -> list[list[Person]]:
        found: list[list[Person]] = []
        crops: dict[str, list[Crop]] = {"hand": [], "face": []}
        maps = zip(*predict_maps(body, images, settings, chosen), strict=True)
        for image, (heatmaps, pafs) in zip(images, maps, strict=True):
            bodies = find_bodies(heatmaps, pafs, image.shape[:2], skeleton, settings)
            people = [missing_person(skeleton) | {"body": one} for one in bodies]
            people = largest_people(people, config.max_people)
            for person in people:
                for part, region in part_regions(person["body"], skeleton).items():
                    crops[part.partition("_")[0]].append(Crop(image, person, part, region))
            found.append(people)
        for name, wanted in crops.items():
            if name in networks:
                points = find_parts(networks[name], wanted, settings.batch_size, chosen)
                for crop, one in zip(wanted, points, strict=True):
                    crop.person[crop.part] = one
        return found

    return Backend(skeleton, weights_sha256, find)


def _read_network(part: str, path: Path) -> PoseNetwork:
    network = load_network(path)
    if network.architecture.name not in _FITTING[part]:
        found = f"holds OpenPose's {network.architecture.name} network"
        expected = f"{' or '.join(_FITTING[part])} as pose.openpose.{part}"
        raise Refused(path, found, expected, f"give {KNOWN_FILES['openpose'][part]}")
    return network


def predict_maps(
    network: PoseNetwork, images: list[np.ndarray], config: OpenposeConfig, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """Run the body network over some frames of one size, (H, W, 3) uint8 RGB.

    Every frame is scaled to ``net_height`` rows (and to its multiples in ``scales``) and padded
    with grey at the right and the bottom. The maps of all scales are brought to the cells of
    ``net_height`` and averaged; a cell stands for 8 x 8 px of the scaled frame. Heatmaps (N, K + 1,
    h, w) float32, the background last; fields (N, 2 L, h, w).
    """
    height, width = scaled_size(images[0].shape[:2], config.net_height)
    cells = -(-height // STRIDE), -(-width // STRIDE)
    batches = []
    for start in range(0, len(images), config.batch_size):
        of_scales: list[Tensor] = []
        for scale in config.scales:
            size = scaled_size(images[0].shape[:2], config.net_height * scale)
            some = images[start : start + config.batch_size]
            batch = np.stack([_network_input(image, size) for image in some])
            found = run_network(network, batch, device)
            maps = torch.cat([one for one in found if one is not None], 1)
            if size != (height, width):
                maps = _resample(maps, (height / size[0], width / size[1]), cells)
            of_scales.append(maps)
        batches.append((sum(of_scales[1:], of_scales[0]) / len(of_scales)).cpu().numpy())
    n_heatmaps = len(network.architecture.skeleton) + 1
    heatmaps, pafs = np.split(np.concatenate(batches), [n_heatmaps], axis=1)
    return heatmaps, pafs


def scaled_size(size: tuple[int, int], net_height: float) -> tuple[int, int]:
    """(H, W) of a frame scaled to so many rows, rounded to whole pixels, before it is padded."""
    height, width = size
    return max(1, round(net_height)), max(1, round(net_height * width / height))


def _network_input(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The frame scaled to (H, W) and padded to multiples of 8: (H', W', 3) uint8."""
    height, width = size
    interpolation = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_CUBIC
    scaled = cv2.resize(image, (width, height), interpolation=interpolation)
    below, right = -height % STRIDE, -width % STRIDE
    grey = (PADDING_GREY,) * 3
    return cv2.copyMakeBorder(scaled, 0, below, 0, right, cv2.BORDER_CONSTANT, value=grey)


def _resample(maps: Tensor, factor: tuple[float, float], cells: tuple[int, int]) -> Tensor:
    """Bring the (N, C, h, w) maps of another scale to the common cells.

    ``factor`` is the common size of the frame (without padding) by its size at this scale: y, x.
    Both grids start at the frame's corner; only where they end depends on the padding, so the
    maps are continued a little and cut to size.
    """
    more = tuple(int(np.ceil(1 / one)) + 1 for one in factor)
    maps = F.pad(maps, (0, more[1], 0, more[0]), mode="replicate")
    maps = F.interpolate(
        maps, scale_factor=factor, mode="bicubic", recompute_scale_factor=False, antialias=True
    )
    return maps[..., : cells[0], : cells[1]]


def find_bodies(
    heatmaps: np.ndarray,
    pafs: np.ndarray,
    size: tuple[int, int],
    skeleton: Skeleton,
    config: OpenposeConfig,
) -> list[np.ndarray]:
    """Everybody in one frame of (H, W) px, by its maps (see predict_maps), in its own pixels.

    For each person (K, 3) float32 of x px, y px, score; NaN, NaN, 0 where not found or outside the
    frame.
    """
    net_size = scaled_size(size, config.net_height)
    bodies = []
    for points in group_people(heatmaps, pafs, skeleton, config):
        # Pixel centres: the first pixel's corner, not its centre, stays where it is.
        scale = size[1] / net_size[1], size[0] / net_size[0]
        points[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
        body = drop_unsure(points, 0.0, size)
        if (body[:, 2] > 0).any():
            bodies.append(body)
    return bodies
