"""Let a trained target dance live.

python -m edn_core.live results/models/bob/face/generator.safetensors --from 0 --to window
python -m edn_core.live results/models/bob/face/generator.safetensors --from dance.mp4 --to bob.mp4
"""

import argparse
from dataclasses import replace
from fractions import Fraction

from edn_core.config import (
    NormalizationConfig,
    PoseConfig,
    StatisticsConfig,
    read_section,
    read_yaml,
)
from edn_core.device import pick_device
from edn_core.live.dancer import LiveSettings, default_statistics
from edn_core.live.run import dance_live
from edn_core.logs import errors_in_one_line
from edn_core.pose import BACKENDS


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m edn_core.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("generator", help="generator.safetensors of the target's last stage")
    add("--from", dest="source", required=True, metavar="0|VIDEO", help="a camera or a video file")
    add(
        "--to",
        dest="out",
        required=True,
        metavar="window|FILE",
        help="where it is shown; or a .mp4, .webm or .mov",
    )
    add(
        "--statistics",
        metavar="JSON",
        help="the target's (results/videos/TARGET/statistics.json, found by the generator's path)",
    )
    add(
        "--background",
        default=LiveSettings.background,
        metavar="room|transparent|#rrggbb|PICTURE",
        help="what stands behind the target (%(default)s)",
    )
    add("--room", metavar="PNG", help="the target's (room.png beside its statistics)")
    add(
        "--config",
        metavar="YAML",
        help="a configuration of the workflow, for its sections pose, statistics, normalization",
    )
    add("--backend", help=f"of the pose, instead: {', '.join(BACKENDS)}")
    add(
        "--calibrate",
        type=float,
        default=LiveSettings.calibrate_s,
        metavar="SECONDS",
        help="over which the dancer's levels and height are measured (%(default)s)",
    )
    add("--every-frame", action="store_true", help="leave no frame out, however long it takes")
    add("--fps", type=Fraction, help="of the file (that of the source)")
    add("--device", default="auto", help="auto, cpu or cuda (%(default)s)")
    add("--threads", type=int, default=1, help="of the pose networks")
    return parser.parse_args(arguments)


def read_settings(given: argparse.Namespace) -> LiveSettings:
    """What the configuration and the command line say.

    Raises ValueError: a setting that does not exist, or cannot be.
    """
    values: dict = read_yaml(given.config) if given.config else {}
    # Alone, unless the configuration says otherwise: looking for others takes time.
    pose = read_section(PoseConfig, {"max_people": 1} | (values.get("pose") or {}), "pose")
    if given.backend:
        pose = replace(pose, backend=given.backend)
    if given.calibrate < 0:
        raise ValueError(f"--calibrate is {given.calibrate}; expected 0 or more seconds")
    if given.fps is not None and given.fps <= 0:
        raise ValueError(f"--fps is {given.fps}; expected more than 0")
    return LiveSettings(
        pose=pose,
        statistics=read_section(StatisticsConfig, values.get("statistics"), "statistics"),
        normalization=read_section(
            NormalizationConfig, values.get("normalization"), "normalization"
        ),
        calibrate_s=given.calibrate,
        device=given.device,
        threads=given.threads,
        background=given.background,
        room=given.room,
    )


def main(arguments: list[str] | None = None) -> None:
    """Run until the source ends or somebody stops it."""
    given = parse(arguments)
    with errors_in_one_line():
        dance_live(
            given.generator,
            given.statistics or default_statistics(given.generator),
            given.source,
            given.out,
            read_settings(given),
            pick_device(given.device),
            given.every_frame,
            given.fps,
        )
    if given.out != "window":
        print(given.out)


if __name__ == "__main__":
    main()
