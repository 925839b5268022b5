"""What a job asks a cluster for: memory and minutes, by the length and size of its video.

A constant and rates by frames and pixels for each kind of step, read off a few runs and rounded up
(docs/cluster.md says what is known). Results never depend on any of this.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import av
import av.error

from edn_core.config import Config, VideoConfig
from edn_core.video import open_container

# Kind of step -> MB, MB per megapixel, ms per frame, ms per frame and megapixel.
KINDS = {
    "keypoints": (150, 0, 1, 0),
    "video": (300, 220, 90, 12),
    "pictures": (200, 600, 15, 200),
    "film": (300, 90, 20, 60),
    "room": (1800, 100, 20, 12),  # up to 160 frames of the video, of 768 MB
    "networks": (600, 1500, 100, 250),
    "evaluation": (2000, 200, 150, 250),  # each stage waits for its poses with frames of the video
    "detector": (2400, 60, 400, 12),  # 512 MB of crops, and a batch of them in the network
}
OF_VIDEO = ("video", "film", "room", "detector", "evaluation")
"""By the pixels of the video, and not of the window."""
MEMORY_MARGIN, TIME_MARGIN = 1.5, 3.0  # for another machine, other codecs, a shared disk
START_MB, CUDA_MB = 300, 4000  # two Snakemakes beside a job; torch's CUDA libraries, a guess
# Of pix2pixHD's networks: a resume point held twice, operations for a megapixel of a frame that is
# painted and of a training step. A second of 4 threads, and of the slowest card a preset is for.
STATE_MB, FRAME_FLOP = 7500, 2e12
STEP_FLOP = {"body": 5e12, "temporal": 9e12, "enhance": 5e12, "face": 4e12}
CPU_FLOPS = 6e10
GPU_FLOPS = {"cpu": 8.6e12, "8gb": 8.6e12, "12gb": 8.9e12, "24gb": 2.46e13, "80gb": 1.19e14}


@dataclass(frozen=True)
class Footage:
    """How much of a video there is: frames that are used, megapixels of its and of the window's."""

    n_frames: int
    video_mp: float
    window_mp: float


def measure_footage(video: str | Path, settings: VideoConfig, pixels: int) -> Footage:
    """By the video's header, without decoding; ten minutes of full HD where it says nothing."""
    n_frames, width, height = 10 * 60 * 30, 1920, 1080
    try:  # what is wrong with a video is said by the step that reads it
        with open_container(video) as container:
            stream = container.streams.video[0]
            width, height = stream.codec_context.width, stream.codec_context.height
            seconds = (container.duration or 0) / av.time_base
            stop_s = min(settings.stop_s or seconds, seconds)
            n_frames = max(1, round((stop_s - settings.start_s) * float(stream.average_rate or 30)))
    except (OSError, IndexError, ValueError, av.error.FFmpegError):
        pass
    return Footage(n_frames, width * height / 1e6, pixels / 1e6)


def needs(kind: str, footage: Footage, settings: Config, preset: str) -> tuple[int, int]:
    """Memory in MB and time in minutes of a job's first attempt.

    Its kind is one of KINDS, or a stage of training. The footage is of its video; of a transfer,
    the source's frames in the target's video or window. The preset that ``auto`` was settled to
    says how fast a GPU is expected.
    """
    mb, seconds = _cost(kind, footage, settings, preset)
    mb = max(1000, MEMORY_MARGIN * mb + START_MB)
    minutes = max(10, 5 + TIME_MARGIN * seconds / 60)
    return 100 * math.ceil(mb / 100), 5 * math.ceil(minutes / 5)  # round: queues group them


def film_minutes(source: Footage, target: Footage, settings: Config, preset: str) -> float:
    """About how long all jobs of a film take, one after another, without any margin."""
    steps = [("video", source), ("networks", source), ("film", source)]
    kinds = ("video", "detector", "room", "pictures", *settings.training.stages)
    steps += [(kind, target) for kind in kinds]
    return sum(_cost(*step, settings, preset)[1] for step in steps) / 60


def _cost(kind: str, footage: Footage, settings: Config, preset: str) -> tuple[float, float]:
    """MB and seconds, as measured."""
    network, runtime = settings.network, settings.runtime
    size = (network.generator_channels / 64) ** 2  # against pix2pixHD's, in operations and weights
    on_gpu = runtime.device == "cuda" or (runtime.device == "auto" and preset != "cpu")
    flops = GPU_FLOPS[preset] if on_gpu else CPU_FLOPS
    n_gpus, mp = runtime.gpus_per_training, footage.window_mp
    # The global generator sees half the window.
    painted_mp = mp if "enhance" in settings.training.stages else mp / 4
    if kind in KINDS:
        mp = footage.video_mp if kind in OF_VIDEO else mp
        const_mb, mb_per_mp, ms, ms_per_mp = KINDS[kind]
        mb = const_mb + mb_per_mp * mp + 0.01 * footage.n_frames
        seconds = footage.n_frames * (ms + ms_per_mp * mp) / 1000
        if kind == "networks":
            seconds += footage.n_frames * painted_mp * size * FRAME_FLOP / flops
        if kind in ("networks", "detector", "evaluation") and on_gpu:
            mb += CUDA_MB
    else:
        stage = getattr(settings.training, kind)
        mp, operations = _work(kind, footage, settings)
        minutes = stage_minutes(kind, footage, settings)
        seconds = 60 * minutes if minutes else operations * size / flops / n_gpus
        frames = min(runtime.frame_cache_mb, 6 * mp * footage.n_frames)
        state = STATE_MB * size * 4 ** (network.downsamplings - 4)
        mb = 600 + state + n_gpus * (500 + frames)
        mb += n_gpus * (CUDA_MB if on_gpu else 20_000 * mp * math.sqrt(size) * stage.batch_size)
    return mb, seconds


def stage_minutes(stage: str, footage: Footage, settings: Config) -> float | None:
    """A stage's share of ``training.minutes``, by what its own steps would cost; None: not set."""
    work = {one: _work(one, footage, settings)[1] for one in settings.training.stages}
    minutes = settings.training.minutes
    return round(minutes * work[stage] / sum(work.values()), 3) if minutes else None


def _work(stage: str, footage: Footage, settings: Config) -> tuple[float, float]:
    """Megapixels that a stage paints, and operations of its steps with pix2pixHD's networks."""
    config = getattr(settings.training, stage)
    # The global generator sees half the window.
    whole = ("enhance", "face") if "enhance" in settings.training.stages else ()
    mp = footage.window_mp if stage in whole else footage.window_mp / 4
    pairs = (config.epochs or 0) * footage.n_frames or (config.steps or 0) * config.batch_size
    return mp, pairs * mp * STEP_FLOP[stage]
