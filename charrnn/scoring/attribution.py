"""Authorship attribution: rank models by the likelihood of a text.

All models score the same characters, those in every vocabulary, so the totals are comparable even when vocabularies
differ. By Bayes' rule with equal priors, p(model | text) ∝ p(text | model).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import Checkpoint
from charrnn.config import CorpusConfig
from charrnn.errors import ModelError, TextError
from charrnn.progress import Progress
from charrnn.scoring.compare.rows import checkpoint_summary
from charrnn.scoring.evaluate import Score, eval_result, evaluate
from charrnn.scoring.held_out import MIN_SEARCHED, EvalSplit, FindTrainingText, find_held_out, held_out_from
from charrnn.text.corpus import Corpus
from charrnn.text.documents import Documents, TextSpan
from charrnn.text.vocabulary import Vocabulary

MUST_AGREE = ("normalize", "lower", "document_separator")
"""The corpus settings that change the text itself, and so must be the same for all models."""


@dataclass(frozen=True)
class Attribution:
    """The scores of one text under several models.

    Attributes:
        source: name of the text.
        ranked: the models with their scores, the likeliest first.
        characters: number of characters scored.
        left_out: number of characters left out because at least one vocabulary lacks them.
        split: the part of the text that was scored.
        skipped: number of characters before that part, skipped because a model was fitted on them.
    """

    source: str
    ranked: tuple[tuple[Checkpoint, Score], ...]
    characters: int
    left_out: int
    split: EvalSplit
    skipped: int

    @property
    def likeliest(self) -> Checkpoint | None:
        """The top-ranked model; None if every model gives the text probability 0."""
        return None if self.ranked[0][1].impossible else self.ranked[0][0]

    @property
    def lead(self) -> float:
        """The lead of the first model over the second, in bits for the whole text."""
        first, second = (score.bits for _, score in self.ranked[:2])
        return math.nan if math.isinf(first) else second - first

    @property
    def posteriors(self) -> tuple[float | None, ...]:
        """The posterior probability of each ranked model under equal priors; all None if the text is impossible."""
        if self.likeliest is None:
            return (None,) * len(self.ranked)
        best = self.ranked[0][1].bits
        odds = [2.0 ** max(best - score.bits, -2000.0) for _, score in self.ranked]
        return tuple(ratio / sum(odds) for ratio in odds)

    @property
    def left_out_share(self) -> float:
        """The share of the characters that were left out, from 0 to 1."""
        return self.left_out / (self.characters + self.left_out)

    def as_json(self) -> dict[str, Any]:
        """Return the attribution as JSON, under the keys that all of charrnn's JSON uses."""
        rows = []
        for (model, score), posterior in zip(self.ranked, self.posteriors, strict=True):
            result = eval_result(score, self.split.split, documents=self.split.text.documents is not None)
            more = {"perplexity": score.perplexity, "bits": score.bits, "posterior": posterior}
            rows.append({**checkpoint_summary(model), **asdict(result), **more})
        return {
            "text": self.source,
            "characters": self.characters,
            "left_out_share": self.left_out_share,
            "part": self.split.part,
            "split": self.split.split,
            "rule": rows[0]["rule"],
            "likeliest": self.likeliest and str(self.likeliest.path),
            "lead_bits": self.lead,
            "models": rows,
        }


def config_for(models: Sequence[Checkpoint]) -> CorpusConfig:
    """Return the settings for reading a text that all models will score; bytes only if all models read bytes.

    Raises:
        ModelError: the models' corpus settings would turn the same files into different texts.
    """
    by_characters = [model for model in models if not model.vocabulary.is_bytes]
    first = (by_characters or models)[0]
    config = first.metadata.text.corpus
    for other in models:
        for name in MUST_AGREE:
            # --normalize and --lower do not apply to a byte model; it scores the text as the other models read it.
            if getattr(other.metadata.text.corpus, name) != getattr(config, name) and (
                other in by_characters or name == "document_separator"
            ):
                raise ModelError(
                    f"{first.name} and {other.name} were trained with different --{name.replace('_', '-')} settings, "
                    "so they would not score the same text; score each separately"
                )
    return replace(config, min_count=None)


