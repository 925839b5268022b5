"""What a job asks a cluster for: memory and minutes, from how long and how large its video is.

Made while jobs are planned, so without torch: operations and weights of the networks follow from
their sizes by formula (``tests/test_resources.py`` compares them with ``training/cost.py``, which
counts the real ones); what the other steps take was read off a few runs by hand and rounded up, or
is a guess. docs/cluster.md says what is known. Results never depend on any of this.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import av.error
import h5py

from edn_core.config import Config, DemoConfig, NetworkConfig, VideoConfig
from edn_core.demo import DANCERS, FPS
from edn_core.face import face_box_size
from edn_core.frames import choose_canvas
from edn_core.video import open_container

MEMORY_MARGIN, TIME_MARGIN = 1.5, 3.0
"""Asked for over what is expected: another machine, other codecs, a shared disk. Chosen by hand."""
LEAST_MB, LEAST_MINUTES, START_MINUTES = 1000, 10, 5
SNAKEMAKES_MB = 300
"""A cluster job holds two Snakemakes of 130 MB (measured) beside the step itself."""
CUDA_MB = 4000
"""Host memory that torch's CUDA libraries and pinned buffers take: a guess, not measured."""
CPU_FLOPS = 1.5e10
"""Floating-point operations per second of one thread in a training step; docs/presets.md measured
3.6e10 on two kinds of server."""
GPU_FLOPS = {"cpu": 8.6e12, "8gb": 8.6e12, "12gb": 8.9e12, "24gb": 2.46e13, "80gb": 1.19e14}
"""Expected of the slowest card a preset is for, docs/gpu.md (RTX 3060, A10G, A100): counted."""
VGG19_MACS = 361_000
"""Multiplications per pixel of VGG19 up to its last compared layer (docs/presets.md: 284 GFLOP for
three passes over 512 x 256)."""
VALIDATION_FRAMES = 64
"""Synthesized at each validation, at most."""


@dataclass(frozen=True)
class Footage:
    """How much of a video there is.

    Attributes:
        n_frames: on its constant-rate timeline, the part that is used.
        width: of the video as displayed, px.
        height: likewise, px.
        canvas: (H, W), px.
    """

    n_frames: int
    width: int
    height: int
    canvas: tuple[int, int]

    @property
    def video_mp(self) -> float:
        """Megapixels of a frame of the video."""
        return self.width * self.height / 1e6

    @property
    def canvas_mp(self) -> float:
        """Megapixels of a frame of the canvas."""
        return self.canvas[0] * self.canvas[1] / 1e6


UNKNOWN = (10 * 60 * 30, 1920, 1080)
"""Frames, width and height of a video nobody can look into: ten minutes, full HD."""


@dataclass(frozen=True)
class Needs:
    """What a job takes on its first attempt."""

    mem_mb: int
    minutes: int


@dataclass(frozen=True)
class Step:
    """What a step takes beside the networks it runs, per frame and per megapixel of one.

    Attributes:
        mb: resident memory of the process, MB.
        mb_per_mp: more of it per megapixel of what it looks at, MB.
        ms: per frame, of one thread.
        ms_per_mp: more of it per megapixel.
        reads_video: it looks at frames of the video, not of the canvas.
        paints: generator passes per frame.
        has_networks: of ours, which run on a GPU where there is one.
        of_held_out: it is done for the held-out frames only.
    """

    mb: float
    mb_per_mp: float
    ms: float
    ms_per_mp: float
    reads_video: bool = False
    paints: float = 0.0
    has_networks: bool = False
    of_held_out: bool = False


