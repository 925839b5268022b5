"""The report: one page that stands alone, of whatever a run has left."""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_run import MEANS, PAIR, SETTINGS, make_run, preflight, write_json, write_video

from edn_core.report import write_report, write_watch_page
from edn_core.report.charts import draw_training
from edn_core.report.gather import Training, find_pairs, gather, read_training
from edn_core.report.media import MB, embed_picture, embed_video, share_out
from edn_core.report.tables import evaluation_tables, make_table
from edn_core.video import read_metadata

# Elements that have no end tag.
VOID = ("meta", "link", "img", "br", "path", "use", "rect")
ADDRESSES = ("src", "href", "poster", "xlink:href", "srcset", "data", "action")


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
    addresses = [
        (tag, name, value or "")
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ADDRESSES
    ]
    inside = [one for one in addresses if one[2].startswith(("data:", "#"))]
    assert {tag for tag, *_ in addresses if (tag, *_) not in inside} == {"a"}
    assert not list(page.all("script"))
    styles = "".join(re.findall(r"<style>.*?</style>", page.text, re.DOTALL))
    assert "@import" not in styles
    assert "url(" not in styles


def test_links_to_full_videos_lead_to_files_beside_the_page(run, page):
    links = [link["href"] for link in page.all("a") if not link["href"].startswith("#")]
    assert "transfer/dance_to_me.mp4" in links
    assert all((run / link).is_file() for link in links)


def test_the_contents_lead_to_sections_and_every_id_is_there_once(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")}
    assert {"transfer-dance_to_me", "target-me", "costs", "settings"} <= inside
    used = set(re.findall(r"url\(#([^)]+)\)", page.text))
    used |= {value[1:] for one in page.all("use") for value in one.values() if value[:1] == "#"}
    assert used
    assert inside | used <= set(ids)


def test_every_picture_chart_and_video_is_described_in_words(page):
    assert all(len(image["alt"]) > 20 for image in page.all("img"))
    assert all(chart["aria-label"].startswith("Training curves") for chart in page.all("svg"))
    (video,) = page.all("video")
    assert video["aria-label"] == "Video: dance, its skeleton, and me dancing it"
    assert video["src"].startswith("data:video/mp4;base64,")


def test_the_page_shows_what_the_run_found(page):
    for words in (
        "me dances what dance danced",
        "What to do: film for longer",
        "nothing stands against it",
        "5 frames held out of training",
        "nearest pose (baseline)",
        "validation SSIM (kept: step 20, 0.750)",
        "step 20, kept",
        "pose distance, body / % of torso ↓",
        "the target's own video",
        "0.875",
        "train face",
        "3 min 00 s",
        "1.5 GB",
        "snakemake",
        "max_video_mb: 30.0",
    ):
        assert words in page.words, words


def test_the_charts_take_their_colours_from_the_page(page):
    charts = "".join(re.findall(r"<svg.*?</svg>", page.text, re.DOTALL))
    assert "currentColor" in charts
    assert "var(--series-0)" in charts
    assert not re.findall(r"#0000[0-9]{2}\b", charts)


def test_the_same_files_give_the_same_bytes(run, tmp_path):
    again = tmp_path / "results"
    shutil.copytree(run, again)
    write_report(again, [PAIR], SETTINGS, again / "report.html")
    assert (again / "report.html").read_bytes() == (run / "report.html").read_bytes()


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("transfer/dance_to_me/comparison.mp4", "The comparison video was not made yet."),
        ("transfer/dance_to_me/preflight.json", "The preflight of this pair was not run."),
        ("transfer/dance_to_me/normalization.png", "plot of the normalization was not made"),
        ("videos", "The preflight of this video was not run."),
        ("models", "No training curves were found."),
        ("models", "No samples were found."),
        ("evaluation", "The generator was not measured yet."),
        ("forensics", "No detector of synthetic frames was trained."),
        ("benchmarks", "No timings were found."),
    ],
)
def test_what_is_missing_is_said_in_a_line(run, tmp_path, missing, words):
    results = tmp_path / "results"
    shutil.copytree(run, results)
    assert words not in Page(results / "report.html").words
    if missing != "models":
        shutil.rmtree(results / "models")  # its charts take the time
    gone = results / missing
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    write_report(results, [PAIR], SETTINGS, results / "report.html")
    left = Page(results / "report.html")
    assert words in left.words
    assert not re.search(r"<(figure|table|tbody|div[^>]*|ul[^>]*)>\s*</", left.text)


