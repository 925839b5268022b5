"""Convert checkpoints of pix2pixHD and EDN into this library's files, and back.

python -m edn_core.published import latest_net_G.pth generator.safetensors --height 256 --width 512
python -m edn_core.published export results/models/bob/temporal/generator.safetensors folder/
"""

import argparse
import logging
import sys
from pathlib import Path

from edn_core.config import LabelConfig
from edn_core.logs import errors_in_one_line
from edn_core.published.conversion import (
    export_discriminator,
    export_generator,
    import_generator,
)
from edn_core.render import LABEL_STYLES, PALETTES
from edn_core.skeleton import SKELETONS

BODIES = [name for name in SKELETONS if name in PALETTES and not name.startswith("HAND")]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m edn_core.published",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    taken = commands.add_parser("import", help="make a generator.safetensors of a *_net_G.pth")
    taken.add_argument("published", help="*_net_G.pth")
    taken.add_argument("generator", help="generator.safetensors to write")
    taken.add_argument("--height", type=int, required=True, help="of the canvas, px")
    taken.add_argument("--width", type=int, required=True, help="of the canvas, px")
    taken.add_argument("--face", metavar="PTH", help="*_net_Gface.pth")
    taken.add_argument("--discriminator", metavar="PTH", help="*_net_D.pth")
    taken.add_argument(
        "--halved",
        action="store_true",
        help="it was trained at half the canvas: the enhance stage can start from it",
    )
    taken.add_argument("--style", default="edn", help=f"of the labels: {', '.join(LABEL_STYLES)}")
    taken.add_argument("--thickness", type=float, default=1.0, help="of the labels' lines")
    taken.add_argument(
        "--skeleton", choices=BODIES, default="BODY_25", help="of the body in the labels"
    )
    given = commands.add_parser("export", help="make a latest_net_G.pth of a generator.safetensors")
    given.add_argument(
        "generator", help="generator.safetensors; discriminator.safetensors beside it goes along"
    )
    given.add_argument("folder", help="where to write")
    return parser.parse_args()


def main() -> None:
    """Convert, and name the files written."""
    arguments = parse()
    logging.basicConfig(level=logging.INFO, format="edn: %(message)s", stream=sys.stderr)
    with errors_in_one_line():
        written = import_files(arguments) if arguments.command == "import" else export(arguments)
    for path in written:
        print(path)


def import_files(arguments: argparse.Namespace) -> list[Path]:
    """What ``import`` asks for."""
    import_generator(
        arguments.published,
        arguments.generator,
        (arguments.height, arguments.width),
        LabelConfig(style=arguments.style, thickness=arguments.thickness),
        SKELETONS[arguments.skeleton],
        arguments.face,
        arguments.discriminator,
        arguments.halved,
    )
    written = [Path(arguments.generator)]
    if arguments.discriminator:
        written.append(written[0].with_name("discriminator.safetensors"))
    return written


def export(arguments: argparse.Namespace) -> list[Path]:
    """What ``export`` asks for."""
    if not Path(arguments.generator).is_file():
        raise ValueError(
            f"{arguments.generator}: no such file; give the generator.safetensors of a trained stage, such "
            "as results/models/bob/face/generator.safetensors"
        )
    written = export_generator(arguments.generator, arguments.folder)
    discriminator = Path(arguments.generator).with_name("discriminator.safetensors")
    if discriminator.is_file():
        written.append(export_discriminator(discriminator, arguments.folder))
    return written


if __name__ == "__main__":
    main()
