"""A page about one model, from numbers: what it is, how it learned, what it expects, what is inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
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
from charrnn.scoring.probes.predictions import Predictions, predictions
from charrnn.text.corpus import Corpus
from charrnn.text.sanitize import escape_control_chars
from charrnn.training.monitor.history import Record

MAX_BYTES = 3_000_000
"""The most bytes of a page."""
MARGIN = 1000
"""The most bytes of what is said of the units."""
PROBED = 20_000
"""Held-out characters that units, states and gates are measured on."""


@dataclass(frozen=True)
class View:
    """All that the page shows.

    Attributes:
        checkpoint: the model.
        split: what is read is its beginning.
        source: what that text is called.
        characters: (N,) that are shown, one `str` each.
        predictions: for them.
        network: which network it is whose inside is shown, if not the model itself, in words.
        inside: measured on as many characters, or more; None for counts.
        history: of the training; nothing if there is none.
        rows: of the comparison; nothing if it is left out.
    """

    checkpoint: Checkpoint
    split: EvalSplit
    source: str
    characters: Sequence[str]
    predictions: Predictions
    network: str = ""
    inside: NetworkAnalysis | None = None
    history: Sequence[Record] = ()
    rows: Sequence[Row] = ()

    @classmethod
    def of(
        cls,
        checkpoint: Checkpoint,
        corpus: Corpus,
        length: int = 2000,
        history: Sequence[Record] = (),
        rows: Sequence[Row] = (),
        bars: ProgressBars = no_bar,
    ) -> View:
        """Read a text with a model.

        Args:
            checkpoint: the model.
            corpus: the text; what was held out of it is read.
            length: characters that are shown at most.
            history: see the attribute.
            rows: see the attribute.
            bars: of reading.

        Raises:
            ModelError: nothing of the text is held out.
        """
        split = choose_split([checkpoint], corpus)
        network, words = _network_of(checkpoint)
        text = split.text[: max(PROBED, length)]
        characters = characters_of(text.ids.tolist(), checkpoint.vocabulary.characters)
        inside = None
        if network is not None:
            with bars("looking inside", "char") as progress:
                inside = analyze_network(network, text, characters, progress)
            length = min(length, len(inside.trace.values))
        expected = predictions(checkpoint.model, split.text[:length])
        return cls(checkpoint, split, corpus.source, characters[:length], expected, words, inside, history, rows)


def _network_of(checkpoint: Checkpoint) -> tuple[RecurrentModel | None, str]:
    """The network to look into, if there is one, and a sentence where it is not all of the model."""
    words = []
    model: object = checkpoint.model
    if isinstance(model, MixtureModel):
        model = model.network
        words.append("the network in the mixture")
    if isinstance(model, InterpolatedModel):
        words.append(f"the first of {len(model.networks)} networks")
        model = model.networks[0]
    if not isinstance(model, RecurrentModel):
        return None, ""
    return model, f"This is the inside of {', '.join(reversed(words))}." if words else ""


def render(view: View) -> str:
    """The page, which needs nothing else; of units as many as there is room for.

    Raises:
        UsageError: an extra is missing; or there are so many characters that the page is too large without units.
    """
    values: dict[str, Any] = {
        "name": view.checkpoint.name,
        "head": head(view.checkpoint),
        "training": training(view.history),
        "no_training": _no_training(view.checkpoint),
        "reading": _reading(view),
        "inside": inside(view.inside, view.characters, view.network) if view.inside else None,
        "comparison": comparison(view.checkpoint, view.rows, view.split, view.source),
    }
    data: dict[str, Any] = {
        "text": text_data(view.characters, view.checkpoint.vocabulary.characters, view.predictions),
        "tracks": [],
        "units": None,
    }
    page = fill("template.html", {**values, "data": data})
    room = MAX_BYTES - MARGIN - len(page.encode())
    if room < 0:
        raise UsageError(f"the page would be larger than {MAX_BYTES / 1e6:.0f} MB; say a smaller --length")
    if view.inside:
        states = view.inside.trace
        data["units"] = unit_data(states, len(view.characters), view.inside.matches, room)
        beyond = [match for match in view.inside.matches if match.is_beyond_chance]
        # Of a unit that keeps track of several features, the best one.
        first = {match.unit: match.feature for match in reversed(beyond)}
        kept = data["units"]["kept"]
        data["tracks"] = [
            [str(match.unit), match.feature]
            for match in beyond
            if first[match.unit] == match.feature and match.unit in kept
        ]
        if len(kept) < len(states):
            values["reading"]["sentence"] += (
                f" Of {len(states):,} units {len(kept):,} are here, for a page is to be small: those "
                "that keep track of something, and those that vary most."
            )
        page = fill("template.html", {**values, "data": data})
    return page


def _no_training(checkpoint: Checkpoint) -> str:
    if checkpoint.kind == "ngram":
        return "It was counted, not trained: there are no steps to draw."
    return (
        "No history of its training was found beside it, so there is no curve to draw: it was made before charrnn kept "
        "one, or the file was not copied with it."
    )


def _reading(view: View) -> dict[str, str]:
    shown, of = len(view.characters), len(view.split.text)
    which = {"all": "", "test": "test part of ", "validation": "validation part of "}[view.split.part]
    these = "All" if shown == of else f"The first {shown:,} of"
    seen = "which it has not been fitted on" if which else "as a text that it was not fitted on"
    source = escape_control_chars(view.source, "↵")
    bits = view.predictions.nats.mean() / math.log(2)
    return {
        "plain": "".join(map(in_text, view.characters)),
        "sentence": (
            f"{these} {of:,} characters of the {which}{source}, {seen}, read from left to right "
            f"({view.split.rule}). At each character the panel says what the model expected there, from all that came "
            f"before, and how many bits the character that came took: {bits:.3f} in the mean."
        ),
    }
