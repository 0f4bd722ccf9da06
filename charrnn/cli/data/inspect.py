"""`charrnn data inspect`: what a text is like, before anything is trained on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.shared import shell_completion
from charrnn.cli.shared.options import DeviceOption, JsonOption
from charrnn.config import CorpusConfig

if TYPE_CHECKING:
    from charrnn.text.stats.describe import Description
    from charrnn.training.budget.estimate import Advice


def inspect(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...",
            help="Texts, as `charrnn train` takes them.",
            autocompletion=shell_completion.texts,
            show_default=False,
        ),
    ],
    *,
    corpus: CorpusConfig,
    advice: Annotated[
        bool, typer.Option(help="Estimate what 1, 5 and 30 minutes of training would give on this machine.")
    ] = True,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    context: typer.Context,
) -> None:
    """Show what a text is like, before anything is trained on it.

    Its size, encoding (a guess if it is not UTF-8), characters, lines, Unicode normal form, copies and split; warnings;
    and which network some minutes of training would give.

    Takes little memory, however large the text is. --json adds every character with its count.
    """
    from charrnn.cli.data.tables import show_advice, show_description
    from charrnn.cli.shared.options import said
    from charrnn.cli.shared.terminal import print_json, progress
    from charrnn.cli.shared.texts import locate_all, refuse_checkpoints
    from charrnn.text.sources import described
    from charrnn.text.stats.describe import describe
    from charrnn.text.stats.warnings import find_warnings

    refuse_checkpoints(names)
    paths = locate_all(names)
    with progress(f"reading {described([path.name for path in paths])}", "B") as update:
        text = describe(paths, corpus, update, guess="encoding" not in said(context))
    warnings = list(find_warnings(text))
    if not as_json:
        show_description(text, warnings)
    estimate = _estimate(text, device) if advice and text.parts else None
    if as_json:
        findings = [warning._asdict() for warning in warnings]
        print_json({**text.as_json(), "findings": findings, "advice": estimate.as_json() if estimate else None})
    elif estimate:
        show_advice(text, estimate)


def _estimate(text: Description, device: str) -> Advice:
    """What some minutes of training on a text would give on a device of this machine, whose speed is measured."""
    from charrnn.cli.shared.devices import choose, try_features
    from charrnn.training.budget.estimate import advise

    chosen = choose(device)
    try_features(chosen, "graphs")
    return advise(text.parts["train"], text.vocab_size, chosen)
