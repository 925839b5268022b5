"""Training, on a dancer of 64 x 64 px and networks of four channels."""

import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from conftest import REPOSITORY
from tiny import N_FRAMES, NETWORK, SIZE, SPLIT, STAGE, TinyTarget, make_target, train_tiny, without
from torch import nn

from edn_core.background import read_plate, write_plate
from edn_core.checkpoint import load_generator, load_state, save_generator, save_state
from edn_core.config import RuntimeConfig, StageConfig
from edn_core.dataset import FramePairs
from edn_core.face import face_box_size
from edn_core.keypoints import write_keypoints
from edn_core.logs import LOGGER
from edn_core.networks import PlatedGenerator
from edn_core.synthesize import synthesize_frames
from edn_core.training import STAGES, TrainingFiles, TrainingSettings, guard, loop, train
from edn_core.training.guard import _is_alive, training_lock, watch_for_end
from edn_core.training.loop import StoppedEarly, _Batches, _total_steps
from edn_core.training.run import Run, _ramped_average, learning_rate, optimize
from edn_core.training.stage import Weighting

CPU = torch.device("cpu")
TINY = Path(__file__).parent / "tiny.py"
STATE = "training_state.pt"


@pytest.fixture(scope="module")
def body(tiny_target, tmp_path_factory) -> Path:
    """A generator after a few steps of the body stage."""
    return train_tiny(tiny_target, tmp_path_factory.mktemp("body") / "generator.pt")


@pytest.fixture
def log(caplog):
    """What the library logs, as one text."""
    LOGGER.propagate = True
    caplog.set_level(logging.INFO, logger="edn")
    return lambda: "\n".join(record.getMessage() for record in caplog.records)


def run_of(target: TinyTarget, name: str, start: Path | None = None, **changes) -> Run:
    """A training before its first step."""
    files = TrainingFiles(
        target.frames, target.labels, target.keypoints, target.background, start, Path("model.pt")
    )
    settings = TrainingSettings(replace(STAGE, **changes), NETWORK, SPLIT)
    previous = load_generator(start) if start else None
    return Run(STAGES[name], files, settings, previous, (SIZE, SIZE), "edn", CPU)


def batch_of(target: TinyTarget, *items: int) -> dict:
    pairs = FramePairs(target.frames, target.labels, target.keypoints, range(N_FRAMES))
    return torch.utils.data.default_collate([pairs[i] for i in items])


# Schedules


def test_the_learning_rate_is_constant_for_half_the_steps_then_falls_to_nought():
    rates = [learning_rate(8.0, step, 8) for step in range(9)]
    assert rates == [8, 8, 8, 8, 8, 6, 4, 2, 0]
    assert learning_rate(8.0, 0, 1) == 8


def test_steps_are_given_or_follow_from_epochs():
    assert _total_steps(StageConfig(steps=7), 100) == 7
    assert _total_steps(StageConfig(epochs=3), 100) == 300
    assert _total_steps(StageConfig(epochs=3, batch_size=4), 10) == 6
    assert _total_steps(StageConfig(epochs=3, batch_size=4), 2) == 3


def batches(first: int, total: int, n_pairs: int = 10, seed: int = 0, batch_size: int = 3):
    settings = TrainingSettings(StageConfig(steps=1, batch_size=batch_size), NETWORK, SPLIT, seed)
    sampler = _Batches(n_pairs, settings, first, total)
    found = list(sampler)
    assert len(found) == len(sampler)
    return found


def test_which_pairs_come_follows_from_seed_and_step_alone():
    whole = batches(0, 20)
    assert batches(0, 20) == whole
    for step in (1, 3, 8, 19, 20):
        assert batches(step, 20) == whole[step:]
    assert batches(0, 20, seed=1) != whole


def test_every_epoch_shows_every_pair_once_in_another_order():
    epochs = [batches(0, 15, n_pairs=15)[5 * i : 5 * i + 5] for i in range(3)]
    for epoch in epochs:
        assert sorted(pair for batch in epoch for pair in batch) == list(range(15))
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_batch_larger_than_the_data_is_all_of_it():
    assert [sorted(batch) for batch in batches(0, 3, n_pairs=2, batch_size=8)] == [[0, 1]] * 3


