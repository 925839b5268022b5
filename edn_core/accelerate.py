"""How networks are made fast on the device at hand, without becoming other networks.

What is switched here changes results by rounding at most; docs/speed.md says what pays where.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from edn_core.config import RuntimeConfig
from edn_core.logs import LOGGER
from edn_core.networks.layers import Convolution

EAGER_CALLS = 3
"""Calls before a function is recorded: libraries choose their kernels in the first ones."""
FEW_CHANNELS = 4
"""Output channels: a picture, and a mask."""
NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Instructions that multiply bfloat16, by the names torch gives them on x86 and ARM."""


@dataclass(frozen=True)
class Acceleration:
    """What is switched on.

    Attributes:
        compile: networks are compiled.
        channels_last: channels are innermost in memory.
        cuda_graphs: steps are recorded and replayed.
    """

    compile: bool = False
    channels_last: bool = False
    cuda_graphs: bool = False


PLAIN = Acceleration()


def check_precision(
    precision: str,
    device: torch.device,
    setting: str = "training.precision",
    capabilities: Mapping[str, Any] | None = None,
) -> None:
    """Refuse half the bits where they would be emulated: 49 times as slow was measured.

    Args:
        precision: ``float32`` or ``bfloat16``.
        device: where the networks are to run.
        setting: where the precision was asked for, for the message.
        capabilities: of the CPU, by torch's names; None: those of this one.

    Raises:
        ValueError: names the setting, the device and what to do.
    """
    if precision == "float32":
        return
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return
        where = torch.cuda.get_device_name(device)
    else:
        if capabilities is None:
            capabilities = _cpu_capabilities()
        if any(capabilities.get(name) for name in NATIVE_BFLOAT16):
            return
        where = "this CPU"
    raise ValueError(
        f"{setting} is 'bfloat16', but {where} cannot multiply bfloat16 and would emulate it, many "
        f"times slower; set {setting} to float32"
    )


def _cpu_capabilities() -> Mapping[str, Any]:
    if hasattr(torch.cpu, "get_capabilities"):
        found: Mapping[str, Any] = torch.cpu.get_capabilities()
        return found
    # Before torch 2.10.
    return {
        name: getattr(torch.cpu, f"_is_{name}_supported", lambda: False)()
        for name in ("avx512_bf16", "amx_bf16")
    }


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Products in the precision asked for; of ``float32`` nothing changes."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def choose_acceleration(runtime: RuntimeConfig, device: torch.device, what: str) -> Acceleration:
    """Decide what ``auto`` stands for on a device, and log it with the reason.

    On a CPU nothing is compiled unless asked for, so that results do not depend on whether there
    is a compiler, or on how long it was thought to pay.

    Args:
        runtime: the switches.
        device: CPU or CUDA.
        what: is to be accelerated, for the log.

    Raises:
        ValueError: ``runtime.compile`` is ``always`` and there is nothing to compile with.
    """
    is_cuda = device.type == "cuda"
    missing = _missing_compiler(is_cuda)
    if runtime.compile == "always" and missing:
        raise ValueError(
            f"runtime.compile is 'always', but {missing}; install it, or set runtime.compile to "
            "auto or never"
        )
    compiles = runtime.compile == "always" or (runtime.compile == "auto" and is_cuda)
    compiles = compiles and not missing
    # Eager normalization turns the channels outwards again, so alone it costs two copies a layer.
    is_last = runtime.channels_last == "always" or (
        runtime.channels_last == "auto" and is_cuda and compiles
    )
    is_alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    records = runtime.cuda_graphs == "auto" and is_cuda and is_alone
    no_compiler = missing if is_cuda else "brings nothing more on a CPU"
    reasons = [
        _reason("compile", runtime.compile, compiles, no_compiler),
        _reason("channels_last", runtime.channels_last, is_last, "only with compiled networks"),
    ]
    if is_cuda:
        why_not = "one process alone can record its step"
        reasons.append(_reason("cuda_graphs", runtime.cuda_graphs, records, why_not))
    LOGGER.info(f"{what} on {device.type}: {'; '.join(reasons)}")
    return Acceleration(compile=compiles, channels_last=is_last, cuda_graphs=records)


def _reason(name: str, setting: str, is_on: bool, why_not: str) -> str:
    if setting != "auto":
        return f"{name} {'on' if is_on else 'off'} (runtime.{name}: {setting})"
    return f"{name} on" if is_on else f"{name} off ({why_not})"


def _missing_compiler(is_cuda: bool) -> str:
    """What torch.compile lacks on this machine; empty: nothing."""
    if is_cuda:
        return "" if importlib.util.find_spec("triton") else "there is no Triton"
    names = [os.environ.get("CXX"), "g++", "clang++", "c++"]
    return "" if any(shutil.which(name) for name in names if name) else "there is no C++ compiler"


