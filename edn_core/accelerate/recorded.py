"""A function recorded as a CUDA graph."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from edn_core.logs import LOGGER

EAGER_CALLS = 3
"""Calls before a function is recorded: libraries choose their kernels in the first ones."""


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
