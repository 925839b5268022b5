"""What a machine can bear: values under those of the config file."""

from typing import Any

from edn_core.config.checks import shown

_GPU_TRAINING = {
    "body": {"epochs": 5},
    "face": {"epochs": 5},
    "precision": "bfloat16",
    "vgg19": "auto",
}
_GPU_EVALUATION = {"alexnet": "auto"}
# A resume point of the full-size networks is several GB.
_GPU_RUNTIME = {"loader_workers": 4, "checkpoint_every_s": 600.0}
_SHORT_OF_MEMORY = _GPU_RUNTIME | {"resident_frames": "never"}


def _in_two_sizes(pixels: int, runtime: dict[str, Any]) -> dict[str, Any]:
    """The paper's 5 epochs of pairs at half size, 30 at full size, 5 for the face; body before."""
    stages = ["body", "temporal", "enhance", "face"]
    epochs = {"temporal": {"epochs": 5}, "enhance": {"epochs": 30}}
    return {
        "canvas": {"pixels": pixels},
        "training": {**_GPU_TRAINING, **epochs, "stages": stages},
        "synthesis": {"precision": "bfloat16"},
        "evaluation": _GPU_EVALUATION,
        "runtime": runtime,
    }


PRESETS: dict[str, dict[str, Any]] = {
    # A preview in minutes on two cores: sizes and rates measured in docs/training.md.
    "cpu": {
        "canvas": {"pixels": 49_152},
        "labels": {"thickness": 2.0},
        "network": {
            "generator_channels": 24,
            "downsamplings": 3,
            "residual_blocks": 4,
            "discriminator_channels": 24,
            "discriminator_scales": 2,
            "face_generator_channels": 32,
            "face_downsamplings": 1,  # a face box of 64 px has no detail to spare
            "face_residual_blocks": 4,
            "face_discriminator_channels": 24,
        },
        "training": {
            "body": {"steps": 400, "learning_rate": 1e-3},
            "temporal": {"steps": 200, "learning_rate": 1e-3},
            "face": {"steps": 400, "learning_rate": 1e-3, "batch_size": 2},
        },
    },
    # By the memory of the GPU (docs/training.md has the table); the networks are pix2pixHD's. The
    # epochs are named, also where they are the defaults, so that a file which sets something else
    # of a stage keeps them.
    "8gb": {
        "training": {**_GPU_TRAINING, "temporal": {"epochs": 30}},
        "synthesis": {"precision": "bfloat16"},
        "evaluation": _GPU_EVALUATION,
        "runtime": _SHORT_OF_MEMORY,
    },
    "12gb": _in_two_sizes(294_912, _SHORT_OF_MEMORY),
    "24gb": _in_two_sizes(524_288, _GPU_RUNTIME),
    "80gb": _in_two_sizes(2_097_152, _GPU_RUNTIME),
}


def with_preset(values: dict[str, Any], preset: str) -> dict[str, Any]:
    """Put a preset's values under those of the config file; the file's win.

    A stage for which the file gives ``steps`` loses the preset's ``epochs``, and the other way
    round: they are one setting in two units. ``minutes`` beside ``preset`` is ``training.minutes``,
    so that ``--config minutes=30`` gives it. Raises ValueError: no such preset, or the file holds
    something else than settings.
    """
    if not isinstance(values, dict):
        raise ValueError(f"config.yaml is {shown(values)}; expected sections of settings")
    if preset not in list(PRESETS):  # a list or a section cannot be looked up in a dict
        known = ", ".join(("auto", *PRESETS))
        raise ValueError(f"config.yaml: preset is {shown(preset)}; known: {known}")
    if "minutes" in values:
        others = {name: value for name, value in values.items() if name != "minutes"}
        values = merged(others, {"training": {"minutes": values["minutes"]}})
    return merged(PRESETS[preset], values)


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Settings with others over them, section by section; neither is changed."""
    both = dict(under)
    if "steps" in over or "epochs" in over:  # None, for files that Snakemake merges by itself
        both |= dict.fromkeys({"steps", "epochs"} & both.keys())
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(both.get(key), dict):
            both[key] = merged(both[key], value)
        elif value is not None or not isinstance(both.get(key), dict):
            both[key] = value  # a section left empty in the file (None) takes nothing away
    return both
