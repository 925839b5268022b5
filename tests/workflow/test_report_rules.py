"""`snakemake report` and `snakemake --report`: a page, and Snakemake's own report, offline."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from browser import open_page
from checkout import COMMAND, ENVIRONMENT, make_checkout, plan, snakemake

pytestmark = pytest.mark.workflow

TINY = ("--configfile", "config/test.yaml")
PAIR = "demo_source_to_demo_target"
# Nobody listens there: whoever asks for a page through it fails.
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def reported(finished_demo) -> Path:
    """The finished demo with its report and, as report.zip, Snakemake's own."""
    ran = snakemake(finished_demo, *TINY, "--", "report")
    assert ran.status == 0, ran.output
    made = subprocess.run(
        [*COMMAND, *TINY, "--report", "report.zip", "--", "report"],
        cwd=finished_demo,
        env=ENVIRONMENT | os.environ | NO_NETWORK,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return finished_demo


def test_the_page_of_the_demo_plays_in_a_browser_and_asks_nobody_for_anything(reported, tmp_path):
    with open_page(reported / "results/report.html", tmp_path) as opened:
        (video,) = opened.play()
        assert video["ready"] >= 2
        assert video["time"] > 0.1
        assert opened.left_the_page == opened.messages == []


def test_the_page_shows_every_stage_with_its_samples_times_and_settings(reported):
    text = (reported / "results/report.html").read_text()
    for words in ("<h4>body</h4>", "<h4>face</h4>", "step 6, kept", "train face", "seed: 0"):
        assert words in text, words


def test_snakemakes_own_report_is_made_without_a_network_and_holds_what_to_look_at(reported):
    with zipfile.ZipFile(reported / "report.zip") as archive:
        names = {Path(name).name for name in archive.namelist()}
    assert {
        *(f"{PAIR}.mp4", "comparison.mp4", "watch.html", "normalization.png"),
        *("preflight.png", "preview.mp4", "comparison.png", "metrics.png", "table.csv"),
        "report.html",
    } <= names


def test_the_video_in_snakemakes_own_report_plays(reported, tmp_path):
    with zipfile.ZipFile(reported / "report.zip") as archive:
        archive.extractall(tmp_path / "report")
    (page,) = (tmp_path / "report").rglob("watch.html")
    with open_page(page, tmp_path / "profile") as opened:
        (video,) = opened.play()
        assert video["ready"] >= 2
        assert video["time"] > 0.1


def test_another_limit_for_videos_makes_the_pages_again_and_nothing_else(reported):
    assert plan(reported, *TINY, "--", "report") == {}
    settings = (reported / "config/test.yaml").read_text() + "report: {max_video_mb: 5}\n"
    (reported / "config/limit.yaml").write_text(settings)
    jobs = plan(reported, "--configfile", "config/limit.yaml", "--", "report")
    assert jobs == {"write_report": 1, "watch_video": 1, "report": 1}


def test_without_settings_the_report_shows_what_is_there_and_makes_nothing(tmp_path):
    checkout = make_checkout(tmp_path)
    assert plan(checkout, "report") == {"write_report": 1, "report": 1}
    assert snakemake(checkout, "report").status == 0
    assert "No transfer was made yet" in (checkout / "results/report.html").read_text()
    (checkout / "results/transfer").mkdir()
    (checkout / "results/transfer/dance_to_me.mp4").write_bytes(b"finished since")
    assert plan(checkout, "report") == {"write_report": 1, "report": 1}
