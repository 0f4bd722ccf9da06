"""Several models on the same texts: which one each text is likeliest under."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from charrnn.checkpoint import Checkpoint
from charrnn.cli.shared.tables import plain_table, show_table
from charrnn.cli.shared.terminal import console, log_field, one_line, progress
from charrnn.cli.shared.texts import TrainingTextCache, read
from charrnn.format import figure, percent
from charrnn.scoring.attribution import Attribution, attribute, config_for


def attribute_all(
    models: Sequence[Checkpoint], paths: Sequence[Path], encoding: str | None = None
) -> list[Attribution]:
    """Score each text with all models; `encoding` is that of the texts, if it is not that of the models' texts."""
    config, fitted, attributions = config_for(models), TrainingTextCache(), []
    config = replace(config, encoding=encoding or config.encoding)
    for path in paths:
        corpus = read(path, config)
        with progress(f"scoring {corpus.name}", "char") as update:
            attributions.append(attribute(models, corpus, fitted.on, update))
    return attributions


def show_attributions(attributions: Sequence[Attribution]) -> None:
    """Print the models of one text, or the table of several texts and models."""
    if len(attributions) == 1:
        _show_one(attributions[0])
    else:
        _show_several(attributions)
    for attribution in attributions:
        if attribution.left_out:
            share = f"{attribution.left_out:,} characters ({100 * attribution.left_out_share:.2g}%)"
            log_field("left out", f"{share} of {attribution.source}, which not all of the models know")
        if attribution.skipped:
            log_field(
                "mind", f"a model was fitted on the beginning of {attribution.source}; only the held-out end is scored"
            )


def _show_one(attribution: Attribution) -> None:
    table = _table("model")
    for header in ("bits/char", "nats/char", "perplexity", "bits in all", "behind", "posterior"):
        table.add_column(header, justify="right")
    best, models = attribution.ranked[0][1].bits, [model for model, _ in attribution.ranked]
    for (model, score), posterior in zip(attribution.ranked, attribution.posteriors, strict=True):
        behind = "" if score.bits == best else figure(score.bits - best, 1)
        cells = (figure(score.bits_per_char), figure(score.nats_per_char), figure(score.perplexity, 3))
        table.add_row(_name(model, models), *cells, figure(score.bits, 1), behind, percent(posterior, 2))
    split = attribution.split
    log_field("text", f"{attribution.source}: {attribution.characters:,} characters ({split.part}), {split.rule}")
    show_table(table)
    log_field("likeliest", _verdict(attribution))


def _show_several(attributions: Sequence[Attribution]) -> None:
    models = sorted((model for model, _ in attributions[0].ranked), key=lambda model: str(model.path))
    table = _table("text, bits/char")
    for header in ("characters", *(_name(model, models) for model in models)):
        table.add_column(header, justify="right", overflow="fold")
    table.add_column("likeliest", overflow="fold")
    for header in ("by bits", "posterior"):
        table.add_column(header, justify="right")
    for attribution in attributions:
        scores = {model.path: figure(score.bits_per_char) for model, score in attribution.ranked}
        likeliest = _name(attribution.likeliest, models) if attribution.likeliest else "none"
        lead = "" if math.isnan(attribution.lead) else figure(attribution.lead, 1)
        cells = [scores[model.path] for model in models]
        table.add_row(
            one_line(attribution.source),
            f"{attribution.characters:,}",
            *cells,
            likeliest,
            lead,
            percent(attribution.posteriors[0], 2),
        )
    show_table(table)
    documents = attributions[0].split.text.documents
    how = "static, each document from the beginning" if documents else "static, one full pass each"
    console().print(f"\n{how}; posterior: of the likeliest, if all models were as likely before.", soft_wrap=True)


def _name(model: Checkpoint, models: Sequence[Checkpoint]) -> str:
    """Of one of several models: its path where another one in another folder has the same name."""
    is_only = [other.name for other in models].count(model.name) == 1
    return one_line(model.name if is_only else str(model.path))


def _table(first: str) -> Table:
    table = plain_table(collapse_padding=True)
    table.add_column(first, overflow="fold")
    return table


def _verdict(attribution: Attribution) -> str:
    if attribution.likeliest is None:
        return "none: each of them gives some character probability 0"
    ahead = "infinitely many" if math.isinf(attribution.lead) else f"{attribution.lead:,.1f}"
    name = _name(attribution.likeliest, [model for model, _ in attribution.ranked])
    return f"{name}, by {ahead} bits in all (posterior {percent(attribution.posteriors[0], 2)}, equal priors)"
