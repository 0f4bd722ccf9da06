"""The loss scale of half precision."""

import numpy as np
import pytest
import torch

from charrnn.config import OPTIMIZERS, ModelConfig, TrainingConfig
from charrnn.models.rnn.model import RecurrentModel
from charrnn.training.optim.optimizer import ModelOptimizer
from charrnn.training.optim.precision import FIRST_SCALE, LossScale

CPU = torch.device("cpu")


def test_loss_scale_gives_unscaled_gradients() -> None:
    scale, weight = LossScale(CPU), torch.tensor([3.0], requires_grad=True)
    assert scale.backward((weight * weight).sum(), [weight]) == 0
    assert weight.grad is not None
    assert weight.grad.item() == 6.0
    assert scale.factor == FIRST_SCALE


def test_loss_scale_reaches_ngram_embeddings() -> None:
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(hidden_size=8, ngram_embedding=2, ngram_rows=20), 5)
    assert model.ngrams
    model.ngrams.set_ngrams(np.arange(7, 27))
    updates = ModelOptimizer(model, TrainingConfig(), torch.float16)
    tokens = torch.randint(0, 5, (2, 9))
    bad = model.head.weight.sum() * torch.nan
    updates.step(model(tokens)[0].square().mean() + bad, lr=0.1)
    assert not model.ngrams.weight.any()
    updates.step(model(tokens)[0].square().mean(), lr=0.1)
    assert model.ngrams.weight.any()
    assert model.ngrams.weight.isfinite().all()
    assert not model.ngrams.weight[0].any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_loss_scale_with_infinite_gradient_skips_all_weights(optimizer: str) -> None:
    """PyTorch's GradScaler decides for each optimizer: when only the layers' gradients overflowed, clipping the norm of
    all gradients turned the head's into NaN, and the head was updated with it.
    """
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(hidden_size=8), 50)
    updates = ModelOptimizer(model, TrainingConfig(optimizer=optimizer), torch.float16)
    assert updates.scale
    before = {name: value.clone() for name, value in model.state_dict().items()}
    bad = next(parameter for parameter in model.cells.parameters() if parameter.dim() == 2)
    loss = model(torch.randint(0, 50, (2, 5)))[0].square().mean() + (torch.nan * bad).sum()
    updates.step(loss, lr=0.1)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert updates.scale.factor == FIRST_SCALE / 2
    updates.step(model(torch.randint(0, 50, (2, 5)))[0].square().mean(), lr=0.1)
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert not torch.equal(model.head.weight, before["head.weight"])
