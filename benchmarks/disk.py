"""How many bytes a minute of video takes on disk, stage by stage and preset by preset.

    python -m benchmarks.disk                        # the drawn target dancer, 4 s of it
    python -m benchmarks.disk me.mp4 --presets cpu 24gb --models resources/models

Everything before training is really made, by Snakemake in a temporary folder, at each preset's
canvas, and its size is divided by the video's length. What needs a trained network is computed: the
synthesized frames as many bytes as the real ones (the same pictures on the same canvas in the same
codec), the finished video by encoding those frames, a generator from its counted weights.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

from benchmarks.scale import REPOSITORY, snakemake
from edn_core.config import PRESETS, AssemblyConfig
from edn_core.demo import DANCERS, film_demo
from edn_core.film import assemble_video
from edn_core.frames import FrameReader
from edn_core.keypoints import read_keypoints
from edn_core.video import probe

PER_VIDEO = (
    "frames.zip",
    "keypoints.raw.h5",
    "keypoints.h5",
    "labels.zip",
    "preview.mp4",
    "statistics.json",
    "room.png",
    "masks.zip",
    "preflight.json",
    "preflight.png",
)
ONCE = (
    "statistics.json",
    "room.png",
    "room.json",
    "window.json",
    "preflight.json",
    "preflight.png",
)


def main() -> None:
    """Print a table: a line per file, a column per preset."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("video", nargs="?", type=Path, help="a video; none: the drawn dancer")
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--models", type=Path, default=REPOSITORY / "resources/models")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edn-disk-") as name:
        folder = Path(name)
        video = options.video
        if video is None:
            video = folder / "drawn.mp4"
            film_demo(DANCERS["target"], 4.0, Fraction(30), video, folder / "truth.h5")
        info = probe(video)
        seconds = float(info.n_frames / info.fps)
        print(
            f"{info.n_frames} frames of {info.width} × {info.height}, {float(info.fps):.2f} a "
            f"second; the video itself {video.stat().st_size / seconds * 60 / 1e6:.1f} MB a minute"
        )
        columns = {
            preset: sizes_of(folder / preset, video, preset, options.models)
            for preset in options.presets
        }
    names = list(columns[options.presets[0]])
    print(
        f"\n| | {' | '.join(f'`{preset}`' for preset in columns)} |\n|{'---|' * (1 + len(columns))}"
    )
    for name in names:
        cells = []
        for preset in columns:
            value = columns[preset][name]
            if isinstance(value, int):
                per_minute = name.split()[0] not in ONCE
                cells.append(f"{value * (60 / seconds if per_minute else 1) / 1e6:.2f}")
            else:
                cells.append(value)
        print(f"| {name} | {' | '.join(cells)} |")


def sizes_of(folder: Path, video: Path, preset: str, models: Path) -> dict[str, int | str]:
    """Bytes of each file of one video under one preset."""
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "config.yaml").write_text(f"preset: {preset}\n")
    (folder / "videos").mkdir()
    (folder / "videos" / "me.mp4").symlink_to(video.resolve())
    shutil.copytree(models, folder / "resources" / "models")
    results = folder / "results" / "videos" / "me"
    wanted = [f"results/videos/me/{name}" for name in PER_VIDEO]
    ran = subprocess.run(
        [*snakemake("--snakefile", str(REPOSITORY / "Snakefile"), "--quiet", "all", "--", *wanted)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        sys.exit(f"edn: error: preset {preset}: {(ran.stdout + ran.stderr)[-2000:]}")
    window = FrameReader(results / "frames.zip").info
    sizes: dict[str, int | str] = {"window, px": f"{window.width} × {window.height}"}
    sizes |= {name: (results / name).stat().st_size for name in PER_VIDEO}
    finished = folder / "finished.mp4"
    store = results / "frames.zip"
    dancer = read_keypoints(results / "keypoints.h5")
    room = results / "room.png"
    assemble_video(store, dancer, video, finished, AssemblyConfig(), room, target="me")
    sizes["finished mp4 (computed)"] = finished.stat().st_size
    return sizes


if __name__ == "__main__":
    main()
