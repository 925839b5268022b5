"""The training loop, read from top to bottom: everything that is the same for every stage."""

import copy
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Sampler, default_collate
from torch.utils.tensorboard import SummaryWriter

from edn_core.checkpoint import (
    load_generator,
    load_state,
    save_discriminator,
    save_generator,
    save_state,
)
from edn_core.config import RuntimeConfig, StageConfig
from edn_core.dataset import FramePairs
from edn_core.logs import LOGGER, progress
from edn_core.training.guard import training_lock, watch_for_end
from edn_core.training.run import Run, TrainingFiles, TrainingSettings, optimize
from edn_core.training.stage import Stage, Terms
from edn_core.training.validation import Validation

MIN_FACE_PAIRS = 8  # fewer teach a face network nothing but those frames


class StoppedEarly(ValueError):
    """Training stopped before its end; its state is saved and the same command goes on."""


def train(
    stage: Stage,
    files: TrainingFiles,
    settings: TrainingSettings,
    runtime: RuntimeConfig,
    device: torch.device,
) -> None:
    """Train one stage and write its generator; goes on from where a killed run was.

    Args:
        stage: one of STAGES.
        files: inputs and the generator file to write.
        settings: all that changes the weights; another value never continues an old run.
        runtime: cadence of checkpoints and logs.
        device: CPU or CUDA.

    Raises:
        ValueError: nothing to train on, a loss that is not finite (named), another trainer at
            work in the folder, or a stop from outside (the state is saved).
    """
    folder = files.generator.parent
    with training_lock(folder), watch_for_end() as reason_to_stop:
        # What a trainer killed while saving left half-written, gigabytes perhaps.
        for half in folder.glob(".*.partial.*"):
            half.unlink(missing_ok=True)
        dataset = FramePairs(
            files.frames,
            files.labels,
            files.keypoints,
            settings.split.train_frames,
            stage.needs_face,
            runtime.frame_cache_mb,
        )
        previous = load_generator(files.start) if files.start else None
        if stage.needs_face and previous is not None and len(dataset) < MIN_FACE_PAIRS:
            LOGGER.warning(
                f"{stage.name}: a face was found in only {len(dataset)} pairs of training frames "
                f"(at least {MIN_FACE_PAIRS} are needed): the picture is passed through as it is"
            )
            for leftover in ("training_state.pt", "metrics.jsonl"):
                (folder / leftover).unlink(missing_ok=True)
            save_generator(files.generator, replace(previous, stage=stage.name))
            return
        if len(dataset) == 0:
            raise ValueError(
                f"{files.keypoints}: no two frames in a row with the dancer in them among "
                f"{len(settings.split.train_frames)} training frames; look at preview.mp4"
            )
        label = dataset.label_style, dataset.label_config
        run = Run(stage, files, settings, previous, dataset.size, label, device)
        key = settings.key(stage.name, files)
        state_path = folder / "training_state.pt"
        state = load_state(state_path, key)
        if state is not None:
            run.restore(state)
            LOGGER.info(f"{stage.name}: goes on from step {run.step}")
        _cut_metrics(folder / "metrics.jsonl", run.step)
        total = _total_steps(settings.stage, len(dataset))
        validation = Validation(files, settings.split.validation, stage.needs_face)
        _say_how_long(run, dataset, total, validation)

        board = SummaryWriter(str(folder / "tensorboard"), purge_step=run.step)
        loader = DataLoader(
            dataset,
            batch_sampler=_Batches(len(dataset), settings, run.step, total),
            num_workers=runtime.loader_workers,
        )
        checks = {
            round((i + 1) * total / settings.stage.validations)
            for i in range(settings.stage.validations)
        }
        last_saved = last_logged = time.monotonic()
        logged_step = run.step
        for batch in progress(loader, f"train {stage.name}", total - run.step):
            terms = run.train_step(batch, total)
            now = time.monotonic()
            if now - last_logged >= runtime.log_every_s or run.step == total:
                seconds = (now - last_logged) / (run.step - logged_step)
                _log(folder / "metrics.jsonl", board, run, terms, seconds)
                last_logged, logged_step = now, run.step
            if run.step in checks:
                score, picture = validation.score(run.averaged_networks(), device)
                run.keep_if_best(score)
                if score is not None:
                    board.add_scalar("validation/ssim", score, run.step)
                if picture is not None:
                    board.add_image("sample", picture, run.step, dataformats="HWC")
            reason = reason_to_stop()
            if reason or now - last_saved >= runtime.checkpoint_every_s:
                save_state(state_path, key, run.state())
                last_saved = time.monotonic()
            if reason:
                raise StoppedEarly(
                    f"{files.generator}: stopped at step {run.step} of {total}: the training "
                    f"{reason}; its state is saved, the same command goes on from there"
                )
        board.close()
        # A run killed between these lines goes on from its last state and ends here again.
        save_state(state_path, key, run.state())
        save_discriminator(folder / "discriminator.pt", run.discriminator_weights())
        save_generator(files.generator, run.trained())
        state_path.unlink(missing_ok=True)
        LOGGER.info(
            f"{stage.name}: done; kept step {run.best_step} of {total}"
            + (f", validation SSIM {run.best_score:.3f}" if run.best_score is not None else "")
        )