def test_a_folder_without_results_gives_a_page_that_says_what_to_do(tmp_path):
    write_report(tmp_path / "results", [], SETTINGS, tmp_path / "results/report.html")
    assert "No transfer was made yet" in Page(tmp_path / "results/report.html").words


def test_without_a_choice_every_finished_video_is_shown(run, tmp_path):
    assert find_pairs(run) == [PAIR]
    write_report(run, [], SETTINGS, tmp_path / "report.html")
    assert "me dances what dance danced" in Page(tmp_path / "report.html").words


def test_words_of_the_user_are_text_and_never_markup(tmp_path):
    nasty = "<script>alert(1)</script>"
    results = tmp_path / "results"
    write_json(results / "videos/me/preflight.json", preflight("fair", nasty))
    settings = SETTINGS | {"videos_folder": nasty}
    write_report(results, [PAIR], settings, results / "report.html")
    shown = Page(results / "report.html")
    assert not list(shown.all("script"))
    assert shown.words.count(nasty) == 2


def test_a_page_that_plays_one_transfer_stands_alone(run, tmp_path):
    path = tmp_path / "watch.html"
    write_watch_page(run / "transfer/dance_to_me/comparison.mp4", PAIR, 30.0, path)
    (video,) = Page(path).all("video")
    assert video["src"].startswith("data:video/mp4;base64,")


def test_small_videos_leave_their_share_to_large_ones():
    assert share_out([1, 10], 8) == [4, 7]
    assert share_out([10, 1, 10], 9) == [4, 3, 4]
    assert share_out([], 8) == []


def test_a_video_within_the_limit_stands_in_the_page_byte_for_byte(run):
    path = run / "transfer/dance_to_me/comparison.mp4"
    clip = embed_video(path, path.stat().st_size)
    assert (clip.width, clip.height, clip.seconds, clip.is_smaller) == (160, 64, 1.0, False)
    assert clip.uri.startswith("data:video/mp4;base64,AAAA")


def test_a_longer_video_is_made_smaller_then_shorter_until_it_fits(tmp_path, monkeypatch):
    path = tmp_path / "long.mp4"
    write_video(path, n_frames=50, size=(320, 640))
    size = path.stat().st_size
    monkeypatch.setattr("edn_core.report.media.MIN_SHARE", 0)
    smaller = embed_video(path, 0.75 * size)
    assert smaller.is_smaller
    assert smaller.seconds == smaller.whole_seconds == 2.0
    shorter = embed_video(path, 0.2 * size)
    assert 0 < shorter.seconds < 2.0
    for clip, share in ((smaller, 0.75), (shorter, 0.2)):
        assert 0 < len(clip.uri) * 3 / 4 - 30 <= share * size


def test_a_video_made_smaller_still_says_that_it_is_synthetic(tmp_path, monkeypatch):
    import base64

    path = tmp_path / "long.mp4"
    write_video(path, size=(320, 640))
    monkeypatch.setattr("edn_core.report.media.MIN_SHARE", 0)
    clip = embed_video(path, 0.75 * path.stat().st_size)
    small = tmp_path / "small.mp4"
    small.write_bytes(base64.b64decode(clip.uri.partition(",")[2]))
    assert read_metadata(small)["comment"] == "Synthetic video"


def test_a_video_without_room_in_the_page_leaves_a_still_frame(run, tmp_path):
    settings = SETTINGS | {"report": {"max_video_mb": 0.0}}
    write_report(run, [PAIR], settings, tmp_path / "report.html")
    shown = Page(tmp_path / "report.html")
    assert not list(shown.all("video"))
    assert "too long to fit into this page" in shown.words


def test_of_a_training_that_went_on_the_later_line_counts_and_a_cut_one_is_passed_over(tmp_path):
    folder = tmp_path / "body"
    folder.mkdir()
    lines = [{"step": 10, "G/gan": 1.0}, {"step": 20, "G/gan": 2.0}, {"step": 10, "G/gan": 3.0}]
    text = "".join(f"{json.dumps(line)}\n" for line in lines) + '{"step": 30, "G/ga'
    (folder / "metrics.jsonl").write_text(text)
    training = read_training(folder)
    assert [(row["step"], row["G/gan"]) for row in training.rows] == [(10, 3.0), (20, 2.0)]
    assert training.kept_step is None


