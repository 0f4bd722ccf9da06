"""How a loss changes the weights: gradients, their limit, and the optimizers."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from charrnn.config import TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.training.distributed import ProcessGroup
from charrnn.training.optim.muon import Muon
from charrnn.training.optim.precision import LossScale

BETAS = (0.9, 0.99)
MOMENTUM = 0.95


class ModelOptimizer:
    """AdamW for all weights, or Muon for the matrices of the layers and AdamW for the rest.

    AdamW: Loshchilov and Hutter 2019. Muon (Jordan et al. 2024) makes the update of a matrix orthogonal, by
    Newton-Schulz; scaled as in "Muon is Scalable for LLM Training" (arXiv 2502.16982), it takes AdamW's learning rate.
    Matrices decay, vectors do not. In half precision losses are scaled up, so that small gradients are not lost, and a
    step whose gradients are too large for it is left out (Micikevicius et al. 2018).

    Args:
        model: on the device to train on.
        config: optimizer, weight decay and gradient clipping.
        dtype: of the matrix products that the loss is computed with.
        group: the processes that train together.
    """

    def __init__(
        self, model: RecurrentModel, config: TrainingConfig, dtype: torch.dtype, group: ProcessGroup | None = None
    ) -> None:
        self.model, self.dtype, self.grad_clip = model, dtype, config.grad_clip
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        inner = set(map(id, model.cells.parameters())) if config.optimizer == "muon" else set()
        by_muon = [parameter for parameter in self.parameters if parameter.dim() == 2 and id(parameter) in inner]
        rest = [parameter for parameter in self.parameters if parameter.dim() != 2 or id(parameter) not in inner]
        groups = [
            {"params": [parameter for parameter in rest if parameter.dim() > 1], "weight_decay": config.weight_decay},
            {"params": [parameter for parameter in rest if parameter.dim() <= 1], "weight_decay": 0.0},
        ]
        self.optimizers: list[Optimizer] = [AdamW(groups, betas=BETAS, fused=True)]
        if by_muon:
            self.optimizers.append(Muon(by_muon, config.weight_decay, MOMENTUM, group))
        # Whatever was asked for, under autocast PyTorch hands float16 to cuDNN's recurrent layers
        # (aten/src/ATen/cudnn/AutocastRNN.cpp), so bfloat16 is scaled there too.
        is_scaled = dtype == torch.float16 or (dtype == torch.bfloat16 and model.device.type == "cuda")
        self.scale = LossScale(model.device) if is_scaled else None

    def tensors(self) -> dict[str, Tensor]:
        """What the next update depends on beside weights and gradients, by name; it is not copied."""
        tensors = {
            f"optimizer.{i}.{j}.{name}": tensor
            for i, optimizer in enumerate(self.optimizers)
            for j, of_one in optimizer.state_dict()["state"].items()
            for name, tensor in of_one.items()
        }
        if self.scale:
            tensors |= {"scale.factor": self.scale.factor, "scale.good_steps": self.scale.good_steps}
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on where `tensors` came from: the same settings, after a step at least.

        Raises:
            ValueError: a tensor is missing, or has another shape; the message names it, what was expected and found.
        """
        for i, optimizer in enumerate(self.optimizers):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state = {
                j: {name: require_tensor(tensors, f"optimizer.{i}.{j}.{name}", shape) for name, shape in shapes.items()}
                for j, shapes in enumerate(_shapes(optimizer, parameters))
                if shapes
            }
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        if self.scale and any(name.startswith("scale.") for name in tensors):  # else it comes from a CPU: a fresh one
            self.scale.factor.copy_(require_tensor(tensors, "scale.factor", ()))
            self.scale.good_steps.copy_(require_tensor(tensors, "scale.good_steps", (), torch.int32))

    def set_capturable(self, on: bool) -> None:
        """Whether steps may be recorded from now on: all is decided on the device, with the learning rate there too."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["capturable"] = on  # PyTorch's word; it warns where it is on for nothing

    def step(self, loss: Tensor, lr: float | Tensor) -> None:
        """Change the weights; the learning rate is a scalar on the model's device if the step is to be recorded."""
        found_inf = None
        if self.scale:
            found_inf = self.scale.backward(loss, self.parameters)
        else:
            loss.backward()  # type: ignore[no-untyped-call]
        if self.grad_clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.grad_clip)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.found_inf = found_inf  # type: ignore[attr-defined]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


def _shapes(optimizer: Optimizer, parameters: list[Tensor]) -> Iterator[dict[str, tuple[int, ...]]]:
    """What an optimizer remembers of each parameter, by name."""
    if isinstance(optimizer, AdamW):
        yield from ({"step": (), "exp_avg": tuple(p.shape), "exp_avg_sq": tuple(p.shape)} for p in parameters)
        return
    shapes = [tuple(parameter.shape) for parameter in parameters]
    for i, shape in enumerate(shapes):  # Muon keeps the momentum of all matrices of a shape with the first
        yield {} if shape in shapes[:i] else {"momentum": (shapes.count(shape), *shape)}


def require_tensor(
    tensors: dict[str, Tensor], name: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float32
) -> Tensor:
    """The tensor of a name, if it is what it should be, and finite.

    Raises:
        ValueError: it is not; the message names it, what was expected and what was found.
    """
    tensor = tensors.get(name)
    if tensor is None or (tuple(tensor.shape), tensor.dtype) != (shape, dtype):
        shown = None if tensor is None else f"{tensor.dtype} of shape {tuple(tensor.shape)}"
        raise ValueError(f"training.{name}: expected {dtype} of shape {shape}, found {shown}")
    if not tensor.isfinite().all():
        raise ValueError(f"training.{name}: expected finite numbers, found others")
    return tensor
