"""`charrnn ngram`: count a text, and score what was held out."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from charrnn.cli.shared import shell_completion as completion
from charrnn.config import CorpusConfig, NgramConfig
from charrnn.errors import CheckpointError, UsageError
from charrnn.torchrun import is_rank_zero, world_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrnn.checkpoint import Checkpoint
    from charrnn.scoring.evaluate import Score
    from charrnn.text.corpus import Corpus

LARGE = 500_000_000
"""Bytes of a checkpoint that are worth a word on how to have fewer."""


def ngram(
    text: Annotated[
        list[str],
        typer.Argument(
            help="Text files, which are one text: names, patterns ('novels/*.txt'), known texts (see `charrnn data`), "
            "or - for standard input. Those that end with .gz, .bz2 or .xz need not be unpacked.",
            autocompletion=completion.texts,
            show_default=False,
        ),
    ],
    *,
    corpus: CorpusConfig,
    model: NgramConfig,
    online: Annotated[
        bool, typer.Option("--online", help="Score also with counts that go on while the held-out part is read.")
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(help="Name of the checkpoint; TEXT-SMOOTHING-ORDER if not said.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a checkpoint of something else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Count the character n-grams of a text: the baseline.

    Prints the held-out score, and saves a checkpoint that `sample` and `compare` take like any other.

    Under torchrun the processes share the counting.
    """
    from charrnn.training.distributed import connect

    model = model.with_order(corpus.bytes)
    _check(model, corpus, online)
    with connect():
        if is_rank_zero():
            from charrnn.cli.shared.terminal import print_json

            result = _count(text, corpus, model, online, out, force)
            if as_json:
                print_json(result)
        else:
            _assist(text, corpus, model)


def _count(
    text: list[str], corpus: CorpusConfig, model: NgramConfig, online: bool, out: str | None, force: bool
) -> dict[str, Any]:
    from charrnn.cli.shared.checkpoints import check_writable, place, reserved
    from charrnn.cli.shared.texts import locate_all
    from charrnn.text.sources import stem_of
    from charrnn.training.distributed import ProcessGroup

    with ProcessGroup.current().rank_zero_first():
        paths = locate_all(text)
        path = place(out, f"{stem_of(paths)}-{model.name}")
        check_writable(path)
    with reserved(path):
        return _count_into(path, paths, corpus, model, online, force)


def _count_into(
    path: Path, paths: Sequence[Path], corpus: CorpusConfig, model: NgramConfig, online: bool, force: bool
) -> dict[str, Any]:
    from charrnn.checkpoint import save
    from charrnn.cli.shared.checkpoints import refuse_to_overwrite
    from charrnn.cli.shared.terminal import field
    from charrnn.cli.shared.texts import check_documents, read, show_text
    from charrnn.scoring.compare.rows import json_of
    from charrnn.scoring.evaluate import facts_of
    from charrnn.training.distributed import ProcessGroup

    with ProcessGroup.current().rank_zero_first():
        source = read(paths, corpus)
        check_documents(source)
        refuse_to_overwrite(path, force or _is_same(path, source, model))
    show_text(source)
    fitted = fit(source, model, path, online)
    one = fitted.checkpoint
    field("model", f"{one.description}, {json_of(one)['entries']:,} n-grams")
    field("fit", f"{one.facts.fit_seconds:.2f} s")
    field("validation", str(fitted.score or "none was held out"))
    if fitted.online:
        field("online", f"{fitted.online}, counting on while it reads: no figure to compare with static ones")
    save(path, one.model, one.vocabulary, one.facts)  # which takes its time for gigabytes, so all else is said before
    result = json_of(dataclasses.replace(one, size=path.stat().st_size))
    if fitted.online:
        result["online"] = dataclasses.asdict(facts_of(fitted.online, source.split, online=True))
    is_large = result["bytes"] > LARGE and not model.prune
    advice = "; --prune 1 leaves out what occurs once, and is a fraction of that" if is_large else ""
    field("checkpoint", f"{path}, {result['bytes'] / 1e6:,.1f} MB{advice}")
    return result


def _assist(text: list[str], corpus: CorpusConfig, config: NgramConfig) -> None:
    """Count a part of the text for the first process."""
    from charrnn.cli.shared.texts import locate_all, read
    from charrnn.models.ngram.counting.distributed import count_together
    from charrnn.models.ngram.fit import COUNT_OCCURRENCES
    from charrnn.training.distributed import ProcessGroup

    with ProcessGroup.current().rank_zero_first():
        paths = locate_all(text)
    with ProcessGroup.current().rank_zero_first():
        source = read(paths, corpus)
    assert config.order
    count_together(source.train, len(source.vocabulary), config.order, config.smoothing in COUNT_OCCURRENCES)


class Fitted(NamedTuple):
    """A model, and its scores of the held-out part where there is one: static, and online if that was asked for."""

    checkpoint: Checkpoint
    score: Score | None
    online: Score | None


def fit(source: Corpus, config: NgramConfig, path: Path, online: bool = False) -> Fitted:
    """Count the training part and score the validation part, with bars."""
    from charrnn.checkpoint import Checkpoint
    from charrnn.checkpoint.metadata import Facts, TextFacts
    from charrnn.cli.shared.terminal import progress
    from charrnn.models.ngram.counting.count import count_ngrams
    from charrnn.models.ngram.counting.distributed import count_together
    from charrnn.models.ngram.fit import Counted, fit_ngram
    from charrnn.scoring.evaluate import evaluate, evaluate_online, facts_of

    started = time.perf_counter()
    vocab_size, counted = len(source.vocabulary), None
    with progress("counting", "step") as update:
        if config.smoothing == "longest":
            model = fit_ngram(source.train, vocab_size, config, update)
        else:
            count = count_ngrams if world_size() == 1 else count_together
            counted = Counted.of(source.train, vocab_size, config, update, count)
            model = counted.model()
    seconds = time.perf_counter() - started
    score = score_online = None
    if len(source.validation):
        with progress("scoring", "char") as update:
            score = evaluate(model, source.validation, progress=update, documents=source.documents)
        if online and counted:
            score_online = evaluate_online(counted, source.validation)
    validation = facts_of(score, source.split, documents=source.documents is not None) if score else None
    facts = Facts(TextFacts.of(source), seconds, "cpu", validation, command=tuple(sys.argv))
    size = sum(tensor.nbytes for tensor in model.tensors().values())
    return Fitted(Checkpoint(model, source.vocabulary, facts, path, size), score, score_online)


def _check(config: NgramConfig, corpus: CorpusConfig, online: bool) -> None:
    if online and corpus.document_separator:
        raise UsageError("--online: goes on through all of a text, and documents begin anew; leave one of them out")
    if online and config.smoothing in ("stupid", "longest"):
        raise UsageError(f"--online: --smoothing {config.smoothing} cannot count on; say another one")
    if world_size() > 1 and config.smoothing == "longest":
        raise UsageError("--smoothing longest sorts the text as a whole; run it without torchrun")


def _is_same(path: Path, source: Corpus, config: NgramConfig) -> bool:
    """Whether the checkpoint holds what is about to be counted: then nothing is lost by writing it again."""
    from charrnn.checkpoint import load
    from charrnn.checkpoint.metadata import TextFacts

    if not path.exists():
        return True
    try:
        old = load(path)
    except CheckpointError:
        return False
    text, now = old.facts.text, TextFacts.of(source)
    return old.model.config == config and (text.sha256, text.corpus) == (now.sha256, now.corpus)
