"""The n-grams' part of `charrnn train`: counting for a mixture, mixing, and what a mixture would bring."""

from __future__ import annotations

from charrnn.cli.shared.terminal import field, progress
from charrnn.config import NgramConfig
from charrnn.models.ngram.fit import fit_ngram
from charrnn.scoring.compare.baselines import NETWORK_SHARE
from charrnn.scoring.evaluate import evaluate
from charrnn.text.corpus import Corpus
from charrnn.training.mixture import Mixing, score_of_mean
from charrnn.training.state.checkpoints import Keeper

SHOWN_CHARACTERS = 20_000
"""Held-out characters that show what the n-grams would add."""
MOST_COUNTED = 20_000_000
"""Characters of a text whose n-grams are counted only to show what they would add."""
SHOWN = NgramConfig(smoothing="mkn")


def count(corpus: Corpus) -> Mixing:
    """Count the n-grams that a network is going to be mixed with, with a bar."""
    with progress("counting", "step") as update:
        mixing = Mixing(corpus.train, len(corpus.vocabulary), NgramConfig().with_order(corpus.config.bytes), update)
    kept = f"{mixing.divided.kept:,} characters of the training part are kept for the gate"
    field("n-grams", f"{mixing.config}, counted in {mixing.seconds:.1f} s; {kept}")
    return mixing


def finish(mixing: Mixing, keeper: Keeper) -> None:
    """Mix the best state of the network with the counts, score the mixture and keep it."""
    itself = "by themselves, together" if len(keeper.finished) > 1 else "by itself"
    field("network", f"validation {keeper.score or 'none was held out'}, {itself}")
    with progress("counting", "step") as update:
        mixture = mixing.finish(keeper.network, keeper.config.seed, update)
    score = None
    held_out = keeper.corpus.validation
    if len(held_out):
        part = held_out[: keeper.score.characters if keeper.score else None]
        with progress("scoring", "char") as update:
            counted = evaluate(mixture.counts, part, documents=keeper.corpus.documents)
            score = evaluate(mixture, part, progress=update, documents=keeper.corpus.documents)
        field("n-grams", f"validation {counted}, by themselves")
    keeper.keep_mixture(mixture, score)
    field("mixture", f"validation {score or 'none was held out'}")


def say_what_counts_add(keeper: Keeper) -> None:
    """Print what n-grams, mixed with the network or alone, would score on some held-out characters, if that is better.

    Nothing where counting takes long.
    """
    corpus = keeper.corpus
    part = corpus.validation[:SHOWN_CHARACTERS]
    # A weighted mean of documents is not worth the code: `--with-ngram` says it all.
    if len(corpus.train) > MOST_COUNTED or len(part) < 2 or corpus.documents:
        return
    counts = fit_ngram(corpus.train, len(corpus.vocabulary), SHOWN)
    network = keeper.network
    mixed = score_of_mean(((network, NETWORK_SHARE), (counts, 1 - NETWORK_SHARE)), part)
    alone, of_counts = evaluate(network, part), evaluate(counts, part)
    where = "" if len(part) == len(corpus.validation) else f" of the first {len(part):,} held-out characters"
    instead = f"bits per character instead of {alone.bits_per_char:.3f}{where}"
    if mixed.nats_per_char < min(alone.nats_per_char, of_counts.nats_per_char):
        field("n-grams", f"with them, {mixed.bits_per_char:.3f} {instead}; `charrnn train --with-ngram` mixes both")
    elif of_counts.nats_per_char < alone.nats_per_char:
        field("n-grams", f"by themselves, {of_counts.bits_per_char:.3f} {instead}; `charrnn ngram` keeps them")
