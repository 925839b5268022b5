"""The page's server: what may be asked for, by whom, and what each button does."""

import secrets
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, HTTPException, NotFound, Unauthorized
from werkzeug.utils import redirect, send_file, send_from_directory
from werkzeug.wrappers import Request, Response

from edn_core.app import bring, choose
from edn_core.app.page import ENVIRONMENT, HERE, MOST_GB, version_of, whole_page
from edn_core.app.runs import KINDS, Run, Runs
from edn_core.errors import explain
from edn_core.video.encoding import CODINGS

HEADERS = {
    "Content-Security-Policy": "default-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
SERVED = (*CODINGS, ".png", ".jpg", ".html")
"""Kinds of results that the page shows."""


class App:
    """A WSGI application over the folder of a workflow, the current one."""

    def __init__(self, runs: Runs, token: str = "") -> None:
        """With a token for everybody; without one for this machine alone."""
        self._runs, self._token = runs, token

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer one request."""
        with Request(environ) as asked:
            asked.max_content_length = int(MOST_GB * 1e9)
            pair = asked.args.get("source", ""), asked.args.get("target", "")
            try:
                self._let_in(asked)
                answer = (self._post if asked.method == "POST" else self._get)(asked, *pair)
            except HTTPException as error:
                answer = error.get_response()
                answer.data, answer.mimetype = f"{error.code}: {error.description}\n", "text/plain"
            except (ValueError, OSError) as error:
                answer = Response(f"500: {explain(error)}\n", 500)
        answer.headers.extend(HEADERS)
        return answer(environ, start)

    def _let_in(self, asked: Request) -> None:
        """Raise HTTPException for who is not the page itself, or brings no token."""
        if not self._token:
            asked.trusted_hosts = ["127.0.0.1", "localhost"]
        own = f"http://{asked.host}"
        if asked.headers.get("Origin", "" if asked.method == "POST" else own) != own:
            raise Forbidden("asked for by another site")
        given = (asked.authorization and asked.authorization.password) or ""
        if self._token and not secrets.compare_digest(given.encode(), self._token.encode()):
            how = WWWAuthenticate("basic", {"realm": "edn"})
            raise Unauthorized("the terminal shows the password", www_authenticate=how)

    def _get(self, asked: Request, source: str, target: str) -> Response:
        kind, _, rest = asked.path.lstrip("/").partition("/")
        if not kind:
            return self._show(source, target, {})
        if kind == "live":
            headers = {"X-Version": version_of(self._runs, source, target)}
            live = ENVIRONMENT.get_template("live.html.jinja").render(runs=self._runs)
            return Response(live, 200, headers, mimetype="text/html")
        if kind == "still" and (path := choose.folder_of_videos().videos.get(rest)):
            still = bring.still_of(path, asked.args.get("frame", type=int))
            return Response(still, mimetype="image/jpeg")
        if kind == "results" and rest.endswith(SERVED):
            download = {"as_attachment": "download" in asked.args}
            return send_from_directory("results", rest, asked.environ, **download)
        if kind == "app.js":
            return send_file(HERE / kind, asked.environ)
        raise NotFound("nothing there")

    def _show(self, source: str, target: str, errors: dict[str, str]) -> Response:
        status = 400 if errors else 200
        page = whole_page(self._runs, source, target, errors)
        html = ENVIRONMENT.get_template("page.html.jinja").render(**page)
        return Response(html, status, mimetype="text/html")

    def _post(self, asked: Request, source: str, target: str) -> Response:
        """Do what a button says and show the page again, with what was wrong where it is."""
        kind, place = asked.form.get("kind", ""), "live"
        pair = {"source": source, "target": target}
        try:
            if asked.path == "/bring" and (sent := asked.files.get("video")):
                folder, place = choose.folder_of_videos().folder, "check"
                pair[asked.args.get("role", "source")] = bring.keep_video(sent, folder)
            elif asked.path == "/choose":
                choose.save_choices(asked.form)
                place = "choose"
            elif asked.path == "/dancer":
                choose.folder_of_videos().check_asked([source, target])
                choose.save_choices(asked.form)
                self._runs.add(Run("check", source, target))
            elif asked.path == "/run" and kind in KINDS:
                choose.folder_of_videos().check_asked([source, target])
                self._runs.add(Run(kind, source, target))
            elif asked.path == "/stop":
                self._runs.stop(kind, source, target)
        except (ValueError, OSError) as error:
            return self._show(source, target, {asked.path: explain(error)})
        return redirect(f"/?{urlencode(pair)}#{place}", 303)
