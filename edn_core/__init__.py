"""Everybody Dance Now: one person's dance, another person's looks.

The library behind the Snakemake workflow. Modules import downwards only, in the order of
``tests/test_layers.py``; each workflow rule calls one function from here.
"""

__version__ = "0.5.0"

# Snakemake does not watch this library. Raise a stage's number when a change here alters that
# stage's output: the stage and everything after it run anew, nothing before it.
REVISIONS = {
    "demo": 2,
    "frames": 4,
    "pose": 3,
    "smoothing": 3,
    "statistics": 2,
    "normalization": 3,
    "labels": 3,
    "background": 1,
    "preflight": 2,
    "training": 3,
    "synthesis": 3,
    "assembly": 4,
    "evaluation": 3,
    "forensics": 2,
    "report": 1,
}
