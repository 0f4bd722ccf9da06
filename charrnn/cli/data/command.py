"""`charrnn data`: its sub-commands, of which `list` and `fetch` need not be typed."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from charrnn.cli.data.inspect import inspect
from charrnn.cli.shared import shell_completion
from charrnn.cli.shared.examples import epilog_of
from charrnn.cli.shared.options import JsonOption, configured
from charrnn.errors import TextError
from charrnn.paths import DATA_FOLDER


class DataGroup(TyperGroup):
    """Sub-commands with two defaults: `data` is `data list`, and `data NAME` is `data fetch NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default sub-command first where none is named."""
        first = args[0] if args else ""
        if not (ctx.resilient_parsing or first in self.commands or first in ctx.help_option_names):
            args = ["fetch" if first and not first.startswith("-") else "list", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Offer the sub-commands, and the texts that `fetch` takes."""
        (name,) = self.commands["fetch"].params
        return [*super().shell_complete(ctx, incomplete), *name.shell_complete(ctx, incomplete)]


def make_data_app() -> typer.Typer:
    """The sub-commands of `charrnn data`."""
    app = typer.Typer(
        cls=DataGroup,
        help="List known texts, fetch one, or show what any text is like.\n\n"
        "`charrnn data` lists the known texts; `charrnn data NAME` fetches one.",
        subcommand_metavar="[NAME | COMMAND ...]",
    )
    app.command("list")(list_texts)
    app.command("fetch")(fetch)
    app.command("inspect", epilog=epilog_of("data"))(configured(inspect))
    return app


def list_texts(as_json: JsonOption = False) -> None:
    """List the known texts."""
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
        str, typer.Argument(help="A known text.", autocompletion=shell_completion.known_texts, show_default=False)
    ],
) -> None:
    """Fetch a known text into data/, unless it is there; print its path."""
    from charrnn.cli.shared.texts import fetch_known
    from charrnn.text.datasets.registry import KNOWN_TEXTS, find_known_text

    text = find_known_text(name)
    if text is None:
        raise TextError(f"{name}: is no known text; known are {', '.join(KNOWN_TEXTS)}")
    path = DATA_FOLDER / text.file_name
    print(path if path.is_file() else fetch_known(text))
