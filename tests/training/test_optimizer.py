"""The optimizers of a model."""

import pytest
import torch

from charrnn.config import OPTIMIZERS, ModelConfig, TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.training.optim.optimizer import ModelOptimizer


def make(optimizer: str, **settings: float) -> tuple[RecurrentModel, ModelOptimizer]:
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(hidden_size=8), 50)
    return model, ModelOptimizer(model, TrainingConfig(optimizer=optimizer, **settings), torch.float32)  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_applies_to_matrices_only(optimizer: str) -> None:
    """With zero gradients, a step multiplies decaying weights by 1 − rate · decay."""
    model, updates = make(optimizer, weight_decay=0.2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    updates.step(sum((0 * parameter).sum() for parameter in model.parameters()), lr=0.5)  # type: ignore[arg-type]
    for name, value in model.state_dict().items():
        factor = 1.0 if "bias" in name else 0.9
        torch.testing.assert_close(value, factor * before[name])


def test_muon_updates_of_layer_matrices_are_orthogonal() -> None:
    """The singular values of an orthogonal update are about equal; those of the gradient are not."""
    model, updates = make("muon", weight_decay=0.0)
    before = {name: value.clone() for name, value in model.named_parameters()}
    logits, _ = model(torch.randint(0, 50, (4, 40)))
    updates.step(logits.square().mean(), lr=0.1)
    for name, value in model.named_parameters():
        if name.startswith("cells") and value.dim() == 2:
            sizes = torch.linalg.svdvals((value - before[name]).detach())
            assert sizes[0] < 3 * sizes[-1], name
            rms = (value - before[name]).square().mean().sqrt().item()
            assert rms == pytest.approx(0.2 * 0.1, rel=0.3), name  # as large as AdamW's: arXiv 2502.16982


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_gradient_norm_is_clipped(optimizer: str) -> None:
    model, updates = make(optimizer, grad_clip=0.5)
    logits, _ = model(torch.randint(0, 50, (4, 40)))
    seen: list[torch.Tensor] = []
    for wrapped in updates.optimizers:
        wrapped.register_step_pre_hook(
            lambda inner, *_: seen.extend(p.grad.norm() for group in inner.param_groups for p in group["params"])
        )
    updates.step(1e6 * logits.square().mean(), lr=0.0)
    assert torch.stack(seen).norm() == pytest.approx(0.5, rel=1e-3)


def test_state_without_loss_scale_gets_a_new_one() -> None:
    """Training on a CPU has no loss scale, so neither has its saved state."""

    def after_one_step(dtype: torch.dtype) -> ModelOptimizer:
        torch.manual_seed(0)
        network = RecurrentModel(ModelConfig(hidden_size=8), 5)
        updates = ModelOptimizer(network, TrainingConfig(), dtype)
        logits, _ = network(torch.zeros(2, 3, dtype=torch.int64))
        updates.step(logits.square().mean(), 1e-3)
        return updates

    on_cpu, on_gpu = after_one_step(torch.float32), after_one_step(torch.float16)
    assert on_gpu.scale
    on_gpu.restore(on_cpu.tensors())
    on_cpu.restore(on_gpu.tensors())
    tensors = on_gpu.tensors()
    del tensors["scale.factor"]
    with pytest.raises(ValueError, match=r"training\.scale\.factor"):
        on_gpu.restore(tensors)
