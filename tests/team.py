"""What the processes do that tests of parallel training start; also a program, as a rule's script:

python team.py FOLDER_OF_TARGET MODEL STEPS PROCESSES
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from tiny import NETWORK, SPLIT, STAGE, TinyTarget, batch_of, files_of, run_of, tiny_dancer

from edn_core.config import RuntimeConfig, TrainingConfig
from edn_core.logs import log_to
from edn_core.training import (
    STAGES,
    TrainingSettings,
    own_log,
    run_training,
    train,
)
from edn_core.training.distributed import ALONE, Team, synchronize_batch_norm, team_of

ITEMS = [3, 9, 5, 12]
BATCH = 4
CPU = torch.device("cpu")


def steps_in_double(target: TinyTarget, starts: dict, team: Team) -> dict[str, torch.Tensor]:
    """Two steps of every stage on four pairs, in float64.

    Returns:
        Gradients of the first step, weights after the second and terms, by name.
    """
    found = {}
    for name in STAGES:
        run = run_of(target, name, starts[name])
        run.team = team
        for network in (*run.networks.values(), run.averaged):
            network.double()
            synchronize_batch_norm(network, team)
        batch = batch_of(target, *team.part(ITEMS))
        for key in ("label", "image", "matte"):
            batch[key] = batch[key].double()
        for step in (1, 2):
            terms = run.train_step(batch, 4)
            for key, value in team.average_terms(terms).items():
                found[f"{name} term {key} {step}"] = value
            for one in run.optimizers:
                for key, weights in run.networks[one].named_parameters():
                    kind = "gradient" if step == 1 else "weights"
                    value = weights.grad if step == 1 else weights.detach()
                    found[f"{name} {kind} {one}.{key}"] = value.clone()
    return found


def settings_of(target: TinyTarget, model: Path, start: Path | None, steps: int):
    """Files and settings of a training with four pairs in a batch."""
    files = files_of(target, start, model)
    stage = replace(STAGE, steps=steps, batch_size=BATCH)
    return files, TrainingSettings(stage, NETWORK, SPLIT, TrainingConfig(keep="last"))


def runtime_of(processes: int) -> RuntimeConfig:
    return RuntimeConfig(
        device="cpu", gpus_per_training=processes, checkpoint_every_s=0, log_every_s=0
    )


def train_face(target: TinyTarget, model: Path, start: Path, team: Team = ALONE) -> Path:
    """Four steps of the face stage, whose discriminator has batch normalization."""
    torch.set_num_threads(1)
    train(STAGES["face"], *settings_of(target, model, start, 4), runtime_of(team.size), CPU, team)
    return model


def work(rank: int, port: int, target: TinyTarget, starts: dict, folder: Path) -> None:
    """One process of two, without torchrun's agent: leaves what it found in the folder."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    with team_of(CPU) as team:
        found = steps_in_double(target, starts, team)
        flags = [*team.any(rank == 1, False, True), team.of_first(3.5 + rank)]
        torch.save((found, flags), folder / f"{rank}.pt")
        train_face(target, folder / "two" / "generator.safetensors", starts["face"], team)


if __name__ == "__main__":
    folder, model, steps, processes = sys.argv[1:]
    log_to(own_log(Path(model).parent / "log"))
    torch.set_num_threads(1)
    files, settings = settings_of(
        TinyTarget(Path(folder), tiny_dancer()), Path(model), None, int(steps)
    )
    run_training(STAGES["body"], files, settings, runtime_of(int(processes)))
