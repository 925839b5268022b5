"""One line for whatever goes wrong: where, what was found, what was expected, what to do."""

import errno

import numpy as np
import pytest
import torch

from edn_core.errors import Refused, ToldToStop, explain, remake
from edn_core.store import write_beside


def test_a_refusal_reads_as_one_sentence_and_keeps_its_parts():
    refused = Refused("a.zip", "version 1", "version 2", remake("a.zip"))
    assert str(refused) == (
        "a.zip: version 1, expected version 2; delete it and run `snakemake a.zip` to write it anew"
    )
    assert (refused.where, refused.found, refused.expected) == ("a.zip", "version 1", "version 2")
    assert str(Refused("a.zip", "is damaged")) == "a.zip: is damaged"
    assert explain(refused) == str(refused)


def test_a_message_of_several_lines_becomes_one():
    assert explain(ValueError("frame 3:\n  no\n  dancer")) == "frame 3: no dancer"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no space left on the disk; make room there"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "no permission"),
    ],
)
def test_a_disk_that_takes_no_more_is_told_by_its_number_and_the_file_is_named(
    number, reason, tmp_path
):
    path = tmp_path / "frames.zip"
    with pytest.raises(OSError) as raised, write_beside(path):
        raise OSError(number, "as the system says it")  # a write does not say of which file
    assert explain(raised.value).startswith(f"{path}: {reason}")
    assert explain(raised.value).endswith("what was finished before stays")
    try:
        raise RuntimeError("a library wraps it") from raised.value
    except RuntimeError as error:
        assert explain(error).startswith(f"{path}: {reason}")


def test_memory_that_is_full_is_told_by_its_kind():
    with pytest.raises(MemoryError) as host:
        np.empty(2**60, np.uint8)
    assert "main memory is full" in explain(host.value)
    assert "canvas.pixels" in explain(host.value)
    gpu = explain(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert gpu.startswith("the GPU's memory is full; lower the stage's batch_size")


def test_who_was_told_to_stop_says_so():
    assert explain(ToldToStop("SIGTERM")).startswith("was told to stop (SIGTERM); ")
    assert explain(KeyboardInterrupt()).startswith("was told to stop (SIGINT); ")


def test_what_nobody_foresaw_names_its_kind():
    assert explain(RuntimeError("odd")) == "RuntimeError: odd"
    assert explain(FileNotFoundError(2, "No such file", "a.mp4")) == "a.mp4: No such file"