def adam(
    parameters: Iterable[nn.Parameter],
    rate: float,
    betas: tuple[float, float],
    device: torch.device,
    is_recorded: bool = False,
) -> torch.optim.Adam:
    """Adam with one kernel for all weights.

    Args:
        parameters: to optimize.
        rate: learning rate; see set_rate.
        betas: of the moments.
        device: where the weights are.
        is_recorded: its steps go into a CUDA graph: counter and rate are on the device.
    """
    return torch.optim.Adam(
        parameters,
        lr=torch.tensor(rate, device=device) if is_recorded else rate,
        betas=betas,
        fused=True,
        capturable=is_recorded,
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give an optimizer its learning rate, in place where a CUDA graph reads it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def adam_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """What to save of an optimizer: the same on every device."""
    state = optimizer.state_dict()
    for group in state["param_groups"]:
        group["lr"], group["capturable"] = float(group["lr"]), False
    return state


def restore_adam(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Give an optimizer the moments that were saved; how it computes stays its own."""
    own = [{name: group[name] for name in ("lr", "capturable")} for group in optimizer.param_groups]
    groups = [{**group, **kept} for group, kept in zip(state["param_groups"], own, strict=True)]
    optimizer.load_state_dict({**state, "param_groups": groups})
    # load_state_dict copies; a graph reads the tensor it was recorded with.
    for group, kept in zip(optimizer.param_groups, own, strict=True):
        group["lr"] = kept["lr"]


def accelerate(
    networks: Iterable[nn.Module],
    device: torch.device,
    acceleration: Acceleration = PLAIN,
    is_training: bool = False,
    precision: str = "float32",
) -> None:
    """Make networks fast where they are; state dicts stay what they are.

    Args:
        networks: on the device already.
        device: CPU or CUDA.
        acceleration: what is switched on.
        is_training: weights will change; otherwise they may be put in another order once.
        precision: of products.
    """
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # all steps have one shape
    for network in networks:
        is_last = acceleration.channels_last
        if device.type == "cpu":
            # Pays there by itself; with gradients or in half the bits it does not.
            is_last |= not is_training and precision == "float32"
            _choose_ways(network, is_training)
        if is_last:
            # torch has no overload for a module alone.
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if acceleration.compile:
            is_frozen = device.type == "cpu" and not is_training
            network.compile(dynamic=False, options={"freezing": True} if is_frozen else None)


def _choose_ways(network: nn.Module, is_training: bool) -> None:
    """What was fastest on CPUs, float32, one thread (docs/speed.md)."""
    for module in network.modules():
        if isinstance(module, Convolution):
            has_few = module.out_channels <= FEW_CHANNELS
            module.way = "blocks" if has_few else "matrix" if is_training else "packed"


class _ForInference(nn.Module):
    """A network without gradients, in a precision, recorded if asked for; float32 comes out."""

    def __init__(
        self, network: nn.Module, device: torch.device, precision: str, is_recorded: bool
    ) -> None:
        super().__init__()
        self.network, self._device, self._precision = network, device, precision
        self._run: Callable[[Tensor], Tensor] = self._forward
        if is_recorded:
            self._run = Recorded(self._forward, "synthesis")

    def forward(self, x: Tensor) -> Tensor:
        """As the network."""
        return self._run(x)

    def _forward(self, x: Tensor) -> Tensor:
        with torch.no_grad(), autocast(self._precision, self._device):
            result: Tensor = self.network(x)
        return result.float()


def accelerated_for_inference(
    networks: Mapping[str, nn.Module],
    device: torch.device,
    acceleration: Acceleration = PLAIN,
    precision: str = "float32",
) -> dict[str, nn.Module]:
    """The networks as synthesis calls them: fast on the device, float32 in and out.

    Args:
        networks: on the device already, not to be trained any more.
        device: CPU or CUDA.
        acceleration: what is switched on.
        precision: of products.

    Returns:
        Networks of the same names.

    Raises:
        ValueError: a precision that the device does not have.
    """
    check_precision(precision, device, "synthesis.precision")
    accelerate(networks.values(), device, acceleration, precision=precision)
    if precision == "float32" and not acceleration.cuda_graphs:
        return dict(networks)
    return {
        name: _ForInference(network, device, precision, acceleration.cuda_graphs)
        for name, network in networks.items()
    }


class Recorded:
    """A function of tensors on one GPU that is recorded as a CUDA graph and then replayed.

    The first calls run as they are. Inputs of another shape, or another ``variant``, are recorded
    anew. Where recording fails, the log says why and the function runs as it is from then on. The
    function must not wait for the device, nor keep what it returns.
    """

    def __init__(self, function: Callable[..., Any], what: str) -> None:
        self._function, self._what = function, what
        self._key: Any = None
        self._calls = 0
        self._has_failed = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Any] = []
        self._output: Any = None

    def __call__(self, inputs: Any, variant: Any = None) -> Any:
        """Call the function with tensors in any nesting; a copy of what it returns."""
        leaves, structure = tree_flatten(inputs)
        if not any(isinstance(leaf, Tensor) and leaf.is_cuda for leaf in leaves):
            return self._function(inputs)
        shapes = tuple(
            (leaf.shape, leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else leaf
            for leaf in leaves
        )
        if self._key != (shapes, structure, variant):
            self._key, self._calls, self._graph = (shapes, structure, variant), 0, None
            self._inputs, self._output = [], None
        self._calls += 1
        if self._has_failed or self._calls <= EAGER_CALLS:
            return self._aside(inputs)
        if self._graph is None and not self._record(leaves, structure):
            return self._aside(inputs)
        assert self._graph is not None
        for kept, leaf in zip(self._inputs, leaves, strict=True):
            if isinstance(leaf, Tensor):
                kept.copy_(leaf, non_blocking=True)
        self._graph.replay()
        results, structure = tree_flatten(self._output)
        return tree_unflatten(
            [one.clone() if isinstance(one, Tensor) else one for one in results], structure
        )

    def _aside(self, inputs: Any) -> Any:
        # On a stream of its own, as recording wants it of what comes before.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            result = self._function(inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return result

    def _record(self, leaves: list[Any], structure: Any) -> bool:
        self._inputs = [leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._output = self._function(tree_unflatten(self._inputs, structure))
        except (RuntimeError, NotImplementedError) as error:
            reason = str(error).split("\n")[0]
            LOGGER.warning(
                f"{self._what}: not recorded as a CUDA graph ({reason}); it goes on without, slower"
            )
            self._has_failed, self._inputs, self._output = True, [], None
            return False
        self._graph = graph
        return True
