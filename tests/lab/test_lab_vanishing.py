"""`charrnn lab vanishing`, at a size that runs quickly."""

from dataclasses import replace

import pytest

from charrnn.config import CELLS, CorpusConfig
from charrnn.errors import TextError
from charrnn.lab.experiment import LabContext
from charrnn.lab.vanishing import SIZES, run
from charrnn.text.corpus import Corpus

TINY = SIZES["tiny"]


def test_vanishing_has_a_row_for_each_cell_stage_and_distance(small_corpus: Corpus) -> None:
    result = run(LabContext(small_corpus), TINY)
    assert len(result.rows) == len(CELLS) * 2 * (TINY.furthest + 1)
    assert list(result.rows[0]) == ["cell", "stage", "distance", "lower_quartile", "median", "upper_quartile"]
    assert all(0 < row["lower_quartile"] <= row["median"] <= row["upper_quartile"] for row in result.rows)
    assert len(result.table) == 1 + 2 * len(CELLS)
    assert len({len(line) for line in result.table}) == 1
    assert "split 90/10/0" in result.caption


def test_vanishing_of_a_fresh_rnn_decays_and_repeats_with_its_seed(small_corpus: Corpus) -> None:
    size = replace(TINY, width=64, places=8, furthest=30)
    result = run(LabContext(small_corpus, seed=3), size)
    medians = [row["median"] for row in result.rows if (row["cell"], row["stage"]) == ("rnn", "fresh")]
    assert max(medians) == medians[0]
    assert medians[30] < 1e-6 * medians[0]
    assert run(LabContext(small_corpus, seed=3), size).rows == result.rows
    assert run(LabContext(small_corpus, seed=4), size).rows != result.rows


def test_vanishing_with_a_short_text_raises_text_error(small_corpus: Corpus) -> None:
    short = replace(small_corpus, config=CorpusConfig(val_fraction=0.0001))
    with pytest.raises(TextError, match="1 held-out character, but 10 are needed; use a longer text"):
        run(LabContext(short), TINY)
