"""`charrnn data`: the texts that charrnn knows by name."""

from __future__ import annotations

from typing import Annotated

import typer

from charrnn.cli.shared import shell_completion as completion
from charrnn.cli.shared.tables import show_table
from charrnn.errors import TextError


def data(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A known text to fetch into data/.", autocompletion=completion.known_texts, show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the texts that charrnn knows, or fetch one into data/."""
    from charrnn.cli.shared.terminal import print_json
    from charrnn.cli.shared.texts import DATA, fetch_known
    from charrnn.text.datasets.registry import KNOWN_TEXTS, find

    if name is not None:
        text = find(name)
        if text is None:
            raise TextError(f"{name}: is no known text; known are {', '.join(KNOWN_TEXTS)}")
        path = DATA / text.file_name
        print(path if path.is_file() else fetch_known(text))
        return
    rows: list[dict[str, object]] = [
        {
            "name": text.name,
            "bytes": text.size,
            "source": text.source,
            "licence": text.licence,
            "present": (DATA / text.file_name).is_file(),
        }
        for text in KNOWN_TEXTS.values()
    ]
    if as_json:
        print_json(rows, indent=2)
    else:
        _show(rows)


def _show(rows: list[dict[str, object]]) -> None:
    from rich.table import Table

    from charrnn.cli.shared.terminal import console

    table = Table("name", "size", "source", "licence", "in data/", box=None, header_style="bold")
    for row in rows:
        size = row["bytes"]
        shown = f"{size / 1e6:.1f} MB" if isinstance(size, int) else "varies"
        present = "yes" if row["present"] else "no"
        table.add_row(str(row["name"]), shown, str(row["source"]), str(row["licence"]), present)
    show_table(table)
    console().print("`charrnn data NAME` fetches one; `charrnn train NAME` does so by itself.")
