"""A page in headless Chromium, for tests that need a browser; skipped where there is none."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A browser that asks for nothing by itself; root needs --no-sandbox.
OPTIONS = (
    "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking "
    "disable-component-update disable-sync"
).split()
# Seconds into each video after it has played for a while.
PLAY = """async () => {
  for (const video of document.querySelectorAll('video')) {
    video.muted = true;
    await video.play();
    const from = video.currentTime, end = performance.now() + 15000;
    while (video.currentTime - from < 0.2 && performance.now() < end)
      await new Promise(done => setTimeout(done, 50));
    video.pause();
  }
  return [...document.querySelectorAll('video')].map(
    video => ({ready: video.readyState, time: video.currentTime, width: video.videoWidth}));
}"""


@dataclass
class Opened:
    """A page that was opened, the addresses it asked for and what it wrote to its console."""

    page: "Page"
    requests: list[str]
    messages: list[str]

    @property
    def left_the_page(self) -> list[str]:
        """Addresses asked for that are neither on this disk nor in the page itself."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]

    def play(self) -> list[dict[str, Any]]:
        """Play every video for a moment: readyState, seconds and width of each."""
        played: list[dict[str, Any]] = self.page.evaluate(PLAY)
        return played


def find_chromium() -> str:
    """The browser's program; skips the test where there is none."""
    named = os.environ.get("EDN_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if not found or not Path(found).is_file():
        pytest.skip(
            f"no Chromium ({named or ', '.join(NAMES)}): install one (apt install chromium), or "
            "name its program in EDN_CHROMIUM"
        )
    return found


@contextmanager
def open_page(path: Path | str, profile: Path, width: int = 1280) -> Iterator[Opened]:
    """Open a page in a browser of its own.

    Args:
        path: its file, or its address.
        profile: an empty folder for the browser's own files.
        width: of the window, px.
    """
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = find_chromium()
    with api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            headless=True,
            args=[f"--{option}" for option in OPTIONS],
            viewport={"width": width, "height": 800},
        )
        try:
            page = context.new_page()
            opened = Opened(page, [], [])
            page.on("request", lambda request: opened.requests.append(request.url))
            page.on("console", lambda message: opened.messages.append(message.text))
            page.on("pageerror", lambda error: opened.messages.append(str(error)))
            page.goto(path if isinstance(path, str) else path.resolve().as_uri())
            yield opened
        finally:
            context.close()
