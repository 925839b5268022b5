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


@pytest.fixture(scope="module", params=[1280, 360], ids=["desktop", "phone"])
def opened(request, tmp_path_factory) -> Opened:
    """The report of a small run in a window of that width."""
    results = make_run(tmp_path_factory.mktemp("run") / "results")
    write_report(results, [PAIR], SETTINGS, results / "report.html")
    profile = tmp_path_factory.mktemp("profile")
    with open_page(results / "report.html", profile, request.param) as page:
        yield page


def test_the_video_plays(opened):
    (video,) = opened.play()
    assert video["ready"] >= 2
    assert video["time"] > 0.1
    assert video["width"] == 160


def test_every_picture_is_decoded(opened):
    widths = opened.page.evaluate(DECODED)
    assert len(widths) >= 10
    assert min(widths) > 0


def test_the_page_is_no_wider_than_its_window_with_everything_unfolded(opened):
    opened.page.evaluate(DECODED)
    scrolled, window = opened.page.evaluate(WIDTHS)
    assert scrolled == window


def test_no_request_leaves_the_page_and_nothing_is_complained_about(opened):
    opened.play()
    assert opened.requests
    assert opened.left_the_page == []
    assert opened.messages == []


def test_the_charts_are_legible_in_the_dark(opened):
    colour = "() => getComputedStyle(document.querySelector('svg text')).fill"
    colours = []
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        colours.append(opened.page.evaluate(colour))
    assert colours == ["rgb(28, 32, 36)", "rgb(230, 232, 234)"]
