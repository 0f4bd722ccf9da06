"""On a CUDA device: the same numbers as on the CPU, and the same program. Run by hand with `pytest -m gpu`."""

import copy

import pytest
import torch

from charrnn.config import CELLS, ModelConfig, SamplingConfig, TrainingConfig
from charrnn.models.recurrent import RecurrentModel
from charrnn.sampling.generate import generate
from charrnn.scoring.evaluate import evaluate
from charrnn.text.corpus import Corpus
from charrnn.text.streams import Streams
from charrnn.training.loop import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("cell", CELLS)
def test_logits_states_and_gradients_are_those_of_the_cpu(cell: str) -> None:
    torch.manual_seed(0)
    here = RecurrentModel(ModelConfig(cell=cell, hidden_size=64), 50)
    there = copy.deepcopy(here).to("cuda")
    tokens = torch.randint(0, 50, (4, 30))
    results = []
    for model in (here, there):
        logits, state = model(tokens)
        (logits * torch.arange(50, device=logits.device).cos()).sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        results.append([part.cpu() for part in (logits, *state, *gradients) if part is not None])
    for found, expected in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("cell", CELLS)
def test_it_trains_scores_and_writes(cell: str, small_corpus: Corpus) -> None:
    config = TrainingConfig(steps=60, seq_length=16, batch_size=8, learning_rate=1e-2, warmup_steps=10)
    torch.manual_seed(0)
    model = RecurrentModel(ModelConfig(cell=cell, hidden_size=32), len(small_corpus.vocabulary)).to("cuda")
    *_, last = train(model, Streams(small_corpus.train, 8, 16), small_corpus.validation, config)
    assert last.score is not None
    assert last.score.bits_per_char < 3.6
    on_cpu = evaluate(copy.deepcopy(model).to("cpu"), small_corpus.validation)
    assert last.score.bits_per_char == pytest.approx(on_cpu.bits_per_char, abs=1e-3)
    text = "".join(generate(model, small_corpus.vocabulary, SamplingConfig(length=100, seed=0), "to "))
    assert len(text) == 100
