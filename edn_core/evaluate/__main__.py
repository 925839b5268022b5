"""Put the tables of several folders of results side by side, for ablations.

python -m edn_core.evaluate compare results other_run/results
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edn_core.errors import Refused
from edn_core.logs import errors_in_one_line
from edn_core.metrics import SHORT_COLUMNS, read_table
from edn_core.metrics.table import markdown_table, measured_columns


def compare_tables(folders: Sequence[str]) -> str:
    """Markdown with a table for each target: a row per folder of results and method.

    Raises:
        Refused: a folder has no table.
    """
    targets: dict[str, dict[str, dict[str, Any]]] = {}
    for folder in folders:
        paths = sorted(Path(folder).glob("evaluation/*/table.json"))
        if not paths:
            raise Refused(
                folder, "no evaluation/*/table.json there", "", "run `snakemake evaluation`"
            )
        for table in map(read_table, paths):
            targets.setdefault(table["target"], {})[folder] = table
    lines = []
    for target, tables in targets.items():
        lines += [f"# {target}", ""]
        if len({table["n_frames"] for table in tables.values()}) > 1:
            lines += ["Careful: they hold out different frames.", ""]
        rows = {
            f"{folder}: {row['title']}": row
            for folder, table in tables.items()
            for row in table["rows"]
            if row["name"] != "truth"
        }
        lines += [markdown_table(rows, measured_columns(rows, SHORT_COLUMNS)), ""]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables of several folders of results as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m edn_core.evaluate", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare", help="tables of several folders side by side")
    compare.add_argument("results", nargs="+", help="folders of results")
    results = parser.parse_args(arguments).results
    with errors_in_one_line():
        print(compare_tables(results))


if __name__ == "__main__":
    main()
