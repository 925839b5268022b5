"""Put the tables of several folders of results side by side.

python -m edn_core.evaluate compare results other_run/results
"""

import argparse

from edn_core.evaluate.table import compare_tables
from edn_core.logs import errors_in_one_line


def main(arguments: list[str] | None = None) -> None:
    """Print the tables of several folders of results as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m edn_core.evaluate")
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare", help="tables of several folders side by side")
    compare.add_argument(
        "results", nargs="+", help="folders of results, each with evaluation/*/table.json"
    )
    results = parser.parse_args(arguments).results
    with errors_in_one_line():
        print(compare_tables(results))


if __name__ == "__main__":
    main()
