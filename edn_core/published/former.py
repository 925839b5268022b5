"""A ``generator.pt`` of release 0.4 brought over: training it took hours."""

from pathlib import Path
from typing import Any

from edn_core.checkpoint import TrainedGenerator, save_generator
from edn_core.config import NetworkConfig, read_section
from edn_core.errors import Refused
from edn_core.face import face_box_size
from edn_core.networks.weight_file import read_foreign_file

SCHEMA, VERSIONS = "edn-generator", (1, 2)
"""Of the files of torch.save that releases up to 0.4 wrote; version 1 had no architecture."""


def convert_generator(former: str | Path, generator: str | Path) -> None:
    """Make a ``generator.pt`` of release 0.4 into a ``generator.safetensors``.

    Nothing in the file is run. One that painted over a plate cannot be brought over: it knew where
    in the whole picture the dancer was, and paints nobody in a window that follows him.

    Raises:
        Refused: not such a file, its weights do not fit the sizes that it names, or it painted over
            a plate.
    """
    remedy = "give a generator.pt that release 0.4 or an earlier one trained"
    content: Any = read_foreign_file(former, f"an {SCHEMA} of release 0.4", remedy)
    about = content if isinstance(content, dict) else {}
    schema, version = about.pop("schema", None), about.pop("schema_version", None)
    if schema != SCHEMA or version not in VERSIONS:
        found = f"schema {schema} version {version}"
        raise Refused(former, found, f"schema {SCHEMA} version 2", remedy)
    if about.pop("background", None) is not None:
        found = "painted the dancer over a plate, by his place in the whole picture"
        raise Refused(former, found, "one of `background: paint`", "train the target anew")
    try:
        del about["edn_version"]
        network = read_section(NetworkConfig, about.pop("network"), "network")
        # All else is called today what it was called then.
        side = face_box_size(about["height"])
        trained = TrainedGenerator(network=network, has_matte=False, face_side=side, **about)
        trained.build()
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        what = f"does not hold what it says ({' '.join(str(error).split()):.300})"
        raise Refused(former, what, "", remedy) from error
    save_generator(generator, trained)
