"""`charrnn data`: list, fetch and inspect texts. The words `list` and `fetch` are optional."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from charrnn.cli.shared.config_options import expand_configs
from charrnn.cli.shared.help import help_epilog
from charrnn.cli.shared.options import DeviceOption, JsonOption, TextsArgument, complete_known_texts
from charrnn.config import CorpusConfig, ModelConfig
from charrnn.errors import TextError, UsageError
from charrnn.paths import DATA_FOLDER

if TYPE_CHECKING:
    from charrnn.text.stats.describe import Description
    from charrnn.training.budget.estimate import Estimate


class DataGroup(TyperGroup):
    """A group of sub-commands with two defaults: `data` means `data list`, and `data NAME` `data fetch NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the default sub-command if none is named."""
        first = args[0] if args else ""
        if not (ctx.resilient_parsing or first in self.commands or first in ctx.help_option_names):
            is_name = bool(first) and not first.startswith("-")
            if is_name:
                self._check_name(first, is_alone=len(args) == 1)
            args = ["fetch" if is_name else "list", *args]
        return super().parse_args(ctx, args)

    def _check_name(self, name: str, is_alone: bool) -> None:
        """Raise UsageError if a name is a misspelled text or sub-command, or an unknown one with arguments."""
        from charrnn.text.datasets.registry import KNOWN_TEXTS, find_known_text

        if find_known_text(name):
            return
        similar = get_close_matches(name, [*self.commands, *KNOWN_TEXTS], n=1)
        if similar or not is_alone:
            advice = f"did you mean {similar[0]}?" if similar else "try `charrnn data --help`"
            raise UsageError(f"{name}: unknown command or text; {advice}")

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete the sub-commands, and the texts that `fetch` accepts."""
        (name,) = self.commands["fetch"].params
        return [*super().shell_complete(ctx, incomplete), *name.shell_complete(ctx, incomplete)]


def make_data_app() -> typer.Typer:
    """Return the app of `charrnn data`."""
    app = typer.Typer(
        cls=DataGroup,
        help="List and fetch known texts, and inspect any text.\n\n"
        "`charrnn data` lists the known texts; `charrnn data NAME` fetches one.",
        subcommand_metavar="[NAME | COMMAND ...]",
    )
    app.command("list", epilog=help_epilog("data list"))(list_texts)
    app.command("fetch", epilog=help_epilog("data fetch"))(fetch)
    app.command("inspect", epilog=help_epilog("data inspect"))(expand_configs(inspect))
    return app


def list_texts(as_json: JsonOption = False) -> None:
    """List the texts that can be fetched by name."""
    from charrnn.cli.data.tables import show_known_texts
    from charrnn.cli.shared.terminal import print_json
    from charrnn.text.datasets.registry import KNOWN_TEXTS

    rows = [
        {
            "name": text.name,
            "bytes": text.size,
            "source": text.source,
            "licence": text.licence,
            "present": (DATA_FOLDER / text.file_name).is_file(),
        }
        for text in KNOWN_TEXTS.values()
    ]
    if as_json:
        print_json(rows, indent=2)
    else:
        show_known_texts(rows)


def fetch(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a known text.", autocompletion=complete_known_texts)
    ],
) -> None:
    """Fetch a known text into data/ unless it is there already, and print its path."""
    from charrnn.cli.shared.locate import did_you_mean, fetch_known
    from charrnn.text.datasets.registry import KNOWN_TEXTS, find_known_text

    text = find_known_text(name)
    if text is None:
        advice = did_you_mean(get_close_matches(name, KNOWN_TEXTS)) or f"choose from {', '.join(KNOWN_TEXTS)}"
        raise TextError(f"{name}: unknown text; {advice}")
    path = DATA_FOLDER / text.file_name
    print(path if path.is_file() else fetch_known(text))


def inspect(
    names: TextsArgument,
    *,
    corpus: CorpusConfig,
    advice: Annotated[
        bool, typer.Option(help="Estimate the model that 1, 5 and 30 minutes of training give on this machine.")
    ] = True,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    context: typer.Context,
) -> None:
    """Show statistics of a text, and warnings, before you train on it.

    Size, encoding (guessed unless UTF-8), characters, lines, Unicode normalization form, duplicates and split; and the
    network that some minutes of training give.

    Needs little memory, even for a large text. --json adds every character with its count.
    """
    from charrnn.cli.data.tables import show_advice, show_description
    from charrnn.cli.shared.config_options import explicit_options
    from charrnn.cli.shared.locate import locate_texts
    from charrnn.cli.shared.terminal import print_json, progress
    from charrnn.text.sources import describe_paths
    from charrnn.text.stats.describe import describe
    from charrnn.text.stats.warnings import find_warnings

    paths = locate_texts(names)
    with progress(f"reading {describe_paths([path.name for path in paths])}", "B") as update:
        text = describe(paths, corpus, update, guess="encoding" not in explicit_options(context))
    warnings = list(find_warnings(text))
    if not as_json:
        show_description(text, warnings)
    speed, choices = _estimate(text, device) if advice and text.parts else (0.0, [])
    if as_json:
        findings = [warning._asdict() for warning in warnings]
        chosen = [choice.as_json() for choice in choices]
        estimates = {"measured": str(ModelConfig()), "chars_per_second": speed, "choices": chosen}
        print_json({**text.as_json(), "findings": findings, "advice": estimates if choices else None})
    elif choices:
        show_advice(text, speed, choices)


def _estimate(text: Description, device: str) -> tuple[float, list[Estimate]]:
    """Measure the speed of a device; return that speed, and the networks that some minutes of training give."""
    from charrnn.cli.shared.devices import check_gpu_features, select_device
    from charrnn.training.budget.estimate import estimate_budgets

    chosen = select_device(device)
    check_gpu_features(chosen, "graphs")
    return estimate_budgets(text.parts["train"], text.vocab_size, chosen)
