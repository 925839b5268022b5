"""The report: one page that stands alone, of whatever a run has left."""

import base64
import json
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_run import PAIR, SETTINGS, make_run, preflight, write_video

from edn_core.report import write_report, write_watch_page
from edn_core.report.gather import find_pairs, gather, read_training
from edn_core.report.media import MB, embed_picture, embed_video
from edn_core.store import write_json
from edn_core.video import read_metadata

ADDRESSES = ("src", "href", "poster", "srcset", "data", "action")


class Page(HTMLParser):
    """The elements of a page, its ids and its words."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(self.text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run's folder of results with its report; not to be changed."""
    results = make_run(tmp_path_factory.mktemp("run") / "results")
    write_report(results, [PAIR], SETTINGS, results / "report.html")
    return results


@pytest.fixture(scope="module")
def page(run) -> Page:
    return Page(run / "report.html")


def test_nothing_in_the_page_lies_elsewhere(page):
    outside = {
        tag
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ADDRESSES and not (value or "").startswith(("data:", "#"))
    }
    assert outside == {"a"}
    assert not list(page.all("script"))
    assert "@import" not in page.text and "url(" not in page.text


def test_links_to_full_videos_lead_to_files_beside_the_page(run, page):
    links = [link["href"] for link in page.all("a") if not link["href"].startswith("#")]
    assert "transfer/dance_to_me.mp4" in links
    assert all((run / link).is_file() for link in links)


