"""Output of `charrnn score`: scores of a text or of several, scores of lines, and the likeliest model of a text."""

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
from charrnn.formatting import figure, part_name, percent, plural
from charrnn.pipeline.score import TRAINED_ON, LineScore, TextScore
from charrnn.scoring.attribution import Attribution
from charrnn.scoring.evaluate import Score
from charrnn.scoring.held_out import EvalSplit

MAX_LINES = 20
"""The maximum number of lines in a table; --json and a pipe get all lines."""
NUMBERS_WIDTH, NAME_WIDTH, MIN_TEXT_WIDTH = 40, 24, 10
"""Columns of the terminal for the numbers of a line, for the name of its text, and (at least) for its characters."""


def show_text(score: TextScore) -> None:
    """Print the scores of one text."""
    part = score.split
    log_field("text", f"{score.corpus.source}: {plural(len(part.text), 'character')}{_part(part)}, {_rule(part)}")
    show_unknown(score.corpus)
    _warn(score)
    log_field("score", _with_perplexity(score.static))
    if score.in_windows:
        windows = f"independent windows of {score.window:,} characters"
        log_field("windows", f"{_with_perplexity(score.in_windows)} ({windows})")
    if score.online:
        adaptive = "adaptive: learns from the text, not comparable with the score above"
        log_field("online", f"{_with_perplexity(score.online)} ({adaptive})")


def show_texts(ranked: Sequence[TextScore]) -> None:
    """Print a table of several texts, in the given order."""
    screen, first = console(), ranked[0]
    headers = ["characters", "part", "bits/char", "nats/char", "perplexity"]
    headers += [f"window {first.window},\nbits/char"] * (first.window is not None)
    headers += ["online,\nbits/char"] * (first.online is not None)
    table = figures_table("text", *headers, collapse_padding=True)
    for text_score in ranked:
        score = text_score.static
        part = text_score.split.part
        cells = [f"{len(text_score.split.text):,}", part_name(part)]
        cells += [figure(score.bits_per_char), figure(score.nats_per_char), figure(score.perplexity, 3)]
        cells += [figure(other.bits_per_char) for other in (text_score.in_windows, text_score.online) if other]
        table.add_row(one_line(text_score.corpus.source), *cells)
    show_table(table)
    adaptive = " Online: learns from the text, so not comparable with the other columns." if first.online else ""
    screen.print(f"\nEach text separately, {_rule(first.split)}; best score first.{adaptive}", soft_wrap=True)
    for text_score in ranked:
        _warn(text_score)


def show_lines(texts: Sequence[TextScore]) -> None:
    """Print the lines with the most bits per character."""
    lines = [(text_score, line) for text_score in texts for line in text_score.lines()]
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
        most = f"The {len(worst)} most surprising of {len(lines):,} lines"
        screen.print(f"{most}; to get all lines, use --json or a pipe.", soft_wrap=True)


def print_lines(texts: Sequence[TextScore]) -> None:
    """Print all lines on stdout as tab-separated values: line number, characters, bits, bits per character, line.

    With several texts, the name of the text comes first. Characters are not escaped.
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


def _part(split: EvalSplit) -> str:
    """Return which part of a text is scored, in parentheses; "" for all of it."""
    return "" if split.part == "all" else f" ({part_name(split.part)} part, split {split.split})"


def _rule(split: EvalSplit) -> str:
    """Return how a text is scored, in words; that a model does not learn from the text goes without saying."""
    return split.rule.removeprefix("static, ")


def _with_perplexity(score: Score) -> str:
    return str(score) if score.impossible else f"{score}, perplexity {figure(score.perplexity, 3)}"


def _warn(score: TextScore) -> None:
    name = score.model.name
    if score.split.part == TRAINED_ON:
        source = one_line(score.corpus.source)
        log_field("warning", f"{source} is part of the training text of {name}; not comparable with unseen text")
    elif score.corpus.sha256 != score.model.metadata.text.sha256 and len(score.split.text) < len(score.corpus):
        overlap = f"the beginning of {score.corpus.source} is part of the training text of {name}"
        log_field("warning", f"{overlap}; only the held-out end is scored")


def show_attributions(attributions: Sequence[Attribution]) -> None:
    """Print the likelihood of one text, or of several, under each model."""
    if len(attributions) == 1:
        _show_one(attributions[0])
    else:
        _show_several(attributions)
    for attribution in attributions:
        if attribution.left_out:
            share = f"{plural(attribution.left_out, 'character')} ({100 * attribution.left_out_share:.2g}%)"
            log_field("not scored", f"{share} of {attribution.source} that are not in the vocabulary of every model")
        if attribution.skipped:
            trained_on = f"a model was trained on the beginning of {attribution.source}"
            log_field("warning", f"{trained_on}; only the held-out end is scored")


def _show_one(attribution: Attribution) -> None:
    headers = ("bits/char", "nats/char", "perplexity", "total\nbits", "bits\nbehind", "posterior")
    table = figures_table("model", *headers, collapse_padding=True)
    least, models = attribution.ranked[0][1].bits, [model for model, _ in attribution.ranked]
    for (model, score), posterior in zip(attribution.ranked, attribution.posteriors, strict=True):
        behind = "" if score.bits == least else figure(score.bits - least, 1)
        cells = (figure(score.bits_per_char), figure(score.nats_per_char), figure(score.perplexity, 3))
        table.add_row(_name(model, models), *cells, figure(score.bits, 1), behind, percent(posterior, 2))
    split = attribution.split
    log_field(
        "text", f"{attribution.source}: {plural(attribution.characters, 'character')}{_part(split)}, {_rule(split)}"
    )
    show_table(table)
    log_field("likeliest", _verdict(attribution))


def _show_several(attributions: Sequence[Attribution]) -> None:
    models = sorted((model for model, _ in attributions[0].ranked), key=lambda model: str(model.path))
    table = figures_table("text, bits/char", collapse_padding=True)
    for header in ("characters", *(_name(model, models) for model in models)):
        table.add_column(header, justify="right", overflow="fold")
    table.add_column("likeliest", overflow="fold")
    for header in ("lead,\nbits", "posterior"):
        table.add_column(header, justify="right")
    for attribution in attributions:
        scores = {model.path: figure(score.bits_per_char) for model, score in attribution.ranked}
        likeliest = _name(attribution.likeliest, models) if attribution.likeliest else "none"
        lead = "" if math.isnan(attribution.lead) else figure(attribution.lead, 1)
        cells = [f"{attribution.characters:,}", *(scores[model.path] for model in models), likeliest, lead]
        table.add_row(one_line(attribution.source), *cells, percent(attribution.posteriors[0], 2))
    show_table(table)
    console().print(
        f"\nEach text separately, {_rule(attributions[0].split)}. Lead: total bits by which the likeliest model is "
        "ahead of the second. Posterior: the probability of the likeliest model, given equal priors.",
        soft_wrap=True,
    )


def _name(model: Checkpoint, models: Sequence[Checkpoint]) -> str:
    """Return the name of a model, or its path if another model has the same name."""
    is_only = [other.name for other in models].count(model.name) == 1
    return one_line(model.name if is_only else str(model.path))


def _verdict(attribution: Attribution) -> str:
    if attribution.likeliest is None:
        return "none: every model gives some character probability 0"
    lead = "infinitely many" if math.isinf(attribution.lead) else f"{attribution.lead:,.1f}"
    name = _name(attribution.likeliest, [model for model, _ in attribution.ranked])
    return f"{name}, by {lead} bits in total (posterior {percent(attribution.posteriors[0], 2)}, equal priors)"
