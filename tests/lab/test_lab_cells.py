"""`charrnn lab cells`: equal numbers of parameters, equal numbers of steps, and the models' own scores."""

import math

import pytest

from charrnn.config import CELLS, ModelConfig
from charrnn.errors import UsageError
from charrnn.lab.cells import SIZES, run
from charrnn.lab.experiment import LabContext
from charrnn.lab.networks import SLACK, config_of_size, new_network, parameter_count
from charrnn.text.corpus import Corpus

TINY = SIZES["tiny"]


@pytest.mark.parametrize("size", ["quick", "full"])
@pytest.mark.parametrize("cell", CELLS)
def test_config_of_size_is_the_nearest_to_the_parameters(cell: str, size: str) -> None:
    parameters = SIZES[size].parameters
    config = config_of_size(cell, 2, 65, parameters)
    error = abs(parameter_count(cell, 2, 65, config.hidden_size) - parameters)
    assert error <= SLACK * parameters
    neighbors = (config.hidden_size - 1, config.hidden_size + 1)
    assert error <= min(abs(parameter_count(cell, 2, 65, width) - parameters) for width in neighbors)


@pytest.mark.parametrize("cell", CELLS)
def test_parameter_count_matches_the_network(cell: str) -> None:
    network = new_network(ModelConfig(cell, 3, 5), 7, 0, LabContext().device)
    assert parameter_count(cell, 3, 7, 5) == network.parameter_count


def test_config_of_size_that_no_network_has_raises_usage_error() -> None:
    message = r"no lstm with 2 layers and a vocabulary of 65 characters has 20 parameters \(±2%\)"
    with pytest.raises(UsageError, match=message):
        config_of_size("lstm", 2, 65, 20)


def test_cells_curve_ends_with_the_score_of_all_held_out_characters(small_corpus: Corpus) -> None:
    result = run(LabContext(small_corpus), TINY)
    for cell in CELLS:
        points = [row for row in result.rows if row["cell"] == cell]
        assert [row["steps"] for row in points] == [1, 2]
        assert [row["bits_per_char"] is None for row in points] == [True, False]
        assert sorted(row["seconds"] for row in points) == [row["seconds"] for row in points]
    again = run(LabContext(small_corpus), TINY).rows
    for name in ("first_bits_per_char", "bits_per_char"):
        assert [row[name] for row in again] == [row[name] for row in result.rows]
    assert [len(text) for _, text in result.samples] == [TINY.length] * len(CELLS)


def test_cells_with_minutes_trains_for_that_time(small_corpus: Corpus) -> None:
    size = SIZES["tiny"].__class__(60_000, 0.005, points=2, curve_characters=50, length=5)
    result = run(LabContext(small_corpus), size)
    for cell in CELLS:
        last = [row for row in result.rows if row["cell"] == cell][-1]
        assert 0 < last["bits_per_char"] < 2 * math.log2(len(small_corpus.vocabulary))
        assert last["steps"] > 3
        assert last["seconds"] > 0.2
    assert "0.005 minutes of training each" in result.caption
