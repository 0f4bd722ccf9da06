"""CUDA graphs in software, on a CPU: operations are written down while they are recorded, and done again by a replay.

As in CUDA, nothing is computed for good during a recording; a replay reads and writes the same memory; and waiting for
the device during a recording is an error. So it finds results that are read from old memory, batches that are aliased,
and steps that need the host; not what cuDNN or the driver refuse.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from charrnn.models.rnn import cuda_graph as recorded
from charrnn.training import step as steps

WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "_unique2", "equal", "is_nonzero")
"""Operations whose result the host must have."""
RESHAPES = ("transpose_", "squeeze_", "unsqueeze_", "t_", "swapaxes_", "as_strided_")
"""Operations that change what a tensor looks like, and no memory."""


class Graph:
    """What `torch.cuda.CUDAGraph` is."""

    def __init__(self) -> None:
        self.operations: list[tuple[Callable[..., Any], Any, Any, Any, bool]] = []

    def replay(self) -> None:
        """Do all operations again, into the memory of the first time."""
        for function, args, kwargs, results, has_grad in self.operations:
            with torch.set_grad_enabled(has_grad), torch._C._AutoDispatchBelowAutograd():
                again = function(*args, **kwargs)
                for old, new in zip(tensors_of(results), tensors_of(again), strict=True):
                    if old.numel() and old.data_ptr() != new.data_ptr():  # views are there already
                        old.copy_(new)


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down each operation, with the tensors that it reads and makes."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph = graph
        self.before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[1]
        if name in WAITS:
            raise RuntimeError(f"{name}: operation not permitted when stream is capturing")
        if func._schema.is_mutable:
            for argument, value in zip(func._schema.arguments, args, strict=False):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    self._remember(value)
        frozen = tree_map(_alias, (args, kwargs))
        results = func(*args, **kwargs)
        if name not in RESHAPES:
            self.graph.operations.append((func, *frozen, tree_map(_alias, results), torch.is_grad_enabled()))
        return results

    def _remember(self, value: Any) -> None:
        for tensor in tensors_of(value):
            storage = tensor.untyped_storage()
            if storage._cdata not in self.before:
                self.before[storage._cdata] = storage, storage.clone()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def recording(graph: Graph, stream: object = None) -> Iterator[None]:
    """What `torch.cuda.graph` is: what was changed meanwhile is put back at the end."""
    random, recorder = torch.get_rng_state(), Recorder(graph)
    with recorder:
        yield
    for storage, before in recorder.before.values():
        storage.copy_(before)
    torch.set_rng_state(random)


class Stream:
    """What `torch.cuda.Stream` is; there is one."""

    def __init__(self, device: object = None) -> None:
        pass

    def wait_stream(self, other: Stream) -> None:
        """All is in order."""


def tensors_of(value: Any) -> list[Tensor]:
    """All tensors in a result or an argument."""
    return [part for part in tree_flatten(value)[0] if isinstance(part, Tensor)]


def _alias(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


@pytest.fixture
def software_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that has CUDA graphs. The kernels in C are off: what they do is no operation of PyTorch's."""
    monkeypatch.setenv("CHARRNN_COMPILE", "0")
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    for module in (recorded, steps):
        monkeypatch.setattr(module, "has_cuda_graphs", lambda device: True)
        monkeypatch.setattr(module, "is_allowed", lambda feature, device: True)