def attribute(
    models: Sequence[Checkpoint], corpus: Corpus, find_training_text: FindTrainingText, progress: Progress | None = None
) -> Attribution:
    """Score a text with two or more models, statically.

    Args:
        models: the models to rank.
        corpus: the text, read with the settings from `config_for`; its vocabulary may differ from the models'.
        find_training_text: returns a model's training text, so that characters it was fitted on are skipped.
        progress: progress callback, in characters, summed over all models.

    Raises:
        ModelError: a model was fitted on the whole text.
        TextError: the vocabularies share no character of the text.
    """
    split = min((_held_out(model, corpus, find_training_text) for model in models), key=lambda split: len(split.text))
    ids = split.text.ids
    is_known = np.all([_is_known(model.vocabulary, corpus.vocabulary) for model in models], axis=0)
    known = ids[is_known[ids]]
    if not len(known):
        raise TextError(
            f"{corpus.source}: none of its characters is in every model's vocabulary; try another text or other models"
        )
    ranked = []
    for done, model in enumerate(models):

        def update(count: int, total: int, before: int = done) -> None:
            if progress:
                progress(before * total + count, len(models) * total)

        ids_in_model = _translate(known, corpus.vocabulary, model.vocabulary)
        text = TextSpan(ids_in_model, Documents.of(corpus.config, model.vocabulary))
        score = evaluate(model.model, text, progress=update)
        ranked.append((model, replace(score, characters=len(known))))  # a byte model scores more bytes than characters
    ranked.sort(key=lambda pair: pair[1].bits)
    skipped = len(corpus) - len(split.text)
    return Attribution(corpus.source, tuple(ranked), len(known), len(ids) - len(known), split, skipped)


def _held_out(model: Checkpoint, corpus: Corpus, find_training_text: FindTrainingText) -> EvalSplit:
    """Return the part of the text that a model was not fitted on."""
    split, training_text = EvalSplit(corpus.span), model.metadata.text
    if training_text.sha256 == corpus.sha256:
        split = held_out_from(corpus.span, replace(corpus, config=training_text.corpus))
    elif MIN_SEARCHED <= len(corpus) <= training_text.characters:
        ids = _translate(corpus.ids, corpus.vocabulary, model.vocabulary)
        if (ids >= 0).all():
            split = find_held_out(TextSpan(ids), find_training_text(model))
            split = replace(split, text=corpus.span[len(ids) - len(split.text) :])
    is_mixed = model.vocabulary.is_bytes and not corpus.vocabulary.is_bytes
    if not len(split.text) or (is_mixed and split.part != "all"):
        raise ModelError(
            f"{corpus.source}: {model.name} was fitted on {'part' if is_mixed else 'all'} of this text; "
            "use a text that the model has not seen"
        )
    return split


def _is_known(vocabulary: Vocabulary, of_text: Vocabulary) -> NDArray[np.bool_]:
    """Return which characters of the text's vocabulary are in another one; its unknown symbol does not count."""
    if vocabulary.is_bytes:
        return np.ones(len(of_text), bool)
    return np.array([vocabulary.can_generate(character) for character in of_text.characters or ()], bool)


def _translate(ids: NDArray[Any], source: Vocabulary, target: Vocabulary) -> NDArray[Any]:
    """Translate ids from one vocabulary to another: −1 for missing characters; UTF-8 for a target of bytes."""
    if target.is_bytes:
        return (
            ids
            if source.is_bytes
            else np.frombuffer(source.decode(ids.tolist()).encode("utf-8", "surrogateescape"), np.uint8)
        )
    target_ids = {character: i for i, character in enumerate(target.characters or ())}
    unknown = -1 if target.unknown is None else target.unknown
    table = np.array([target_ids.get(character, unknown) for character in source.characters or ()], np.int64)
    translated: NDArray[Any] = table[ids]
    return translated
