"""What is said of the processes that decode frames for a training."""

import re
import threading
import time

import psutil
import pytest
import torch
from tiny import STAGE, make_target, train_tiny
from torch.utils.data import DataLoader

from edn_core.config import RuntimeConfig
from edn_core.training.feed import _batches_of, loader_errors_named

ONE_LOADER = RuntimeConfig(
    device="cpu", resident_frames="never", frame_cache_mb=0, checkpoint_every_s=0, loader_workers=1
)


def test_a_shared_memory_without_room_is_named_and_no_disk(tmp_path):
    said = "Caught RuntimeError in DataLoader worker process 0.\nunable to allocate shared memory"
    with (
        pytest.raises(ValueError, match=r"/dev/shm has no room .*runtime.loader_workers") as named,
        loader_errors_named(tmp_path / "generator.safetensors", ONE_LOADER),
    ):
        raise RuntimeError(f"{said}(shm) for </torch_1>: No space left on device (28)")
    assert "\n" not in str(named.value)


def kill_the_next_child() -> threading.Thread:
    """Kill the first process that this one starts from now on."""
    me = psutil.Process()
    before = me.children()

    def wait() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for child in me.children():
                if child not in before:
                    child.kill()
                    return
            time.sleep(0.001)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_loader_process_that_is_killed_is_one_line_and_the_training_goes_on(
    tiny_target, tmp_path
):
    # It is at most two batches ahead, so it cannot have ended before it is killed.
    config = type(STAGE)(steps=8, validations=1, learning_rate=1e-3)
    model = tmp_path / "generator.safetensors"
    killer = kill_the_next_child()
    with pytest.raises(
        ValueError, match=r"generator.safetensors: a loader process, one of 1 .*killed"
    ) as e:
        train_tiny(tiny_target, model, config=config, runtime=ONE_LOADER)
    killer.join()
    assert "lower runtime.loader_workers; run the same command again" in str(e.value)
    assert "\n" not in str(e.value)
    train_tiny(tiny_target, model, config=config, runtime=ONE_LOADER)
    straight = train_tiny(
        tiny_target, tmp_path / "straight" / "generator.safetensors", config=config
    )
    assert model.read_bytes() == straight.read_bytes()


def test_the_death_of_a_loader_process_disturbs_nothing_but_the_wait_for_a_batch():
    loader = DataLoader([torch.zeros(1)] * 8, batch_size=1, num_workers=1)
    before = psutil.Process().children()
    batches = _batches_of(loader)
    next(batches)
    (process,) = (one for one in psutil.Process().children() if one not in before)
    process.kill()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:  # where a signal handler would raise
        pass
    with pytest.raises(RuntimeError, match=r"\ADataLoader worker \(pid"):
        list(batches)


@pytest.mark.parametrize("end", [ConnectionResetError(104, "reset by peer"), EOFError()])
def test_a_loader_process_that_dies_while_it_hands_a_batch_over_is_the_same_one_line(tmp_path, end):
    class Handing:
        def __iter__(self):
            yield torch.zeros(1)
            raise end

    batches = _batches_of(Handing())
    next(batches)
    with (
        pytest.raises(
            ValueError, match=r"generator.safetensors: a loader process, one of 1 .*killed"
        ),
        loader_errors_named(tmp_path / "generator.safetensors", ONE_LOADER),
    ):
        next(batches)


def test_a_damaged_frame_in_a_loader_process_is_the_same_one_line(tmp_path):
    target = make_target(tmp_path)
    content = bytearray(target.frames.read_bytes())
    for start in re.finditer(b"\x89PNG", content):
        content[start.end() + 60] ^= 1
    target.frames.write_bytes(content)
    said = []
    for workers in (0, 1):
        runtime = RuntimeConfig(
            device="cpu", resident_frames="never", frame_cache_mb=0, loader_workers=workers
        )
        with pytest.raises(ValueError, match=r"frames.zip") as error:
            train_tiny(target, tmp_path / "generator.safetensors", runtime=runtime)
        said.append(str(error.value))
    assert said[0] == said[1]
    assert "\n" not in said[0]


def test_other_errors_of_a_training_stay_what_they_are(tmp_path):
    for kind in (RuntimeError, ValueError):
        with pytest.raises(kind, match=r"\Aa loss\Z"), loader_errors_named(tmp_path, ONE_LOADER):
            raise kind("a loss")
