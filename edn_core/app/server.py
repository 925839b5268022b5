"""The page's server: what may be asked for, by whom, and what each button does."""

import os
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlencode

from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.utils import send_file
from werkzeug.wrappers import Request, Response

from edn_core.app import bring, choose
from edn_core.app.page import MOST_GB, folder_of_videos, live_part, render, whole_page
from edn_core.app.runs import FOLDER, Runs
from edn_core.errors import explain
from edn_core.video.encoding import CODINGS

COOKIE = "edn_token"
HEADERS = {
    "Content-Security-Policy": "default-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
OWN_FILES = {name: Path(__file__).with_name(name) for name in ("app.js", "app.css")}
OWN_FILES["style.css"] = Path(__file__).parents[1] / "report" / "style.css"
SERVED = (*CODINGS, ".png", ".jpg", ".html")
"""Kinds of results that the page shows."""


class Asked(Request):
    """A request; what it sends is kept on the disk of the results until it is answered."""

    max_content_length = int(MOST_GB * 1e9)

    def __init__(self, environ: dict[str, Any]) -> None:
        super().__init__(environ)
        self.sent: dict[str, IO[bytes]] = {}
        self.pair = self.args.get("source", ""), self.args.get("target", "")

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        number, path = tempfile.mkstemp(dir=FOLDER, prefix="upload.")
        self.sent[path] = os.fdopen(number, "w+b")
        return self.sent[path]

    def clear(self) -> None:
        """Remove what was refused, cut off, or sent besides."""
        for path, stream in self.sent.items():
            stream.close()
            Path(path).unlink(missing_ok=True)


class App:
    """A WSGI application over the folder of a workflow, the current one."""

    def __init__(self, runs: Runs, port: int, token: str = "") -> None:
        self._runs, self._token = runs, token
        self._hosts = [f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")]

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer one request."""
        asked = Asked(environ)
        try:
            answer = self._let_in(asked) or self._answer(asked)
        except HTTPException as error:
            answer = Response(f"{error.code}: {error.description}\n", error.code)
        except (ValueError, OSError) as error:
            answer = Response(f"500: {explain(error)}\n", 500)
        finally:
            asked.clear()
        answer.headers.extend(HEADERS)
        return answer(environ, start)

    def _let_in(self, asked: Asked) -> Response | None:
        """Nothing for the page itself; an answer for everybody else, and for who brings a token."""
        origin, site = asked.headers.get("Origin"), asked.headers.get("Sec-Fetch-Site")
        is_link = asked.method == "GET" and asked.headers.get("Sec-Fetch-Mode") == "navigate"
        if not self._token and asked.host not in self._hosts:
            return Response("403: this page is http://127.0.0.1 only\n", 403)
        if origin not in (None, f"http://{asked.host}") or (
            site not in (None, "none", "same-origin") and not is_link
        ):
            return Response("403: asked for by another site\n", 403)
        if asked.method not in ("GET", "HEAD") and origin is None:
            return Response("403: sent by no page (it has no Origin)\n", 403)
        token, known = self._token.encode(), asked.cookies.get(COOKIE, "").encode()
        if token and secrets.compare_digest(asked.args.get("token", "").encode(), token):
            answer = Response("", 303, {"Location": "/"})
            answer.set_cookie(COOKIE, self._token, httponly=True, samesite="Strict")
            return answer
        if token and not secrets.compare_digest(known, token):
            return Response("403: open the address that the terminal shows, with its token\n", 403)
        return None

    def _answer(self, asked: Asked) -> Response:
        if asked.method == "POST":
            return self._post(asked)
        if asked.path == "/":
            page = whole_page(self._runs, *asked.pair)
            return Response(render("page.html.jinja", **page), mimetype="text/html")
        if asked.path == "/live":
            page = live_part(self._runs, *asked.pair)
            headers = {"X-Version": page["version"]}
            return Response(render("live.html.jinja", **page), 200, headers, mimetype="text/html")
        path = _file(asked)
        if path is None or not path.is_file():
            return Response("404: nothing there\n", 404)
        return send_file(path.resolve(), asked.environ, as_attachment="download" in asked.args)

    def _post(self, asked: Asked) -> Response:
        """Do what a button says and show the page again, with what was wrong where it is."""
        try:
            source, target = self._do(asked)
            query = urlencode({"source": source, "target": target})
            place = {"/bring": "check", "/choose": "choose"}.get(asked.path, "live")
            return Response("", 303, {"Location": f"/?{query}#{place}"})
        except RequestEntityTooLarge:
            line, status = f"larger than {MOST_GB} GB; cut the video or make it smaller", 413
        except (ValueError, OSError) as error:
            line, status = explain(error), 400
        page = whole_page(self._runs, *asked.pair, **{asked.path: line})
        return Response(render("page.html.jinja", **page), status, mimetype="text/html")

    def _do(self, asked: Asked) -> tuple[str, str]:
        """What a button says; the pair that is to be shown then."""
        form, pair = asked.form, asked.pair
        if asked.path == "/bring":
            sent, name = asked.files.get("video"), form.get("name", "")
            if sent is not None and sent.filename:
                path, stream = next(iter(asked.sent.items()))
                stream.flush()
                folder = folder_of_videos().folder
                name = bring.keep_video(unquote(sent.filename), Path(path), folder)  # %22 is "
            _check(name)
            return (pair[0], name) if asked.args.get("role") == "target" else (name, pair[1])
        if asked.path == "/choose":
            choose.save_choice(form)
        elif asked.path == "/stop":
            self._runs.stop(*(form.get(name, "") for name in ("kind", "source", "target")))
        elif asked.path == "/run":
            _check(*pair)
            self._runs.add("check" if form.get("kind") == "check" else "film", *pair)
        elif asked.path == "/dancer":
            _check(*pair, form.get("video", ""))
            _, boxes, _ = bring.people_of(form["video"])
            number = form.get("number", -1, type=int)
            if not 0 <= number < len(boxes):
                raise ValueError(f"{form['video']}: has no person {number}; check it again")
            choose.save_dancer(form["video"], boxes[number])
            self._runs.add("check", *pair, anew=True)
        return pair


def _check(*names: str) -> None:
    folder_of_videos().check_asked(names)


def _file(asked: Asked) -> Path | None:
    """The file that an address stands for: of the page, a video, its still, a result."""
    kind, _, rest = asked.path.lstrip("/").partition("/")
    if kind in ("videos", "still") and (path := folder_of_videos().videos.get(rest)):
        frame = asked.args.get("frame", type=int)
        return Path(path) if kind == "videos" else bring.still_of(rest, path, frame)
    if kind == "results" and ".." not in rest.split("/") and rest.endswith(SERVED):
        return Path("results") / rest.lstrip("/")
    return OWN_FILES.get(rest) if kind == "app" else None
