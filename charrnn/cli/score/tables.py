"""What `score` shows: figures of a text or of several, lines, and the models that texts are likeliest under."""

from __future__ import annotations

import heapq
import math
import sys
from collections.abc import Sequence

from rich.text import Text

from charrnn.checkpoint import Checkpoint
from charrnn.cli.shared.tables import figures_table, plain_table, show_table
from charrnn.cli.shared.terminal import console, log_field, one_line
from charrnn.cli.shared.texts import show_unknown
from charrnn.formatting import figure, percent, plural
from charrnn.pipeline.score import TRAINED_ON, LineScore, TextScore
from charrnn.scoring.attribution import Attribution
from charrnn.scoring.evaluate import Score

MAX_LINES = 20
"""The most lines of a table; all are in --json and in a pipe."""
NUMBERS_WIDTH, NAME_WIDTH, MIN_TEXT_WIDTH = 40, 24, 10
"""Columns of the screen for the numbers of a line, for the name of its text, and, at least, for its characters."""


def show_text(score: TextScore) -> None:
    """Print the scores of one text."""
    part = score.split
    log_field("text", f"{score.corpus.source}: {plural(len(part.text), 'character')} ({part.part}, split {part.split})")
    show_unknown(score.corpus)
    _warn(score)
    log_field("static", f"{_with_perplexity(score.static)}, {part.rule.removeprefix('static, ')}")
    if score.in_windows:
        log_field("windows", f"{_with_perplexity(score.in_windows)}, each {score.window} characters by themselves")
    if score.online:
        how = "learning while it reads: no figure to compare with static ones"
        log_field("online", f"{_with_perplexity(score.online)}, {how}")


def show_texts(ranked: Sequence[TextScore]) -> None:
    """Print a table of several texts, in their order."""
    screen, first = console(), ranked[0]
    headers = ["characters", "part", "bits/char", "nats/char", "perplexity"]
    headers += [f"window {first.window},\nbits/char"] * (first.window is not None)
    headers += ["online,\nbits/char"] * (first.online is not None)
    table = figures_table("text", *headers, collapse_padding=True)
    for text_score in ranked:
        score = text_score.static
        cells = [f"{len(text_score.split.text):,}", text_score.split.part]
        cells += [figure(score.bits_per_char), figure(score.nats_per_char), figure(score.perplexity, 3)]
        cells += [figure(other.bits_per_char) for other in (text_score.in_windows, text_score.online) if other]
        table.add_row(one_line(text_score.corpus.source), *cells)
    show_table(table)
    screen.print(f"\n{first.split.rule}, each text by itself; the least surprising first.", soft_wrap=True)
    for text_score in ranked:
        _warn(text_score)


