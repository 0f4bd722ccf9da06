"""Several models on the same texts: which one each text is likeliest under."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from charrnn.checkpoint import Checkpoint
from charrnn.cli.score_display import figure
from charrnn.cli.terminal import console, field, one_line, progress
from charrnn.cli.texts import Fitted, read
from charrnn.scoring.attribution import Attribution, attribute, config_for


def attribute_all(models: Sequence[Checkpoint], paths: Sequence[Path]) -> list[Attribution]:
    """Score each text with all models."""
    config, fitted, found = config_for(models), Fitted(), []
    for path in paths:
        corpus = read(path, config)
        with progress(f"scoring {corpus.name}", "char") as update:
            found.append(attribute(models, corpus, fitted.on, update))
    return found


def show_attributions(found: Sequence[Attribution]) -> None:
    """Print the models of one text, or the table of several texts and models."""
    if len(found) == 1:
        _show_one(found[0])
    else:
        _show_several(found)
    for one in found:
        if one.left_out:
            share = f"{one.left_out:,} characters ({100 * one.left_out_share:.2g}%)"
            field("left out", f"{share} of {one.source}, which not all of the models know")
        if one.unseen.begin:
            field("mind", f"a model was fitted on the beginning of {one.source}; only the held-out end is scored")


def _show_one(found: Attribution) -> None:
    table = _table("model")
    for header in ("bits/char", "nats/char", "perplexity", "bits in all", "behind", "posterior"):
        table.add_column(header, justify="right")
    best = found.ranked[0][1].bits
    for (model, score), posterior in zip(found.ranked, found.posteriors, strict=True):
        behind = "" if score.bits == best else figure(score.bits - best, 1)
        cells = (figure(score.bits_per_char), figure(score.nats_per_char), figure(score.perplexity, 3))
        table.add_row(one_line(model.name), *cells, figure(score.bits, 1), behind, _share(posterior))
    how = "each document from the beginning" if found.documents else "one full pass"
    field("text", f"{found.source}: {found.characters:,} characters ({found.unseen.part}), static, {how}")
    console().print(table)
    field("likeliest", _verdict(found))


def _show_several(found: Sequence[Attribution]) -> None:
    names = [one_line(model.name) for model, _ in sorted(found[0].ranked, key=lambda pair: str(pair[0].path))]
    table = _table("text, bits/char")
    for header in ("characters", *names):
        table.add_column(header, justify="right", overflow="fold")
    table.add_column("likeliest", overflow="fold")
    for header in ("by bits", "posterior"):
        table.add_column(header, justify="right")
    for one in found:
        scores = {one_line(model.name): figure(score.bits_per_char) for model, score in one.ranked}
        likeliest = one_line(one.likeliest.name) if one.likeliest else "none"
        lead = "" if math.isnan(one.lead) else figure(one.lead, 1)
        cells = [scores[name] for name in names]
        table.add_row(one_line(one.source), f"{one.characters:,}", *cells, likeliest, lead, _share(one.posteriors[0]))
    console().print(table)
    how = "static, each document from the beginning" if found[0].documents else "static, one full pass each"
    console().print(f"\n{how}; posterior: of the likeliest, if all models were as likely before.", soft_wrap=True)


def _table(first: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    table.add_column(first, overflow="fold")
    return table


def _verdict(found: Attribution) -> str:
    if found.likeliest is None:
        return "none: each of them gives some character probability 0"
    ahead = "infinitely many" if math.isinf(found.lead) else f"{found.lead:,.1f}"
    return f"{found.likeliest.name}, by {ahead} bits in all (posterior {_share(found.posteriors[0])}, equal priors)"


def _share(value: float | None) -> str:
    if value is None:
        return ""
    if value >= 0.9999:
        return ">99.99%"
    return "<0.01%" if value < 0.0001 else f"{100 * value:.2f}%"
