"""From a loss to new weights: gradients, gradient clipping and the optimizers."""

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
from charrnn.training.optim.row_adam import RowAdam

BETAS = (0.9, 0.99)
"""Decay rates of AdamW's two moments."""
MOMENTUM = 0.95
"""Momentum coefficient of Muon."""


NGRAM_RATE, NGRAM_DECAY = 2 / 3, 3.0
"""Learning rate of embeddings of n-grams, relative to `--learning-rate`, and their weight decay."""


class ModelOptimizer:
    """AdamW for all weights, or Muon for the matrices of the recurrent layers and AdamW for the rest.

    Embeddings of n-grams have an optimizer of their own (`row_adam.py`).

    AdamW: Loshchilov and Hutter 2019. Muon (Jordan et al. 2024) orthogonalizes the update of a matrix by Newton-Schulz;
    scaled as in "Muon is Scalable for LLM Training" (arXiv 2502.16982), it uses AdamW's learning rate. Weight decay
    applies to matrices only. In half precision the loss is scaled up to keep small gradients, and a step whose
    gradients overflow is skipped (Micikevicius et al. 2018).

    Args:
        model: the network, on the device to train on.
        config: optimizer, weight decay and gradient clipping.
        dtype: precision of the matrix products in the forward pass.
        group: the processes that train together.
    """

    def __init__(
        self, model: RecurrentModel, config: TrainingConfig, dtype: torch.dtype, group: ProcessGroup | None = None
    ) -> None:
        self.model, self.dtype, self.grad_clip = model, dtype, config.grad_clip
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        table = model.ngrams.weight if model.ngrams else None
        inner = set(map(id, model.cells.parameters())) if config.optimizer == "muon" else set()
        by_muon = [parameter for parameter in self.parameters if parameter.dim() == 2 and id(parameter) in inner]
        rest = [
            parameter
            for parameter in self.parameters
            if parameter is not table and (parameter.dim() != 2 or id(parameter) not in inner)
        ]
        groups = [
            {"params": [parameter for parameter in rest if parameter.dim() > 1], "weight_decay": config.weight_decay},
            {"params": [parameter for parameter in rest if parameter.dim() <= 1], "weight_decay": 0.0},
        ]
        self.optimizers: list[Optimizer] = [AdamW(groups, betas=BETAS, fused=True)]
        if by_muon:
            self.optimizers.append(Muon(by_muon, config.weight_decay, MOMENTUM, group))
        if table is not None:
            self.optimizers.append(RowAdam([table], NGRAM_DECAY, BETAS[1], NGRAM_RATE))
        # Under autocast PyTorch always passes float16 to cuDNN's recurrent layers
        # (aten/src/ATen/cudnn/AutocastRNN.cpp), so on CUDA losses are scaled for bfloat16, too.
        is_scaled = dtype == torch.float16 or (dtype == torch.bfloat16 and model.device.type == "cuda")
        self.scale = LossScale(model.device) if is_scaled else None
        if model.ngrams:
            model.ngrams.is_sparse = (
                model.device.type == "cpu" and not self.scale and (group is None or group.size == 1)
            )
        self.clipped = [parameter for parameter in self.parameters if parameter is not table]

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name, not copied, that the next update needs besides weights and gradients."""
        tensors = {
            f"optimizer.{i}.{j}.{name}": tensor
            for i, optimizer in enumerate(self.optimizers)
            for j, state in optimizer.state_dict()["state"].items()
            for name, tensor in state.items()
        }
        if self.scale:
            tensors |= {"scale.factor": self.scale.factor, "scale.good_steps": self.scale.good_steps}
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the state from `tensors`, taken from an optimizer with the same settings after at least one step.

        Raises:
            ValueError: a tensor is missing, or has the wrong shape or type, or values that are not finite.
        """
        for i, optimizer in enumerate(self.optimizers):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state = {
                j: {name: require_tensor(tensors, f"optimizer.{i}.{j}.{name}", shape) for name, shape in shapes.items()}
                for j, shapes in enumerate(_shapes(optimizer, parameters))
                if shapes
            }
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        if self.scale and any(name.startswith("scale.") for name in tensors):  # a state from a CPU has no loss scale
            self.scale.factor.copy_(require_tensor(tensors, "scale.factor", ()))
            self.scale.good_steps.copy_(require_tensor(tensors, "scale.good_steps", (), torch.int32))

    def set_capturable(self, on: bool) -> None:
        """Enable or disable capturable steps, whose learning rate and decisions are all on the device."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["capturable"] = on  # PyTorch warns if capturable is on and steps are not captured

    def step(self, loss: Tensor, lr: float | Tensor) -> None:
        """Compute the gradients of `loss` and update the weights.

        Args:
            loss: a scalar.
            lr: the learning rate; a scalar on the model's device while a CUDA graph is captured.
        """
        found_inf = None
        if self.scale:
            found_inf = self.scale.backward(loss, self.parameters)
        else:
            loss.backward()  # type: ignore[no-untyped-call]
        if self.grad_clip:
            torch.nn.utils.clip_grad_norm_(self.clipped, self.grad_clip)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.found_inf = found_inf  # type: ignore[attr-defined]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


def _shapes(optimizer: Optimizer, parameters: list[Tensor]) -> Iterator[dict[str, tuple[int, ...]]]:
    """Yield the names and shapes of an optimizer's state for each parameter."""
    if isinstance(optimizer, AdamW):
        yield from ({"step": (), "exp_avg": tuple(p.shape), "exp_avg_sq": tuple(p.shape)} for p in parameters)
        return
    if isinstance(optimizer, RowAdam):
        for parameter in parameters:
            yield {"squares": (len(parameter),), "counts": (len(parameter),)}
        return
    shapes = [tuple(parameter.shape) for parameter in parameters]
    for i, shape in enumerate(shapes):  # Muon stores the momentum of all matrices of a shape with the first of them
        yield {} if shape in shapes[:i] else {"momentum": (shapes.count(shape), *shape)}


def require_tensor(
    tensors: dict[str, Tensor], name: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return a tensor by name after checking shape, type and finite values.

    Raises:
        ValueError: a check failed; the message has the name, the expected and the actual value.
    """
    tensor = tensors.get(name)
    if tensor is None or (tuple(tensor.shape), tensor.dtype) != (shape, dtype):
        shown = None if tensor is None else f"{tensor.dtype} of shape {tuple(tensor.shape)}"
        raise ValueError(f"training.{name}: expected {dtype} of shape {shape}, found {shown}")
    if not tensor.isfinite().all():
        raise ValueError(f"training.{name}: expected finite numbers, found NaN or infinite ones")
    return tensor
