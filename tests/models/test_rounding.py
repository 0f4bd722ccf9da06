"""Networks with weights of 8 bits against the same arithmetic in PyTorch, and against those that are not rounded."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from charrnn.config import CELLS, ModelConfig, NgramConfig
from charrnn.errors import ModelError
from charrnn.models.interpolated import make_network
from charrnn.models.kernels import build as compiled
from charrnn.models.language_model import LanguageModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.models.rounding import rounded
from charrnn.models.stepper import stepper

pytestmark = pytest.mark.skipif(compiled.library() is None, reason="no C compiler with OpenMP")
V, B, T = 11, 9, 12
TOKENS = torch.randint(0, V, (B, T), generator=torch.Generator().manual_seed(0))


def network(cell: str) -> RecurrentModel:
    torch.manual_seed(0)
    config = ModelConfig(cell, num_layers=3, hidden_size=33, embedding_size=22)
    return RecurrentModel(config, V).eval()


def of_bits(x: Tensor) -> Tensor:
    """Each row's nearest of 255 numbers."""
    scale = x.abs().amax(-1, keepdim=True) / 127
    return (x / scale).round() * scale


@torch.no_grad()
def test_it_is_an_lstm_whose_factors_are_rounded() -> None:
    model = network("lstm")
    found, _ = rounded(model)(TOKENS)
    cells = [core.all_weights[0] for core in model.modules() if isinstance(core, nn.LSTM)]
    h, c = [torch.zeros(B, 33)] * 3, [torch.zeros(B, 33)] * 3
    for t in range(T):
        x = model.embedding(TOKENS[:, t])
        for k, (w, u, b, d) in enumerate(cells):
            before = of_bits(h[k]) if t else h[k]
            product = x @ w.t() if k == 0 else of_bits(x) @ of_bits(w).t()
            i, f, g, o = (product + b + before @ of_bits(u).t() + d).chunk(4, 1)
            c[k] = f.sigmoid() * c[k] + i.sigmoid() * g.tanh()
            h[k] = o.sigmoid() * c[k].tanh()
            x = x + h[k] if k else h[k]
        torch.testing.assert_close(found[:, t], model.head(x), atol=1e-4, rtol=0)


def close(first: Tensor, second: Tensor) -> None:
    torch.testing.assert_close(first.log_softmax(-1), second.log_softmax(-1), atol=0.02, rtol=0)


def mixture() -> MixtureModel:
    counts = fit_ngram(np.random.default_rng(0).integers(0, V, 400), V, NgramConfig(order=4))
    assert isinstance(counts, NgramModel)
    return MixtureModel(network("lstm"), counts)


@torch.no_grad()
@pytest.mark.parametrize("kind", [*CELLS, "ensemble", "mixture"])
def test_all_but_the_same_alone_together_and_in_steps(kind: str) -> None:
    model: LanguageModel
    if kind == "ensemble":
        model = make_network(ModelConfig(hidden_size=24, networks=2), V).eval()
    else:
        model = mixture() if kind == "mixture" else network(kind)
    other = rounded(model)
    logits, state = other(TOKENS)
    close(logits, model(TOKENS)[0])
    assert not torch.equal(logits, model(TOKENS)[0])
    first, middle = other(TOKENS[:, :5])
    close(torch.cat((first, other(TOKENS[:, 5:], middle)[0]), 1), logits)
    together, alone = stepper(other, None, B), [stepper(other) for _ in range(B)]
    for t, now in enumerate(TOKENS.t().numpy()):
        found = together.read(now).copy()
        torch.testing.assert_close(torch.from_numpy(found).float().log_softmax(-1), logits[:, t].log_softmax(-1))
        assert np.array_equal(found, np.concatenate([one.read(now[i : i + 1]) for i, one in enumerate(alone)]))
    for part, want in zip(together.state or (), state, strict=True):
        torch.testing.assert_close(part, want)


def test_what_has_no_network_stays() -> None:
    counts = fit_ngram(TOKENS.flatten().numpy(), V, NgramConfig(order=2))
    assert rounded(counts) is counts


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.SWITCH, "0")
    with pytest.raises(ModelError, match="needs a C compiler"):
        rounded(network("lstm"))
