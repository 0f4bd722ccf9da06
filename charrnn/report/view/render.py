"""The page about one model: it reads a text, its inside is measured, and both are put on the page."""

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
from charrnn.report.view.about import comparison, head, training
from charrnn.report.view.inside import inside
from charrnn.report.view.text import characters_of, in_text, text_data, unit_data
from charrnn.scoring.compare.rows import Row
from charrnn.scoring.held_out import EvalSplit, choose_split
from charrnn.scoring.probes.analyze import NetworkAnalysis, analyze_network
from charrnn.scoring.probes.predictions import Predictions, predict
from charrnn.text.corpus import Corpus
from charrnn.text.sanitize import escape_control_chars
from charrnn.training.monitor.history import Record

MAX_BYTES = 3_000_000
"""The largest size of a page."""
MARGIN = 1000
"""The most bytes of the sentence about the units that are left out."""
PROBED = 20_000
"""Held-out characters that units, states and gates are measured on."""


def render(
    checkpoint: Checkpoint,
    corpus: Corpus,
    length: int = 2000,
    history: Sequence[Record] = (),
    rows: Sequence[Row] = (),
    bars: ProgressBars = no_bar,
) -> str:
    """Make the page, with as many units as there is room for.

    Args:
        checkpoint: the model.
        corpus: the text, whose held-out part is read.
        length: characters to show at most.
        history: records of the training, if there are any.
        rows: the comparison with other models; without rows the page says that it was left out.
        bars: progress bars.

    Raises:
        ModelError: nothing of the text is held out.
        UsageError: a package is missing, or the page is too large even without units.
    """
    split = choose_split([checkpoint], corpus)
    network, part = _network_of(checkpoint)
    text = split.text[: max(PROBED, length)]
    characters = characters_of(text.ids.tolist(), checkpoint.vocabulary.characters)
    analysis = None
    if network is not None:
        with bars("looking inside", "char") as progress:
            analysis = analyze_network(network, text, characters, progress)
        length = min(length, len(analysis.trace.values))
    characters = characters[:length]
    expected = predict(checkpoint.model, split.text[:length])
    values: dict[str, Any] = {
        "name": checkpoint.name,
        "head": head(checkpoint),
        "training": training(history),
        "no_training": _no_training(checkpoint),
        "reading": _reading(characters, expected, split, corpus.source),
        "inside": inside(analysis, characters, part) if analysis else None,
        "comparison": comparison(checkpoint, rows, split, corpus.source),
        "data": {
            "text": text_data(characters, checkpoint.vocabulary.characters, expected),
            "tracks": [],
            "units": None,
        },
    }
    page = fill("template.html", values)
    room = MAX_BYTES - MARGIN - len(page.encode())
    if room < 0:
        raise UsageError(f"the page would be larger than {MAX_BYTES / 1e6:.0f} MB; say a smaller --length")
    if analysis:
        _add_units(values, analysis, len(characters), room)
        page = fill("template.html", values)
    return page


def _network_of(checkpoint: Checkpoint) -> tuple[RecurrentModel | None, str]:
    """The network to look into, if there is one, and a sentence if it is only a part of the model."""
    model: object = checkpoint.model
    part = ""
    if isinstance(model, MixtureModel):
        model, part = model.network, "the network in the mixture"
    if isinstance(model, InterpolatedModel):
        part = f"the first of {len(model.networks)} networks" + (part and f", {part}")
        model = model.networks[0]
    return (model, part and f"This is the inside of {part}.") if isinstance(model, RecurrentModel) else (None, "")


def _no_training(checkpoint: Checkpoint) -> str:
    if checkpoint.kind == "ngram":
        return "It was counted, not trained: there are no steps to draw."
    return (
        "No history of its training was found beside it, so there is no curve to draw: it was made before charrnn kept "
        "one, or the file was not copied with it."
    )


def _reading(characters: Sequence[str], expected: Predictions, split: EvalSplit, source: str) -> dict[str, str]:
    which = {"all": "", "test": "test part of ", "validation": "validation part of "}[split.part]
    shown = "All" if len(characters) == len(split.text) else f"The first {len(characters):,} of"
    seen = "which it has not been fitted on" if which else "as a text that it was not fitted on"
    sentence = (
        f"{shown} {len(split.text):,} characters of the {which}{escape_control_chars(source, '↵')}, {seen}, read from "
        f"left to right ({split.rule}). At each character the panel says what the model expected there, from all that "
        f"came before, and how many bits the character that came took: {expected.nats.mean() / math.log(2):.3f} in the "
        "mean."
    )
    return {"plain": "".join(map(in_text, characters)), "sentence": sentence}


def _add_units(values: dict[str, Any], analysis: NetworkAnalysis, shown: int, room: int) -> None:
    """Add the activations of as many units as fit into `room` bytes, and for each the feature that it follows best."""
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
            f" Of {len(analysis.trace):,} units {len(units['kept']):,} are here, for a page is to be small: those that "
            "keep track of something, and those that vary most."
        )
