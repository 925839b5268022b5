"""The page's server: who may ask, what may be brought, and runs that are found again."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import standing_body
from werkzeug.test import Client

from edn_core.app import choose
from edn_core.app.bring import people_of
from edn_core.app.progress import read_progress
from edn_core.app.runs import Run, Runs, hold_alone
from edn_core.app.server import App, Asked
from edn_core.config import read_config
from edn_core.errors import Refused
from edn_core.intake import check_name
from edn_core.keypoints import from_people, write_keypoints
from edn_core.skeleton import BODY_25
from edn_core.video import encode

OURS = {
    "Origin": "http://127.0.0.1:7860",
    "Host": "127.0.0.1:7860",
    "Sec-Fetch-Site": "same-origin",
}
# In Snakemake's place, which starts in seconds: does what the last file it is asked for says.
STAND_IN = """
import sys, time, pathlib
if sys.argv[-1] == "refuses":
    sys.exit("edn: error: videos/a.mp4: cut off")
try:
    print("total  4", flush=True)
    time.sleep(60 if sys.argv[-1] == "long" else 0)
except KeyboardInterrupt:
    sys.exit(f"saved {pathlib.Path('saved').touch()}")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty checkout, the current folder, that knows its machine."""
    (tmp_path / "edn" / "results").mkdir(parents=True)
    (tmp_path / "edn" / "results" / "preset.yaml").write_text("preset: cpu\n")
    monkeypatch.chdir(tmp_path / "edn")
    return tmp_path / "edn"


@pytest.fixture
def app(folder) -> App:
    with hold_alone():
        with pytest.raises(Refused, match="another page is at work in this folder"):
            hold_alone()
        yield App(Runs("1"), 7860)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    """Three black frames."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    encode(path, iter([np.zeros((64, 64, 3), np.uint8)] * 3), Fraction(25))
    return path.read_bytes()


def bring(app: App, name: str, content: bytes):
    """Drop a dance on the page."""
    data = {"video": (io.BytesIO(content), name)}
    return Client(app).post("/bring?role=source", data=data, headers=OURS)


def files(folder: Path) -> set[str]:
    """Everything outside results, and what is left of uploads."""
    found = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}
    return {one for one in found if not one.startswith("results") or "upload" in one}


NAMES = {
    "../../etc/My dance.MP4": "My_dance.mp4",
    "..\\..\\a.mov": "a.mov",
    "it's %22mine%22.mp4": "it_s_mine.mp4",  # as browsers send quotes
    "a" * 300 + ".mp4": "a" * 90 + ".mp4",
    "a_to_b_to.webm": "a-to-b-to.webm",
    "$(touch x);踊り.mp4": "touch_x.mp4",
    "demo_source.mp4": "demo_source-2.mp4",
}


def test_a_video_of_any_name_gets_a_safe_one_and_stays_in_the_folder(app, folder, film):
    for name, file in NAMES.items():
        answer, kept = bring(app, name, film), file.partition(".")[0]
        assert (answer.status_code, answer.location) == (303, f"/?source={kept}&target=#check")
        check_name(kept, "")
    assert files(folder) == {f"videos/{file}" for file in NAMES.values()}
    assert [one.name for one in folder.parent.iterdir()] == ["edn"]


def test_what_is_no_video_is_refused_in_one_line_where_it_was_dropped(app, folder, monkeypatch):
    monkeypatch.setattr(Asked, "max_content_length", 1000)
    for name, content, line in (
        ("a<b>.txt", b"text", "a&lt;b&gt;.txt: not a readable video"),
        ("dance.mp4", b"text", "dance.mp4: not a readable video"),
        ("dance.mp4", b"", "dance.mp4: the file is empty"),
        ("dance.mp4", bytes(2000), "larger than 8 GB"),
    ):
        answer = bring(app, name, content)
        assert answer.status_code == (413 if len(content) > 1000 else 400)
        assert f"edn: error: {line}" in answer.text
    assert files(folder) == set()


def test_ten_at_once_get_ten_names_and_a_second_window_shows_them_all(app, folder, film):
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: bring(app, "me.mp4", film), range(10)))
    assert [one.status_code for one in answers] == [303] * 10
    assert len(files(folder)) == len(list((folder / "videos").iterdir())) == 10
    page = Client(app).get("/", headers=OURS).text
    assert all(f"me-{number}</option>" in page for number in range(2, 11))


OTHERS = [
    ("GET", {"Host": "evil.example:7860"}),  # a name of its own that leads here
    ("GET", {"Origin": "http://evil.example"}),
    ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
    ("POST", {"Origin": "http://127.0.0.1:8000"}),
    ("POST", {"Origin": "null", "Sec-Fetch-Site": "cross-site"}),
    ("POST", {"Origin": ""}),
]


