"""Fitting n-grams through the pipeline that the Python API and the command line share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import charrnn as library
from charrnn.checkpoint import save
from charrnn.config import CorpusConfig, NgramConfig
from charrnn.errors import UsageError
from charrnn.models.ngram.fit import NgramCounts
from charrnn.pipeline.fit_ngrams import fit_ngrams, is_fit_of
from charrnn.progress import Progress
from charrnn.scoring.evaluate import eval_result, evaluate, evaluate_online
from charrnn.text.corpus import Corpus, read_corpus

CONFIG = NgramConfig(order=3, smoothing="mkn")


def test_fit_ngrams_scores_the_validation_part(small_corpus: Corpus) -> None:
    fit = fit_ngrams(small_corpus, CONFIG, online=True)
    assert fit.score == evaluate(fit.checkpoint.model, small_corpus.validation)
    counts = NgramCounts.of(small_corpus.train.ids, len(small_corpus.vocabulary), CONFIG)
    assert fit.online == evaluate_online(counts, small_corpus.validation.ids)
    assert fit.checkpoint.metadata.validation == eval_result(fit.score, small_corpus.split)
    assert (fit.checkpoint.name, fit.checkpoint.description) == ("small-mkn-3", "mkn order 3")
    assert fit.checkpoint.size > 0


def test_fit_ngrams_in_pipeline_equals_fit_in_python(small_file: Path, small_corpus: Corpus) -> None:
    metadata = library.fit(small_file, CONFIG).metadata
    assert metadata.validation == fit_ngrams(small_corpus, CONFIG).checkpoint.metadata.validation


def test_fit_ngrams_without_validation_part_has_no_score(small_file: Path) -> None:
    fit = fit_ngrams(read_corpus(small_file, CorpusConfig(val_fraction=0)), NgramConfig(), online=True)
    assert (fit.score, fit.online, fit.checkpoint.metadata.validation) == (None, None, None)
    assert fit.checkpoint.description == "tuned order 9"


@pytest.mark.parametrize("smoothing", ["mkn", "longest"])
def test_fit_ngrams_reports_progress_of_counting_and_scoring(small_corpus: Corpus, smoothing: str) -> None:
    ends: dict[str, tuple[int, int]] = {}

    @contextmanager
    def bar(label: str, unit: str, delay: float = 1.0, /) -> Iterator[Progress]:
        yield lambda done, total: ends.update({label: (done, total)})

    fit_ngrams(small_corpus, NgramConfig(smoothing=smoothing), bar)
    assert list(ends) == ["counting", "scoring"]
    assert all(done == total for done, total in ends.values())


def test_fit_ngrams_online_of_documents_or_unsupported_smoothing_is_refused(
    small_file: Path, small_corpus: Corpus
) -> None:
    for smoothing in ("stupid", "longest"):
        with pytest.raises(UsageError, match=f"--online: --smoothing {smoothing} does not support it"):
            fit_ngrams(small_corpus, NgramConfig(smoothing=smoothing), online=True)
    with pytest.raises(UsageError, match="--online: cannot be combined with --document-separator"):
        fit_ngrams(read_corpus(small_file, CorpusConfig(document_separator="\n")), CONFIG, online=True)


def test_is_fit_of_another_text_configuration_or_file_is_false(small_corpus: Corpus, tmp_path: Path) -> None:
    path, fit = tmp_path / "it.safetensors", fit_ngrams(small_corpus, CONFIG)
    save(path, fit.checkpoint.model, small_corpus.vocabulary, fit.checkpoint.metadata)
    assert is_fit_of(path, small_corpus, CONFIG)
    assert not is_fit_of(path, small_corpus, replace(CONFIG, order=4))
    assert not is_fit_of(path, replace(small_corpus, sha256="0"), CONFIG)
    path.write_bytes(b"no checkpoint")
    assert not is_fit_of(path, small_corpus, CONFIG)
