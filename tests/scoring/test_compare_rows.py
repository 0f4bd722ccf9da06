"""The rows of a comparison, and the split that models are compared on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from charrnn.checkpoint import Checkpoint, Model
from charrnn.checkpoint.metadata import DatasetInfo, Metadata
from charrnn.config import CorpusConfig, ModelConfig, NgramConfig, SamplingConfig
from charrnn.errors import ModelError
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import Progress
from charrnn.scoring.compare.columns import as_json
from charrnn.scoring.compare.rows import NoveltyReference, measure
from charrnn.scoring.held_out import choose_split
from charrnn.scoring.novelty import TrainingText
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.vocabulary import Vocabulary

DESIGNED_NAMES = {
    "checkpoint", "kind", "bits_per_char", "nats_per_char", "characters", "split", "rule", "parameters", "entries",
    "bytes", "fit_seconds", "chars_per_second", "steps", "seed", "device", "version",
}  # fmt: skip


def of(corpus: Corpus, smoothing: str | None = None) -> Checkpoint:
    size = len(corpus.vocabulary)
    torch.manual_seed(0)
    model: Model = (
        fit_ngram(corpus.train.ids, size, NgramConfig(order=3, smoothing=smoothing))
        if smoothing
        else RecurrentModel(ModelConfig(hidden_size=8), size).eval()
    )
    metadata = Metadata(DatasetInfo.of(corpus), 1.5, "cpu", step=None if smoothing else 7)
    return Checkpoint(model, corpus.vocabulary, metadata, Path(f"{smoothing}.safetensors"), 123)


def test_row_as_json_has_the_designed_names(small_corpus: Corpus) -> None:
    models = [of(small_corpus), of(small_corpus, "mkn"), of(small_corpus, "ml")]
    part = choose_split(models, small_corpus)
    rows = [as_json(measure(model, part, "to ", SamplingConfig(length=20, seed=1))) for model in models]
    assert all(set(row) >= DESIGNED_NAMES for row in rows)
    json.dumps(rows, allow_nan=False)
    network, counted, unsmoothed = rows
    assert (network["kind"], counted["kind"]) == ("recurrent", "ngram")
    assert (network["entries"], counted["parameters"]) == (None, None)
    assert (network["steps"], network["seed"]) == (7, 1)
    assert isinstance(models[0].model, RecurrentModel)
    assert network["parameters"] == models[0].model.parameter_count > 500
    assert counted["bits_per_char"] < network["bits_per_char"]
    assert len({row["characters"] for row in rows}) == 1
    assert counted["characters"] == len(small_corpus.validation)
    assert len(counted["sample"]) == 20
    assert unsmoothed["bits_per_char"] is None or unsmoothed["impossible_share"] == 0


def test_measure_sample_is_the_beginning_of_what_is_judged(small_corpus: Corpus) -> None:
    model = of(small_corpus, "mkn")
    part = choose_split([model], small_corpus)
    training = TrainingText(small_corpus.train.ids, small_corpus.vocabulary)
    alone = measure(model, part, "to ", SamplingConfig(length=20, seed=1))
    seen: list[tuple[int, int]] = []

    @contextmanager
    def bars(label: str, unit: str, delay: float = 1.0) -> Iterator[Progress]:
        yield lambda done, total: seen.append((done, total)) if "sampling" in label else None

    for length in (10, 500):
        reference = NoveltyReference.of(part, training, length)
        row = measure(model, part, "to ", SamplingConfig(length=20, seed=1), "error", reference, bars)
        assert row.sample == alone.sample
        assert row.novelty is not None
        assert row.held_out_novelty is not None
        assert row.novelty.characters == row.held_out_novelty.characters == length
        json.dumps(as_json(row), allow_nan=False)
    assert seen == [(done, 500) for done in range(100, 501, 100)]


def test_split_with_a_test_part_is_the_test_part(small_file: Path) -> None:
    corpus = read_corpus(small_file, CorpusConfig(val_fraction=0.1, test_fraction=0.05))
    part = choose_split([of(corpus, "kn")], corpus)
    assert (part.part, part.split, len(part.text)) == ("test", "85/10/5", len(corpus.test))


def test_split_of_another_text_is_all_of_it(small_corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("to be or not to be")
    other = read_corpus(tmp_path / "other.txt", CorpusConfig(), small_corpus.vocabulary)
    part = choose_split([of(small_corpus, "kn")], other)
    assert (part.part, len(part.text)) == ("all", 18)


def test_split_with_different_vocabularies_is_refused(small_corpus: Corpus) -> None:
    first, other = of(small_corpus), of(small_corpus, "kn")
    other = replace(other, vocabulary=Vocabulary("abc"))
    with pytest.raises(ModelError, match=r"None and kn have different vocabularies \(\d+ and 3 characters\)"):
        choose_split([first, other], small_corpus)


def test_split_read_differently_is_refused(small_corpus: Corpus, small_file: Path) -> None:
    """The training part of one model would be held out for the other."""
    other = read_corpus(small_file, CorpusConfig(val_fraction=0.2))
    with pytest.raises(ModelError, match=r"split .* differently"):
        choose_split([of(small_corpus), of(other, "kn")], small_corpus)
