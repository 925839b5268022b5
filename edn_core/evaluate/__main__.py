"""Put the tables of several folders of results side by side.

python -m edn_core.evaluate compare results other_run/results
"""

import argparse
import sys

from edn_core.evaluate.table import compare_tables


def main(arguments: list[str] | None = None) -> None:
    """Print the tables of several folders of results as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m edn_core.evaluate")
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare", help="tables of several folders side by side")
    compare.add_argument(
        "results", nargs="+", help="folders of results, each with evaluation/*/table.json"
    )
    try:
        print(compare_tables(parser.parse_args(arguments).results))
    except ValueError as error:
        sys.exit(f"edn: error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