def test_the_contents_lead_to_sections_and_every_id_is_there_once(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")}
    assert {"transfer-dance_to_me", "target-me", "costs", "settings"} <= inside <= set(ids)


def test_every_picture_chart_and_video_is_described_in_words(page):
    assert all(len(image["alt"]) > 20 for image in page.all("img"))
    (video,) = page.all("video")
    assert video["aria-label"] == "Video: dance, its skeleton, and me dancing it"
    assert video["src"].startswith("data:video/mp4;base64,AAAA")


def test_the_page_shows_what_the_run_found(page):
    for words in (
        "me dances what dance danced",
        "What to do: film for longer",
        "nothing stands against it",
        "96 frames held out of training",
        "nearest pose",
        "step 20, kept",
        "pose distance, body (% of the torso) ↓",
        "the target's own video",
        "12.5 % of it was never bare",
        "3.0 % moves in the video",
        "0.875",
        "train face",
        "3 min 00 s",
        "most memory: process 680 MB",
        "1500 MB",
        "max_video_mb: 30.0",
    ):
        assert words in page.words, words
    assert "<strong>0.9000</strong>" in page.text and "<strong>0.8758" not in page.text
    assert "lpips" not in page.words.lower()  # it was not measured
    assert sum("Training curves" in image["alt"] for image in page.all("img")) == 2


def test_the_same_files_give_the_same_bytes(run, tmp_path):
    again = tmp_path / "results"
    shutil.copytree(run, again)
    write_report(again, [PAIR], SETTINGS, again / "report.html")
    assert (again / "report.html").read_bytes() == (run / "report.html").read_bytes()


def test_what_is_missing_is_said_in_a_line(run, tmp_path):
    write_report(tmp_path, [PAIR], SETTINGS, tmp_path / "report.html")
    left = Page(tmp_path / "report.html")
    for words in (
        "The comparison video was not made yet.",
        "The preflight of this pair was not run.",
        "plot of the normalization was not made",
        "The preflight of me was not run.",
        "No picture of the room was made",
        "No training curves were found.",
        "No samples were found.",
        "The generator was not measured yet.",
        "No detector of synthetic frames was trained.",
        "No timings were found.",
    ):
        assert words in left.words, words
        assert words not in Page(run / "report.html").words


def test_a_transparent_film_is_one_too_and_its_work_is_that_of_any_other(tmp_path):
    for name in ("transfer/dance_to_me.webm", "benchmarks/transfer/dance_to_me/film.webm.tsv"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("s\tmax_rss\n2\t100\n")
    assert find_pairs(tmp_path) == [PAIR]
    found = gather(tmp_path, [PAIR])
    assert found["transfers"]["dance_to_me"]["video"] == tmp_path / "transfer/dance_to_me.webm"
    assert [cost.name for cost in found["costs"]] == ["film"]


def test_words_of_the_user_are_text_and_never_markup(tmp_path):
    nasty = "<script>alert(1)</script>"
    write_json(tmp_path / "videos/me/preflight.json", preflight("fair", nasty))
    settings = SETTINGS | {"videos_folder": nasty}
    write_report(tmp_path, [PAIR], settings, tmp_path / "report.html")
    shown = Page(tmp_path / "report.html")
    assert not list(shown.all("script"))
    assert shown.words.count(nasty) == 2


def test_a_longer_video_is_made_smaller_then_shorter_and_still_says_that_it_is_synthetic(
    tmp_path, monkeypatch
):
    path = tmp_path / "long.mp4"
    write_video(path, n_frames=30, size=(320, 640))
    size = path.stat().st_size
    monkeypatch.setattr("edn_core.report.media.MIN_SHARE", 0)
    whole, smaller, shorter = (embed_video(path, share * size) for share in (1, 0.75, 0.2))
    assert (whole.is_smaller, smaller.is_smaller) == (False, True)
    assert whole.seconds == smaller.seconds == smaller.whole_seconds == 1.2
    assert 0 < shorter.seconds < 1.2
    assert 0 < len(smaller.uri) * 3 / 4 - 30 <= 0.75 * size
    (tmp_path / "small.mp4").write_bytes(base64.b64decode(smaller.uri.partition(",")[2]))
    assert read_metadata(tmp_path / "small.mp4")["comment"] == "Synthetic video"


def test_a_video_without_room_in_the_page_leaves_a_still_frame(run, tmp_path):
    path = tmp_path / "watch.html"
    write_watch_page(run / "transfer/dance_to_me/comparison.mp4", PAIR, 30.0, path)
    (video,) = Page(path).all("video")
    assert video["src"].startswith("data:video/mp4;base64,")
    write_watch_page(run / "transfer/dance_to_me/comparison.mp4", PAIR, 0.0, path)
    assert not list(Page(path).all("video"))
    assert "too long to fit into this page" in Page(path).words


def test_of_a_training_that_went_on_the_later_line_counts_and_a_cut_one_is_passed_over(tmp_path):
    lines = [{"step": 10, "G/gan": 1.0}, {"step": 20, "G/gan": 2.0}, {"step": 10, "G/gan": 3.0}]
    text = "".join(f"{json.dumps(line)}\n" for line in lines) + '{"step": 30, "G/ga'
    (tmp_path / "metrics.jsonl").write_text(text)
    training = read_training(tmp_path)
    assert [(row["step"], row["G/gan"]) for row in training.rows] == [(10, 3.0), (20, 2.0)]
    assert training.kept_step is None


def test_jobs_of_a_kind_are_summed_and_their_memory_is_the_most_of_one(tmp_path):
    for video, seconds, memory in (("dance", 2, "100"), ("me", 3, "-"), ("other", 50, "900")):
        path = tmp_path / "benchmarks/videos" / video / "smooth_pose.tsv"
        path.parent.mkdir(parents=True)
        path.write_text(f"s\tmax_rss\n{seconds}\t{memory}\n")
    (cost,) = gather(tmp_path, [PAIR])["costs"]
    assert (cost.name, cost.jobs, cost.seconds, cost.memory_mb) == ("smooth pose", 2, 5.0, 100.0)


def test_a_picture_or_video_with_a_flipped_bit_is_refused_and_not_put_into_a_page(run, tmp_path):
    pair = run / f"transfer/{PAIR[0]}_to_{PAIR[1]}"
    for source, embed in (
        (pair / "comparison.mp4", lambda path: embed_video(path, MB)),
        (pair / "normalization.png", embed_picture),
    ):
        content = bytearray(source.read_bytes())
        content[len(content) // 2] ^= 1
        path = tmp_path / source.name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{source.name}: is damaged.*run `snakemake"):
            embed(path)
