"""Everybody Dance Now: one person's dance, another person's looks.

The library behind the Snakemake workflow. Modules import downwards only, in the order of
``tests/test_layers.py``; each workflow rule calls one function from here.
"""

import os

__version__ = "0.8.0"

# Here, as libraries read it when they are loaded: every command, benchmark and test imports this
# package before them. Threads that wait for each other by spinning make a frame four times slower
# where other programs take the cores (measured: 2 threads without end 830 ms, so few turns 142, one
# thread 76). As many threads as processors that were free in the last minute, of those that this
# process may use; where the user says how many, or Snakemake for a job, so many.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
if not os.environ.get("OMP_NUM_THREADS"):
    # macOS knows no affinity.
    _mine = len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0))
    os.environ["OMP_NUM_THREADS"] = str(max(1, _mine - round(os.getloadavg()[0])))
# OpenCV heeds no other, and would start a thread for each processor of a node, in every thread of
# our own pools (edn_core.threads), which are what spreads work here.
os.environ["OPENCV_FOR_THREADS_NUM"] = "1"

# Snakemake does not watch this library. Raise a stage's number when a change here alters that
# stage's output: the stage and everything after it run anew, nothing before it.
REVISIONS = {
    "demo": 3,
    "stills": 1,
    "frames": 5,
    "pose": 4,
    "smoothing": 5,
    "statistics": 3,
    "normalization": 5,
    "labels": 5,
    "matte": 1,
    "room": 4,
    "window": 2,
    "preflight": 5,
    "training": 6,
    "synthesis": 7,
    "assembly": 6,
    "evaluation": 5,
    "forensics": 4,
    "report": 2,
}
