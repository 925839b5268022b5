"""Pages for people: the templates of the report and of the app."""

from pathlib import Path

import jinja2


def templates_in(*folders: Path) -> jinja2.Environment:
    """The templates of some folders; what is put into them is the user's words: all is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
