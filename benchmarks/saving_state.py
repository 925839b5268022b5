"""How long a training's state takes to be written, before the end of a job or after SIGTERM.

    python -m benchmarks.saving_state [--preset 8gb] [--folder .] [--times 3]

Builds the networks of the preset's body stage with Adam's moments, as large as in a training, and
writes them as the training does: into a partial file, flushed to the disk and renamed. The same
bytes written as they are say what the file system leaves.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel

from edn_core.accelerate import adam, adam_state
from edn_core.checkpoint import save_state
from edn_core.config import Config, read_section, with_preset
from edn_core.config.presets import PRESETS
from edn_core.networks import discriminator, generator
from edn_core.training.allowance import SAFETY
from edn_core.training.run import ADAM_BETAS, on_host


def make_state(preset: str) -> dict[str, Any]:
    """A state of body in the sizes of a preset, as Run.state gives it."""
    config = read_section(Config, with_preset({}, preset), "")
    networks = {
        "generator": generator(config.network, 3, None),
        "discriminator": discriminator(6, config.network),
    }
    averaged = AveragedModel(networks["generator"])
    optimizers = {}
    for name, network in networks.items():
        optimizers[name] = adam(network.parameters(), 2e-4, ADAM_BETAS, torch.device("cpu"))
        for parameter in network.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizers[name].step()
        optimizers[name].zero_grad()
    return {
        "step": 1,
        "needs_validation": False,
        "networks": {name: on_host(network) for name, network in networks.items()},
        "averaged": on_host(averaged),
        "optimizers": {name: adam_state(one) for name, one in optimizers.items()},
        "best_step": 1,
        "best_score": 0.5,
        "best_weights": {name: one.clone() for name, one in on_host(networks["generator"]).items()},
    }


def write_plainly(path: Path, n_bytes: int) -> None:
    """As many bytes, from memory, with nothing made of them."""
    block = memoryview(bytearray(os.urandom(2**24)))
    with open(path, "wb", buffering=0) as stream:
        for start in range(0, n_bytes, len(block)):
            stream.write(block[: n_bytes - start])
        os.fsync(stream.fileno())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="8gb", choices=PRESETS)
    parser.add_argument("--folder", default=".", help="on the file system in question")
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    state = make_state(arguments.preset)
    slowest = 0.0
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="saving-state-") as folder:
        path = Path(folder) / "training_state.safetensors"
        for _ in range(arguments.times):
            begin = time.monotonic()
            save_state(path, "key", state)
            seconds = time.monotonic() - begin
            size, slowest = path.stat().st_size, max(slowest, seconds)
            path.unlink()
            begin = time.monotonic()
            write_plainly(path, size)
            plain = time.monotonic() - begin
            path.unlink()
            print(
                f"{arguments.preset}: {size / 1e9:.2f} GB in {seconds:.1f} s "
                f"({size / 1e6 / seconds:.0f} MB/s); the same bytes as they are in {plain:.1f} s",
                flush=True,
            )
    print(f"a training stops {SAFETY * slowest:.0f} s before the end of its job (stop_margin_s)")


if __name__ == "__main__":
    main()
