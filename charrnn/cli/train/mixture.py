"""What `charrnn train` prints of n-grams: counted and mixed with the network, or what mixing them would bring."""

from __future__ import annotations

from charrnn.cli.shared.terminal import field, progress
from charrnn.pipeline.networks import NetworkTraining, count_for_mixture, score_ngram_tip
from charrnn.text.corpus import Corpus
from charrnn.training.mixture import MixtureTrainer


def count(corpus: Corpus) -> MixtureTrainer:
    """Count the n-grams that a network is going to be mixed with, with a bar."""
    with progress("counting", "step") as update:
        mixture = count_for_mixture(corpus, update)
    kept = f"{mixture.held_out.characters:,} characters of the training part are kept for the gate"
    field("n-grams", f"{mixture.config}, counted in {mixture.seconds:.1f} s; {kept}")
    return mixture


def finish(training: NetworkTraining) -> None:
    """Mix the best state of the network with the counts, score the mixture and keep it."""
    checkpoints = training.checkpoints
    itself = "by themselves, together" if len(checkpoints.finished) > 1 else "by itself"
    field("network", f"validation {checkpoints.score or 'none was held out'}, {itself}")
    with progress("counting", "step") as update:
        mixture = training.mix(update)
    with progress("scoring", "char") as update:
        of_counts, score = training.save_mixture(mixture, update)
    if of_counts:
        field("n-grams", f"validation {of_counts}, by themselves")
    field("mixture", f"validation {score or 'none was held out'}")


def show_ngram_tip(training: NetworkTraining) -> None:
    """Print what n-grams, mixed with the network or alone, would score on some held-out characters, if it is better."""
    corpus = training.run.corpus
    tip = score_ngram_tip(training.checkpoints.network, corpus)
    if tip is None:
        return
    network, ngram, mixed = tip
    characters = network.characters
    where = "" if characters == len(corpus.validation) else f" of the first {characters:,} held-out characters"
    instead = f"bits per character instead of {network.bits_per_char:.3f}{where}"
    if mixed.nats_per_char < min(network.nats_per_char, ngram.nats_per_char):
        field("n-grams", f"with them, {mixed.bits_per_char:.3f} {instead}; `charrnn train --with-ngram` mixes both")
    elif ngram.nats_per_char < network.nats_per_char:
        field("n-grams", f"by themselves, {ngram.bits_per_char:.3f} {instead}; `charrnn ngram` keeps them")