STEPS = {
    "film_demo": Step(130, 50, 5, 200),
    "extract_frames": Step(115, 70, 5, 12, reads_video=True),
    "preview_video": Step(175, 100, 6, 60),
    "estimate_pose": Step(300, 220, 90, 10, reads_video=True),
    "smooth_pose": Step(125, 0, 1, 0),
    "measure_video": Step(75, 0, 1, 0),
    "preflight_video": Step(180, 200, 15, 100),
    "preflight_pair": Step(180, 200, 15, 100),
    "render_labels": Step(115, 50, 6, 40),
    "build_background": Step(110, 1800, 3, 30),
    "normalize_pose": Step(75, 0, 1, 0),
    "render_transfer_labels": Step(115, 50, 6, 40),
    "synthesize_frames": Step(450, 1000, 6, 60, paints=1),
    "assemble_video": Step(175, 300, 6, 60),
    "compare_video": Step(175, 600, 10, 200),
    "plot_normalization": Step(150, 0, 1, 0),
    "watch_video": Step(150, 0, 1, 0),
    "write_report": Step(400, 0, 20, 0),
    "evaluate_truth": Step(340, 1000, 100, 50, of_held_out=True),
    "evaluate_baselines": Step(500, 1000, 300, 500, has_networks=True, of_held_out=True),
    "evaluate_model": Step(520, 1200, 250, 500, paints=1, of_held_out=True),
    "evaluate_target": Step(450, 0, 0, 0),
    "evaluate_transfer": Step(520, 1000, 150, 300),
    "synthesize_own_dance": Step(450, 1000, 6, 60, paints=1),
    "train_detector": Step(600, 1500, 100, 500, has_networks=True),
}
"""By the name of the rule; training is by itself. Rough: of two sizes of video on one
machine; where a step was not run on both, a guess."""


def measure_footage(
    store: str | Path, video: str | Path, settings: VideoConfig, pixels: int
) -> Footage:
    """How much of a video there is: as extracted, else by its header, else a guess.

    Never decodes, and never fails: what is wrong with a video is said by the step that reads it.

    Args:
        store: its ``frames.zip``, which need not be there.
        video: the file, which need not be there either.
        settings: the part of it that is used.
        pixels: of the canvas.
    """
    try:
        with h5py.File(store) as file:
            names = ("n_frames", "source_width", "source_height", "height", "width")
            n_frames, width, height, *canvas = (int(file.attrs[name]) for name in names)
            return Footage(n_frames, width, height, (canvas[0], canvas[1]))
    except (OSError, KeyError, ValueError, TypeError):
        pass
    n_frames, width, height = _read_header(video, settings)
    return Footage(n_frames, width, height, choose_canvas(width, height, pixels)[1])


def demo_footage(name: str, config: DemoConfig, pixels: int) -> Footage:
    """How much of a demo's video there will be."""
    role = name.removeprefix("demo_")
    dancer = DANCERS[role]
    seconds = {"source": config.source_s, "target": config.target_s}[role]
    n_frames = max(1, round(seconds * FPS[role]))
    canvas = choose_canvas(dancer.width, dancer.height, pixels)[1]
    return Footage(n_frames, dancer.width, dancer.height, canvas)


def _read_header(video: str | Path, settings: VideoConfig) -> tuple[int, int, int]:
    try:
        with open_container(video) as container:
            stream = container.streams.video[0]
            width, height = stream.codec_context.width, stream.codec_context.height
            rate = stream.average_rate or stream.guessed_rate or Fraction(30)
            if stream.duration and stream.time_base:
                seconds = float(stream.duration * stream.time_base)
            else:
                seconds = (container.duration or 0) / av.time_base
            if seconds <= 0 and stream.frames:
                seconds = stream.frames / float(rate)
    except (OSError, IndexError, ValueError, ZeroDivisionError, MemoryError, av.error.FFmpegError):
        return UNKNOWN
    if seconds <= 0 or min(width, height) < 1 or not 0.1 <= rate <= 1000:
        return UNKNOWN
    stop = seconds if settings.stop_s is None else min(settings.stop_s, seconds)
    return max(1, round((stop - settings.start_s) * float(rate))), width, height


def pair_footage(source: Footage, target: Footage) -> Footage:
    """What a transfer paints: the source's frames on the target's canvas."""
    return replace(source, canvas=target.canvas)


