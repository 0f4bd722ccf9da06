r"""Tell the language of a name: networks that read lines `name\tlanguage` and complete them, beside n-grams.

Each model is a language model of the lines. For a held-out name, the class is what it generates after the tab, always
the likeliest character; a class that does not exist is a mistake like any other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from charrnn.config import CompletionConfig, NgramConfig, TrainingConfig
from charrnn.errors import TextError
from charrnn.formatting import plural
from charrnn.lab.experiment import (
    LabContext,
    LabResult,
    Row,
    describe_machine,
    describe_text,
    held_out,
    set_title,
)
from charrnn.lab.networks import config_of_size, new_network, timed_steps
from charrnn.models.language_model import LanguageModel
from charrnn.models.ngram.fit import fit_ngram
from charrnn.models.rnn.model import RecurrentModel
from charrnn.report.confusion import draw_confusion
from charrnn.report.figures import INK, SERIES, new_figure
from charrnn.sampling.complete import LINE_END, LineCompleter
from charrnn.scoring.confusion import ConfusionMatrix, check_classes
from charrnn.text.batches import streams_of
from charrnn.text.corpus import Corpus
from charrnn.training.budget.auto_config import ATTENTION_RATE, suit_attention
from charrnn.training.loop import Training
from charrnn.training.optim.precision import dtype_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = ("lstm", "mingru", "attention")
"""The cells that are compared."""
LAYERS = 2
WINDOW = 64
"""The number of characters that attention sees; the lines are shorter."""
SEPARATOR = "\t"
MAX_LENGTH = 40
"""The largest number of characters that a model generates for a class."""
SHOWN_MISTAKES = 12
"""The number of most frequent mistakes that are listed."""


@dataclass(frozen=True)
class NamesSize:
    """Settings of the experiment.

    Attributes:
        parameters: approximate number of parameters of each network.
        minutes: training time of each network; None to use `steps`.
        steps: number of training steps instead of minutes, for reproducible results.
        dropout: dropout probability of each network.
    """

    parameters: int
    minutes: float | None
    steps: int | None = None
    dropout: float = 0.3


SIZES = {
    "tiny": NamesSize(60_000, None, steps=2),
    "quick": NamesSize(300_000, 0.5),
    "full": NamesSize(300_000, 2.5),
}


@dataclass(frozen=True)
class _Fitted:
    """A fitted model in the rows of the result."""

    kind: str
    model: str
    parameters: int | None
    seconds: float
    steps: int | None


def run(context: LabContext, size: NamesSize) -> LabResult:
    """Train a network of each cell for the same time, fit n-grams, and let all complete the held-out lines.

    Raises:
        TextError: the held-out lines have no classes, or too many.
        UsageError: no network has approximately that number of parameters.
    """
    corpus = context.require_corpus()
    lines = held_out_lines(corpus)
    config = TrainingConfig(steps=size.steps, minutes=size.minutes, seed=context.seed)
    rows: list[Row] = []
    for cell in NETWORKS:
        model = config_of_size(cell, LAYERS, len(corpus.vocabulary), size.parameters)
        model = replace(model, dropout=size.dropout, window=WINDOW)
        network = new_network(model, len(corpus.vocabulary), context.seed, context.device)
        seconds, steps = _train(context, suit_attention(model, config)[1], network)
        fitted = _Fitted(cell, str(model), network.parameter_count, round(seconds, 2), steps)
        rows += _rows(fitted, classify(network, corpus, lines))
    started = time.perf_counter()
    ngram_config = NgramConfig().with_order(is_bytes=False)
    ngrams = fit_ngram(corpus.train.ids, len(corpus.vocabulary), ngram_config)
    fitted = _Fitted("ngrams", f"{ngram_config} n-grams", None, round(time.perf_counter() - started, 2), None)
    rows += _rows(fitted, classify(ngrams, corpus, lines))
    length = f"{size.minutes:g} minutes of training each" if size.minutes else f"{size.steps} steps each"
    dtype = str(dtype_of(config, context.device)).removeprefix("torch.")
    caption = (
        f"{describe_text(corpus)}, read line by line. Right: {plural(len(lines), 'held-out line')} whose class is "
        f"completed exactly, always with the likeliest character; one standard error is at most "
        f"{50 / len(lines) ** 0.5:.1f} percentage points. Majority: the most frequent class for all. The same for all "
        f"networks: {LAYERS} layers with residual connections, about {size.parameters:,} parameters, {length}, dropout "
        f"{size.dropout:g}, optimizer {config.optimizer} with learning rate {config.learning_rate:g} (attention: "
        f"{ATTENTION_RATE:g}), batch size {config.batch_size}, matrix products in {dtype}, seed {context.seed}; the "
        f"state after the last step, so nothing was selected on the held-out lines. Measured on "
        f"{describe_machine(context.device)}."
    )
    return LabResult(rows, table(rows, size), caption, draw(rows, size), [_mistakes(rows)])


def held_out_lines(corpus: Corpus) -> list[tuple[str, str]]:
    """Return the source and the class of each whole line of the validation part.

    Raises:
        TextError: a line has no class, or there are too many classes.
    """
    text = corpus.vocabulary.decode(held_out(corpus, 2).tolist())
    before = corpus.vocabulary.decode(corpus.train.ids[-1:].tolist())
    whole = text if before == LINE_END else text.partition(LINE_END)[2]
    lines = [line.partition(SEPARATOR) for line in whole.split(LINE_END) if line]
    if not all(separator for _, separator, _ in lines):
        raise TextError(f"{corpus.source}: a held-out line has no tab before a class; use lines of name, tab and class")
    check_classes(corpus.source, len({target for *_, target in lines}), "use another text")
    return [(source, target) for source, _, target in lines]


def classify(model: LanguageModel, corpus: Corpus, lines: Sequence[tuple[str, str]]) -> ConfusionMatrix:
    """Let a model complete the sources of lines, and count the classes that it predicts."""
    completer = LineCompleter(model, corpus.vocabulary, CompletionConfig(length=MAX_LENGTH), SEPARATOR)
    matrix = ConfusionMatrix()
    completions = completer.complete(source for source, _ in lines)
    for completion, (_, expected) in zip(completions, lines, strict=True):
        matrix.add(completion.target, expected)
    return matrix


def _train(context: LabContext, config: TrainingConfig, network: RecurrentModel) -> tuple[float, int]:
    """Train a network, and return the seconds and the number of steps."""
    corpus = context.require_corpus()
    streams = streams_of(corpus.train, config.batch_size, config.seq_length)
    training = Training(network, streams, corpus.validation[:0], config)
    seconds, devices = 0.0, [context.device] if context.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(context.seed)  # dropout
        for step in timed_steps(training, config.minutes):
            context.progress(f"{network.config}", step.number, step.planned)
            seconds = step.seconds
    return seconds, training.step


def _rows(fitted: _Fitted, matrix: ConfusionMatrix) -> list[Row]:
    """Return a row for each expected and each predicted class."""
    counted = (
        {"expected": pair[0], "predicted": pair[1], "lines": matrix.lines[pair]} for pair in sorted(matrix.lines)
    )
    return [asdict(fitted) | row for row in counted]


def _matrices(rows: Sequence[Row]) -> dict[str, tuple[Row, ConfusionMatrix]]:
    """Return {kind of model: (its first row, its confusion matrix)}, the most accurate one first.

    In rows from a CSV file, classes may have become numbers, and empty ones None.
    """
    models: dict[str, tuple[Row, ConfusionMatrix]] = {}
    for row in rows:
        _, matrix = models.setdefault(row["kind"], (row, ConfusionMatrix()))
        predicted, expected = ("" if row[name] is None else str(row[name]) for name in ("predicted", "expected"))
        matrix.add(predicted, expected, row["lines"])
    return dict(sorted(models.items(), key=lambda item: -item[1][1].accuracy))


def _best_network(rows: Sequence[Row]) -> tuple[Row, ConfusionMatrix]:
    return next(value for kind, value in _matrices(rows).items() if kind in NETWORKS)


def _majority(rows: Sequence[Row]) -> float:
    """Return the share of the most frequent class."""
    _, matrix = _best_network(rows)
    return float(matrix.counts.sum(axis=1).max()) / matrix.total


def table(rows: Sequence[Row], _: NamesSize) -> list[list[str]]:
    """Return the table: a line for each model, the best first, and the majority."""
    lines = [["model", "parameters", "seconds", "steps", "right", "no class"]]
    for row, matrix in _matrices(rows).values():
        invented = sum(lines for (_, predicted), lines in matrix.lines.items() if predicted not in matrix.classes)
        shares = [f"{share:.1%}" for share in (matrix.accuracy, invented / matrix.total)]
        lines.append(
            [row["model"], _number(row["parameters"]), f"{row['seconds']:.1f}", _number(row["steps"]), *shares]
        )
    return [*lines, ["majority", "-", "-", "-", f"{_majority(rows):.1%}", "-"]]


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:,}"


def _mistakes(rows: Sequence[Row]) -> tuple[str, str]:
    """Return a title and the most frequent mistakes of the best network."""
    row, matrix = _best_network(rows)
    mistakes = [(lines, *pair) for pair, lines in matrix.lines.items() if pair[0] != pair[1]]
    mistakes.sort(key=lambda mistake: (-mistake[0], mistake))
    text = "\n".join(f"{lines:3}  {expected} → {predicted}" for lines, expected, predicted in mistakes[:SHOWN_MISTAKES])
    return f"The most frequent mistakes of {row['model']} (lines, expected → predicted)", text


def draw(rows: Sequence[Row], _: NamesSize) -> Figure:
    """Draw the accuracy of each model, and the confusion matrix of the best network."""
    models, (best, matrix) = _matrices(rows), _best_network(rows)
    figure, (bars, confusion) = new_figure(6.6, 8.6, rows=2, height_ratios=(1, 5))
    names = [row["model"] for row, _ in models.values()] + ["majority"]
    shares = [100 * matrix.accuracy for _, matrix in models.values()] + [100 * _majority(rows)]
    colors = [SERIES[0] if kind in NETWORKS else SERIES[1] for kind in models] + [INK]
    bars.barh(names, shares, color=colors, height=0.7)
    for place, share in enumerate(shares):
        bars.text(share + 0.7, place, f"{share:.1f}", va="center", fontsize=9, color=INK)
    bars.invert_yaxis()
    bars.set_xlim(0, 100)
    bars.grid(visible=False, axis="y")
    set_title(bars, f"Held-out lines: right, % (of {matrix.total:,})")
    draw_confusion(confusion, matrix)
    set_title(confusion, f"{best['model']}: number of held-out lines")
    return figure
