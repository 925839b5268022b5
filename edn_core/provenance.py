"""What a synthesized video says about itself: that it is synthetic, and by which model.

``python -m edn_core.provenance VIDEO`` prints it; status 0: synthetic, 3: no mark, 1: unreadable.

The same is said in four ways, because each way of copying a file keeps others of them: keys of our
own, a sentence under the usual keys that every player shows, IPTC's term for the kind of source,
and that term in an XMP packet, where other programs look for it (Adobe XMP specification, part 3;
IPTC Video Metadata Hub, "digital source type"). None of it is a protection: whoever wants to can
take it away, so a video without a mark proves nothing.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import edn_core
from edn_core.logs import errors_in_one_line
from edn_core.video import Metadata, read_metadata

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SYNTHETIC = SOURCE_TYPES + "trainedAlgorithmicMedia"
COMPOSITE = SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia"
"""IPTC: made by a trained model; and real and such pictures side by side."""
NO_MARK = 3  # exit status

_SENTENCE = re.compile(r"Synthetic video .*?edn (?P<version>[\w.+-]+).*?model (?P<model>\w+)")


@dataclass(frozen=True)
class Provenance:
    """Where a synthesized video comes from."""

    source: str = ""  # name of the video that gave the motion; empty where it is not known
    target: str = ""  # name of the video that gave the looks; likewise
    model_sha256: str = ""  # SHA-256 of the generator's file; empty where it is not known
    version: str = edn_core.__version__  # release of this library
    source_type: str = SYNTHETIC  # IPTC's term for the kind of source, a URI


def to_metadata(provenance: Provenance) -> Metadata:
    """The metadata to write into a video's file; no times, no paths."""
    model = provenance.model_sha256 or "unknown"
    names = f"{provenance.source} to {provenance.target}"
    whole = "beside real footage " if provenance.source_type == COMPOSITE else ""
    texts = {
        "title": f"{names} (synthetic)",
        "comment": (
            f"Synthetic video {whole}made by edn {provenance.version}: a neural network moves one "
            f"person ({provenance.target}) as another ({provenance.source}) moved; "
            f"model {model}"
        ),
        "description": f"Digital source type: {provenance.source_type}",
        "edn_synthetic": "true",
        "edn_model_sha256": model,
        "edn_version": provenance.version,
        "edn_source": provenance.source,
        "edn_target": provenance.target,
        "digital_source_type": provenance.source_type,
    }
    return Metadata(texts, _xmp_packet(provenance))


def _xmp_packet(provenance: Provenance) -> str:
    properties = {
        "Iptc4xmpExt:DigitalSourceType": provenance.source_type,
        "Iptc4xmpExt:AISystemUsed": "edn",
        "Iptc4xmpExt:AISystemVersionUsed": provenance.version,
    }
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in properties.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f"{attributes}/></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="r"?>'
    )


def read_provenance(path: str | Path) -> Provenance | None:
    """What is left of the mark in any video; None where it does not say that it is synthetic.

    Marks of other programs count as well where they use IPTC's terms; the version is then empty.
    """
    texts = read_metadata(path)
    found = " ".join(texts.values())
    types = re.findall(re.escape(SOURCE_TYPES) + r"(\w+)", found)
    named = [SOURCE_TYPES + one for one in types if "trainedalgorithmicmedia" in one.lower()]
    sentence = _SENTENCE.search(texts.get("comment", ""))
    is_ours = texts.get("edn_synthetic") == "true" or sentence is not None
    if not is_ours and not named:
        return None
    said = sentence.groupdict() if sentence else {"version": "", "model": ""}
    model = texts.get("edn_model_sha256") or said["model"]
    return Provenance(
        source=texts.get("edn_source", ""),
        target=texts.get("edn_target", ""),
        model_sha256="" if model == "unknown" else model,
        version=texts.get("edn_version") or said["version"],
        source_type=named[0] if named else SYNTHETIC,
    )


def describe_provenance(provenance: Provenance | None) -> str:
    """What a video says about itself, in lines for people."""
    if provenance is None:
        return "no mark: the file does not say that it is synthetic (which proves nothing)"
    by = f"edn {provenance.version}" if provenance.version else "another program"
    lines = [f"synthetic, says the file (by {by})", f"source type: {provenance.source_type}"]
    if provenance.version:
        lines.append(f"model:       {provenance.model_sha256 or 'unknown'}")
    if provenance.source or provenance.target:
        lines.append(f"motion of:   {provenance.source}")
        lines.append(f"looks of:    {provenance.target}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what a video says about itself; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m edn_core.provenance",
        description="Say whether a video is marked as synthetic, and by which model.",
        epilog=f"exit status: 0 marked as synthetic, {NO_MARK} no mark, 1 not readable",
    )
    parser.add_argument("video", type=Path)
    video = parser.parse_args(arguments).video
    with errors_in_one_line():
        provenance = read_provenance(video)
    print(describe_provenance(provenance))
    return NO_MARK if provenance is None else 0


if __name__ == "__main__":
    sys.exit(main())
