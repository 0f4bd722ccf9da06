"""Compare models on the same held-out characters, for `charrnn compare`, `charrnn view` and the Python API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from charrnn.checkpoint import Checkpoint, load, split_mixture
from charrnn.config import CompareConfig, SamplingConfig
from charrnn.errors import CheckpointError, TextError, UsageError
from charrnn.pipeline.fit_ngrams import fit_ngrams
from charrnn.progress import ProgressBars, no_bar
from charrnn.scoring.compare.baselines import BASELINE_SMOOTHINGS, MAX_COUNTED, interpolate, missing_ngrams
from charrnn.scoring.compare.columns import as_json
from charrnn.scoring.compare.online import measure_online
from charrnn.scoring.compare.rows import NoveltyReference, OnlineRow, Row, best_of, measure
from charrnn.scoring.held_out import ReadTrainingText, choose_split
from charrnn.scoring.novelty import index_training_text
from charrnn.scoring.structure.figures import Structure
from charrnn.scoring.structure.side_by_side import compare_structure
from charrnn.text.corpus import Corpus

Log = Callable[[str], None]
"""A function that takes a line for the user."""

WITHOUT = "n-gram baselines and novelty are skipped"
"""Beginning of the note about columns and rows that need the models' common training text."""


class Comparison:
    """A comparison of models on the same held-out characters; each table is computed on first access.

    Example:
        ```python
        comparison = charrnn.compare(["lstm.safetensors", "ngram.safetensors"])
        for row in comparison.rows:
            print(row.checkpoint.name, row.score.bits_per_char)
        ```

    Args:
        models: at least one model; all must have the same vocabulary. The parts of mixtures get rows of their own.
        corpus: the text to compare on.
        config: the columns and tables to compute.
        read_training_text: function that reads the training text of a model.
        bars: makes progress bars.
        log: called with a line about anything that is skipped.
        max_characters: maximum number of held-out characters to score; None: all.

    Attributes:
        split: the characters that all models are scored on.
        training: the text that all models were fitted on, if there is one, it can be read, and it is needed.
        baselines: n-gram models that were fitted only for this comparison.

    Raises:
        ModelError: the vocabularies differ, or no part of the text is held out.
        UsageError: the configuration does not fit these models or this text.
    """

    def __init__(
        self,
        models: Sequence[Checkpoint],
        corpus: Corpus,
        config: CompareConfig,
        read_training_text: ReadTrainingText,
        bars: ProgressBars = no_bar,
        log: Log = lambda line: None,
        max_characters: int | None = None,
    ) -> None:
        self.corpus, self.config, self.bars, self.log = corpus, config, bars, log
        split = choose_split(models, corpus)
        self.split = replace(split, text=split.text[:max_characters])
        for is_enabled, option in ((config.online, "--online"), (config.structure, "--structure")):
            if is_enabled and self.split.text.documents:
                raise UsageError(
                    f"{option}: needs running text, but {models[0].name} was trained on separate documents; "
                    "remove the option"
                )
        self.models = list(_with_parts(models))
        self.training: Corpus | None = None
        if config.novelty_length or config.online or config.baselines != "none":
            self.training = self._common_training_text(read_training_text)
        if config.online and not self.training:
            raise UsageError("--online: needs a training text that all models share; remove the option")
        self.baselines: list[Checkpoint] = []
        if self.training and config.baselines != "none":
            self.baselines = list(self._fit_baselines(self.training))

    @cached_property
    def rows(self) -> list[Row]:
        """The static table, best first: models, baselines, and the interpolation of the best network and n-grams."""
        rows = list(self._own_rows)
        if self.interpolated:
            rows.append(self._measure(interpolate(*self.interpolated), is_baseline=True))
        return sorted(rows, key=lambda row: row.score.nats_per_char)

    @cached_property
    def interpolated(self) -> tuple[Checkpoint, Checkpoint] | None:
        """The best network and the best n-grams; None if one is missing, or with a mixture, or without baselines."""
        network, ngram = best_of(self._own_rows, "recurrent"), best_of(self._own_rows, "ngram")
        has_mixture = any(row.checkpoint.kind == "mixture" for row in self._own_rows)
        if not network or not ngram or has_mixture or self.config.baselines == "none":
            return None
        return network.checkpoint, ngram.checkpoint

    @cached_property
    def online(self) -> list[OnlineRow]:
        """The table of models that adapt while they are scored, best first; empty without `config.online`."""
        if not self.config.online or not self.training:
            return []
        models = [*self.models, *self.baselines]
        return measure_online(models, self.interpolated, self.split, self.training, self.config.limit, self.bars)

    @cached_property
    def structure(self) -> Structure | None:
        """Differences between the best network and the best n-grams; None without `config.structure`.

        Raises:
            UsageError: there is no network, or no n-gram model that gives every character a nonzero probability.
        """
        if not self.config.structure:
            return None
        network, ngram = best_of(self.rows, "recurrent"), best_of(self.rows, "ngram")
        if not network or not ngram:
            missing = "smoothed n-gram model" if network else "network"
            raise UsageError(f"--structure: compares a network with n-grams, but there is no {missing}; add one")
        ids = self.split.text.ids[: self.config.limit or None]
        vocabulary, seed = network.checkpoint.vocabulary, self.config.seed
        with self.bars("comparing structure", "char") as progress:
            structure = compare_structure(
                network.checkpoint.model, ngram.checkpoint.model, ids, vocabulary, seed=seed, progress=progress
            )
        return replace(structure, network=network.checkpoint.description, counts=ngram.checkpoint.description)

    def as_json(self) -> dict[str, Any]:
        """Return all tables with the keys of charrnn's JSON."""
        tables: dict[str, Any] = {"static": [as_json(row) for row in self.rows]}
        if self.config.online:
            tables["online"] = [as_json(row) for row in self.online]
        if self.structure:
            tables["structure"] = self.structure.as_json()
        return tables

    @cached_property
    def _own_rows(self) -> list[Row]:
        """The rows of the models and the baselines, in order."""
        models = [self._measure(model) for model in self.models]
        return [*models, *(self._measure(model, is_baseline=True) for model in self.baselines)]

    def _measure(self, model: Checkpoint, is_baseline: bool = False) -> Row:
        config = self.config
        sampling = SamplingConfig(temperature=config.temperature, length=config.length, seed=config.seed)
        row = measure(model, self.split, config.prime, sampling, config.unknown, self._reference, self.bars)
        return replace(row, is_baseline=is_baseline)

    @cached_property
    def _reference(self) -> NoveltyReference | None:
        if not self.training or not self.config.novelty_length:
            return None
        training = index_training_text(self.training, self.bars)
        return NoveltyReference.of(self.split, training, self.config.novelty_length)

    def _common_training_text(self, read_training_text: ReadTrainingText) -> Corpus | None:
        if not all(_are_fitted_alike(self.models[0], model) for model in self.models):
            self.log(f"{WITHOUT}: the models were not fitted on the same text")
            return None
        if self.corpus.sha256 == self.models[0].metadata.text.sha256:
            return self.corpus
        try:
            return read_training_text(self.models[0])
        except TextError as error:
            self.log(f"{WITHOUT}: {error}")
            return None

    def _fit_baselines(self, training: Corpus) -> Iterator[Checkpoint]:
        """Yield the n-gram baselines that are not among the models, fitted on the same training part."""
        smoothings: Sequence[str] = BASELINE_SMOOTHINGS
        if self.config.baselines == "auto" and len(training.train) > MAX_COUNTED:
            smoothings = BASELINE_SMOOTHINGS[:1]
            self.log(
                f"baselines {', '.join(BASELINE_SMOOTHINGS[1:])}: skipped, as the training part is long "
                f"({len(training.train):,} characters); include them with --baselines all"
            )
        configs = missing_ngrams(self.models, training.config.bytes, smoothings)
        if configs:
            names = ", ".join(map(str, configs))
            self.log(f"fitting n-gram baselines for this table: {names} (not saved; `charrnn ngram` saves one)")
        for config in configs:
            yield fit_ngrams(training, config, self.bars, validate=False).checkpoint


def load_alike(first: Checkpoint, paths: Sequence[Path], device: torch.device, log: Log) -> Iterator[Checkpoint]:
    """Yield the other checkpoints that were fitted on the same part of the same text; skip unreadable ones."""
    for path in paths:
        if path == first.path:
            continue
        try:
            other = load(path, device)
        except CheckpointError as error:
            log(f"skipped: {error}")
            continue
        if _are_fitted_alike(first, other):
            yield other


def _are_fitted_alike(first: Checkpoint, other: Checkpoint) -> bool:
    text, other_text = first.metadata.text, other.metadata.text
    return (text.sha256, text.corpus) == (other_text.sha256, other_text.corpus)


def _with_parts(models: Sequence[Checkpoint]) -> Iterator[Checkpoint]:
    """Yield the models, each mixture followed by its parts; n-grams that occur twice are shown once."""
    ngrams = {model.description for model in models if model.kind == "ngram"}
    for model in models:
        whole, *parts = split_mixture(model)
        yield whole
        for part in parts:
            if part.description not in ngrams:
                yield part
            if part.kind == "ngram":
                ngrams.add(part.description)
