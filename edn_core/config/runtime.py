"""What changes speed but no result."""

from dataclasses import dataclass

from edn_core.config.checks import check_choice


@dataclass(frozen=True)
class RuntimeConfig:
    """What changes speed but no result; nothing here makes a stage run again."""

    device: str = "auto"
    """``auto``: CUDA where there is one, else CPU; or ``cpu``, ``cuda``."""
    gpus_per_training: int = 1
    """GPUs that train one stage together, a process for each; every batch (batch_size) is divided
    among them. On CPUs: processes."""
    loader_workers: int = 0
    """Threads that decode training frames before their turn; 0 where frames fit in memory."""
    frame_cache_mb: int = 1024
    """Decoded training frames kept in memory, at most (MB)."""
    checkpoint_every_s: float = 60.0
    """Seconds between resume points of a training."""
    stop_margin_s: float = 60.0
    """Seconds before the end of its job at which a training saves its state and stops, and as
    long as its slowest step took."""
    log_every_s: float = 10.0
    """Seconds between lines of metrics.jsonl and TensorBoard scalars."""
    resident_frames: str = "auto"
    """Frames and labels of a training stay on the device, as bytes: ``auto`` where they fit into
    a quarter of a GPU's free memory, or frame_cache_mb on a CPU; ``always``; ``never``."""
    compile: str = "auto"
    """torch.compile of the networks: ``auto`` on CUDA only (on a CPU it costs a minute and brings
    nothing more); ``always``; ``never``."""
    cuda_graphs: str = "auto"
    """The whole step recorded once and replayed, so that starting its kernels costs nothing:
    ``auto`` where it can be (CUDA, one GPU); ``never``."""

    def __post_init__(self) -> None:
        check_choice(self, "device", ("auto", "cpu", "cuda"))
        for name in ("resident_frames", "compile"):
            check_choice(self, name, ("auto", "always", "never"))
        check_choice(self, "cuda_graphs", ("auto", "never"))
        if not self.stop_margin_s >= 0:
            raise ValueError(f"stop_margin_s must not be negative, got {self.stop_margin_s}")
        if self.gpus_per_training < 1:
            raise ValueError(f"gpus_per_training must be at least 1, got {self.gpus_per_training}")
