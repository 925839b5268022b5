"""Where memory is short nobody is told to delete a good file."""

import errno
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from checkout import REPOSITORY

from edn_core.frames import FramesInfo, FrameWriter
from edn_core.shortage import (
    explain_memory,
    has_room,
    is_short_of_memory,
    raise_if_short_of_memory,
)

# Reads frames of 8 MB, 25 MB decoded, with as many bytes of address space left as are given.
READ = """
import resource, sys
from pathlib import Path
import cv2, h5py
from PIL import Image
from edn_core.frames import FrameReader
from edn_core.logs import log_to
log_to("job.log")
cv2.setNumThreads(1)
Image.init()
reader = FrameReader("frames.zip")
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
reader[0]
"""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_errors_of_short_memory_are_known_and_name_the_file(error):
    assert is_short_of_memory(error)
    with pytest.raises(MemoryError, match=r"a.pt: no memory left to read it") as named:
        raise_if_short_of_memory(error, "a.pt")
    assert explain_memory(named.value).startswith("a.pt: no memory left to read it; run the same")
    assert explain_memory(error).startswith("main memory is full (")
    raise_if_short_of_memory(ValueError("damaged"), "a.pt")
    assert explain_memory(ValueError("damaged")) is None


def test_a_library_is_not_believed_where_there_is_room(tmp_path):
    error = OSError("memory allocation failed for on disk image buffer")
    raise_if_short_of_memory(error, "a.h5", most=1000)
    for most in (None, 2**62):
        with pytest.raises(MemoryError, match="a.h5"):
            raise_if_short_of_memory(error, "a.h5", most)
    with pytest.raises(MemoryError, match="a.h5"):  # Python's own is always believed
        raise_if_short_of_memory(MemoryError(), "a.h5", most=1000)


def test_there_is_room_for_a_byte_and_not_for_all_bytes_there_are():
    assert has_room(1)
    assert not has_room(2**62)


@pytest.mark.parametrize("megabytes", [0, 4, 12, 24])
def test_a_frame_that_finds_no_memory_is_not_called_damaged(tmp_path, megabytes):
    info = FramesInfo("a", 1, Fraction(25), 4096, 2048, 4096, 2048, 1.0, (0, 0))
    noise = np.random.default_rng(0).integers(0, 255, (2048, 4096, 3), np.uint8)
    with FrameWriter(tmp_path / "frames.zip", info, "png") as writer:
        writer.append(noise)
    ran = subprocess.run(
        [sys.executable, "-c", READ, str(megabytes * 2**20)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in ran.stderr.splitlines() if line.startswith("edn: error: ")]
    assert ran.returncode != 0
    assert len(lines) <= 1
    assert all("emory" in line and "damaged" not in line for line in lines), ran.stderr
