"""What cannot work ends in one line of ours that says what to do, and costs nothing made before."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from checkout import COMMAND, REPOSITORY, Ran, dry_run, make_checkout, snakemake, snakemake_here
from PIL import Image

from edn_core.demo import DANCERS, draw_frame
from edn_core.video import encode, probe

pytestmark = pytest.mark.workflow

CPU = ("--config", "preset=cpu", "--")
# Video -> what the line says of it.
BROKEN = {
    "letter.mp4": "not a readable video (Invalid data found when processing input), expected a "
    "complete mp4, mov, mkv, webm or avi file; copy or convert it again",
    "halved.mp4": "cut off: its header names 30 frames, the file holds",
    "song.mp4": "no picture in it (found sound only), expected a video",
    "nobody.mp4": "nobody found in any of its 8 frames; film one whole person",
}


def sky(n_frames: int) -> Iterator[np.ndarray]:
    """A slowly changing gradient with some noise: a video with nobody in it."""
    noise = np.random.default_rng(0)
    ramp = np.linspace(0, 180, 96)[None, :, None]
    for i in range(n_frames):
        yield (ramp + 2 * i + noise.integers(0, 15, (64, 96, 3))).astype(np.uint8)


def write_song(path: Path) -> None:
    """Half a second of silence in an mp4 without picture."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 24_000), np.float32), "fltp", "mono")
        samples.sample_rate = 48_000
        container.mux(stream.encode(samples))
        container.mux(stream.encode(None))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A checkout with one video."""
    make_checkout(tmp_path)
    (tmp_path / "videos").mkdir()
    encode(tmp_path / "videos" / "alice.mp4", sky(3), Fraction(25))
    return tmp_path


@pytest.fixture(scope="module")
def broken(tmp_path_factory, pose_models) -> tuple[Ran, Path, dict[str, bytes]]:
    """A run over all broken videos and a good one.

    Returns:
        How it ended, the checkout, and what the folder of videos held before.
    """
    folder = make_checkout(tmp_path_factory.mktemp("broken"), pose_models)
    videos = folder / "videos"
    dance = (draw_frame(DANCERS["source"], frame / 25)[0] for frame in range(8))
    encode(videos / "good.mp4", dance, Fraction(25))
    encode(videos / "nobody.mp4", sky(8), Fraction(25))
    (videos / "letter.mp4").write_text("Dear Sir or Madam,\n" * 100)
    encode(videos / "halved.mp4", sky(30), Fraction(25))
    whole = (videos / "halved.mp4").read_bytes()
    (videos / "halved.mp4").write_bytes(whole[: len(whole) // 2])
    write_song(videos / "song.mp4")
    before = contents(videos)
    wanted = [f"results/videos/{Path(name).stem}/keypoints.raw.h5" for name in BROKEN]
    wanted.append("results/videos/good/keypoints.raw.h5")
    return snakemake(folder, "--keep-going", *CPU, *wanted), folder, before


def test_a_broken_video_is_told_in_one_line_the_traceback_is_in_the_log_that_it_names(broken):
    ran, folder, _ = broken
    assert ran.status != 0
    assert "Traceback" not in ran.output
    assert sorted(ran.output.splitlines()[-len(BROKEN) :]) == sorted({*ran.errors})
    for video, says in BROKEN.items():
        (line,) = {line for line in ran.errors if f" videos/{video}: " in line}
        assert says in line
        log = line.rsplit("(details: ", 1)[1].rstrip(")")
        assert "Traceback (most recent call last)" in (folder / log).read_text()


def test_broken_videos_leave_all_that_was_there_and_no_half_made_files(broken):
    _, folder, videos = broken
    assert contents(folder / "videos") == videos
    made = {path for path in (folder / "results" / "videos").rglob("*") if path.is_file()}
    assert made == {folder / "results/videos/good/keypoints.raw.h5"}


def refused(folder: Path, *targets: str) -> str:
    """The one line of a run that is refused before anything is made, without "edn: error: "."""
    before = contents(folder / "videos")
    ran = snakemake_here(folder, *CPU, *targets)
    assert ran.status != 0
    assert len(ran.errors) == 1, ran.output
    assert "Traceback" not in ran.output
    assert contents(folder / "videos") == before
    assert not (folder / "logs").exists()
    return ran.errors[0].removeprefix("edn: error: ")


def test_a_missing_video_is_named_with_the_nearest_there_is(folder):
    assert refused(folder, "results/transfer/alise_to_demo_target.mp4") == (
        "no video named 'alise' in videos/ (did you mean 'alice'?); put alise.mp4 there "
        "(or .mov, .mkv, .webm, .avi, .m4v)"
    )


def test_a_missing_video_is_named_though_its_frames_are_there(folder):
    frames = folder / "results" / "videos" / "bob" / "frames.zip"
    frames.parent.mkdir(parents=True)
    frames.write_bytes(b"of an earlier run")
    # Written otherwise than the workflow does: noticed while planning, not before.
    line = refused(folder, "./results/transfer/alice_to_bob.mp4")
    assert line.startswith("no video named 'bob' in videos/ (found: alice); put bob.mp4 there")
    assert frames.read_bytes() == b"of an earlier run"


def test_two_videos_of_one_name_stop_only_what_needs_them(folder):
    (folder / "videos" / "me.MOV").touch()
    (folder / "videos" / "me.mp4").touch()
    (folder / "videos" / "WhatsApp Video 2024-01-05 at 10.11.12.mp4").touch()
    twice = "videos/me.MOV and videos/me.mp4: two videos of one name; rename or remove one of them"
    assert refused(folder, "results/videos/me/keypoints.raw.h5") == twice
    ran = dry_run(folder, *CPU[:2])
    assert ran.status == 0
    (said,) = [line for line in ran.output.splitlines() if "passed over" in line]
    assert said.startswith("edn: passed over: videos/WhatsApp Video") and twice in said
    assert "rename it, to 'WhatsApp_Video_2024-01-05_at_10_11_12' for one" in said
    assert dry_run(folder, *CPU, "results/videos/alice/keypoints.raw.h5").status == 0


def test_a_target_by_its_absolute_path_is_told_the_relative_one(folder):
    asked = folder / "results/videos/alice/keypoints.raw.h5"
    assert refused(folder, str(asked)) == (
        f"{asked}: results are asked for by their path from this folder: "
        "`snakemake results/videos/alice/keypoints.raw.h5`"
    )


def test_a_rate_is_asked_for_of_pictures_and_refused_of_a_video(folder):
    for number in (1, 2):
        (folder / "videos" / "bob").mkdir(exist_ok=True)
        Image.new("RGB", (64, 64)).save(folder / "videos" / "bob" / f"{number}.png")
    says = "fps has to be set for a folder of pictures, and for no other"
    line = refused(folder, "results/videos/bob/keypoints.raw.h5")
    assert line == f"videos/bob: videos.bob.{says}"
    (folder / "config" / "config.yaml").write_text("videos: {alice: {fps: 25}}\n")
    line = refused(folder, "results/videos/alice/keypoints.raw.h5")
    assert line == f"videos/alice.mp4: videos.alice.{says}"


def test_in_a_folder_of_any_name_without_a_home_it_runs_and_the_last_line_says_why_not(tmp_path):
    folder = make_checkout(tmp_path / "My Videos" / "it's here")
    (folder / ".venv").symlink_to(sys.prefix)
    for name in ("bob", "eve"):
        (folder / "videos" / name).mkdir(parents=True)
        for number in (1, 2):
            Image.new("RGB", (64, 64)).save(folder / "videos" / name / f"{number}.png")
    (folder / "videos" / "eve" / "1.png").write_text("no picture")
    (folder / "config" / "config.yaml").write_text("videos: {bob: {fps: 25}, eve: {fps: 25}}\n")
    done = subprocess.run(
        [folder / ".venv/bin/python", *COMMAND[1:], "--keep-going", *CPU]
        + [f"results/videos/{name}/stills.mov" for name in ("bob", "eve")],
        cwd=folder,
        env=os.environ | {"HOME": "/dev/null/no", "XDG_CACHE_HOME": str(folder / ".cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert probe(folder / "results/videos/bob/stills.mov").n_frames == 2
    assert done.stderr.splitlines()[-1] == (
        "edn: error: videos/eve/1.png: is no picture; copy it again "
        "(details: logs/videos/eve/film_stills.log)"
    )


@pytest.mark.parametrize(
    ("home", "cache"), [("/dev/null/no", "{folder}/.cache"), ("{folder}/home", None)]
)
def test_make_gives_caches_a_place_where_home_has_none(tmp_path, home, cache):
    ran = make(tmp_path, "-p", "help", HOME=home.format(folder=tmp_path))
    places = dict(re.findall(r"^(XDG_\w+) := (.*)", ran.output, re.MULTILINE))
    here = cache and cache.format(folder=tmp_path)
    assert places == ({"XDG_CACHE_HOME": here, "XDG_CONFIG_HOME": here} if cache else {})


@pytest.mark.parametrize("name", ["a{b", "a:b"])
def test_make_installs_nothing_where_it_could_not_be_run(tmp_path, name):
    ran = make(tmp_path / name, "doctor")
    assert ran.status == 2 and not (tmp_path / name / ".venv").exists()
    assert ran.errors == [
        f"edn: error: {tmp_path / name}: Snakemake cannot run in a folder with {{ or }} in its "
        "path, nor can .venv lie in one with a colon; rename it"
    ]


def make(folder: Path, *arguments: str, **environment: str) -> Ran:
    """Run make in a folder of the project that has no environment yet."""
    folder.mkdir(exist_ok=True)
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(REPOSITORY / name, folder)
    about = {"cwd": folder, "text": True, "check": False, "capture_output": True}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    done = subprocess.run(["make", *arguments], env=clean | environment, **about)
    return Ran(done.returncode, done.stdout + done.stderr)
