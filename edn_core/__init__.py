"""Everybody Dance Now: one person's dance, another person's looks.

The library behind the Snakemake workflow. Modules import downwards only, in the order of
``tests/test_layers.py``; each workflow rule calls one function from here.
"""

__version__ = "0.6.0"

# Snakemake does not watch this library. Raise a stage's number when a change here alters that
# stage's output: the stage and everything after it run anew, nothing before it.
REVISIONS = {
    "demo": 2,
    "frames": 5,
    "pose": 4,
    "smoothing": 4,
    "statistics": 3,
    "normalization": 5,
    "labels": 4,
    "matte": 1,
    "room": 1,
    "window": 1,
    "preflight": 4,
    "training": 4,
    "synthesis": 4,
    "assembly": 5,
    "evaluation": 4,
    "forensics": 4,
    "report": 2,
}
