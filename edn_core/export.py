"""Give a trained dancer away as ONNX or as a torch.export program: one step of the recurrence.

python -m edn_core.export results/models/bob/face/generator.safetensors bob.onnx
python -m edn_core.export results/models/bob/face/generator.safetensors bob.pt2

Inputs: label (1, C, H, W) float32 in [0, 1]; previous (1, 3, H, W) float32 in [-1, 1], the image
before, zeros at first; face_box (4) int64 x0, y0, x1, y1 px, half-open, a square of the size that
the metadata name, x0 negative where no face is seen. Output: image (1, 4, H, W), the dancer on
ground 0 in [-1, 1] and his matte in [0, 1], of which the first three channels are fed back as
previous; or (1, 3, H, W), the whole picture, of one that was trained with ``background: paint``.
"""

import argparse
import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

import edn_core
from edn_core.checkpoint import TrainedGenerator, load_generator
from edn_core.logs import errors_in_one_line
from edn_core.render import line_width
from edn_core.store import file_sha256, write_beside
from edn_core.synthesize import synthesize_step
from edn_core.window import Window

INPUTS, OUTPUT = ("label", "previous", "face_box"), "image"
TOLERANCE = 1e-3  # of outputs in [-1, 1]: an eighth of a grey level
CHECKED_FRAMES = 8
COMPOSITION = (
    "finished = room * (1 - matte) + picture, room and picture in -1 to 1, matte in 0 to 1: the "
    "dancer is painted on ground 0, picture = image[:, :3], matte = image[:, 3:]"
)
METADATA_FILE = "metadata.json"  # in a .pt2

Step = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class RecurrentStep(nn.Module):
    """synthesize_step for one frame, as a module whose parameters an exporter finds."""

    def __init__(self, networks: dict[str, nn.Module], box_size: int) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.box_size = box_size

    def forward(
        self, label: torch.Tensor, previous: torch.Tensor, face_box: torch.Tensor
    ) -> torch.Tensor:
        """(1, C, H, W), (1, 3, H, W), (4,) -> (1, 3 or 4, H, W)."""
        networks = dict(self.networks.items())
        return synthesize_step(networks, label, previous, face_box[None], self.box_size)


def export_generator(generator_path: str | Path, out: str | Path) -> float:
    """Export a generator and check what was written against torch.

    The file gets its name only if both give the same for CHECKED_FRAMES random labels, each fed its
    own output before. ONNX by the suffix .onnx, a torch.export program by .pt2. Returns the
    greatest difference of an output in [-1, 1].

    Raises:
        ValueError: another suffix, no such generator, a package is missing, or the two differ by
            more than TOLERANCE.
    """
    out = Path(out)
    if out.suffix not in WRITERS:
        raise ValueError(f"{out}: ends in {out.suffix!r}, expected {' or '.join(WRITERS)}")
    write = WRITERS[out.suffix]
    trained = load_generator(generator_path)
    box_size = trained.face_side
    # As they are built: load_networks would lay out the weights for this CPU.
    networks = {name: one.requires_grad_(False) for name, one in trained.build().items()}
    step = RecurrentStep(networks, box_size).eval()
    example = (
        torch.zeros(1, trained.label_channels, trained.height, trained.width),
        torch.zeros(1, 3, trained.height, trained.width),
        torch.tensor([0, 0, box_size, box_size]),
    )
    with torch.no_grad():
        program = torch.export.export(step, example)
    with write_beside(out) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporters warn of their own ways
        written = write(program, partial, describe(trained, generator_path))
        difference = compare(step, written, trained)
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{out}: differs from torch by {difference:.2g} in {CHECKED_FRAMES} frames, "
                f"expected at most {TOLERANCE:g}; nothing was written: try other torch or onnx"
            )
    return difference


