"""`charrnn lab`: the lecture's experiments, each one command, one picture, one table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.shared import shell_completion as completion
from charrnn.cli.shared.options import DeviceOption
from charrnn.cli.shared.tables import plain_table, show_table
from charrnn.config import LARGEST_INTEGER
from charrnn.errors import CharRNNError, DivergedError, ModelError, UsageError
from charrnn.lab.catalogue import EXPERIMENTS, load_experiment

if TYPE_CHECKING:
    from charrnn.lab.experiment import LabResult, ProgressCallback

DEFAULT_TEXT = "tinyshakespeare"


def lab(
    name: Annotated[
        str | None,
        typer.Argument(
            help=f"Which: {', '.join(EXPERIMENTS)}. Without one they are listed.",
            autocompletion=completion.experiments,
            show_default=False,
        ),
    ] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="A smaller one, of a few minutes on two cores.")] = False,
    out: Annotated[Path, typer.Option(help="The folder for NAME.png, NAME.svg, NAME.csv and NAME.md.")] = Path("lab"),
    text: Annotated[
        list[str] | None,
        typer.Option(
            help=f"The text; {DEFAULT_TEXT} if not said. For several files say it again.",
            autocompletion=completion.texts,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of all that is drawn, and of first weights.", min=0, max=LARGEST_INTEGER)
    ] = 0,
    device: DeviceOption = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Run one of the lecture's experiments: a picture, a table, and all figures in a file."""
    if name is None:
        _list(as_json)
        return
    entry = EXPERIMENTS.get(name)
    if entry is None:
        raise UsageError(f"{name}: is no experiment; there are {', '.join(EXPERIMENTS)}")
    if text and not entry.reads_text:
        raise UsageError(f"--text {text[0]}: {name} makes up what it reads; leave it out")
    if device not in ("auto", "cpu") and not entry.trains:
        raise UsageError(f"--device {device}: {name} counts, on the CPU alone; leave it out")
    from charrnn.cli.shared.devices import choose
    from charrnn.cli.shared.terminal import field, print_json, quoted
    from charrnn.cli.shared.texts import locate_all, read, show_text
    from charrnn.config import CorpusConfig
    from charrnn.lab.experiment import LabContext, write
    from charrnn.lab.machine import machine
    from charrnn.report.pictures import new_figure

    new_figure()  # so that what is missing is said before any work is done
    _make(out)
    where = choose(device)
    corpus = read(locate_all(text or [DEFAULT_TEXT]), CorpusConfig()) if entry.reads_text else None
    if corpus:
        show_text(corpus)
    field("experiment", entry.question)
    experiment = load_experiment(name)
    size = experiment.SIZES["quick" if quick else "full"]
    try:
        with _watching() as watch:
            result: LabResult = experiment.run(LabContext(corpus, seed, where, watch), size)
    except DivergedError as error:  # which knows another way out, but there is no rate to be said here
        raise ModelError(f"{name}: {str(error).partition(';')[0]}; say another --seed, or another --text") from error
    said = [*(["--quick"] if quick else []), *(f"--text {quoted(one)}" for one in text or ())]
    said += [f"--seed {seed}"] * (seed != 0) + [f"--device {device}"] * (device != "auto")
    paths = write(result, out, name, " ".join(["charrnn lab", name, *said]), machine(where))
    _show(result, paths)
    if as_json:
        print_json(result.rows)


def _list(as_json: bool) -> None:

    from charrnn.cli.shared.terminal import console, print_json

    if as_json:
        print_json([{"name": name, "question": entry.question} for name, entry in EXPERIMENTS.items()])
        return
    table = plain_table(show_header=False)
    table.add_column(style="bold")
    for name, entry in EXPERIMENTS.items():
        table.add_row(name, entry.question)
    show_table(table)
    console().print("\n`charrnn lab NAME --quick` runs one in minutes; docs/lab has a page for each.")


def _make(folder: Path) -> None:
    """Raise CharRNNError unless the folder is there, and can be written into."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CharRNNError(f"{folder}: cannot be made: {error.strerror}; say another --out") from error
    if not os.access(folder, os.W_OK):
        raise CharRNNError(f"{folder}: cannot be written into; say another --out")


@contextmanager
def _watching() -> Iterator[ProgressCallback]:
    """One bar, for one thing after the other."""
    from charrnn.cli.shared.terminal import bar, one_line

    now = ""
    with bar(None, "", "step") as shown:

        def watch(label: str, done: int, total: int) -> None:
            nonlocal now
            if label != now:
                now = label
                shown.set_description(one_line(label), refresh=False)
                shown.reset(total)
            shown.update(done - shown.n)

        yield watch


def _show(result: LabResult, paths: Sequence[Path]) -> None:
    """The table, what it says, and where the files are."""
    from charrnn.cli.shared.terminal import console, field, one_line, visible

    screen = console()
    table = plain_table(collapse_padding=True)
    headers, *lines = result.table
    for number, header in enumerate(headers):
        table.add_column(header, justify="right" if number else "left", overflow="fold")
    for line in lines:
        table.add_row(*line)
    show_table(table)
    screen.print(f"\n{one_line(result.caption)}")
    for title, text in result.samples:
        screen.rule(one_line(title), align="left")
        screen.print(visible(text), soft_wrap=True)
    field("files", ", ".join(map(str, paths)))
