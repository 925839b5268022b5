"""Everybody Dance Now: one person's dance, another person's looks.

The library behind the Snakemake workflow. Modules import downwards only, in the order of
``tests/test_layers.py``; each workflow rule calls one function from here.
"""

__version__ = "0.7.0"

# Snakemake does not watch this library. Raise a stage's number when a change here alters that
# stage's output: the stage and everything after it run anew, nothing before it.
REVISIONS = {
    "demo": 2,
    "frames": 5,
    "pose": 4,
    "smoothing": 5,
    "statistics": 3,
    "normalization": 5,
    "labels": 5,
    "matte": 1,
    "room": 3,
    "window": 2,
    "preflight": 4,
    "training": 6,
    "synthesis": 5,
    "assembly": 5,
    "evaluation": 5,
    "forensics": 4,
    "report": 2,
}
