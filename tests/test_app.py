"""The page's server: who may ask, what may be brought, and runs that are found again."""

import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY, standing_body
from werkzeug.test import Client

from edn_core.app import choose, server
from edn_core.app.__main__ import main
from edn_core.app.bring import people_of
from edn_core.app.progress import read_progress
from edn_core.app.runs import FOLDER, Run, Runs, hold
from edn_core.app.server import App
from edn_core.config import read_config
from edn_core.intake import check_name
from edn_core.keypoints import from_people, write_keypoints
from edn_core.skeleton import BODY_25
from edn_core.video import encode

OURS = {
    "Origin": "http://127.0.0.1:7860",
    "Host": "127.0.0.1:7860",
    "Sec-Fetch-Site": "same-origin",
}
# In Snakemake's place, which starts in seconds: does what it is asked for.
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
    return App(Runs())


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
    """Everything outside results."""
    found = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}
    return {one for one in found if not one.startswith("results")}


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
    monkeypatch.setattr(server, "MOST_GB", 1e-6)
    for name, content, line in (
        ("a<b>.txt", b"text", "a&lt;b&gt;.txt: not a readable video"),
        ("dance.mp4", b"text", "dance.mp4: not a readable video"),
        ("dance.mp4", b"", "dance.mp4: the file is empty"),
    ):
        answer = bring(app, name, content)
        assert (answer.status_code, f"edn: error: {line}" in answer.text) == (400, True)
    assert bring(app, "dance.mp4", bytes(2000)).status_code == 413
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
    ("POST", {"Origin": "http://127.0.0.1:8000"}),
    ("POST", {"Origin": "null", "Sec-Fetch-Site": "cross-site"}),
    ("POST", {"Origin": ""}),
]


def test_another_site_gets_nothing_and_starts_nothing(app, folder, film):
    bring(app, "me.mp4", film)
    for method, headers in OTHERS:
        kept = {name: value for name, value in {**OURS, **headers}.items() if value}
        answer = Client(app).open("/run?source=me&target=me", method=method, headers=kept)
        assert (answer.status_code // 100, answer.text.count("\n")) == (4, 1), headers
    assert not Runs().all
    for kind in ("film", "anything"):
        posted = {"headers": OURS, "data": {"kind": kind}}
        assert Client(app).post("/run?source=me&target=me", **posted).status_code == 303
    assert [one.kind for one in Runs().all] == ["film"]
    answer = Client(app).post("/dancer?source=/&target=../../etc", headers=OURS)
    assert answer.status_code == 400 and len(Runs().all) == 1


def test_another_address_wants_the_password_of_the_terminal(folder):
    client = Client(App(Runs(), "secret"))
    for given, status in ((None, 401), (("me", "wrong"), 401), (("me", "secret"), 200)):
        assert client.get("/", auth=given).status_code == status


def test_only_pictures_films_and_pages_of_the_results_are_shown(app, folder):
    choose.save_choices({"preset": "cpu"})
    (folder / "a.png").touch()
    for path in ("../config/config.yaml", "app/choices.json", "x/../../a.png", "/etc/a.png"):
        assert Client(app).get(f"/results/{path}", headers=OURS).status_code == 404


def test_choices_go_over_the_users_file_and_what_cannot_be_is_refused_by_its_name(app, folder):
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text("training: {body: {steps: 9}}\n")
    choose.save_choices({"preset": "8gb", "training.body.epochs": "3", "assembly.sound": "false"})
    choose.save_choices({"training.body.epochs": "4", "assembly.background": "'#00b140'"})
    with pytest.raises(ValueError, match=r"canvas: pixels must be at least 1024, got 3"):
        choose.save_choices({"canvas.pixels": "3"})
    with pytest.raises(ValueError, match=r"canvas.pixels: is '\[3', expected a number"):
        choose.save_choices({"canvas.pixels": "[3"})
    command = choose.command_of(Run("film", "a", "b"), "1")
    assert command[-4:] == ["--configfile", "results/app/run.yaml", "--", "report"]
    assert yaml.safe_load(choose.SETTINGS.read_text()) == {
        "preset": "8gb",
        "training": {"body": {"steps": None, "epochs": 4}},
        "assembly": {"sound": False, "background": "#00b140"},
        "transfers": [{"source": "a", "target": "b"}],
        "videos": {},
    }


def test_every_setting_is_offered_with_what_its_dataclass_says():
    helps = {one.name: one.help for one in choose.settings_offered(read_config({}, "cpu"))}
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
    frame, size, (dancer, box) = people_of("me")
    assert (frame, size, box[0]) == (1, (200, 400), dancer[0] + 80)
    assert f'value="{box}"' in Client(app).get("/?source=me&target=me", headers=OURS).text
    data = {"videos.me.dancer": "box", "videos.me.dancer_box": str(box)}
    Client(app).post("/dancer?source=me&target=me", data=data, headers=OURS)
    choose.command_of(Run("check", "me", "me"), "1")
    chosen = yaml.safe_load(choose.SETTINGS.read_text())["videos"]
    assert chosen == {"me": {"dancer": "box", "dancer_box": box}}


def tick(runs: Runs, asked: str, state: str) -> Run:
    """Tick until the last run has this state."""
    while runs.all[-1].state != state:
        runs.tick(lambda run: [sys.executable, "-c", STAND_IN, asked])
        time.sleep(0.02)
    return runs.all[-1]


def test_a_run_is_found_again_stopped_and_gone_on_with_and_says_what_was_wrong(folder):
    runs = Runs()
    runs.add(Run("film", "a", "b"))
    runs.add(Run("film", "a", "b"))  # a second click
    run = tick(runs, "long", "running")
    while read_progress(run) != (0, 4, []):
        time.sleep(0.02)
    later = Runs()  # the server was killed and started
    later.add(Run("film", "c", "d"))
    later.tick(lambda run: ["false"])
    assert [one.state for one in later.all] == ["running", "queued"]
    later.stop("film", "c", "d")
    later.stop("film", "a", "b")
    later.add(Run("film", "a", "b"))
    assert tick(later, "done", "done").said == []
    assert (folder / "saved").is_file()
    later.add(Run("check", "a", "b"))
    assert tick(later, "refuses", "failed").said == ["edn: error: videos/a.mp4: cut off"]
    assert [one.state for one in Runs().all] == ["stopped", "stopped", "done", "failed"]


def test_a_second_page_in_the_same_folder_is_refused(folder):
    with hold(FOLDER / "lock"), pytest.raises(SystemExit, match="another page is at work"):
        main([])


def test_dancing_along_says_in_one_line_what_this_machine_lacks(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    runs = Runs()
    runs.add(Run("dance", "a", "b"))
    while runs.all[-1].state != "failed":
        runs.tick(lambda run: choose.command_of(run, "1"))
        time.sleep(0.1)
    assert len(runs.all[-1].said) == 1 and runs.all[-1].said[0].startswith("edn: error: ")
