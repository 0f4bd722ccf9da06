"""Which of several models a text is likeliest under: whose text it is, if each was fitted on an author's.

All of them score the same characters: those that each one knows. So their bits of the whole may be compared, also where
vocabularies differ, and by Bayes' rule with equal priors p(model | text) ∝ p(text | model).
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
"""The settings of reading that change what a text is."""


@dataclass(frozen=True)
class Attribution:
    """A text under several models.

    Attributes:
        ranked: the models and their scores, the likeliest first.
        characters: how many were scored.
        left_out: how many were not, because some model does not know them.
        split: which part of the text that is.
        skipped: characters before it, which some model was fitted on.
    """

    source: str
    ranked: tuple[tuple[Checkpoint, Score], ...]
    characters: int
    left_out: int
    split: EvalSplit
    skipped: int

    @property
    def likeliest(self) -> Checkpoint | None:
        """The first one; None where the text is impossible for all of them."""
        return None if self.ranked[0][1].impossible else self.ranked[0][0]

    @property
    def lead(self) -> float:
        """Bits of the whole text by which the first is ahead of the second."""
        first, second = (score.bits for _, score in self.ranked[:2])
        return math.nan if math.isinf(first) else second - first

    @property
    def posteriors(self) -> tuple[float | None, ...]:
        """The probability of each model, in their order, if all were as likely before; None where none is possible."""
        if self.likeliest is None:
            return (None,) * len(self.ranked)
        best = self.ranked[0][1].bits
        odds = [2.0 ** max(best - score.bits, -2000.0) for _, score in self.ranked]
        return tuple(ratio / sum(odds) for ratio in odds)

    @property
    def left_out_share(self) -> float:
        """The share of the characters that were left out."""
        return self.left_out / (self.characters + self.left_out)

    def as_json(self) -> dict[str, Any]:
        """Under the names that all of charrnn's JSON uses."""
        rows = []
        for (model, score), posterior in zip(self.ranked, self.posteriors, strict=True):
            facts = eval_result(score, self.split.split, documents=self.split.text.documents is not None)
            more = {"perplexity": score.perplexity, "bits": score.bits, "posterior": posterior}
            rows.append({**checkpoint_summary(model), **asdict(facts), **more})
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
    """How a text is read that all models are to score: as bytes only if all of them read bytes.

    Raises:
        ModelError: they read texts in ways that make other texts of them.
    """
    by_characters = [model for model in models if not model.vocabulary.is_bytes]
    first = (by_characters or models)[0]
    config = first.metadata.text.corpus
    for other in models:
        for name in MUST_AGREE:
            # Bytes have no normal form: such a model reads what the others have made of the text.
            if getattr(other.metadata.text.corpus, name) != getattr(config, name) and (
                other in by_characters or name == "document_separator"
            ):
                raise ModelError(
                    f"{first.name} and {other.name} differ in --{name.replace('_', '-')}, so they do not read the same "
                    "text; score it with each by itself"
                )
    return replace(config, min_count=None)


def attribute(
    models: Sequence[Checkpoint], corpus: Corpus, find_training_text: FindTrainingText, progress: Progress | None = None
) -> Attribution:
    """Score a text with two models or more, statically; it is read as `config_for` says, in a vocabulary of its own.

    Raises:
        ModelError: a model was fitted on all of the text.
        TextError: no character of it is known to all models.
    """
    split = min((_held_out(model, corpus, find_training_text) for model in models), key=lambda split: len(split.text))
    ids = split.text.ids
    is_known = np.all([_is_known(model.vocabulary, corpus.vocabulary) for model in models], axis=0)
    known = ids[is_known[ids]]
    if not len(known):
        raise TextError(
            f"{corpus.source}: no character of it is known to all models; take another text, or other models"
        )
    ranked = []
    for done, model in enumerate(models):

        def update(count: int, total: int, before: int = done) -> None:
            if progress:
                progress(before * total + count, len(models) * total)

        its_ids = _ids_of(known, corpus.vocabulary, model.vocabulary)
        text = TextSpan(its_ids, Documents.of(corpus.config, model.vocabulary))
        score = evaluate(model.model, text, progress=update)
        ranked.append((model, replace(score, characters=len(known))))  # of bytes there may be more
    ranked.sort(key=lambda pair: pair[1].bits)
    skipped = len(corpus) - len(split.text)
    return Attribution(corpus.source, tuple(ranked), len(known), len(ids) - len(known), split, skipped)


def _held_out(model: Checkpoint, corpus: Corpus, find_training_text: FindTrainingText) -> EvalSplit:
    """What of the text a model was not fitted on."""
    split, its = EvalSplit(corpus.span), model.metadata.text
    if its.sha256 == corpus.sha256:
        split = held_out_from(corpus.span, replace(corpus, config=its.corpus))
    elif MIN_SEARCHED <= len(corpus) <= its.characters:
        ids = _ids_of(corpus.ids, corpus.vocabulary, model.vocabulary)
        if (ids >= 0).all():
            split = find_held_out(TextSpan(ids), find_training_text(model))
            split = replace(split, text=corpus.span[len(ids) - len(split.text) :])
    is_mixed = model.vocabulary.is_bytes and not corpus.vocabulary.is_bytes
    if not len(split.text) or (is_mixed and split.part != "all"):
        raise ModelError(
            f"{corpus.source}: {model.name} was fitted on {'some' if is_mixed else 'all'} of it; name another text"
        )
    return split


def _is_known(vocabulary: Vocabulary, here: Vocabulary) -> NDArray[np.bool_]:
    """Which characters of the vocabulary `here` another one has, an unknown symbol not counted."""
    if vocabulary.is_bytes:
        return np.ones(len(here), bool)
    return np.array([vocabulary.can_generate(character) for character in here.characters or ()], bool)


def _ids_of(ids: NDArray[Any], here: Vocabulary, there: Vocabulary) -> NDArray[Any]:
    """The same text in another vocabulary, −1 for characters that it lacks; bytes are those of UTF-8."""
    if there.is_bytes:
        return (
            ids
            if here.is_bytes
            else np.frombuffer(here.decode(ids.tolist()).encode("utf-8", "surrogateescape"), np.uint8)
        )
    ids_there = {character: i for i, character in enumerate(there.characters or ())}
    unknown = -1 if there.unknown is None else there.unknown
    table = np.array([ids_there.get(character, unknown) for character in here.characters or ()], np.int64)
    translated: NDArray[Any] = table[ids]
    return translated
