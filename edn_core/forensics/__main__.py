"""Command line: what a video says about itself, then what the detector makes of it."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from edn_core.forensics import describe_verdict, examine_video, load_detector
from edn_core.logs import errors_in_one_line
from edn_core.provenance import describe_provenance, read_provenance


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both; status 1 where something cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m edn_core.forensics",
        description="Say whether a video is marked as synthetic, and whether it looks so.",
    )
    parser.add_argument("video", type=Path)
    default = Path("results/forensics/detector.safetensors")
    parser.add_argument("--detector", type=Path, default=default, help="its file")
    asked = parser.parse_args(arguments)
    with errors_in_one_line():
        print("what the file says")
        print(f"  {describe_provenance(read_provenance(asked.video))}".replace("\n", "\n  "))
        detector = load_detector(asked.detector)
        scores = examine_video(asked.video, detector, torch.device("cpu"))
    print("what the detector says")
    print(f"  {describe_verdict(scores, detector)}".replace("\n", "\n  "))


if __name__ == "__main__":
    main()
