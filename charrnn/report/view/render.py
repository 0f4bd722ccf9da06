"""The report about one model: make predictions for a text, measure the inside of the network, fill in the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from charrnn.checkpoint import Checkpoint
from charrnn.errors import UsageError
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.progress import ProgressBars, no_bar
from charrnn.report.page import fill
from charrnn.report.view.about import describe_comparison, describe_model, describe_training
from charrnn.report.view.attention import attention_data, describe_attention
from charrnn.report.view.inside import describe_network
from charrnn.report.view.text import characters_of, in_text, text_data, unit_data
from charrnn.scoring.compare.rows import Row
from charrnn.scoring.held_out import EvalSplit, choose_split
from charrnn.scoring.probes.analyze import NetworkAnalysis, analyze_network
from charrnn.scoring.probes.predictions import Predictions, predict
from charrnn.text.corpus import Corpus
from charrnn.text.sanitize import escape_control_chars
from charrnn.training.monitor.history import Record, history_path

MAX_BYTES = 3_000_000
"""Maximum size of a page."""
MARGIN = 1000
"""Bytes reserved for the sentence about omitted units."""
PROBED = 20_000
"""Number of held-out characters on which units, states and gates are measured."""


def render(
    checkpoint: Checkpoint,
    corpus: Corpus,
    length: int = 2000,
    history: Sequence[Record] = (),
    rows: Sequence[Row] = (),
    bars: ProgressBars = no_bar,
) -> str:
    """Make the page, with as many units as fit.

    Args:
        checkpoint: the model.
        corpus: the text, whose held-out part is shown.
        length: maximum number of characters to show.
        history: records of the training, if there are any.
        rows: the comparison with other models; may be empty.
        bars: progress bars.

    Raises:
        ModelError: no part of the text is held out.
        UsageError: a package is missing, or the page is too large even without units.
    """
    split = choose_split([checkpoint], corpus)
    network, part = _network_of(checkpoint)
    text = split.text[: max(PROBED, length)]
    characters = characters_of(text.ids.tolist(), checkpoint.vocabulary.characters)
    analysis = None
    if network is not None:
        with bars("analyzing units", "char") as progress:
            analysis = analyze_network(network, text, characters, length, progress)
        length = min(length, len(analysis.trace.values))
    characters = characters[:length]
    expected = predict(checkpoint.model, split.text[:length])
    weights = attention_data(analysis.attention, split.text[:length]) if analysis else None
    values: dict[str, Any] = {
        "name": checkpoint.name,
        "head": describe_model(checkpoint),
        "training": describe_training(history),
        "no_training": _no_training(checkpoint),
        "reading": _reading(characters, expected, split, corpus.source),
        "inside": describe_network(analysis, characters, part) if analysis else None,
        "attention": _attention(analysis, weights, len(characters)),
        "comparison": describe_comparison(checkpoint, rows, split, corpus.source),
        "data": {
            "text": text_data(characters, checkpoint.vocabulary.characters, expected),
            "tracks": [],
            "units": None,
            "attention": weights,
        },
    }
    page = fill("template.html", values)
    room = MAX_BYTES - MARGIN - len(page.encode())
    if room < 0:
        raise UsageError(f"the page would be larger than {MAX_BYTES / 1e6:.0f} MB; use a smaller --length")
    if analysis:
        _add_units(values, analysis, len(characters), room)
        page = fill("template.html", values)
    return page


def _network_of(checkpoint: Checkpoint) -> tuple[RecurrentModel | None, str]:
    """Return the network to analyze, if there is one, and a sentence that names it if the model has other parts."""
    model: object = checkpoint.model
    part = ""
    if isinstance(model, MixtureModel):
        model, part = model.network, "the network in the mixture"
    if isinstance(model, InterpolatedModel):
        part = f"the first of {len(model.networks)} networks" + (part and f" ({part})")
        model = model.networks[0]
    return (model, part and f"This section is about {part}.") if isinstance(model, RecurrentModel) else (None, "")


def _no_training(checkpoint: Checkpoint) -> str:
    if checkpoint.kind == "ngram":
        return "N-gram models are counted in one pass, so there is no training curve."
    return (
        f"There is no training curve because the history file {history_path(checkpoint.path).name} was not found next "
        "to the checkpoint: it was not copied, or the model was trained with an old version of charrnn."
    )


def _reading(characters: Sequence[str], expected: Predictions, split: EvalSplit, source: str) -> dict[str, str]:
    part = {"all": "", "test": "the test part of ", "validation": "the validation part of "}[split.part]
    shown = "All" if len(characters) == len(split.text) else f"The first {len(characters):,} of"
    bits = expected.nats.mean() / math.log(2)
    mean = (
        f"Mean: {bits:.3f} bits."
        if math.isfinite(bits)
        else "The mean is infinite, because some characters have probability 0."
    )
    sentence = (
        f"{shown} {len(split.text):,} characters of {part}{escape_control_chars(source, '↵')}, which the model was not "
        f"trained on ({split.rule}). Point at a character to see what the model expected there, given all characters "
        f"before, and its surprisal, −log₂ p of the actual character: the more bits, the less expected. {mean}"
    )
    return {"plain": "".join(map(in_text, characters)), "sentence": sentence}


def _attention(analysis: NetworkAnalysis | None, weights: dict[str, Any] | None, length: int) -> dict[str, Any] | None:
    if not (analysis and weights):
        return None
    return describe_attention(analysis.attention, len(analysis.trace.values), weights["count"], length)


def _add_units(values: dict[str, Any], analysis: NetworkAnalysis, shown: int, room: int) -> None:
    """Add the activations of as many units as fit into `room` bytes, and the feature that each unit tracks best."""
    units = unit_data(analysis.trace, shown, analysis.matches, room)
    best = {match.unit: match.feature for match in reversed(analysis.matches) if match.is_beyond_chance}
    tracks = [
        [str(match.unit), match.feature]
        for match in analysis.matches
        if best.get(match.unit) == match.feature and match.unit in units["kept"]
    ]
    values["data"] |= {"units": units, "tracks": tracks}
    if len(units["kept"]) < len(analysis.trace):
        values["reading"]["sentence"] += (
            f" To keep the page small, it includes {len(units['kept']):,} of {len(analysis.trace):,} units: those that "
            "track a feature, and those that vary most."
        )
