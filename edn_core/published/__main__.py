"""Convert checkpoints of pix2pixHD and EDN into this library's files, and back.

python -m edn_core.published import latest_net_G.pth generator.safetensors --height 256 --width 512
python -m edn_core.published export results/models/bob/temporal/generator.safetensors folder/
python -m edn_core.published convert generator.pt generator.safetensors    # of release 0.4
"""

import argparse
import logging
import sys
from pathlib import Path

from edn_core.config import LabelConfig
from edn_core.logs import errors_in_one_line
from edn_core.published import convert_generator, export_generator, import_generator
from edn_core.published.conversion import DISCRIMINATOR
from edn_core.render import LABEL_STYLES, PALETTES
from edn_core.skeleton import SKELETONS

BODIES = [name for name in SKELETONS if name in PALETTES and not name.startswith("HAND")]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m edn_core.published",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    taken = commands.add_parser("import", help="make a generator.safetensors of a *_net_G.pth")
    add = taken.add_argument
    add("published", help="*_net_G.pth")
    add("generator", help="generator.safetensors to write")
    add("--height", type=int, required=True, help="of its pictures, px")
    add("--width", type=int, required=True, help="of its pictures, px")
    add("--face", metavar="PTH", help="*_net_Gface.pth")
    add("--discriminator", metavar="PTH", help="*_net_D.pth")
    add(
        "--halved",
        action="store_true",
        help="it was trained at half of that: the enhance stage can start from it",
    )
    add("--style", default="edn", help=f"of the labels: {', '.join(LABEL_STYLES)}")
    add("--thickness", type=float, default=1.0, help="of the labels' lines")
    add("--skeleton", choices=BODIES, default="BODY_25", help="of the body in the labels")
    given = commands.add_parser("export", help="make a latest_net_G.pth of a generator.safetensors")
    given.add_argument("generator", help="a discriminator.safetensors beside it goes along")
    given.add_argument("folder", help="where to write")
    former = commands.add_parser("convert", help="make a generator.safetensors of a generator.pt")
    former.add_argument("former", help="generator.pt of release 0.4")
    former.add_argument("generator", help="generator.safetensors to write")
    return parser.parse_args(arguments)


def run(given: argparse.Namespace) -> list[Path]:
    """Convert; gives the files written."""
    generator = Path(given.generator)
    if given.command == "export":
        return export_generator(generator, given.folder)
    if given.command == "convert":
        convert_generator(given.former, generator)
        return [generator]
    import_generator(
        given.published,
        generator,
        (given.height, given.width),
        LabelConfig(style=given.style, thickness=given.thickness),
        SKELETONS[given.skeleton],
        given.face,
        given.discriminator,
        given.halved,
    )
    return [generator, generator.with_name(DISCRIMINATOR)][: 1 + bool(given.discriminator)]


def main(arguments: list[str] | None = None) -> None:
    """Convert, and name the files written."""
    logging.basicConfig(level=logging.INFO, format="edn: %(message)s", stream=sys.stderr)
    with errors_in_one_line():
        print(*run(parse(arguments)), sep="\n")


if __name__ == "__main__":
    main()
