"""From a store of labels to a store of pictures: how fast is all that is not the network?

    python -m benchmarks.synthesis_pipeline [--size 512x288] [--threads 2]
    python -m benchmarks.synthesis_pipeline --paint --size 256x512     # as fast as the network?

By default the network only copies: its picture is the label, its matte the red of the one before.
``--paint`` takes a generator of full size with random weights, accelerated as in the workflow. The
labels are figures of random joints, 25 of them and a face and two hands. Sizes are H x W. The last
line is the best of the rounds; as other programs take processors away, processor time stands with
each.
"""

import argparse
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from edn_core.accelerate import PLAIN, choose_acceleration
from edn_core.checkpoint import TrainedGenerator, core_network, save_generator
from edn_core.config import LabelConfig, NetworkConfig, RuntimeConfig
from edn_core.keypoints import Person, from_people, missing_person, write_keypoints
from edn_core.networks import generator
from edn_core.normalize import VideoStatistics
from edn_core.render import describe_drawing, render_labels
from edn_core.skeleton import BODY_25
from edn_core.synthesize import files as files_module
from edn_core.synthesize import synthesize_frames
from edn_core.window import Window, frames_info

SPREAD = {"body": 0.1, "face": 0.02, "hand_left": 0.02, "hand_right": 0.02}  # of the height


def main() -> None:
    """Print each round and, last, the best."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", default="512x288", help="H x W px")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of each pool")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--paint", action="store_true", help="with a network")
    given = parser.parse_args()
    device, (height, width) = torch.device(given.device), map(int, given.size.split("x"))
    rng = np.random.default_rng(0)
    people: list[Person | None] = []
    for _ in range(given.frames):
        person = missing_person()
        for part, points in person.items():
            points[:, :2] = rng.normal(
                (width / 2, height / 2), SPREAD[part] * height, (len(points), 2)
            )
            points[:, 2] = 0.9
        people.append(person)
    dancer = from_people(
        people, BODY_25, width=width, height=height, fps=Fraction(25), video="random"
    )
    labels = LabelConfig()
    window = Window("random", width, height, width, height, 0.0, -0.5, -0.5, 1.0)
    network = NetworkConfig(**({} if given.paint else {"generator_channels": 4}))
    weights = core_network(generator(network, 3, has_matte=True)).state_dict()
    style = labels.style, describe_drawing(labels, BODY_25), 3
    trained = TrainedGenerator("body", network, weights, None, True, *style, height, width, 32, 1)
    acceleration = choose_acceleration(RuntimeConfig(), device, "it") if given.paint else PLAIN
    best = 0.0
    with TemporaryDirectory() as name:
        made, drawn, placed, painted = (
            Path(name) / file for file in ("generator", "labels.zip", "k.h5", "frames.zip")
        )
        save_generator(made, trained)
        info = frames_info(window, dancer, VideoStatistics(0, 0, 0, 0))
        render_labels(dancer, labels, drawn, info)
        write_keypoints(placed, dancer)
        if not given.paint:
            files_module.load_networks = lambda *_: {"generator": lambda x: x[:, :4]}
        for _ in range(given.rounds):
            began, worked = time.perf_counter(), time.process_time()
            synthesize_frames(
                *(made, drawn, placed, painted, device),
                acceleration=acceleration,
                threads=given.threads,
            )
            rate = given.frames / (time.perf_counter() - began)
            worked = 1e3 * (time.process_time() - worked) / given.frames
            print(f"{rate:.0f} frames/s, {worked:.2f} ms of processor a frame")
            best = max(best, rate)
    print(f"{best:.0f} frames/s")


if __name__ == "__main__":
    main()
