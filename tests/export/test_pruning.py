"""N-grams pruned by relative entropy: the distributions still sum to 1, and the cheapest go first."""

import numpy as np
import pytest
import torch
from export_models import IDS, VOCABULARY, V, counts, make

from charrnn.export.pruning import costs_of, fit_into, prune_ngrams, prune_rows
from charrnn.models.ngram.model import NgramModel
from charrnn.models.ngram.smoothing.backoff import keep_entries
from charrnn.models.rnn.model import RecurrentModel
from charrnn.scoring.evaluate import evaluate


@pytest.mark.parametrize("threshold", [1e-5, 1e-4, 1e-3, 0.1])
def test_pruned_distributions_sum_to_one(threshold: float) -> None:
    model = counts(5)
    pruned = prune_ngrams(model, threshold)
    assert pruned.entries < model.entries
    logits, _ = pruned(torch.from_numpy(IDS[None, :300]))
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(1, 300), atol=1e-5, rtol=0)


def test_more_pruning_leaves_fewer_ngrams_and_costs_more() -> None:
    model = counts(5)
    models = [model, *(prune_ngrams(model, threshold) for threshold in (1e-5, 1e-4, 1e-3))]
    assert [part.entries for part in models] == sorted((part.entries for part in models), reverse=True)
    bits = [evaluate(part, IDS).bits_per_char for part in models]
    assert bits == sorted(bits)


def test_pruning_by_cost_is_better_than_by_chance() -> None:
    model = counts(5)
    pruned = prune_ngrams(model, 3e-4)
    rng = np.random.default_rng(0)
    share = pruned.entries / model.entries
    kept = [rng.random(len(order.tokens)) < share for order in model.orders]
    by_chance = NgramModel(model.config, V, keep_entries(model.orders, kept))
    assert by_chance.entries >= pruned.entries
    assert evaluate(pruned, IDS).nats < evaluate(by_chance, IDS).nats


def test_costs_equal_the_change_of_one_probability() -> None:
    """For one n-gram of the longest order: joint probability times the logarithm of the ratio, by definition."""
    model = counts(3)
    costs = costs_of(model)
    order = model.orders[-1]
    owners = np.repeat(np.arange(len(order.starts) - 1), np.diff(order.starts))
    entry = int(np.argmax(costs[-1]))
    wanted = [np.ones(len(part.tokens), bool) for part in model.orders]
    wanted[-1][entry] = False
    without = NgramModel(model.config, V, keep_entries(model.orders, wanted))
    context = model.orders[1]
    second = int(context.tokens[owners[entry]]) - 1
    first = (
        int(
            model.orders[0].tokens[
                np.repeat(np.arange(len(context.starts) - 1), np.diff(context.starts))[owners[entry]]
            ]
        )
        - 1
    )
    last = int(order.tokens[entry]) - 1
    before, after = (
        part(torch.tensor([[first, second]]))[0][0, 1].double().exp()[last].item() for part in (model, without)
    )
    alone = model(torch.tensor([[first]]))[0][0, 0].double().exp()[second].item()
    unigram = (
        model.orders[0].weights[model.orders[0].tokens.tolist().index(first + 1)] + model.orders[0].backoffs[0] / V
    )
    assert costs[-1][entry] == pytest.approx(unigram * alone * before * np.log(before / after), rel=0.02)


def test_fit_into_returns_the_smallest_threshold_that_fits() -> None:
    sizes = []

    def build(threshold: float) -> int:
        sizes.append(round(1000 / (1 + 1e6 * threshold)))
        return sizes[-1]

    assert fit_into(build, 2000) == 0
    threshold = fit_into(build, 100)
    assert threshold == pytest.approx(9e-6, rel=0.05)
    assert fit_into(lambda threshold: 1000, 100) is None


def test_embeddings_that_a_text_uses_most_stay() -> None:
    """Half of the rows; the text needs two n-grams, whose rows are among them."""
    network = make("ngram embedding")
    assert isinstance(network, RecurrentModel)
    assert network.ngrams
    table = network.ngrams
    ids = VOCABULARY.encode("The The The The The ")
    digits = torch.cat((torch.zeros(1, 3, dtype=torch.int64), torch.from_numpy(ids)[None] + 1), 1)
    used = sorted(set(table.rows(digits).flatten().tolist()) - {0})
    row_bytes = table.weight.shape[1] + 8
    assert prune_rows([network], ids, 30 * row_bytes, 1) == 0.5
    left = torch.nonzero(table.weight.any(1)).flatten().tolist()
    assert len(left) == 30
    assert set(used) <= set(left)
    assert table.is_valid()
    assert prune_rows([make("lstm")], ids, 0, 1) is None  # type: ignore[list-item]
