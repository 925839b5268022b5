"""Weight files by name: torchvision's VGG19 and AlexNet, fetched once and checked.

``auto`` means the published file in the models folder. Whether it can be had is settled when a run
first needs it, and kept: what was trained without it is not trained anew because the network is
back. It is no rule's output: Snakemake trains every finished stage anew whose input was made again.
"""

import shutil
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from edn_core.config import Config
from edn_core.errors import Refused
from edn_core.logs import LOGGER
from edn_core.store import file_sha256, write_beside

PUBLISHED = "https://download.pytorch.org/models"
PATIENCE_S = 10.0


class Weights(NamedTuple):
    """A file of torchvision's (BSD 3-clause; learned on ImageNet)."""

    section: str  # of the settings
    name: str  # of the setting there
    file: str
    sha256: str
    without: str  # what is done where there is none

    def place(self, given: str, folder: str | Path) -> tuple[Path, str]:
        """Path and address that ``auto``, an address, or a path means; a path has no address."""
        if given == "auto":
            return Path(folder, self.file), f"{PUBLISHED}/{self.file}"
        return (Path(folder, self.file), given) if "://" in given else (Path(given), "")


WEIGHTS = (
    Weights(
        *("training", "vgg19", "vgg19-dcbb9e9d.pth"),
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        "L1 stands in for it",
    ),
    Weights(
        *("evaluation", "alexnet", "alexnet-owt-7be5be79.pth"),
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "no LPIPS",
    ),
)


class Settled(NamedTuple):
    """A weight file that a run is to have."""

    weights: Weights
    path: Path
    address: str  # where to fetch it; "": it is there, or done without
    is_there: bool  # or can be fetched
    is_auto: bool  # was settled here: is to be kept

    @property
    def setting(self) -> str:
        """Its whole name."""
        return f"{self.weights.section}.{self.weights.name}"

    def fetch(self) -> None:
        """Put the file in its place, if it is to be fetched; the whole right one or none.

        Refused: not to be had, or another file came; says how to bring it.
        """
        if self.path.is_file() or not self.address:
            return
        LOGGER.info(f"fetching {self.address} (once, into {self.path.parent})")
        by_hand = (
            f"put the file there by hand, or set {self.setting} to another address, a path or null "
            f"({self.weights.without})"
        )
        try:
            with write_beside(self.path) as partial:
                with _ask(self.address) as answer, open(partial, "wb") as stream:
                    shutil.copyfileobj(answer, stream, 1 << 20)
                    announced = int(answer.headers.get("Content-Length") or stream.tell())
                    came = stream.tell()
                if came < announced:
                    found = f"{came} of {announced} bytes came from {self.address}"
                    raise Refused(self.path, found, "", f"run again, or {by_hand}")
                if (found := file_sha256(partial)) != self.weights.sha256:
                    found = f"what came from {self.address} has SHA-256 {found}"
                    raise Refused(self.path, found, self.weights.sha256, by_hand)
        except (Refused, MemoryError):
            raise
        except Exception as error:  # urllib raises a dozen kinds
            said = " ".join(str(error).split())
            found = f"could not be fetched from {self.address} ({said})"
            raise Refused(self.path, found, "", by_hand) from error


def settle_weights(
    settings: Config, kept: dict[str, bool], otherwise: bool | None = None
) -> tuple[Config, list[Settled]]:
    """The settings with a path, or none, in place of every weight file; and what that stands for.

    ``kept`` is what ``auto`` came to before, by the setting's name; ``otherwise`` what it comes to
    where the file is missing, None: whether its address answers. ValueError: a path without a file.
    """
    found = []
    for one in WEIGHTS:
        section = getattr(settings, one.section)
        if not (given := getattr(section, one.name)):
            continue
        path, address = one.place(given, settings.pose.models_folder)
        if not address and not path.is_file():
            raise ValueError(
                f"config.yaml: {one.section}.{one.name} is {given!r}, and there is no such file; "
                f"put torchvision's {one.file} there, or leave it out ({one.without})"
            )
        is_auto = given == "auto"
        is_there = kept.get(one.name, path.is_file() or otherwise) if is_auto else True
        if is_there is None:
            is_there = _answers(address)
        found.append(Settled(one, path, address if is_there else "", is_there, is_auto))
        changed = replace(section, **{one.name: str(path) if is_there else None})
        settings = replace(settings, **{one.section: changed})
    return settings, found


def _answers(address: str) -> bool:
    try:
        with _ask(address, "HEAD"):
            return True
    except Exception:  # urllib raises a dozen kinds
        return False


def _ask(address: str, how: str = "GET") -> Any:
    question = urllib.request.Request(address, method=how)
    return urllib.request.urlopen(question, timeout=PATIENCE_S)
