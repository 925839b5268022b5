"""How fast a training is, measured before it begins: does compiling pay, how many steps fit?"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from edn_core.accelerate import EAGER_CALLS, compiling_pays, seconds_per_call
from edn_core.logs import LOGGER
from edn_core.training.feed import Feed
from edn_core.training.run import Run
from edn_core.training.stage import Batch

SPARE = (
    0.05  # part of the minutes for saving, and for steps that take longer than the measured ones
)
ENDLESS = 10**9  # steps


def settle_steps(
    run: Run, feed: Feed, configured: int, began: float, validate: Callable[[], object]
) -> int:
    """How many steps the training has; from then on they are part of its state.

    With ``training.minutes`` so many as fit into what is left of them, at the pace that is
    measured; else as ``configured``. An interrupted training keeps its number. The networks are
    compiled where that pays.

    Args:
        run: before its first step, or restored.
        feed: its batches.
        configured: number of steps by the stage's own setting.
        began: when the stage did, by time.monotonic.
        validate: what validates, once.
    """
    minutes, name = run.settings.training.minutes, run.stage.name
    if not run.total and minutes is None:
        run.total = configured

    def seconds_left() -> float:
        if not run.total:
            return 60 * (minutes or 0) - (time.monotonic() - began)
        return (run.total - run.step) * run.seconds_per_step

    may_compile = run.acceleration.if_it_pays
    if run.step == 0 and (may_compile or not run.total):
        run.seconds_per_step = _measure(run, feed)
    pace = run.seconds_per_step
    if may_compile and pace:
        shape = (*run.pairs.size, run.settings.stage.batch_size, run.settings.training.precision)
        what = f"training {name}"
        pays = compiling_pays(what, "training", seconds_left(), run.compiled(), name, *shape)
        if run.team.of_first(pays):
            run.compile()
            pace = pace if run.total else _measure(run, feed)
    if not run.total:
        validating = 0.0
        if run.team.is_first:
            before = time.monotonic()
            validate()
            validating = run.settings.stage.validations * (time.monotonic() - before)
        run.total = int(run.team.of_first(steps_within(seconds_left(), pace, validating)))
        LOGGER.info(
            f"{name}: training.minutes gives it {minutes:.3g} minutes: {run.total} steps of "
            f"{1000 * pace:.1f} ms, and {validating:.0f} s of validating"
        )
    return run.total


def steps_within(seconds: float, seconds_per_step: float, validating: float) -> int:
    """Steps that fit, with all validations beside them; at least half of the time is for steps."""
    return max(1, int((1 - SPARE) * max(seconds - validating, seconds / 2) / seconds_per_step))


def _measure(run: Run, feed: Feed) -> float:
    """Seconds per step, with what it is fed."""
    batches = feed.batches(0, ENDLESS)
    warm_up = EAGER_CALLS + 2 if run.acceleration.cuda_graphs else 1
    with trial(run) as step:
        return seconds_per_call(lambda: step(next(batches)), run.device, warm_up, run.team.of_first)


@contextmanager
def trial(run: Run) -> Iterator[Callable[[Batch], object]]:
    """Steps before the first, made to be timed: when it ends nothing is left of them.

    The weights stay, since the rate is 0. Adam's moments become zeros in their places, which a
    recorded step goes on using.
    """
    buffers = [one for network in run.networks.values() for one in network.buffers()]
    before = [one.clone() for one in buffers]
    run.set_rate(0.0)
    if run.stage.fix is not None:
        run.stage.fix(run.networks, run.settings.training, 1.0)  # all learn
    yield run.make_step
    with torch.no_grad():
        for optimizer in run.optimizers.values():
            for moments in optimizer.state.values():
                for one in moments.values():
                    one.zero_()
        for buffer, kept in zip(buffers, before, strict=True):
            buffer.copy_(kept)