def test_another_site_gets_nothing_and_starts_nothing(app, folder, film):
    bring(app, "me.mp4", film)
    for method, headers in OTHERS:
        kept = {name: value for name, value in {**OURS, **headers}.items() if value}
        answer = Client(app).open("/run?source=me&target=me", method=method, headers=kept)
        assert (answer.status_code, answer.text.count("\n")) == (403, 1), headers
    assert Client(app).post("/run?source=me&target=me", headers=OURS).status_code == 303
    assert len(Runs("1").all) == 1


def test_another_address_wants_the_token_of_the_terminal(folder):
    client = Client(App(Runs("1"), 7860, "secret"))
    assert client.get("/").status_code == client.get("/?token=wrong").status_code == 403
    assert client.get("/?token=secret").status_code == 303
    assert client.get("/").status_code == 200


def test_only_pictures_films_and_pages_of_the_results_are_shown(app, folder):
    choose.save_choice({"preset": "cpu"})
    (folder / "a.png").touch()
    for path in ("../config/config.yaml", "app/config.yaml", "x/../../a.png", "/etc/a.png"):
        assert Client(app).get(f"/results/{path}", headers=OURS).status_code == 404


def test_choices_go_over_the_users_file_and_what_cannot_be_is_refused_by_its_name(app, folder):
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text("training: {body: {steps: 9}}\n")
    choose.save_choice({"preset": "8gb", "training.body.epochs": "3", "assembly.sound": "false"})
    assert choose.read_values()["training"]["body"] == {"epochs": 3, "steps": None}
    assert yaml.safe_load(choose.OWN.read_text())["assembly"] == {"sound": False}
    with pytest.raises(ValueError, match=r"canvas: pixels must be at least 1024, got 3"):
        choose.save_choice({"canvas.pixels": "3"})
    wanted = choose.configure(Run("film", "a", "b"))[1]
    assert wanted[-2:] == ["results/transfer/a_to_b.mp4", "results/report.html"]


def test_every_setting_is_offered_with_what_its_dataclass_says():
    helps = {one.name: one.help for one in choose.settings_offered(read_config({}, "cpu"), {})}
    assert helps["training.body.learning_rate"].startswith("Adam")
    assert helps["assembly.background"].startswith("room, transparent")
    assert len(helps) > 100 and not {"videos", "demo.source_s"} & set(helps)


def test_of_several_people_the_one_who_is_clicked_on_becomes_the_dancer(app, folder, film):
    bring(app, "me.mp4", film)
    other = standing_body() + np.array([80, 0, 0], np.float32)
    about = {"width": 200, "height": 400, "fps": Fraction(25), "video": "me"}
    keypoints = from_people([{"body": standing_body()}] * 3, BODY_25, **about).replaced(
        bystanders=other[None], bystander_frames=np.array([1]), n_people=np.array([1, 2, 1])
    )
    write_keypoints(folder / "results/videos/me/keypoints.raw.h5", keypoints)
    frame, boxes, _ = people_of("me")
    assert (frame, len(boxes)) == (1, 2)
    data = {"video": "me", "number": "1"}
    Client(app).post("/dancer?source=me&target=me", data=data, headers=OURS)
    assert choose.read_values()["videos"] == {"me": {"dancer": "box", "dancer_box": boxes[1]}}
    assert boxes[1][0] == boxes[0][0] + 80


def wait(runs: Runs, state: str, asked: str) -> Run:
    """Tick until the last run has this state."""
    while runs.all[-1].state != state:
        runs.tick(lambda run: ({}, [asked]))
        time.sleep(0.02)
    return runs.all[-1]


def test_a_run_is_found_again_stopped_and_gone_on_with_and_says_what_was_wrong(app, folder):
    (folder / "snakemake.py").write_text(STAND_IN)
    runs = Runs("1")
    runs.add("film", "a", "b")
    runs.add("film", "a", "b")  # a second click
    run = wait(runs, "running", "long")
    while read_progress(run) != (0, 4, []):
        time.sleep(0.02)
    later = Runs("1")  # the server was killed and started
    later.add("film", "c", "d")
    later.tick(lambda run: ({}, ["done"]))
    assert [one.state for one in later.all] == ["running", "queued"]
    later.stop("film", "c", "d")
    later.stop("film", "a", "b")
    while later.all[0].state != "stopped":
        later.tick(lambda run: ({}, ["done"]))
    assert (folder / "saved").is_file()
    later.add("film", "a", "b")
    assert wait(later, "done", "done").said == []
    later.add("check", "a", "b")
    assert wait(later, "failed", "refuses").said == ["edn: error: videos/a.mp4: cut off"]
    assert [one.state for one in Runs("1").all] == ["stopped", "done", "failed"]
