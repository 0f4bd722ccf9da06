"""A device that is played on a CPU: it has no float64, as MPS has none, and numpy cannot read its memory.

Whatever is computed from the weights of a model that was put on it is on it, until `.cpu()` copies it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

RECURRENT = ("lstm", "gru", "rnn_tanh")


class PlayedDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows what is on the device by its memory."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._there: dict[int, torch.UntypedStorage] = {}  # kept, so that no address is used twice

    def put(self, model: nn.Module) -> None:
        """Put a model's weights on the device."""
        for part in (*model.parameters(), *model.buffers()):
            self._put(part)

    def holds(self, tensor: Tensor) -> bool:
        """Whether a tensor is on the device. Sparse ones, which MPS lacks too, are not followed."""
        return tensor.layout == torch.strided and tensor.untyped_storage()._cdata in self._there

    def take(self, tensor: Tensor) -> None:
        """A tensor is on the CPU after all."""
        self._there.pop(tensor.untyped_storage()._cdata, None)

    def _put(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self._there[storage._cdata] = storage

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        inputs = [part for part in tree_flatten((args, kwargs))[0] if isinstance(part, Tensor)]
        if any(self.holds(part) for part in inputs):
            for part in tree_flatten(results)[0]:
                if isinstance(part, Tensor) and part.layout == torch.strided:
                    if part.dtype == torch.float64:
                        raise TypeError(f"{func}: the device has no float64")
                    self._put(part)
        return results


@pytest.fixture
def played_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedDevice]:
    """The device, in use. The kernels in C are off, as they are for tensors elsewhere."""
    monkeypatch.setenv("CHARRNN_COMPILE", "0")
    device, to_numpy = PlayedDevice(), Tensor.numpy

    def cpu(tensor: Tensor) -> Tensor:
        copied = tensor.clone()
        device.take(copied)
        return copied

    def numpy(tensor: Tensor, **options: Any) -> Any:
        if device.holds(tensor):
            raise TypeError("can't convert a tensor of the device to numpy")
        return to_numpy(tensor, **options)

    def contiguous(name: str) -> Any:
        real = getattr(torch._VF, name)

        def checked(x: Tensor, *args: Any) -> Any:
            if not x.is_contiguous():
                raise RuntimeError(f"{name}: gradients of an input that is not contiguous are wrong on MPS")
            return real(x, *args)

        return checked

    monkeypatch.setattr(Tensor, "cpu", cpu)
    monkeypatch.setattr(Tensor, "numpy", numpy)
    for name in RECURRENT:
        monkeypatch.setattr(torch._VF, name, contiguous(name))
    with device:
        yield device
