"""The report in a browser: it plays, asks nobody for anything, and fits a phone."""

import pytest
from browser import Opened, open_page
from report_run import PAIR, SETTINGS, make_run

from edn_core.report import write_report

DECODED = """async () => {
  document.querySelectorAll('details').forEach(one => { one.open = true; });
  const images = [...document.querySelectorAll('img')];
  await Promise.all(images.map(image => image.decode()));
  return images.map(image => image.naturalWidth);
}"""
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Opened:
    """The report of a small run in a window of a phone's width."""
    results = make_run(tmp_path_factory.mktemp("run") / "results")
    write_report(results, [PAIR], SETTINGS, results / "report.html")
    with open_page(results / "report.html", tmp_path_factory.mktemp("profile"), 360) as page:
        yield page


def test_the_video_plays_and_no_request_leaves_the_page(opened):
    (video,) = opened.play()
    assert video["ready"] >= 2
    assert video["time"] > 0.1
    assert video["width"] == 160
    assert opened.requests
    assert opened.left_the_page == opened.messages == []


def test_every_picture_is_decoded_and_the_page_unfolded_is_no_wider_than_its_window(opened):
    widths = opened.page.evaluate(DECODED)
    assert len(widths) >= 8 and min(widths) > 0
    scrolled, window = opened.page.evaluate(WIDTHS)
    assert scrolled == window
