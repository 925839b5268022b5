"""Everybody Dance Now: one person's dance, another person's looks.

The library behind the Snakemake workflow. Modules import downwards only, in the order of
``tests/test_layers.py``; each workflow rule calls one function from here.
"""

__version__ = "0.4.0"

# Snakemake does not watch this library. Raise a stage's number when a change here alters that
# stage's output: the stage and everything after it run anew, nothing before it.
REVISIONS = {
    "demo": 2,
    "frames": 3,
    "pose": 2,
    "smoothing": 2,
    "statistics": 2,
    "normalization": 2,
    "labels": 2,
    "background": 1,
    "preflight": 2,
    "training": 2,
    "synthesis": 2,
    "assembly": 4,
    "evaluation": 2,
    "forensics": 1,
    "report": 1,
}
