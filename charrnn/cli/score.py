"""`charrnn score`: how well a model predicts a text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli import completion
from charrnn.config import LARGEST_INTEGER
from charrnn.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from charrnn.checkpoint import Checkpoint
    from charrnn.scoring.evaluate import Score


def score(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            help="A checkpoint; the newest in checkpoints/ if not said.",
            autocompletion=completion.checkpoints,
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to score, one text in one file or several; the held-out part of the text that the model was "
            "fitted on if not said.",
            autocompletion=completion.texts,
            show_default=False,
        ),
    ] = None,
    *,
    window: Annotated[
        int | None,
        typer.Option(
            help="Score also in windows of so many characters, each read by itself, as transformers are scored.",
            min=1,
            max=LARGEST_INTEGER,
            show_default=False,
        ),
    ] = None,
    online: Annotated[
        bool,
        typer.Option(
            "--online",
            help="Score also while the model learns from what it has read: a network by dynamic evaluation, an n-gram "
            "model by counting on.",
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
) -> None:
    """Score a text with a model, in bits per character."""
    from charrnn.checkpoint import load, newest
    from charrnn.cli.checkpoints import FOLDER, find
    from charrnn.cli.devices import choose
    from charrnn.cli.terminal import field, print_json, progress
    from charrnn.cli.texts import locate_all, read, read_fitted_on, show_unknown
    from charrnn.models.ngram.longest import LongestMatchModel
    from charrnn.scoring.compare import held_out, json_of
    from charrnn.scoring.evaluate import evaluate, evaluate_windows, facts_of

    model = load(find(checkpoint) if checkpoint else newest(FOLDER), choose(device))
    if online and isinstance(model.model, LongestMatchModel):
        raise UsageError("--online: the longest match cannot count on; say another model")
    if model.facts.text.corpus.document_separator and (online or window):
        option = "--online" if online else f"--window {window}"
        raise UsageError(f"{option}: goes on through a text, and {model.name} reads documents; leave it out")
    corpus = read(locate_all(text), model.facts.text.corpus, model.vocabulary) if text else read_fitted_on(model)
    part = held_out([model], corpus)
    field("model", f"{model.path}: {model.description}")
    field("text", f"{corpus.source}: {len(part.ids):,} characters ({part.part}, split {part.split})")
    show_unknown(corpus)
    with progress("scoring", "char") as update:
        static = evaluate(model.model, part.ids, progress=update, documents=part.documents)
    field("static", f"{static}, {part.rule.removeprefix('static, ')}")
    facts = facts_of(static, part.split, documents=part.documents is not None)
    result: dict[str, Any] = {**json_of(model), **asdict(facts), "part": part.part}
    if window:
        with progress("scoring windows", "char") as update:
            in_windows = evaluate_windows(model.model, part.ids, window, update)
        field("windows", f"{in_windows}, each {window} characters by themselves")
        result["window"] = asdict(facts_of(in_windows, part.split, window=window))
    if online:
        learning = _online(model, part.ids)
        field("online", f"{learning}, learning while it reads: no figure to compare with static ones")
        result["online"] = asdict(facts_of(learning, part.split, online=True))
    if as_json:
        print_json(result)


def _online(model: Checkpoint, ids: NDArray[Any]) -> Score:
    """The score of a model that learns while it reads."""
    from charrnn.cli.terminal import progress
    from charrnn.cli.texts import read_fitted_on
    from charrnn.models.ngram.fitting import Counted
    from charrnn.models.ngram.longest import LongestMatchModel
    from charrnn.models.ngram.model import NgramModel
    from charrnn.scoring.dynamic import DynamicEvaluation
    from charrnn.scoring.evaluate import evaluate_online

    counted = model.model
    if isinstance(counted, NgramModel):  # its file holds no counts, so the text is counted again
        with progress("counting", "step") as update:
            again = Counted.of(read_fitted_on(model).train, len(model.vocabulary), counted.config, update)
        return evaluate_online(again, ids)
    assert not isinstance(counted, LongestMatchModel)
    with progress("learning", "char") as update:
        return evaluate_online(DynamicEvaluation(counted, update), ids)
