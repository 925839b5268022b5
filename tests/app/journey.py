"""From two dropped videos to a downloaded film, in a browser, as a new user would: `make app-test`.

Minutes; in headless Chromium (EDN_CHROMIUM), skipped where there is none. Nothing here knows an
address of the server but the first.
"""

import signal
import socket
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import cv2
import numpy as np
import psutil
import pytest
from browser import Opened, find_chromium, open_page
from checkout import ENVIRONMENT, REPOSITORY, make_checkout, snakemake
from PIL import Image

from edn_core.timeline import Timeline
from edn_core.video import decode, encode, probe

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURE = REPOSITORY / "docs" / "images" / "app.png"
MINUTE = 60_000
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
pytestmark = pytest.mark.timeout(2400)  # a busy machine takes more than the ten minutes of others
STEPS = 1500  # of the body: long enough to be stopped in


class Server:
    """`python -m edn_core.app` in a checkout."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.url = folder, f"http://127.0.0.1:{self.port}/"

    def start(self) -> float:
        """Seconds until it answers."""
        begun = time.monotonic()
        command = [sys.executable, "-m", "edn_core.app", "--port", str(self.port), "--cores", "2"]
        self.process = subprocess.Popen(command, cwd=self.folder, env=ENVIRONMENT)
        while True:
            try:
                with urlopen(self.url) as answer:
                    answer.read()
                return time.monotonic() - begun
            except OSError:
                assert self.process.poll() is None and time.monotonic() - begun < 60
                time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def cpu_seconds(process: subprocess.Popen) -> float:
    return sum(psutil.Process(process.pid).cpu_times()[:2])


@pytest.fixture(scope="module")
def server(tmp_path_factory, pose_models):
    """The page of a checkout in which everything is small."""
    find_chromium()
    folder = make_checkout(tmp_path_factory.mktemp("app") / "edn", pose_models)
    small = (folder / "config" / "test.yaml").read_text()
    small = small.replace("body: {steps: 6, validations: 2}", f"body: {{steps: {STEPS}}}")
    (folder / "config" / "test.yaml").write_text(small)
    names = ("demo_source", "demo_target")
    films = [f"results/demo/{name}.mp4" for name in names]
    ran = snakemake(folder, "--configfile", "config/test.yaml", "--", *films)
    assert ran.status == 0, ran.output
    transfers = "transfers:\n  - {source: demo_source, target: demo_target}\n"
    (folder / "config" / "config.yaml").write_text(small.replace(transfers, ""))
    server = Server(folder)
    try:
        # Seconds of this process alone: the machine may be busy.
        print(
            f"answers after {server.start():.1f} s, {cpu_seconds(server.process):.1f} s of a core"
        )
        assert cpu_seconds(server.process) < 3
        yield server
        server.process.send_signal(signal.SIGINT)
        server.process.wait(10)
    finally:
        server.kill()


@pytest.fixture(scope="module")
def dropped(server, tmp_path_factory) -> tuple[Path, Path]:
    """A dance of two people, and the looks of one; with names that no file of ours may have."""
    folder = tmp_path_factory.mktemp("dropped")
    paths = [server.folder / f"results/demo/{name}.mp4" for name in ("demo_source", "demo_target")]
    timeline = Timeline(25, Fraction(25))
    films = [(cv2.resize(one, (480, 600)) for one in decode(path, timeline)) for path in paths]
    dance = folder / "my dance '24.mp4"
    encode(dance, (np.concatenate(two, axis=1) for two in zip(*films, strict=True)), timeline.fps)
    looks = folder / "Me, filmed.mp4"
    looks.write_bytes(paths[1].read_bytes())
    return dance, looks


@pytest.fixture(scope="module")
def opened(server, tmp_path_factory) -> Opened:
    with open_page(server.url, tmp_path_factory.mktemp("profile")) as page:
        yield page


def picture_sections(page: "Page", folder: Path, *names: str) -> None:
    """Sections of the page, one below the other, for README."""
    for name in names:
        page.locator(name).screenshot(path=folder / f"{name[1:]}.png")
    parts = [Image.open(folder / f"{name[1:]}.png").convert("RGB") for name in names]
    whole = np.concatenate([np.asarray(one) for one in parts])
    picture = Image.fromarray(whole).resize((880, round(len(whole) * 880 / parts[0].width)))
    picture.quantize(96).save(PICTURE, optimize=True)


def test_from_two_dropped_videos_to_a_film(server, dropped, opened, tmp_path):
    page = opened.page
    page.set_default_timeout(20 * MINUTE)
    # Bring.
    page.set_input_files("#source", dropped[0])
    page.get_by_text("my_dance_24: 1.0 s, ").wait_for()
    page.set_input_files("#target", dropped[1])
    page.get_by_text("Me_filmed: 2.0 s, ").wait_for()
    # Check, and choose the dancer on the left.
    page.get_by_role("button", name="Check the two videos").click()
    page.get_by_text("Several people in my_dance_24").wait_for()
    people = page.locator(".people button")
    other = people.nth(1)
    chosen = other.evaluate("one => parseFloat(one.style.left)")
    other.click()
    page.locator("#live .run:nth-child(1) .verdict.good").wait_for()
    now = page.locator(".people .dancer").evaluate("one => parseFloat(one.style.left)")
    assert now == pytest.approx(chosen, abs=5)
    # Choose, run, stop, lose the server, go on.
    page.get_by_label("Sound").select_option("none")
    page.get_by_role("button", name="Make the film").click()
    page.get_by_text("train the body (Me_filmed)").wait_for()
    before, began = cpu_seconds(server.process), time.monotonic()
    page.get_by_text("skeleton, painted, real").wait_for()
    time.sleep(6)
    costs = (cpu_seconds(server.process) - before) / (time.monotonic() - began)
    print(f"the server takes {costs:.1%} of a core while it trains")
    picture_sections(page, tmp_path, "#live", "#bring")
    server.kill()
    server.start()
    page.get_by_role("button", name="Stop: what is done is kept").click()
    page.locator("#live .verdict", has_text="stopped").wait_for()
    assert list(server.folder.glob("results/models/*/body/training_state.safetensors"))
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("link", name="the whole report").wait_for()
    # Result: the film, and the same beside its source and skeleton.
    page.locator("#result video").nth(1).wait_for()
    played = [one for one in opened.play() if one["time"] > 0.15]
    assert len(played) == page.locator("video").count() == 4
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the film").click()
    download.value.save_as(tmp_path / "film.mp4")
    assert probe(tmp_path / "film.mp4").n_frames == 25
    assert not probe(tmp_path / "film.mp4").has_sound
    assert costs < 0.05
    logs = [one.read_text() for one in server.folder.glob("logs/models/*/body.log")]
    assert "resum" in logs[0] or "goes on" in logs[0], logs
    # Dance along: no camera, or no display.
    page.get_by_role("button", name="Dance before the camera").click()
    page.locator("#live .run:nth-child(1) .error").get_by_text("edn: error: ").wait_for()


def test_no_request_has_left_the_machine_and_nothing_went_wrong_in_the_page(server, opened):
    assert opened.requests
    assert {url[: len(server.url)] for url in opened.left_the_page} == {server.url}
    assert {one for one in opened.messages if "ERR_CONNECTION" not in one} == set()


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_its_window_also_on_a_phone(opened, tmp_path, width):
    page = opened.page
    page.set_viewport_size({"width": width, "height": 900})
    page.reload(wait_until="networkidle")
    scrolled, window = page.evaluate(WIDTHS)
    assert scrolled == window
    page.screenshot(path=tmp_path / "page.png", full_page=True)