def test_the_average_forgets_the_first_steps_quickly_and_then_hardly_at_all():
    average = _ramped_average(0.5)
    one, nought = torch.ones(1), torch.zeros(1)
    # After 2 steps 3/12 of the old stays; after 8 it is 9/18; later the full decay, 1/2.
    assert average(one, nought, 2).item() == 0.25
    assert average(one, nought, 8).item() == 0.5
    assert average(one, nought, torch.tensor(1000)).item() == 0.5
    assert average(one, one, 3).item() == 1


def test_without_averaging_the_last_weights_are_saved_to_the_bit(tiny_target):
    run = run_of(tiny_target, "body", ema_decay=0.0)
    for i in range(4):
        run.train_step(batch_of(tiny_target, i), 4)
    averaged = run.averaged.module.state_dict()
    for name, value in run.networks["generator"].state_dict().items():
        assert torch.equal(value, averaged[name]), name


# One step


@pytest.mark.parametrize("name", STAGES)
def test_each_sides_gradients_stay_on_its_own_side(tiny_target, body, name):
    run = run_of(tiny_target, name, None if name == "body" else body)
    batch, weighting = batch_of(tiny_target, 3), run.weighting
    trained = {side: run.networks[side] for side in (run.stage.generator, run.stage.discriminator)}
    sides = run.stage.losses(run.networks, batch, weighting)
    for (own, network), terms in zip(trained.items(), sides, strict=True):
        for one in run.networks.values():
            one.zero_grad(set_to_none=True)
        total = torch.stack(list(terms.values())).sum()
        total.backward(inputs=list(network.parameters()), retain_graph=True)
        assert all(value.grad is not None for value in network.parameters())
        for other in set(run.networks) - {own}:
            assert all(value.grad is None for value in run.networks[other].parameters()), other
    # What the discriminator learns from cannot reach the generator at all.
    generator = trained[run.stage.generator]
    total = torch.stack(list(sides[1].values())).sum()
    reached = torch.autograd.grad(total, list(generator.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in reached)


class Recorder(nn.Module):
    """Passes through a network and remembers what went in and what came out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.calls = network, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.append((x, self.network(x)))
        return self.calls[-1][1]


@pytest.mark.parametrize("name", STAGES)
def test_the_first_frame_is_conditioned_on_zeros(tiny_target, body, name):
    run = run_of(tiny_target, name, None if name == "body" else body)
    recorder = Recorder(run.networks["generator"])
    batch = batch_of(tiny_target, 3)
    run.stage.losses(run.networks | {"generator": recorder}, batch, run.weighting)
    assert (recorder.calls[0][0][:, 3:] == 0).all()
    assert len(recorder.calls) == (1 if name == "body" else 2)


def test_in_the_temporal_stage_the_second_output_teaches_the_first(tiny_target, body):
    run = run_of(tiny_target, "temporal", body)
    recorder = Recorder(run.networks["generator"])
    batch = batch_of(tiny_target, 3)
    run.stage.losses(run.networks | {"generator": recorder}, batch, run.weighting)
    (_, first_output), (second_input, second_output) = recorder.calls
    assert torch.equal(second_input[:, 3:], first_output)
    assert torch.equal(second_input[:, :3], batch["label"][:, 1])
    (gradient,) = torch.autograd.grad(second_output.sum(), first_output)
    assert gradient.abs().sum() > 0


def test_the_temporal_discriminator_starts_from_the_body_stages(tiny_target, body):
    run = run_of(tiny_target, "temporal", body)
    weights = torch.load(body.parent / "discriminator.pt", weights_only=True)["weights"]
    name = "scale0_layer0.0.weight"
    widened = run.networks["discriminator"].state_dict()[name]
    assert widened.shape[1] == 2 * weights[name].shape[1] == 12
    torch.testing.assert_close(widened[:, :3] + widened[:, 3:6], weights[name][:, :3])


def test_in_the_face_stage_the_second_frame_is_fed_the_first_with_its_face(tiny_target, body):
    run = run_of(tiny_target, "face", body)
    generator, face = (Recorder(run.networks[name]) for name in ("generator", "face_generator"))
    batch = batch_of(tiny_target, 3, 9)
    run.stage.losses(
        run.networks | {"generator": generator, "face_generator": face}, batch, run.weighting
    )
    side = face_box_size(SIZE)
    (_, first_output), (second_input, _) = generator.calls
    changed = (second_input[:, 3:] != first_output).any(dim=1)
    for i in range(2):
        x0, y0, x1, y1 = batch["face_box"][i, 0].tolist()
        assert (x1 - x0, y1 - y0) == (side, side)
        crop = first_output[i, :, y0:y1, x0:x1]
        torch.testing.assert_close(face.calls[0][0][i, 3:], crop)
        label = batch["label"][i, 0, :, y0:y1, x0:x1]
        torch.testing.assert_close(face.calls[0][0][i, :3], label)
        pasted = second_input[i, 3:, y0:y1, x0:x1]
        torch.testing.assert_close(pasted, (crop + face.calls[0][1][i]).clamp(-1, 1))
        outside = changed[i].clone()
        outside[y0:y1, x0:x1] = False
        assert not outside.any()


def test_optimizing_moves_only_what_the_stage_trains(tiny_target, body):
    for name in STAGES:
        run = run_of(tiny_target, name, None if name == "body" else body)
        before = {
            key: {n: v.clone() for n, v in one.state_dict().items()}
            for key, one in run.networks.items()
        }
        terms = optimize(
            run.stage, run.networks, run.optimizers, run.weighting, CPU, batch_of(tiny_target, 3)
        )
        assert all(one.startswith(("G/", "D/")) for one in terms)
        for key, network in run.networks.items():
            moved = {n for n, v in network.named_parameters() if not torch.equal(v, before[key][n])}
            assert bool(moved) == (key in (run.stage.generator, run.stage.discriminator)), key


def test_where_there_is_no_perceptual_network_l1_stands_in_and_the_log_says_so(tiny_target, log):
    run = run_of(tiny_target, "body")
    assert "body: no training.vgg19 given; an L1 term stands in for VGG19" in log()
    fake, real = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5)
    assert {k: v.item() for k, v in run.weighting.image_term(fake, real).items()} == {"l1": 10}
    weighting = Weighting(run.settings.stage, lambda x: [x] * 5)  # type: ignore[arg-type]
    terms = weighting.image_term(fake, real)
    assert terms["perceptual"].item() == pytest.approx(
        5 * 0.5 * (1 + 1 / 4 + 1 / 8 + 1 / 16 + 1 / 32)
    )


def test_the_image_term_of_a_pair_is_the_sum_of_its_frames():
    fake = torch.zeros(2, 3, 4, 4)
    real = torch.stack([torch.full((3, 4, 4), value) for value in (0.25, 0.75)])
    weighting = Weighting(STAGE, None)
    single = [weighting.image_term(fake[i : i + 1], real[i : i + 1])["l1"] for i in range(2)]
    assert [term.item() for term in single] == [5, 15]
    assert weighting.image_term(fake, real, frames=2)["l1"].item() == 20


def test_a_perceptual_network_that_is_not_wanted_is_not_missed(tiny_target, log):
    run_of(tiny_target, "body", perceptual=0.0)
    assert "VGG19" not in log()


def test_a_perceptual_network_whose_file_is_missing_is_refused(tiny_target, tmp_path):
    files = TrainingFiles(
        tiny_target.frames, tiny_target.labels, tiny_target.keypoints, None, None, tmp_path / "a.pt"
    )
    settings = TrainingSettings(STAGE, NETWORK, SPLIT, vgg19=(str(tmp_path / "vgg.pth"), "dcbb"))
    with pytest.raises(ValueError, match=r"vgg.pth: cannot be read .*training.vgg19"):
        train(STAGES["body"], files, settings, RuntimeConfig(), CPU)


# A whole stage


def test_a_stage_writes_a_generator_that_stands_alone(tiny_target, body):
    trained = load_generator(body)
    assert (trained.stage, trained.height, trained.width) == ("body", SIZE, SIZE)
    assert (trained.label_style, trained.label_channels) == ("edn", 3)
    assert trained.steps in (2, 4)
    assert trained.face_weights is None
    assert isinstance(trained.build()["generator"], PlatedGenerator)
    left = {path.name for path in body.parent.iterdir()}
    assert left == {"generator.pt", "discriminator.pt", "metrics.jsonl", "tensorboard", "lock"}


def test_without_a_plate_the_network_paints_everything(tiny_target, tmp_path):
    model = train_tiny(tiny_target, tmp_path / "generator.pt", with_plate=False)
    trained = load_generator(model)
    assert trained.background is None
    assert not isinstance(trained.build()["generator"], PlatedGenerator)


def test_stages_follow_one_another(tiny_target, body, tmp_path):
    temporal = train_tiny(tiny_target, tmp_path / "temporal" / "generator.pt", "temporal", body)
    face = train_tiny(tiny_target, tmp_path / "face" / "generator.pt", "face", temporal)
    before, after = load_generator(temporal), load_generator(face)
    assert (before.stage, after.stage) == ("temporal", "face")
    assert before.face_weights is None
    assert list(after.build()) == ["generator", "face_generator"]
    for name, value in before.weights.items():
        assert torch.equal(after.weights[name], value)  # frozen
    assert any(
        not torch.equal(load_generator(body).weights[n], v) for n, v in before.weights.items()
    )


@pytest.mark.parametrize("name", ["temporal", "face"])
def test_a_later_stage_needs_the_one_before(tiny_target, tmp_path, name):
    with pytest.raises(ValueError, match=f"the {name} stage starts from"):
        train_tiny(tiny_target, tmp_path / "generator.pt", name)


def test_before_it_trains_it_says_how_long_it_will_take(tiny_target, tmp_path, log):
    train_tiny(tiny_target, tmp_path / "generator.pt")
    assert "body: 4 steps on 15 pairs of frames (64x64), " in log()
    assert " s a step: about " in log()
    assert "body: done; kept step " in log()


def test_metrics_hold_every_term_the_rate_and_the_speed(tiny_target, tmp_path):
    runtime = RuntimeConfig(device="cpu", log_every_s=0)
    train_tiny(tiny_target, tmp_path / "generator.pt", runtime=runtime)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert [row["learning_rate"] for row in rows] == [1e-3, 1e-3, 1e-3, 5e-4]
    terms = {"G/gan", "G/feature_matching", "G/l1", "D/real", "D/fake"}
    assert set(rows[0]) == {"step", "learning_rate", "seconds_per_step"} | terms
    assert list((tmp_path / "tensorboard").iterdir())


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tiny_target, body, tmp_path):
    again = train_tiny(tiny_target, tmp_path / "again" / "generator.pt")
    assert again.read_bytes() == body.read_bytes()
    other = train_tiny(tiny_target, tmp_path / "other" / "generator.pt", seed=1)
    assert other.read_bytes() != body.read_bytes()


def test_the_kept_checkpoint_is_the_best_on_the_validation_slice(tiny_target):
    run = run_of(tiny_target, "body")
    steps = iter(range(1, 5))
    for score in (0.5, 0.9, 0.9, 0.3):
        run.step = next(steps)
        with torch.no_grad():
            next(run.averaged.module.parameters()).fill_(run.step)
        run.keep_if_best(score)
    assert (run.best_step, run.best_score) == (2, 0.9)
    assert (next(iter(run.trained().weights.values())) == 2).all()


def test_where_the_validation_slice_shows_nobody_the_last_checkpoint_is_kept(tiny_target, tmp_path):
    for name in ("frames", "labels", "background"):
        path = getattr(tiny_target, name)
        shutil.copy(path, tmp_path / path.name)
    dancer = without(tiny_target.dancer, list(SPLIT.validation))
    target = TinyTarget(tmp_path, dancer)
    write_keypoints(target.keypoints, dancer)
    trained = load_generator(train_tiny(target, tmp_path / "model" / "generator.pt"))
    assert trained.steps == STAGE.steps


def test_a_video_without_two_frames_in_a_row_is_refused(tmp_path, tiny_target):
    target = make_target(tmp_path, without(tiny_target.dancer, list(range(1, N_FRAMES, 2))))
    with pytest.raises(ValueError, match=r"keypoints.h5: no two frames in a row with the dancer"):
        train_tiny(target, tmp_path / "model" / "generator.pt")


def test_a_loss_that_is_not_finite_stops_the_run_and_is_named(tiny_target, tmp_path):
    with pytest.raises(
        ValueError,
        match=r"training body: the loss term [GD]/\w+ became (nan|inf) at step \d+; .*1e\+30",
    ):
        train_tiny(
            tiny_target,
            tmp_path / "generator.pt",
            config=replace(STAGE, steps=20, learning_rate=1e30),
        )
    assert not (tmp_path / "generator.pt").exists()


def test_a_plate_of_another_canvas_is_refused(tiny_target, tmp_path):
    plate, seen = read_plate(tiny_target.background)
    write_plate(tmp_path / "plate.png", plate[:32], seen[:32])
    files = TrainingFiles(
        tiny_target.frames,
        tiny_target.labels,
        tiny_target.keypoints,
        tmp_path / "plate.png",
        None,
        tmp_path / "generator.pt",
    )
    with pytest.raises(ValueError, match=r"plate.png: is \(32, 64\) .* is \(64, 64\)"):
        train(STAGES["body"], files, TrainingSettings(STAGE, NETWORK, SPLIT), RuntimeConfig(), CPU)


# Without faces


def test_without_faces_the_face_stage_passes_the_picture_through_and_says_so(
    tiny_target, body, tmp_path, log
):
    target = make_target(tmp_path, without(tiny_target.dancer, list(range(N_FRAMES)), ("face",)))
    face = train_tiny(target, tmp_path / "face" / "generator.pt", "face", body)
    assert "face: a face was found in only 0 pairs of training frames" in log()
    before, after = load_generator(body), load_generator(face)
    assert after.stage == "face"
    assert after.face_weights is None
    outputs = []
    for i, model in enumerate((body, face)):
        path = tmp_path / f"made{i}.h5"
        synthesize_frames(model, tiny_target.labels, tiny_target.keypoints, path, CPU)
        outputs.append(path.read_bytes())
    assert outputs[0] == outputs[1]
    assert vars(after).keys() == vars(before).keys()


def test_a_few_faces_are_too_few_to_learn_from(tiny_target, body, tmp_path, log):
    target = make_target(tmp_path, without(tiny_target.dancer, list(range(5, N_FRAMES)), ("face",)))
    face = train_tiny(target, tmp_path / "face" / "generator.pt", "face", body)
    assert "found in only 4 pairs" in log()
    assert load_generator(face).face_weights is None


# Interrupted


def go_on(run: Run, target: TinyTarget, steps: range) -> None:
    for step in steps:
        run.train_step(batch_of(target, step), 6)
        if step % 2:
            run.keep_if_best(float(step))


@pytest.mark.parametrize("name", STAGES)
def test_a_state_holds_everything_that_is_needed_to_go_on(tiny_target, body, tmp_path, name):
    start = None if name == "body" else body
    straight, first = (run_of(tiny_target, name, start) for _ in range(2))
    go_on(straight, tiny_target, range(6))
    go_on(first, tiny_target, range(3))
    save_state(tmp_path / STATE, "key", first.state())
    second = run_of(tiny_target, name, start)
    second.restore(load_state(tmp_path / STATE, "key"))
    go_on(second, tiny_target, range(3, 6))
    assert second.step == straight.step == 6
    for file, run in (("one.pt", straight), ("two.pt", second)):
        save_generator(tmp_path / file, run.trained())
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()
    for one, other in zip(
        straight.discriminator_weights().values(),
        second.discriminator_weights().values(),
        strict=True,
    ):
        assert torch.equal(one, other)


def start_program(target: TinyTarget, model: Path, stage: str, steps: int, *before: str):
    """Start a training in a process of its own."""
    arguments = [sys.executable, str(TINY), str(target.folder), str(model), stage, str(steps)]
    return subprocess.Popen(
        [*before, *arguments],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(is_so, process: subprocess.Popen | None = None, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        if process is not None and process.poll() is not None:
            pytest.fail(f"ended too early: {process.stderr.read()}")
        time.sleep(0.005)


def steps_done(model: Path) -> int:
    path = model.parent / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


def test_a_training_killed_at_a_random_step_goes_on_to_the_same_bytes(tiny_target, body, tmp_path):
    steps = 40
    straight = train_tiny(
        tiny_target,
        tmp_path / "straight" / "generator.pt",
        "temporal",
        body,
        replace(STAGE, steps=steps),
    )
    shutil.copytree(body.parent, tmp_path / "start")
    model = tmp_path / "killed" / "generator.pt"
    killed_at = random.randint(2, steps // 2)
    process = start_program(tiny_target, model, "temporal", steps)
    wait_until(lambda: steps_done(model) >= killed_at, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert not model.exists()
    assert (model.parent / STATE).is_file()

    process = start_program(tiny_target, model, "temporal", steps)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert model.read_bytes() == straight.read_bytes(), f"killed at step {killed_at}"
    name = "discriminator.pt"
    assert (model.parent / name).read_bytes() == (straight.parent / name).read_bytes()
    assert not (model.parent / STATE).exists()
    rows = (model.parent / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == list(range(1, steps + 1))


def test_a_training_that_is_told_to_stop_saves_its_state_first(tiny_target, tmp_path, log):
    model = tmp_path / "generator.pt"
    config = replace(STAGE, steps=8)
    straight = train_tiny(tiny_target, tmp_path / "straight" / "generator.pt", config=config)

    class StopAfter(logging.Handler):
        """Tells this process to stop once the training has begun."""

        def emit(self, record: logging.LogRecord) -> None:
            if "steps on" in record.getMessage():
                os.kill(os.getpid(), signal.SIGTERM)

    handler = StopAfter()
    LOGGER.addHandler(handler)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(
            StoppedEarly,
            match=r"generator.pt: stopped at step 1 of 8: .*was told to stop \(SIGTERM",
        ):
            train_tiny(tiny_target, model, config=config)
    finally:
        LOGGER.removeHandler(handler)
    assert signal.getsignal(signal.SIGTERM) is before
    assert (tmp_path / STATE).is_file()
    assert not model.exists()
    train_tiny(tiny_target, model, config=config)
    assert "body: goes on from step 1" in log()
    assert model.read_bytes() == straight.read_bytes()


def test_a_training_killed_between_its_last_lines_ends_again_in_the_same_bytes(
    tiny_target, tmp_path, monkeypatch
):
    straight = train_tiny(tiny_target, tmp_path / "straight" / "generator.pt")
    model = tmp_path / "generator.pt"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_generator", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train_tiny(tiny_target, model)
    assert not model.exists()
    train_tiny(tiny_target, model)
    assert model.read_bytes() == straight.read_bytes()


def state_of(target: TinyTarget, folder: Path, monkeypatch, config=STAGE, **more) -> Path:
    """Leave the state of a training whose last line was not reached."""
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_generator", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train_tiny(target, folder / "generator.pt", config=config, **more)
    return folder / "generator.pt"


@pytest.mark.parametrize(
    "changed",
    [
        {"config": replace(STAGE, learning_rate=2e-3)},
        {"config": replace(STAGE, l1=1.0)},
        {"config": replace(STAGE, steps=5)},
        {"seed": 3},
        {"split": replace(SPLIT, validation=range(15, 16))},
        {"with_plate": False},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_setting_never_continues_an_old_run(
    tiny_target, tmp_path, monkeypatch, log, changed
):
    model = state_of(tiny_target, tmp_path / "old", monkeypatch)
    train_tiny(tiny_target, model, **changed)
    assert "goes on from" not in log()
    fresh = train_tiny(tiny_target, tmp_path / "fresh" / "generator.pt", **changed)
    assert model.read_bytes() == fresh.read_bytes()


def test_speed_may_be_changed_while_a_run_is_interrupted(tiny_target, tmp_path, monkeypatch, log):
    model = state_of(tiny_target, tmp_path, monkeypatch)
    runtime = RuntimeConfig(device="cpu", frame_cache_mb=0, checkpoint_every_s=5, loader_workers=1)
    train_tiny(tiny_target, model, runtime=runtime)
    assert "body: goes on from step 4" in log()


def test_where_frames_are_decoded_and_how_often_it_saves_change_no_byte(
    tiny_target, body, tmp_path
):
    runtime = RuntimeConfig(
        device="cpu", frame_cache_mb=0, checkpoint_every_s=0, log_every_s=0, loader_workers=2
    )
    model = train_tiny(tiny_target, tmp_path / "generator.pt", runtime=runtime)
    assert model.read_bytes() == body.read_bytes()


# Who may train


def test_a_second_trainer_in_a_folder_is_refused_and_told_who_holds_it(tiny_target, tmp_path):
    program = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from edn_core.training.guard import training_lock\n"
        "with training_lock(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), str(REPOSITORY)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        for _ in range(2):
            with pytest.raises(ValueError, match=rf"another training \(pid {holder.pid}\) is at"):
                train_tiny(tiny_target, tmp_path / "generator.pt")
    finally:
        holder.kill()
        holder.communicate()
    with training_lock(tmp_path):  # the dead hold nothing
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_what_a_killed_trainer_left_behind_is_waited_for(tmp_path):
    # Its loader processes share its lock and end a moment later.
    program = (
        "import os, sys, time; from pathlib import Path\n"
        "from edn_core.training.guard import training_lock\n"
        "with training_lock(Path(sys.argv[1])):\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(1)\n"
        "        os._exit(0)\n"
        "    os._exit(0)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    begin = time.monotonic()
    with training_lock(tmp_path):
        assert 0.1 < time.monotonic() - begin < 10


def test_the_lock_is_let_go_of_after_a_failure(tmp_path):
    with pytest.raises(RuntimeError, match="half way"), training_lock(tmp_path):
        raise RuntimeError("half way")
    with training_lock(tmp_path):
        pass


def has_ended(pid: int) -> bool:
    """Also of a process that nobody has waited for yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_trainer_ends_with_the_workflow_that_started_it(tiny_target, tmp_path):
    workflow = tmp_path / "bin" / "snakemake"
    workflow.parent.mkdir()
    workflow.write_text(
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:])\n"
        "print(child.pid, file=sys.stderr, flush=True)\n"
        "child.wait()\n"
    )
    model = tmp_path / "model" / "generator.pt"
    process = start_program(tiny_target, model, "body", 100_000, sys.executable, str(workflow))
    trainer = int(process.stderr.readline())
    try:
        wait_until(lambda: steps_done(model) >= 1, process)
        process.kill()  # nobody waits for it yet, as in a container whose first process does not
        wait_until(lambda: has_ended(trainer), seconds=30)
    finally:
        process.kill()
        process.wait()
        if not has_ended(trainer):
            os.kill(trainer, signal.SIGKILL)
    said = process.stderr.read()
    process.stderr.close()
    assert "the Snakemake that started it has ended" in said
    assert (model.parent / STATE).is_file()
    assert not model.exists()


