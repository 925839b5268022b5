"""What TensorBoard itself reads out of a folder of event files."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of every point, by the scalar's name."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    names = events.Tags()["scalars"]
    return {name: [(one.step, one.value) for one in events.Scalars(name)] for name in names}


def steps(folder: Path, name: str) -> list[int]:
    """The steps at which a curve has points, in the order TensorBoard has them."""
    return [step for step, _ in curves(folder)[name]]
