"""The training loop, read from top to bottom: everything that is the same for every stage."""

import sys
import time
from contextlib import nullcontext
from dataclasses import replace

import torch

from edn_core.accelerate import choose_acceleration
from edn_core.checkpoint import (
    TrainedGenerator,
    load_generator,
    load_state,
    save_discriminator,
    save_generator,
    save_state,
)
from edn_core.config import RuntimeConfig, StageConfig
from edn_core.dataset import FramePairs
from edn_core.device import pick_device
from edn_core.errors import Refused
from edn_core.logs import LOGGER, progress
from edn_core.synthesize import load_networks
from edn_core.training.distributed import ALONE, Team, start_processes, team_of
from edn_core.training.feed import Feed
from edn_core.training.guard import StoppedEarly, training_lock, watch_for_end
from edn_core.training.pace import settle_steps
from edn_core.training.records import Records, gradient_norms, most_memory
from edn_core.training.run import Run
from edn_core.training.settings import TrainingFiles, TrainingSettings
from edn_core.training.stage import Stage
from edn_core.training.validation import Validation, checks_of

MIN_FACE_PAIRS = 8  # fewer teach a face network nothing but those frames


def run_training(
    stage: Stage, files: TrainingFiles, settings: TrainingSettings, runtime: RuntimeConfig
) -> None:
    """Train one stage, in as many processes as ``runtime.gpus_per_training`` says.

    With more than one, torchrun takes this process's place and starts the same script in each.

    Raises:
        ValueError: as train.
        SystemExit: with status 1: it was stopped, and its state is saved.
    """
    start_processes(runtime.gpus_per_training)
    n_processes = runtime.gpus_per_training
    device = pick_device(runtime.device, may_share=n_processes == 1)
    torch.set_num_threads(max(1, torch.get_num_threads() // n_processes))
    try:
        with team_of(device) as team:
            train(stage, files, settings, runtime, device, team)
    except StoppedEarly as stopped:
        LOGGER.error(str(stopped))  # nothing to look for in a traceback
        sys.exit(1)


def train(
    stage: Stage,
    files: TrainingFiles,
    settings: TrainingSettings,
    runtime: RuntimeConfig,
    device: torch.device,
    team: Team = ALONE,
) -> None:
    """Train one stage and write its generator; goes on from where a killed run was.

    Another value of ``settings`` never continues an old run; another number of processes does. The
    first process of the team alone validates and writes.

    Raises:
        ValueError: nothing to train on, a loss that is not finite (named), another trainer at
            work in the folder, or a stop from outside (StoppedEarly: the state is saved).
    """
    folder = files.generator.parent
    started = time.monotonic()
    lock = training_lock(folder) if team.is_first else nullcontext()
    with lock, watch_for_end(runtime.stop_margin_s) as watch:
        # What there is to learn from, and what the stage starts with.
        pairs = FramePairs(
            files.frames,
            files.labels,
            files.keypoints,
            settings.split.train_frames,
            needs_face=stage.needs_face,
        )
        previous = load_generator(files.start) if files.start else None
        if stage.needs_face and previous is not None and len(pairs) < MIN_FACE_PAIRS:
            if team.is_first:
                for leftover in ("training_state.safetensors", "metrics.jsonl"):
                    (folder / leftover).unlink(missing_ok=True)
                save_discriminator(folder / "discriminator.safetensors", {})  # no stage follows
                found = f"a face was found in only {len(pairs)} pairs of training frames (at least "
                _pass_through(stage, files, previous, f"{found}{MIN_FACE_PAIRS} are needed)")
            return
        if len(pairs) == 0:
            among = f"among {len(settings.split.train_frames)} training frames"
            found = f"no two frames in a row with the dancer in them {among}"
            raise Refused(files.keypoints, found, "", "look at preview.mp4")
        batch_size = min(settings.stage.batch_size, len(pairs))
        team.check_batch(batch_size, f"training.{stage.name}.batch_size")
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        acceleration = choose_acceleration(runtime, device, f"training {stage.name}")
        run = Run(stage, files, settings, previous, pairs, device, acceleration, team)

        # Where an interrupted training goes on.
        state_path, key = folder / "training_state.safetensors", settings.key(stage.name, files)
        state = load_state(state_path, key)
        if state is not None:
            run.restore(*state)
            LOGGER.info(f"{stage.name}: goes on from step {run.step}")
        feed = Feed(pairs, settings, runtime, device, team, stage.is_halved)
        validation = Validation(files, settings.split.validation, stage.needs_face, device)
        began, total = run.step, _total_steps(settings.stage, len(pairs))
        total = settle_steps(run, feed, validation, total, started)
        height, width = pairs.size
        LOGGER.info(
            f"{stage.name}: {total - began} steps on {len(pairs)} pairs of frames "
            f"({width}x{height}{', at half of it' if stage.is_halved else ''})"
        )
        batches = feed.batches(began, total)
        if team.is_first:
            records = Records(folder, began, is_new=state is None)
            batches = progress(batches, f"train {stage.name}", total, before=began)
            pays_for = total * batch_size // stage.pairs_per_frame
            passes = pays_for // max(1, len(validation))
            checks = checks_of(total, settings.stage.validations, passes)
            if previous is not None and state is None and settings.training.keep == "best":
                precision = settings.training.precision
                before = load_networks(previous, device, precision=precision)
                score, picture = validation.score(before)
                del before
                run.best_score = score and score.value
                records.note_validation(0, score, picture)

        last_saved = last_logged = time.monotonic()
        logged_step = began
        for batch in batches:
            terms = run.train_step(batch, total)

            now = time.monotonic()
            reason = watch.reason()
            is_time_to_log = team.is_first and now - last_logged >= runtime.log_every_s
            # All do the same in a step.
            is_time_to_log, has_to_stop = team.any(is_time_to_log, reason is not None)
            if is_time_to_log or run.step == total:
                terms = team.average_terms(terms)
                seconds = (now - last_logged) / (run.step - logged_step)
                last_logged, logged_step = now, run.step
                if team.is_first:
                    row = {name: float(value) for name, value in terms.items()}
                    rate = run.optimizers[stage.generator].param_groups[0]["lr"]
                    row |= {"learning_rate": float(rate), "seconds_per_step": seconds}
                    records.note(run.step, row, most_memory() | gradient_norms(run.sides()))
            if not team.is_first:
                if has_to_stop:
                    return  # the first process saves, and says why
                continue

            if run.step in checks:
                score, picture = validation.score(run.averaged_networks)
                run.keep_if_best(score and score.value)
                records.note_validation(run.step, score, picture)
            if has_to_stop or now - last_saved >= runtime.checkpoint_every_s:
                save_state(state_path, key, *run.state())
                last_saved = time.monotonic()
            if has_to_stop:
                if run.step > began + 1:  # a stay that made no more would be repeated for ever
                    watch.ask_for_another_stay()
                stopped = f"{files.generator}: stopped at step {run.step} of {total}"
                why = f"the training {reason or 'was told to stop'}"
                goes_on = "its state is saved, the same command goes on from there"
                raise StoppedEarly(f"{stopped}: {why}; {goes_on}")

        if team.is_first:
            records.note_memory(run.step, stage.name)
            records.close()
            # A run killed between these lines goes on from its last state and ends here again.
            save_state(state_path, key, *run.state())
            save_discriminator(folder / "discriminator.safetensors", run.discriminator_weights())
            if run.best_step == 0 and previous is not None:
                _pass_through(stage, files, previous, "no better than before")
            else:
                save_generator(files.generator, run.trained())
                kept = "" if run.best_score is None else f", validation score {run.best_score:.3f}"
                LOGGER.info(f"{stage.name}: done; kept step {run.best_step} of {total}{kept}")
            state_path.unlink(missing_ok=True)


def _pass_through(stage: Stage, files: TrainingFiles, previous: TrainedGenerator, why: str) -> None:
    """Write the stage before's generator as this one's."""
    LOGGER.warning(f"{stage.name}: {why}, passed through")
    save_generator(files.generator, replace(previous, stage=stage.name, steps=0))


def _total_steps(stage: StageConfig, n_pairs: int) -> int:
    if stage.steps is not None:
        return stage.steps
    return (stage.epochs or 1) * max(1, n_pairs // min(stage.batch_size, n_pairs))