def test_the_step_kept_is_the_first_of_the_best(run):
    (target,) = gather(run, [PAIR]).targets
    assert [one.kept_step for one in target.training] == [20, 20, 20]


def test_rows_without_anything_to_draw_give_no_chart():
    assert draw_training(Training("body", ({"step": 1},), (), None), "key") == ""


def test_jobs_of_a_kind_are_summed_and_their_memory_is_the_most_of_one(tmp_path):
    for video, seconds, memory in (("dance", 2, "100"), ("me", 3, "-"), ("other", 50, "900")):
        path = tmp_path / "benchmarks/videos" / video / "smooth_pose.tsv"
        path.parent.mkdir(parents=True)
        path.write_text(f"s\tmax_rss\n{seconds}\t{memory}\n")
    (cost,) = gather(tmp_path, [PAIR]).costs
    assert (cost.name, cost.jobs, cost.seconds, cost.memory_mb) == ("smooth pose", 2, 5.0, 100.0)


def test_the_best_of_a_column_is_the_largest_or_the_smallest_as_the_metric_wants():
    table = make_table(
        "two",
        {
            "body": {"ssim": 0.9, "temporal_difference": 0.02},
            "mean_frame": {"ssim": 0.8, "temporal_difference": 0.01},
            "truth": {"ssim": 1.0, "temporal_difference": 0.0},
        },
    )
    assert table.columns == ("SSIM ↑", "temporal difference ↓")
    marks = [[cell.is_best for cell in line.cells] for line in table.lines]
    assert marks == [[True, False], [False, True], [False, False]]
    assert [line.is_baseline for line in table.lines] == [False, True, True]


def test_a_metric_nobody_has_heard_of_is_shown_under_its_own_name():
    table = make_table("one", {"body": {"new_thing": 0.5, "words": "no number", "nothing": None}})
    assert table.columns == ("new thing",)
    assert table.lines[0].cells[0].text == "0.5000"


def test_a_number_of_400_digits_is_none_and_the_rest_is_shown(tmp_path):
    table = make_table("one", {"body": {"ssim": 10**400, "psnr": -(10**400), "lpips": 0.5}})
    assert table.columns == ("LPIPS ↓",)
    lines = [{"step": 10**400, "G/gan": 1.0}, {"step": 10, "G/gan": 10**400, "G/vgg": 2.0}]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    assert read_training(tmp_path).rows == ({"step": 10, "G/vgg": 2.0},)


def test_the_whole_table_wins_over_the_stages_files():
    whole = {
        "n_frames": 7,
        "short": ["ssim"],
        "rows": [{"name": "body", "title": "body", "ssim": 0.5, "psnr": 20.0}],
    }
    short, rest = evaluation_tables(whole, {"body": {"n_frames": 5, "methods": {"model": MEANS}}})
    assert (short.title, short.columns) == ("7 frames held out of training", ("SSIM ↑",))
    assert (rest.is_folded, rest.columns) == (True, ("PSNR / dB ↑",))


def test_a_video_is_refused_with_its_name_where_it_cannot_be_read(tmp_path):
    broken = tmp_path / "comparison.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(ValueError, match="comparison.mp4: is damaged"):
        embed_video(broken, MB)


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


@pytest.mark.parametrize(
    "place", ["evaluation/{1}/table.json", "transfer/{0}_to_{1}/preflight.json"]
)
def test_a_damaged_table_ends_the_report_and_is_not_left_out(run, tmp_path, place):
    results = tmp_path / "results"
    shutil.copytree(run, results)
    path = results / place.format(*PAIR)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    with pytest.raises(ValueError, match=f"{path.name}: .*snakemake"):
        write_report(results, [PAIR], SETTINGS, results / "report.html")


def test_a_stage_that_learned_nothing_is_named(run, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(run, results)
    shutil.rmtree(results / "models")
    (results / "models/me/face").mkdir(parents=True)
    (results / "models/me/face/generator.safetensors").touch()
    write_report(results, [PAIR], SETTINGS, results / "report.html")
    assert (
        "face: nothing is recorded of its training; where hardly"
        in Page(results / "report.html").words
    )
