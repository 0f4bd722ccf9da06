"""`charrnn ngram`: fit an n-gram model to a text and score it on the held-out part."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.shared.options import ForceOption, JsonOption, TextsArgument
from charrnn.config import CorpusConfig, NgramConfig
from charrnn.errors import UsageError
from charrnn.torchrun import world_size

if TYPE_CHECKING:
    from charrnn.pipeline.fit_ngrams import NgramFit
    from charrnn.text.corpus import Corpus

LARGE_CHECKPOINT = 500_000_000
"""The size of a checkpoint, in bytes, above which --prune is suggested."""


def ngram(
    text: TextsArgument,
    *,
    model: NgramConfig,
    corpus: CorpusConfig,
    online: Annotated[
        bool,
        typer.Option(
            "--online", help="Also score an adaptive model, which keeps counting while it reads the held-out text."
        ),
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Name of the checkpoint (default: TEXT-SMOOTHING-ORDER, as in novel-tuned-9)."
        ),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit an n-gram model to a text: the baseline for networks.

    Prints the held-out score and saves a checkpoint, for `sample`, `compare` and all other commands.

    With torchrun, the processes share the counting.
    """
    model = model.with_order(corpus.bytes)
    if online:
        model.check_online(corpus)
    if world_size() > 1 and not model.method.has_order:
        raise UsageError(
            f"--smoothing {model.smoothing}: cannot be fitted by several processes; run it without torchrun"
        )
    if world_size() > 1 and model.blend:
        raise UsageError("--blend: cannot be fitted by several processes; run it without torchrun")
    from charrnn.training.distributed import connect

    with connect() as group:
        from charrnn.cli.shared.checkpoints import check_writable, checkpoint_path, locked, refuse_to_overwrite
        from charrnn.cli.shared.locate import locate_texts
        from charrnn.cli.shared.terminal import print_json, progress
        from charrnn.cli.shared.texts import check_documents, read, show_corpus
        from charrnn.pipeline.fit_ngrams import assist_counting, fit_ngrams, is_fit_of
        from charrnn.text.sources import stem_of

        if not group.is_rank_zero:
            with group.rank_zero_first():
                paths = locate_texts(text)
            with group.rank_zero_first():
                source = read(paths, corpus)
            assist_counting(source, model)
            return
        with group.rank_zero_first():
            paths = locate_texts(text)
            path = checkpoint_path(out, f"{stem_of(paths)}-{model.name}")
            check_writable(path)
        with locked(path):
            with group.rank_zero_first():
                source = read(paths, corpus)
                check_documents(source)
                refuse_to_overwrite(path, force or not path.exists() or is_fit_of(path, source, model))
            show_corpus(source)
            fit = fit_ngrams(source, model, progress, online, distributed=world_size() > 1)
            result = _show_and_save(fit, source, model, path)
            if as_json:
                print_json(result)


def _show_and_save(fit: NgramFit, source: Corpus, config: NgramConfig, path: Path) -> dict[str, Any]:
    """Print the model and its scores, then save the model; return the result for --json."""
    from charrnn.checkpoint import save
    from charrnn.cli.shared.terminal import log_field, shell_quoted
    from charrnn.scoring.compare.rows import checkpoint_summary
    from charrnn.scoring.evaluate import eval_result

    model, facts = fit.checkpoint.model, dataclasses.replace(fit.checkpoint.metadata, command=tuple(sys.argv))
    entries = checkpoint_summary(fit.checkpoint)["entries"]
    log_field("model", f"{fit.checkpoint.description} ({config.method.help}), {entries:,} n-grams")
    log_field("fit time", f"{facts.fit_seconds:.2f} s")
    log_field("validation", str(fit.score or "not scored: there is no validation set"))
    if fit.online:
        adaptive = "adaptive: keeps counting on the held-out text, not comparable with the validation score"
        log_field("online", f"{fit.online}; {adaptive}")
    save(path, model, source.vocabulary, facts)
    size = path.stat().st_size
    is_large = size > LARGE_CHECKPOINT and not config.prune
    advice = "; to make it much smaller, drop n-grams that occur only once with --prune 1" if is_large else ""
    log_field("checkpoint", f"{path}, {size / 1e6:,.1f} MB{advice}")
    log_field("next", f"charrnn sample {shell_quoted(path)}")
    result = checkpoint_summary(dataclasses.replace(fit.checkpoint, path=path, size=size))
    if fit.online:
        result["online"] = dataclasses.asdict(eval_result(fit.online, source.split, online=True))
    return result