def step_needs(step: str, footage: Footage, settings: Config, preset: str, threads: int) -> Needs:
    """What any step but training takes.

    Args:
        step: one of STEPS.
        footage: of its video; for a step of a pair, ``pair_footage``.
        settings: the whole configuration.
        preset: what ``auto`` was settled to; says how fast a GPU is expected.
        threads: for networks on a CPU.
    """
    one = STEPS[step]
    n_frames = footage.n_frames
    if one.of_held_out:
        n_frames = math.ceil(n_frames * settings.evaluation.test_fraction)
    mp = footage.video_mp if one.reads_video else footage.canvas_mp
    seconds = n_frames * (one.ms + one.ms_per_mp * mp) / 1000
    mb = one.mb + one.mb_per_mp * mp + 0.01 * footage.n_frames  # keypoints, 133 a frame
    if one.paints:
        flops = 2 * n_frames * one.paints * painting_macs(settings, footage.canvas)
        seconds += flops / _flops_per_second(settings, preset, threads)
        mb += 4 * generator_weights(settings.network) / 1e6 * 2  # the file, and what is made of it
    if (one.paints or one.has_networks) and is_on_gpu(settings, preset):
        mb += CUDA_MB
    return _asked(mb, seconds)


def training_needs(
    stage: str, footage: Footage, settings: Config, preset: str, threads: int
) -> Needs:
    """What the training of one stage takes.

    Args:
        stage: one of ``training.stages``.
        footage: of the target.
        settings: the whole configuration.
        preset: what ``auto`` was settled to.
        threads: on a CPU.
    """
    training, runtime = settings.training, settings.runtime
    config = getattr(training, stage)
    held = settings.evaluation.test_fraction + settings.evaluation.validation_fraction
    n_train = max(2, footage.n_frames - math.floor(held * footage.n_frames))
    steps = config.steps or (config.epochs or 1) * max(1, n_train // config.batch_size)
    flops = steps * config.batch_size * step_flops(stage, settings, footage.canvas)
    validated = config.validations * min(VALIDATION_FRAMES, 0.05 * footage.n_frames)
    flops += 2 * validated * painting_macs(settings, footage.canvas)
    n_gpus = runtime.gpus_per_training
    seconds = flops / _flops_per_second(settings, preset, threads) / n_gpus

    weights = trained_weights(stage, settings.network)
    state = (
        20 * weights
    )  # weights, their average, the best ones, Adam's moments: copied to be saved
    frames = min(runtime.frame_cache_mb, 6 * footage.canvas_mp * footage.n_frames)
    mb = 600 + 2 * state / 1e6 + n_gpus * frames
    if is_on_gpu(settings, preset):
        mb += n_gpus * (CUDA_MB + frames)
    else:
        mb += n_gpus * activation_bytes(stage, settings, footage.canvas) / 1e6
    return _asked(mb, seconds)


def _asked(mb: float, seconds: float) -> Needs:
    """With the margins, in round numbers that queues can group."""
    mb = max(LEAST_MB, MEMORY_MARGIN * mb + SNAKEMAKES_MB)
    minutes = max(LEAST_MINUTES, START_MINUTES + TIME_MARGIN * seconds / 60)
    return Needs(100 * math.ceil(mb / 100), 5 * math.ceil(minutes / 5))


def is_on_gpu(settings: Config, preset: str) -> bool:
    """Whether networks are expected to run on a GPU; a login node cannot look."""
    device = settings.runtime.device
    return device == "cuda" or (device == "auto" and preset != "cpu")


def _flops_per_second(settings: Config, preset: str, threads: int) -> float:
    return GPU_FLOPS[preset] if is_on_gpu(settings, preset) else threads * CPU_FLOPS


def _global_macs(inputs: int, channels: int, downsamplings: int, blocks: int) -> float:
    """Multiplications of the global generator per pixel.

    Two 7 x 7 layers, a 3 x 3 at each halving and doubling, two a block at the lowest resolution.
    """
    return 49 * channels * (inputs + 3) + channels**2 * 9 * (downsamplings + 2 * blocks)


def generator_macs(network: NetworkConfig, is_enhanced: bool = False) -> float:
    """Multiplications per pixel of the whole-picture generator."""
    channels, blocks = network.generator_channels, network.residual_blocks
    coarse = _global_macs(6, channels, network.downsamplings, blocks)
    if not is_enhanced:
        return coarse
    return coarse / 4 + _global_macs(6, channels // 2, 1, network.enhancer_residual_blocks)


def discriminator_macs(network: NetworkConfig, inputs: int, scales: int) -> float:
    """Multiplications per pixel of the patch discriminators on their pyramid."""
    channels = network.discriminator_channels
    total, before = 0.0, inputs
    for layer in range(network.discriminator_layers + 1):
        width = channels if layer == 0 else min(channels * 2**layer, 512)
        size = 4.0 ** min(layer + 1, network.discriminator_layers)
        total += 16 * before * width / size
        before = width
    return total * sum(0.25**scale for scale in range(scales))


def painting_macs(settings: Config, canvas: tuple[int, int]) -> float:
    """Multiplications of one painted frame, face and all."""
    stages, network = settings.training.stages, settings.network
    macs = canvas[0] * canvas[1] * generator_macs(network, "enhance" in stages)
    return macs + (_face_pixels(canvas) * _face_macs(network) if "face" in stages else 0)


def _face_pixels(canvas: tuple[int, int]) -> int:
    return face_box_size(canvas[0]) ** 2


def _face_macs(network: NetworkConfig) -> float:
    channels, blocks = network.face_generator_channels, network.face_residual_blocks
    return _global_macs(6, channels, network.face_downsamplings, blocks)


def step_flops(stage: str, settings: Config, canvas: tuple[int, int]) -> float:
    """Floating-point operations of a training step of one sequence.

    A network that learns costs three passes (forward, and backward to weights and inputs), the
    discriminator about ten in all, VGG19 three.
    """
    training, network = settings.training, settings.network
    pixels, is_enhanced = canvas[0] * canvas[1], "enhance" in training.stages
    vgg = VGG19_MACS if training.vgg19 else 0
    if stage == "face":
        face = 3 * _face_macs(network) + 3 * vgg
        judge = discriminator_macs(
            replace(network, discriminator_channels=network.face_discriminator_channels), 6, 1
        )
        whole = pixels * generator_macs(network, is_enhanced)
        return 2 * 2 * (whole + _face_pixels(canvas) * (face + 10 * judge))
    if is_enhanced and stage != "enhance":
        pixels //= 4
    frames = 1 if stage == "body" else 2
    painted = 3 * generator_macs(network, stage == "enhance") + 3 * vgg
    scales = network.discriminator_scales + (stage == "enhance")
    judged = 10 * discriminator_macs(network, 6 if stage == "body" else 12, scales)
    return 2 * pixels * (frames * painted + max(1, frames - 1) * judged)


def activation_bytes(stage: str, settings: Config, canvas: tuple[int, int]) -> float:
    """Memory of a training step beyond the weights, in bytes: what is kept for going backwards."""
    training, network = settings.training, settings.network
    pixels = canvas[0] * canvas[1]
    if "enhance" in training.stages and stage in ("body", "temporal"):
        pixels //= 4
    frames = 2
    channels = 10 * network.generator_channels + 8 * network.discriminator_channels
    channels += 600 if training.vgg19 else 0
    batch = getattr(training, stage).batch_size
    return 4.0 * pixels * frames * channels * batch / (4 if stage == "face" else 1)


def _global_weights(inputs: int, channels: int, downsamplings: int, blocks: int) -> int:
    sampling = sum(9 * channels**2 * 2 ** (2 * level + 1) for level in range(downsamplings))
    deepest = channels * 2**downsamplings
    return 49 * channels * (inputs + 3) + 2 * sampling + 2 * blocks * 9 * deepest**2


def generator_weights(network: NetworkConfig) -> int:
    """Weights of the whole-picture generator; an enhancer adds next to nothing."""
    channels, blocks = network.generator_channels, network.residual_blocks
    return _global_weights(6, channels, network.downsamplings, blocks)


def trained_weights(stage: str, network: NetworkConfig) -> int:
    """Weights that a stage's training holds with all that Adam needs, and a frozen generator's."""
    judge = 43 * 16 * min(network.discriminator_channels, 128) ** 2 * 2
    if stage != "face":
        return generator_weights(network) + judge
    channels, blocks = network.face_generator_channels, network.face_residual_blocks
    face = _global_weights(6, channels, network.face_downsamplings, blocks)
    return face + judge // 2 + generator_weights(network) // 5