class _Batches(Sampler[list[int]]):
    """Batches of pair numbers from a step on; which come when follows from seed and step alone."""

    def __init__(self, n_pairs: int, settings: TrainingSettings, first: int, total: int) -> None:
        self._n_pairs, self._settings, self._first, self._total = n_pairs, settings, first, total

    def __len__(self) -> int:
        return self._total - self._first

    def __iter__(self) -> Iterator[list[int]]:
        size = min(self._settings.stage.batch_size, self._n_pairs)
        per_epoch = self._n_pairs // size
        epoch, order = -1, torch.empty(0)
        for step in range(self._first, self._total):
            if step // per_epoch != epoch:
                epoch = step // per_epoch
                seed = torch.Generator().manual_seed(self._settings.seed * 100_003 + epoch)
                order = torch.randperm(self._n_pairs, generator=seed)
            start = step % per_epoch * size
            yield order[start : start + size].tolist()


def _total_steps(stage: StageConfig, n_pairs: int) -> int:
    if stage.steps is not None:
        return stage.steps
    return (stage.epochs or 1) * max(1, n_pairs // min(stage.batch_size, n_pairs))


def _say_how_long(run: Run, dataset: FramePairs, total: int, validation: Validation) -> None:
    """Time three steps on copies of the networks and say what all of them will take."""
    networks = copy.deepcopy(run.networks)
    optimizers = {
        name: torch.optim.Adam(networks[name].parameters(), lr=0.0) for name in run.optimizers
    }
    size = min(run.settings.stage.batch_size, len(dataset))
    batch = default_collate([dataset[i] for i in range(size)])
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        terms = optimize(run.stage, networks, optimizers, run.weighting, run.device, batch)
        torch.stack(list(terms.values())).sum().item()  # waits for the device
        seconds.append(time.perf_counter() - begin)
    step_s = min(seconds[1:])
    check_s = step_s / 3 * len(validation.frames) * run.settings.stage.validations
    left = (total - run.step) * step_s + check_s * (total - run.step) / total
    LOGGER.info(
        f"{run.stage.name}: {total - run.step} steps on {len(dataset)} pairs of frames "
        f"({run.size[1]}x{run.size[0]}), {step_s:.2f} s a step: about {_duration(left)}"
    )


def _cut_metrics(path: Path, step: int) -> None:
    """Drop the rows of steps that are about to be made (again)."""
    if path.is_file():
        rows = [row for row in path.read_text().splitlines() if row.endswith("}")]
        kept = [row for row in rows if json.loads(row)["step"] <= step]
        path.write_text("".join(f"{row}\n" for row in kept))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _log(path: Path, board: SummaryWriter, run: Run, terms: Terms, seconds: float) -> None:
    row: dict[str, float] = {"step": run.step}
    row |= {name: float(value) for name, value in terms.items()}
    row["learning_rate"] = next(iter(run.optimizers.values())).param_groups[0]["lr"]
    row["seconds_per_step"] = seconds
    with open(path, "a") as stream:
        stream.write(json.dumps(row) + "\n")
    for name, value in row.items():
        if name != "step":
            board.add_scalar(name, value, run.step)