def describe(trained: TrainedGenerator, generator_path: str | Path) -> dict[str, str]:
    """What somebody needs to know who has only the exported file."""
    drawing = trained.label_config
    thickness = drawing.get("thickness", "")
    if trained.window is not None and thickness:
        thickness = line_width(thickness, Window(**trained.window))
    return {
        "synthetic": "true",
        "provenance": (
            "images of this model are synthetic: a person as painted by a generator of edn "
            "(Everybody Dance Now)"
        ),
        "edn_version": edn_core.__version__,
        "generator_sha256": file_sha256(generator_path),
        "stage": trained.stage,
        "steps": str(trained.steps),
        "height": str(trained.height),
        "width": str(trained.width),
        "label_style": trained.label_style,
        "label_channels": str(trained.label_channels),
        "label_config": json.dumps(drawing, sort_keys=True),
        "thickness": str(thickness),  # as the lines are drawn in the window
        "skeleton": str(drawing.get("skeleton", "")),
        "has_face": str(trained.face_weights is not None).lower(),
        "face_side": str(trained.face_side),
        "has_matte": str(trained.has_matte).lower(),
        "window": json.dumps(trained.window, sort_keys=True),
        "composition": COMPOSITION if trained.has_matte else "the image is the finished frame",
    }


def write_onnx(program: torch.export.ExportedProgram, path: Path, metadata: dict[str, str]) -> Step:
    """Write ONNX; gives the step as onnxruntime computes it from the file."""
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise ValueError(
            f"export to ONNX needs the packages onnx, onnxscript and onnxruntime ({error}); "
            "install them with `pip install onnx onnxscript onnxruntime`"
        ) from error
    # It warns of operators of packages that are not installed.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    exported = torch.onnx.export(
        program, dynamo=True, input_names=INPUTS, output_names=[OUTPUT], verbose=False
    )
    assert exported is not None
    exported.model.metadata_props.update(metadata)
    exported.save(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )

    def run(*inputs: torch.Tensor) -> torch.Tensor:
        given = {name: value.numpy() for name, value in zip(INPUTS, inputs, strict=True)}
        return torch.from_numpy(session.run([OUTPUT], given)[0])

    return run


def write_program(
    program: torch.export.ExportedProgram, path: Path, metadata: dict[str, str]
) -> Step:
    """Write a torch.export program; gives the step as the file holds it."""
    torch.export.save(program, path, extra_files={METADATA_FILE: json.dumps(metadata)})
    module: Step = torch.export.load(path).module()
    return module


WRITERS = {".onnx": write_onnx, ".pt2": write_program}


@torch.no_grad()
def compare(step: Step, other: Step, trained: TrainedGenerator) -> float:
    """Run both on random labels, each fed its own output before; greatest difference of any output.

    The face box is somewhere else each time, and every fourth frame has none.
    """
    seed, side = torch.Generator().manual_seed(0), trained.face_side
    size = trained.height, trained.width
    own = others = torch.zeros(1, 3 + trained.has_matte, *size)
    greatest = 0.0
    for number in range(CHECKED_FRAMES):
        label = torch.rand(1, trained.label_channels, *size, generator=seed)
        y, x = (int(torch.randint(length - side + 1, (), generator=seed)) for length in size)
        box = torch.tensor([x, y, x + side, y + side] if number % 4 < 3 else [-1] * 4)
        own, others = step(label, own[:, :3], box), other(label, others[:, :3], box)
        # Not Python's max: a NaN must not get lost.
        greatest = float(np.maximum(greatest, (own - others).abs().max().item()))
    return greatest


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m edn_core.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("generator", help="generator.safetensors of a trained stage")
    parser.add_argument("out", help="file to write: .onnx or .pt2")
    given = parser.parse_args(arguments)
    with errors_in_one_line():
        difference = export_generator(given.generator, given.out)
    print(
        f"{given.out}: {Path(given.out).stat().st_size / 1e6:.1f} MB; differs from torch by at "
        f"most {difference:.2g} in {CHECKED_FRAMES} frames (outputs in -1 to 1)"
    )


if __name__ == "__main__":
    main()