def show_lines(texts: Sequence[TextScore]) -> None:
    """Print the lines that are the most surprising by the character."""
    lines = [(text_score, line) for text_score in texts for line in text_score.lines()]
    # Short lines alone would be at the top; but what is the most surprising is for the reader to say.
    worst = heapq.nlargest(MAX_LINES, lines, key=lambda pair: pair[1].score.bits_per_char)
    table = plain_table(collapse_padding=True)
    if len(texts) > 1:
        table.add_column("text", overflow="fold", max_width=NAME_WIDTH)
    for header in ("line", "characters", "bits", "bits/char"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    screen = console()
    room = max(MIN_TEXT_WIDTH, screen.width - NUMBERS_WIDTH - NAME_WIDTH * (len(texts) > 1))
    for text_score, line in worst:
        name = [one_line(text_score.corpus.source)] * (len(texts) > 1)
        numbers = (f"{line.line:,}", f"{line.score.characters:,}", figure(line.score.bits, 1))
        text = Text(one_line(text_score.text_of(line)).replace("\t", " "))
        text.truncate(room, overflow="ellipsis")
        table.add_row(*name, *numbers, figure(line.score.bits_per_char, 3), text)
    screen.print()
    show_table(table)
    if len(lines) > len(worst):
        what = f"The {len(worst)} most surprising of {len(lines):,} lines"
        screen.print(f"{what}; --json has all of them, and so has a pipe.", soft_wrap=True)


def print_lines(texts: Sequence[TextScore]) -> None:
    """Print all lines on stdout, in their order: number, characters, bits, bits per character, text, with tabs between.

    The text's name comes first where there are several. Characters are written as they are.
    """
    sys.stdout.flush()
    for text_score in texts:
        name = f"{one_line(text_score.corpus.source)}\t" if len(texts) > 1 else ""
        for line in text_score.lines():
            cells = f"{name}{line.line}\t{_numbers(line)}\t{text_score.text_of(line)}\n"
            sys.stdout.buffer.write(cells.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _numbers(line: LineScore) -> str:
    return f"{line.score.characters}\t{line.score.bits:.2f}\t{line.score.bits_per_char:.4f}"


def _with_perplexity(score: Score) -> str:
    return str(score) if score.impossible else f"{score}, perplexity {figure(score.perplexity, 3)}"


def _warn(score: TextScore) -> None:
    name = score.model.name
    if score.split.part == TRAINED_ON:
        source = one_line(score.corpus.source)
        log_field("mind", f"{source} stands in what {name} was fitted on: no figure to compare with unseen texts")
    elif score.corpus.sha256 != score.model.metadata.text.sha256 and len(score.split.text) < len(score.corpus):
        log_field("mind", f"{score.corpus.source} stands in what {name} was fitted on; only the held-out end is scored")


def show_attributions(attributions: Sequence[Attribution]) -> None:
    """Print the models of one text, or the table of several texts and models."""
    if len(attributions) == 1:
        _show_one(attributions[0])
    else:
        _show_several(attributions)
    for attribution in attributions:
        if attribution.left_out:
            share = f"{plural(attribution.left_out, 'character')} ({100 * attribution.left_out_share:.2g}%)"
            log_field("left out", f"{share} of {attribution.source}, which not all of the models know")
        if attribution.skipped:
            log_field(
                "mind", f"a model was fitted on the beginning of {attribution.source}; only the held-out end is scored"
            )


def _show_one(attribution: Attribution) -> None:
    headers = ("bits/char", "nats/char", "perplexity", "bits in all", "behind", "posterior")
    table = figures_table("model", *headers, collapse_padding=True)
    best, models = attribution.ranked[0][1].bits, [model for model, _ in attribution.ranked]
    for (model, score), posterior in zip(attribution.ranked, attribution.posteriors, strict=True):
        behind = "" if score.bits == best else figure(score.bits - best, 1)
        cells = (figure(score.bits_per_char), figure(score.nats_per_char), figure(score.perplexity, 3))
        table.add_row(_name(model, models), *cells, figure(score.bits, 1), behind, percent(posterior, 2))
    split = attribution.split
    log_field(
        "text", f"{attribution.source}: {plural(attribution.characters, 'character')} ({split.part}), {split.rule}"
    )
    show_table(table)
    log_field("likeliest", _verdict(attribution))


def _show_several(attributions: Sequence[Attribution]) -> None:
    models = sorted((model for model, _ in attributions[0].ranked), key=lambda model: str(model.path))
    table = figures_table("text, bits/char", collapse_padding=True)
    for header in ("characters", *(_name(model, models) for model in models)):
        table.add_column(header, justify="right", overflow="fold")
    table.add_column("likeliest", overflow="fold")
    for header in ("by bits", "posterior"):
        table.add_column(header, justify="right")
    for attribution in attributions:
        scores = {model.path: figure(score.bits_per_char) for model, score in attribution.ranked}
        likeliest = _name(attribution.likeliest, models) if attribution.likeliest else "none"
        lead = "" if math.isnan(attribution.lead) else figure(attribution.lead, 1)
        cells = [f"{attribution.characters:,}", *(scores[model.path] for model in models), likeliest, lead]
        table.add_row(one_line(attribution.source), *cells, percent(attribution.posteriors[0], 2))
    show_table(table)
    documents = attributions[0].split.text.documents
    how = "static, each document separately" if documents else "static, one full pass each"
    console().print(f"\n{how}; posterior: of the likeliest, if all models were as likely before.", soft_wrap=True)


def _name(model: Checkpoint, models: Sequence[Checkpoint]) -> str:
    """Of one of several models: its path where another one in another folder has the same name."""
    is_only = [other.name for other in models].count(model.name) == 1
    return one_line(model.name if is_only else str(model.path))


def _verdict(attribution: Attribution) -> str:
    if attribution.likeliest is None:
        return "none: each of them gives some character probability 0"
    ahead = "infinitely many" if math.isinf(attribution.lead) else f"{attribution.lead:,.1f}"
    name = _name(attribution.likeliest, [model for model, _ in attribution.ranked])
    return f"{name}, by {ahead} bits in all (posterior {percent(attribution.posteriors[0], 2)}, equal priors)"
