"""Command line: what a video says about itself, then what the detector makes of it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from edn_core.forensics import describe_verdict, examine_video, load_detector
from edn_core.provenance import describe_provenance, read_provenance


def main(arguments: Sequence[str]) -> int:
    """Print both; returns the exit status, 0 or, where something cannot be read, 1."""
    parser = argparse.ArgumentParser(
        prog="python -m edn_core.forensics",
        description="Say whether a video is marked as synthetic, and whether it looks so.",
    )
    parser.add_argument("video", type=Path)
    parser.add_argument(
        "--detector",
        type=Path,
        default=Path("results/forensics/detector.safetensors"),
        help="its file",
    )
    asked = parser.parse_args(arguments)
    try:
        print("what the file says")
        print(f"  {describe_provenance(read_provenance(asked.video))}".replace("\n", "\n  "))
        verdict = examine_video(asked.video, load_detector(asked.detector), torch.device("cpu"))
    except ValueError as error:
        print(f"edn: error: {error}", file=sys.stderr)
        return 1
    print("what the detector says")
    print(f"  {describe_verdict(verdict)}".replace("\n", "\n  "))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