def test_dead_is_dead_whether_or_not_somebody_has_waited_for_it():
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process = psutil.Process(sleeper.pid)
    assert _is_alive(process)
    sleeper.kill()
    wait_until(lambda: not _is_alive(process), seconds=10)
    sleeper.wait()
    assert not _is_alive(process)


def test_a_trainer_started_by_hand_watches_nobody(monkeypatch):
    monkeypatch.setattr(guard, "SECONDS_BETWEEN_LOOKS", 0.0)
    with watch_for_end() as reason:
        assert reason() is None


def test_a_folder_that_is_called_after_the_workflow_is_not_the_workflow(tmp_path):
    # A shell in such a folder may end while the training goes on.
    script = tmp_path / "my-snakemake-videos" / "start.py"
    script.parent.mkdir()
    look = f"import runpy; print(runpy.run_path({guard.__file__!r})['_snakemakes']())"
    script.write_text(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {look!r}])\n")
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert done.stdout == "[]\n"


# Inputs of a rule


def test_files_are_taken_from_a_rules_inputs(tmp_path):
    inputs = {
        "frames": "f.h5",
        "labels": "l.h5",
        "keypoints": "k.h5",
        "background": [],
        "start": [],
    }
    files = TrainingFiles.of(inputs, "g.pt")
    assert files == TrainingFiles(
        Path("f.h5"), Path("l.h5"), Path("k.h5"), None, None, Path("g.pt")
    )
    assert files.inputs == [Path("f.h5"), Path("l.h5"), Path("k.h5")]


def test_where_the_perceptual_weights_lie_does_not_matter_but_which_they_are_does(tiny_target):
    files = TrainingFiles(
        tiny_target.frames, tiny_target.labels, tiny_target.keypoints, None, None, Path("g.pt")
    )
    plain = TrainingSettings(STAGE, NETWORK, SPLIT)
    keys = [
        replace(plain, vgg19=vgg19).key("body", files)
        for vgg19 in (("a.pth", "01"), ("b.pth", "01"), ("a.pth", "02"), (None, "01"), (None, "02"))
    ]
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] == keys[4] == plain.key("body", files)
    assert plain.key("temporal", files) != plain.key("body", files)
    assert replace(plain, revision=2).key("body", files) != plain.key("body", files)
