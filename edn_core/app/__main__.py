"""Open the page: ``python -m edn_core.app``, or ``make app``."""

import argparse
import logging
import secrets
import signal
import tempfile
import threading
import time

from werkzeug.serving import make_server

from edn_core.app.choose import command_of, look_at_machine
from edn_core.app.runs import FOLDER, Runs, hold
from edn_core.app.server import App
from edn_core.errors import Refused, explain
from edn_core.logs import errors_in_one_line

LOOPBACK = ("127.0.0.1", "localhost")
SECONDS_BETWEEN_LOOKS = 1.0


def main(arguments: list[str] | None = None) -> None:
    """Serve until Ctrl-C; a run goes on without the page."""
    parser = argparse.ArgumentParser(prog="python -m edn_core.app", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="others want a password (%(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="(%(default)s)")
    parser.add_argument("--cores", default="all", help="that the runs may use (%(default)s)")
    given = parser.parse_args(arguments)
    # Started in a script's background Ctrl-C would be ignored, here and by every run.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with errors_in_one_line():
        if not 0 < given.port < 65536:
            raise Refused("--port", f"is {given.port}", "1 to 65535", "leave it out for 7860")
        lock = hold(FOLDER / "lock")
        if lock is None:
            found = "another page is at work in this folder"
            raise Refused(FOLDER, found, "", "use that one, or stop it first")
        # A page that looks every two seconds would fill the terminal.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        where, runs = f"{given.host}:{given.port}", Runs()
        token = "" if given.host in LOOPBACK else secrets.token_urlsafe(8)
        app = App(runs, token)
        try:
            server = make_server(given.host, given.port, app, threaded=True)
        except (OSError, SystemExit) as error:
            found = "cannot be opened; another program may be there"
            raise Refused(where, found, "", "give another --port") from error
        # Uploads of gigabytes, which the system's own folder may not hold.
        tempfile.tempdir = str(FOLDER)
        look_at_machine()
        threading.Thread(target=_follow, args=(runs, given.cores), daemon=True).start()
        who = f", any name and the password {token}" if token else ""
        said = "(Ctrl-C closes the page; a run goes on without it)"
        print(f"edn: open http://{where}/{who} {said}", flush=True)
        with lock:
            server.serve_forever()


def _follow(runs: Runs, cores: str) -> None:
    while True:
        try:
            runs.tick(lambda run: command_of(run, cores))
        except (OSError, ValueError) as error:  # a full disk: the next look may find room
            print(f"edn: error: {explain(error)}", flush=True)
        time.sleep(SECONDS_BETWEEN_LOOKS)


if __name__ == "__main__":
    main()
