"""What cannot work ends in one line of ours that says what to do, and costs nothing made before."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from checkout import Ran, make_checkout, snakemake, snakemake_here

from edn_core.demo import DANCERS, draw_frame
from edn_core.video import encode

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
    assert len(ran.errors) == len(BROKEN) and "Traceback" not in ran.output
    for video, says in BROKEN.items():
        (line,) = [line for line in ran.errors if f" videos/{video}: " in line]
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


def test_two_videos_of_one_name_are_refused(folder):
    (folder / "videos" / "alice.MOV").touch()
    assert refused(folder, "frames") == (
        "videos/alice.MOV and videos/alice.mp4: two videos of one name; rename or remove one of "
        "them"
    )
