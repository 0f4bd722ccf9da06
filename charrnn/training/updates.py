"""How a loss changes the weights: gradients, their limit, and the optimizers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import AdamW, Muon, Optimizer

from charrnn.config import TrainingConfig
from charrnn.models.recurrent import RecurrentModel

BETAS = (0.9, 0.99)
MOMENTUM = 0.95


class Updates:
    """AdamW for all weights, or Muon for the matrices of the layers and AdamW for the rest.

    AdamW: Loshchilov and Hutter 2019. Muon (Jordan et al. 2024) makes the update of a matrix orthogonal, by
    Newton-Schulz; scaled as in "Muon is Scalable for LLM Training" (arXiv 2502.16982), it takes AdamW's learning rate.
    Matrices decay, vectors do not. In half precision losses are scaled up, so that small gradients are not lost, and a
    step whose gradients are too large for it is left out (Micikevicius et al. 2018).

    Args:
        model: what is trained, on its device.
        config: optimizer, weight decay, limit of the gradient.
        dtype: what the loss is computed in.
    """

    def __init__(self, model: RecurrentModel, config: TrainingConfig, dtype: torch.dtype) -> None:
        self.parameters, self.grad_clip = list(model.parameters()), config.grad_clip
        inner = {id(parameter) for parameter in model.cells.parameters()} if config.optimizer == "muon" else set()
        by_muon = [parameter for parameter in self.parameters if parameter.dim() == 2 and id(parameter) in inner]
        muons = {id(parameter) for parameter in by_muon}
        rest = [parameter for parameter in self.parameters if id(parameter) not in muons]
        groups = [
            {"params": [parameter for parameter in rest if parameter.dim() > 1], "weight_decay": config.weight_decay},
            {"params": [parameter for parameter in rest if parameter.dim() <= 1], "weight_decay": 0.0},
        ]
        self.optimizers: list[Optimizer] = [AdamW(groups, betas=BETAS, fused=True)]
        if by_muon:
            decay = config.weight_decay
            self.optimizers.append(Muon(by_muon, weight_decay=decay, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"))
        self.scaler = GradScaler(model.device.type, enabled=dtype == torch.float16)

    def step(self, loss: Tensor, rate: float) -> None:
        """Change the weights.

        Args:
            loss: a scalar with a graph.
            rate: the learning rate.
        """
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        if self.grad_clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.grad_clip)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            self.scaler.step(optimizer)
            optimizer.zero_grad(set_to_none=True)
        self.scaler.update()
