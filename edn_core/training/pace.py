"""How fast a training is, measured before it begins: does compiling pay, how many steps fit?"""

import time

from edn_core.accelerate.compiling import compiling_pays, seconds_per_call
from edn_core.logs import LOGGER
from edn_core.training.feed import Feed
from edn_core.training.run import Run
from edn_core.training.validation import Validation

SPARE = 0.05  # part of the minutes for saving, and for steps slower than those measured


def settle_steps(
    run: Run, feed: Feed, validation: Validation, configured: int, began: float
) -> int:
    """How many steps there will be, from then on part of the state; compiles where that pays.

    As ``configured``; with ``training.minutes`` so many as fit into what is left of them since
    ``began`` (time.monotonic), at the pace that is measured. An interrupted training keeps its own.
    """
    training, stage = run.settings.training, run.settings.stage
    end = began + 60 * (training.minutes or 0)
    if training.minutes is None:
        run.total = configured
    may_compile = run.acceleration.if_it_pays
    if run.step == 0 and (may_compile or not run.total):
        run.seconds_per_step = measure(run, feed)
    pace = run.seconds_per_step
    if may_compile and pace:
        left = (run.total - run.step) * pace if run.total else end - time.monotonic()
        shape = (*run.pairs.size, stage.batch_size, training.precision)
        pays = compiling_pays(f"training {run.stage.name}", left, run.called, *shape)
        if run.team.of_first(pays):
            run.compile()
            pace = pace if run.total else measure(run, feed)
    if not run.total:
        before = time.monotonic()
        if run.team.is_first:
            validation.score(run.averaged_networks)
        once, left = time.monotonic() - before, end - time.monotonic()
        # The start, the end, and between them what a tenth of the time pays for (checks_of).
        validating = max(2 * once, min((1 + stage.validations) * once, left / 10))
        steps = steps_within(left, pace, validating)
        run.total = int(run.team.of_first(steps))
        LOGGER.info(
            f"{run.stage.name}: training.minutes gives it {training.minutes:.3g} minutes: "
            f"{run.total} steps of {1000 * pace:.1f} ms, and {validating:.0f} s of validating"
        )
    return run.total


def steps_within(seconds: float, seconds_per_step: float, validating: float) -> int:
    """Steps that fit beside all validations; at least half of the time is for steps."""
    return max(1, int((1 - SPARE) * max(seconds - validating, seconds / 2) / seconds_per_step))


def measure(run: Run, feed: Feed) -> float:
    """Seconds per step, by steps before the first of which nothing is left."""
    batches = feed.batches(0, 10**9)
    buffers = [one for network in run.networks.values() for one in network.buffers()]
    before = [one.clone() for one in buffers]

    def step() -> None:
        run.step = 1  # as the one after the last, whose rate is 0: the weights stay
        run.train_step(next(batches), 1)

    found = seconds_per_call(step, run.device, run.team.of_first)
    run.step = 0
    for adam in run.optimizers.values():
        for moment in (one for each in adam.state.values() for one in each.values()):
            moment.zero_()  # in its place, which a recorded step goes on using
    for buffer, kept in zip(buffers, before, strict=True):
        buffer.copy_(kept)
    return found
