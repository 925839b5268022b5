"""What the processes do that tests of parallel training start; also a program:

python team.py FOLDER_OF_TARGET MODEL START|- STAGE STEPS BATCH PROCESSES LOG
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from tiny import NETWORK, SPLIT, STAGE, TinyTarget, batch_of, run_of, tiny_dancer

from edn_core.config import RuntimeConfig, TrainingConfig
from edn_core.logs import log_to
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, run_training
from edn_core.training.parallel import Team, synchronize_batch_norm, team_of
from edn_core.training.step import optimize

ITEMS = (3, 9, 5, 12)


def steps_in_double(target: TinyTarget, starts: dict, team: Team) -> dict[str, torch.Tensor]:
    """Two steps of every stage on four pairs, in float64.

    Returns:
        Gradients of the first step, weights after the second, statistics and terms, by name.
    """
    found = {}
    for name, stage in STAGES.items():
        run = run_of(target, name, starts[name])
        for network in run.networks.values():
            network.double()
            synchronize_batch_norm(network, team)
        optimizers = {
            one: torch.optim.Adam(run.networks[one].parameters(), lr=1e-3)
            for one in (stage.generator, stage.discriminator)
        }
        whole = batch_of(target, *ITEMS)
        mine = team.part(list(range(len(ITEMS))))
        batch = {
            key: (value.double() if value.is_floating_point() else value)[mine]
            for key, value in whole.items()
        }
        for step in (1, 2):
            terms = optimize(stage, run.networks, optimizers, run.weighting, batch, team.average)
            for key, value in team.average_terms(terms).items():
                found[f"{name} term {key} {step}"] = value
            if step == 1:
                for one in optimizers:
                    for key, value in run.networks[one].named_parameters():
                        found[f"{name} gradient {one}.{key}"] = value.grad.clone()
        for one in optimizers:
            for key, value in run.networks[one].state_dict().items():
                found[f"{name} state {one}.{key}"] = value.clone()
    return found


def work(rank: int, size: int, port: int, target: TinyTarget, starts: dict, folder: str) -> None:
    """One process of a team without torchrun's agent: leaves what it found in the folder."""
    import os

    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size)}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    with team_of(torch.device("cpu")) as team:
        torch.save(steps_in_double(target, starts, team), Path(folder) / f"{rank}.pt")
        flags = team.any(rank == 1, False, True)
        torch.save(flags, Path(folder) / f"flags-{rank}.pt")
        try:
            team.check_equal({}, step=rank, key="same")
        except ValueError as error:
            (Path(folder) / f"refused-{rank}.txt").write_text(str(error))


def train_team(
    target: TinyTarget,
    model: Path,
    start: Path | None,
    stage: str,
    steps: int,
    batch: int,
    processes: int,
    log: Path | None = None,
    is_halved: bool = False,
) -> Path:
    """Train as the rule does; returns ``model``."""
    torch.set_num_threads(1)
    files = TrainingFiles(
        target.frames, target.labels, target.keypoints, target.background, start, model
    )
    config = replace(STAGE, steps=steps, batch_size=batch)
    settings = TrainingSettings(config, NETWORK, SPLIT, TrainingConfig(), is_halved)
    runtime = RuntimeConfig(
        device="cpu", gpus_per_training=processes, checkpoint_every_s=0, log_every_s=0
    )
    run_training(STAGES[stage], files, settings, runtime, log)
    return model


if __name__ == "__main__":
    folder, model, start, stage, steps, batch, processes, log = sys.argv[1:]
    log_to(log)
    train_team(
        TinyTarget(Path(folder), tiny_dancer()),
        Path(model),
        None if start == "-" else Path(start),
        stage,
        int(steps),
        int(batch),
        int(processes),
        Path(log),
    )
