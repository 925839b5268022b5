"""What a machine can bear: values under those of the config file."""

from typing import Any

from edn_core.config.checks import shown
from edn_core.config.training import STAGES

_SMALL_NETWORK = {
    "generator_channels": 24,
    "downsamplings": 3,
    "residual_blocks": 4,
    "discriminator_channels": 24,
    "discriminator_scales": 2,
    "face_generator_channels": 32,
    "face_downsamplings": 1,  # a face box of 32 px has no detail to spare
    "face_residual_blocks": 4,
    "face_discriminator_channels": 24,
}

_GPU_SYNTHESIS = {"precision": "bfloat16"}
_GPU_TRAINING = {"body": {"epochs": 5}, "face": {"epochs": 5}, "precision": "bfloat16"}
# The paper's 5 epochs of pairs at half size, 30 at full size, 5 for the face; body goes before.
_IN_TWO_SIZES = {
    **_GPU_TRAINING,
    "stages": list(STAGES),
    "temporal": {"epochs": 5},
    "enhance": {"epochs": 30},
}
# A resume point of the full-size networks is several GB.
_GPU_RUNTIME = {"loader_workers": 4, "checkpoint_every_s": 600.0}

PRESETS: dict[str, dict[str, Any]] = {
    # A preview in minutes on two cores: sizes and rates measured in docs/presets.md.
    "cpu": {
        "canvas": {"pixels": 12_288},
        "labels": {"thickness": 2.0},
        "network": _SMALL_NETWORK,
        "training": {
            "body": {"steps": 400, "learning_rate": 1e-3},
            "temporal": {"steps": 200, "learning_rate": 1e-3},
            "face": {"steps": 1100, "learning_rate": 1e-3, "batch_size": 2},
        },
    },
    # By the memory of the GPU; edn_core/training/cost.py counts what they need, docs/presets.md has
    # the table. The networks are pix2pixHD's. The epochs are named, also where they are the
    # defaults, so that a file which sets something else of a stage keeps them.
    "8gb": {
        "training": {**_GPU_TRAINING, "temporal": {"epochs": 30}},
        "synthesis": _GPU_SYNTHESIS,
        "runtime": {**_GPU_RUNTIME, "resident_frames": "never"},  # no memory to spare
    },
    "12gb": {
        "canvas": {"pixels": 294_912},
        "training": _IN_TWO_SIZES,
        "synthesis": _GPU_SYNTHESIS,
        "runtime": {**_GPU_RUNTIME, "resident_frames": "never"},
    },
    "24gb": {
        "canvas": {"pixels": 524_288},
        "training": _IN_TWO_SIZES,
        "synthesis": _GPU_SYNTHESIS,
        "runtime": _GPU_RUNTIME,
    },
    "80gb": {
        "canvas": {"pixels": 2_097_152},
        "training": _IN_TWO_SIZES,
        "synthesis": _GPU_SYNTHESIS,
        "runtime": _GPU_RUNTIME,
    },
}

FORMER_PRESETS = {"gpu": "8gb, 12gb, 24gb or 80gb, by the memory of the GPU"}
"""Names that earlier versions had, and what took their place."""


def unknown_preset(name: Any) -> str:
    """What is wrong with the name of a preset, and which there are."""
    if isinstance(name, str) and name in FORMER_PRESETS:
        return f"preset {name!r} has become {FORMER_PRESETS[name]}; or auto, which chooses by it"
    return f"preset is {shown(name)}; known: {', '.join(('auto', *PRESETS))}"


def with_preset(values: dict[str, Any], preset: str) -> dict[str, Any]:
    """Put a preset's values under those of the config file.

    A stage for which the file gives ``steps`` loses the preset's ``epochs``, and the other way
    round: they are one setting in two units.

    Args:
        values: what the config file says.
        preset: a key of PRESETS.

    Returns:
        A new dict; the file's values win.

    Raises:
        ValueError: the file holds something else than settings.
    """
    if not isinstance(values, dict):
        raise ValueError(f"config.yaml is {shown(values)}; expected sections of settings")
    return _merged(PRESETS[preset], values)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    if "steps" in over or "epochs" in over:
        merged.pop("steps", None)
        merged.pop("epochs", None)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        elif value is not None or not isinstance(merged.get(key), dict):
            merged[key] = value  # a section left empty in the file (None) takes nothing away
    return merged
