"""The training loop, read from top to bottom: everything that is the same for every stage."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import torch

from edn_core.accelerate import choose_acceleration
from edn_core.checkpoint import (
    TrainedGenerator,
    load_generator,
    save_discriminator,
    save_generator,
)
from edn_core.config import RuntimeConfig, StageConfig
from edn_core.dataset import FrameSequences
from edn_core.frames import FrameReader
from edn_core.logs import LOGGER, progress
from edn_core.out_of_memory import Work, explain_out_of_memory
from edn_core.scratch import find_scratch, on_scratch
from edn_core.training.allowance import Allowance
from edn_core.training.feed import feed, loader_errors_named
from edn_core.training.guard import OutOfTime, StoppedEarly, training_lock, watch_for_end
from edn_core.training.parallel import ALONE, Team, synchronize_batch_norm
from edn_core.training.records import Records
from edn_core.training.resume_point import ResumePoint
from edn_core.training.run import Run
from edn_core.training.settings import TrainingFiles, TrainingSettings
from edn_core.training.stage import Stage, Terms
from edn_core.training.validation import Interrupted, Validation

MIN_FACE_PAIRS = 8  # fewer teach a face network nothing but those frames


def _describe(
    stage: Stage,
    files: TrainingFiles,
    settings: TrainingSettings,
    runtime: RuntimeConfig,
    device: torch.device,
    team: Team = ALONE,
) -> Work:
    """What train was doing when memory ran out."""
    batch, share = settings.stage.batch_size, settings.stage.batch_size // team.size
    smaller = f"lower training.{stage.name}.batch_size (now {batch})" if share > 1 else ""
    if settings.training.precision == "float32" and device.type == "cuda":
        smaller = ", or ".join(filter(None, [smaller, "set training.precision: bfloat16"]))
    return Work(
        f"{files.generator}: training {stage.name}",
        FrameReader(files.frames).info.size,
        smaller,
        f", {settings.network.generator_channels} channels (network.generator_channels) and "
        f"{share} pairs a process",
    )


@explain_out_of_memory(_describe)
def train(
    stage: Stage,
    files: TrainingFiles,
    settings: TrainingSettings,
    runtime: RuntimeConfig,
    device: torch.device,
    team: Team = ALONE,
) -> None:
    """Train one stage and write its generator; goes on from where a killed run was.

    Args:
        stage: one of STAGES.
        files: inputs and the generator file to write.
        settings: all that changes the weights; another value never continues an old run.
        runtime: cadence of checkpoints and logs.
        device: CPU or CUDA.
        team: the processes that train together; the first one alone validates and writes. A state
            that was written by another number of them is gone on from.

    Raises:
        ValueError: nothing to train on, a loss that is not finite (named), another trainer at
            work in the folder, a loader process that was killed, or a stop from outside (the
            state is saved).
    """
    folder = files.generator.parent
    allowance = Allowance(runtime)
    lock = training_lock(folder) if team.is_first else nullcontext()
    watch = watch_for_end(files.generator, with_parent=team.size > 1)
    near = on_scratch([files.frames, files.labels], find_scratch(runtime.scratch))
    named = loader_errors_named(files.generator, runtime)
    with named, lock, watch as told_to_stop, near as (frames, labels):
        files = replace(files, frames=frames, labels=labels)

        def why_to_stop() -> str | None:
            return told_to_stop() or (allowance.reason() if team.is_first else None)

        def stopped(step: int, reason: str) -> StoppedEarly:
            where = f"{files.generator}: stopped at step {step} of {total}: the training {reason}"
            has_moved = run.step > began
            return _stopped(where, None if told_to_stop() else allowance, has_moved)

        dataset = FrameSequences(
            files.frames,
            files.labels,
            files.keypoints,
            settings.split.train_frames,
            needs_face=stage.needs_face,
            length=settings.run_length(stage.is_unrolled),
            doubtful_fraction=settings.training.doubtful_fraction,
            has_mirrored=settings.training.augmentation.mirror > 0,
            cache_mb=runtime.frame_cache_mb,
        )
        previous = load_generator(files.start) if files.start else None
        if stage.needs_face and previous is not None and len(dataset) < MIN_FACE_PAIRS:
            if team.is_first:
                _pass_through(stage, files, previous, len(dataset))
            return
        if len(dataset) == 0:
            raise ValueError(
                f"{files.keypoints}: no two frames in a row with the dancer in them among "
                f"{len(settings.split.train_frames)} training frames; look at preview.mp4"
            )
        team.check_batch(
            min(settings.stage.batch_size, len(dataset)), f"training.{stage.name}.batch_size"
        )
        team.check_hands(settings.training.hand_crops)
        label = dataset.label_style, dataset.label_config
        acceleration = choose_acceleration(runtime, device, f"training {stage.name}")
        run = Run(stage, files, settings, previous, dataset.size, label, device, acceleration)
        for network in run.networks.values():
            synchronize_batch_norm(network, team)
        key = settings.key(stage.name, files)
        allowance.expect_state(run.state_bytes())
        resume_point = ResumePoint(
            folder / "training_state.safetensors", key, runtime.checkpoint_every_s, allowance
        )
        goes_on = resume_point.restore(run)
        began = run.step
        if goes_on:
            LOGGER.info(f"{stage.name}: goes on from step {run.step}")
        team.check_equal(run.networks, run.step, key)
        total = _total_steps(settings.stage, len(dataset))
        validation = Validation(files, settings.split.validation, stage.needs_face)

        records = None
        if team.is_first:
            # What a trainer killed while saving left half-written, gigabytes perhaps.
            for half in folder.glob(".*.partial.*"):
                half.unlink(missing_ok=True)
            records = Records(folder, run.step, is_new=not goes_on)
        checks = {
            round((i + 1) * total / settings.stage.validations)
            for i in range(settings.stage.validations)
        }
        if records and run.needs_validation:  # the last stay was too short for it
            reason = _validate(run, validation, records, why_to_stop)
            if reason:
                raise stopped(run.step, reason)
        last_logged = time.monotonic()
        first = logged_step = run.step
        # The first steps compile, choose kernels and are recorded.
        timed = min(first + (3 if device.type == "cpu" else 8), total)
        finished: list[float] = []
        batches = feed(dataset, settings, runtime, device, run.step, total, team)
        if team.is_first:
            batches = progress(batches, f"train {stage.name}", total, before=run.step)
        for batch in batches:
            terms = run.train_step(batch, total, team.average)
            if run.step <= timed:
                finished.append(_when_done(device))
            if run.step == timed:
                recent = [last_logged, *finished][-3:]
                step_s = (recent[-1] - recent[0]) / (len(recent) - 1)
                _say_how_long(run, len(dataset), (first, total), step_s, validation)
                allowance.start_timing()
            now = time.monotonic()
            is_time = team.is_first and now - last_logged >= runtime.log_every_s
            reason = why_to_stop()
            is_time, has_to_stop = team.any(is_time, reason is not None)
            if is_time or run.step == total:
                terms = team.average_terms(terms)
                seconds = (now - last_logged) / (run.step - logged_step)
                if records:
                    records.note(run.step, _row(run, terms, seconds))
                    records.note_machine(run.step, run.sides())
                last_logged, logged_step = now, run.step
            if records and run.step in checks:
                run.needs_validation = True
                if not has_to_stop:
                    reason = _validate(run, validation, records, why_to_stop)
                    has_to_stop = reason is not None
            if has_to_stop and not records:
                return  # the first process saves, and says why
            if has_to_stop:
                raise stopped(resume_point.save_last(run), reason or "was told to stop")
            if records and resume_point.is_due():
                resume_point.save(run)
        if records:
            records.close()
            # A run killed between these lines goes on from its last state and ends here again.
            resume_point.save(run)
            save_discriminator(folder / "discriminator.safetensors", run.discriminator_weights())
            save_generator(files.generator, run.trained())
            resume_point.remove()
            LOGGER.info(
                f"{stage.name}: done; kept step {run.best_step} of {total}"
                + (f", validation SSIM {run.best_score:.3f}" if run.best_score is not None else "")
            )


def _stopped(where: str, allowance: Allowance | None, has_moved: bool) -> StoppedEarly:
    """What to raise once the state is saved.

    Args:
        where: the stage and its step.
        allowance: None if it was told to stop besides.
        has_moved: whether this stay made a step: one that did not would be repeated for ever.
    """
    text = f"{where}; its state is saved, the same command goes on from there"
    if allowance is None or not allowance.is_over:
        return StoppedEarly(text)
    if allowance.is_worth_another and has_moved:
        return OutOfTime(text)
    return StoppedEarly(
        f"{text}, but the job is too short: {allowance.margin_s:.0f} s of it are kept free to save "
        "(runtime.stop_margin_s, or twice what it takes); ask for a longer one"
    )


def _validate(
    run: Run, validation: Validation, records: Records, why_to_stop: Callable[[], str | None]
) -> str | None:
    """Score the averaged weights and keep them if they are the best; returns why it had to stop."""
    try:
        score, picture = validation.score(run.averaged_networks(), run.device, why_to_stop)
    except Interrupted as reason:
        return str(reason)
    run.keep_if_best(score)
    records.note_validation(run.step, score, picture)
    return None


def _pass_through(
    stage: Stage, files: TrainingFiles, previous: TrainedGenerator, n_pairs: int
) -> None:
    """Write the stage before's generator as this one's: there is nothing to learn a face from."""
    LOGGER.warning(
        f"{stage.name}: a face was found in only {n_pairs} pairs of training frames "
        f"(at least {MIN_FACE_PAIRS} are needed): the picture is passed through as it is"
    )
    for leftover in ("training_state.safetensors", "metrics.jsonl"):
        (files.generator.parent / leftover).unlink(missing_ok=True)
    save_discriminator(
        files.generator.with_name("discriminator.safetensors"), {}
    )  # no stage follows
    save_generator(files.generator, replace(previous, stage=stage.name))


def _total_steps(stage: StageConfig, n_pairs: int) -> int:
    if stage.steps is not None:
        return stage.steps
    return (stage.epochs or 1) * max(1, n_pairs // min(stage.batch_size, n_pairs))


def _say_how_long(
    run: Run, n_sequences: int, steps: tuple[int, int], step_s: float, validation: Validation
) -> None:
    """Say what all steps, (first, total), will take by the time of those that were made.

    Real steps are timed, and not some on copies of the networks: a GPU that has just memory enough
    to train has none for copies.
    """
    first, total = steps
    check_s = step_s / 3 * len(validation.frames) * run.settings.stage.validations
    left = (total - run.step) * step_s + check_s * (total - run.step) / total
    canvas = f"{run.size[1]}x{run.size[0]}{', at half of it' if run.settings.is_halved else ''}"
    LOGGER.info(
        f"{run.stage.name}: {total - first} steps on {n_sequences} pairs of frames "
        f"({canvas}), {step_s:.2f} s a step: about {_duration(left)}"
    )


def _when_done(device: torch.device) -> float:
    """The time, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _row(run: Run, terms: Terms, seconds: float) -> dict[str, float]:
    row = {name: float(value) for name, value in terms.items()}
    row["learning_rate"] = float(next(iter(run.optimizers.values())).param_groups[0]["lr"])
    row["seconds_per_step"] = seconds
    return row
