"""`charrnn lab`: the experiments of the lecture; each is one command that makes a figure and a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.shared.options import DeviceOption, JsonOption, check_range, complete_from, text_option
from charrnn.errors import UsageError
from charrnn.lab.catalogue import EXPERIMENTS

if TYPE_CHECKING:
    from charrnn.lab.experiment import LabResult, ProgressCallback

DEFAULT_TEXTS = "tinyshakespeare; names for the experiment of that name"


def lab(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help=f"Experiment: {', '.join(EXPERIMENTS)}. Without NAME, list the experiments.",
            autocompletion=complete_from(EXPERIMENTS),
        ),
    ] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Run a smaller version (a few minutes on two cores).")] = False,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for NAME.png, NAME.svg, NAME.csv and NAME.md.")
    ] = Path("lab"),
    text: Annotated[list[str] | None, text_option(DEFAULT_TEXTS)] = None,
    seed: Annotated[
        int,
        typer.Option(metavar="N", help="Random seed (initial weights, sampled data).", callback=check_range(0)),
    ] = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Run an experiment of the lecture, and save its figure, table and data."""
    if name is None:
        _list(as_json)
        return
    _check(name, text, device)
    from charrnn.cli.shared.checkpoints import check_writable
    from charrnn.cli.shared.devices import select_device
    from charrnn.cli.shared.locate import locate_texts
    from charrnn.cli.shared.terminal import log_field, print_json
    from charrnn.cli.shared.texts import read, show_corpus
    from charrnn.lab.catalogue import run_experiment
    from charrnn.lab.experiment import LabContext, describe_machine, write
    from charrnn.report.figures import new_figure

    new_figure()  # raises an error about missing packages now, not after the experiment
    check_writable(out / f"{name}.png")
    torch_device, entry = select_device(device), EXPERIMENTS[name]
    corpus = read(locate_texts(text or [entry.text], "--text"), entry.corpus) if entry.text else None
    if corpus:
        show_corpus(corpus)
    log_field("experiment", entry.question)
    with _progress_bar() as progress:
        result = run_experiment(name, LabContext(corpus, seed, torch_device, progress), "quick" if quick else "full")
    paths = write(result, out, name, _command(name, quick, text, seed, device), describe_machine(torch_device))
    _show(result, paths)
    if as_json:
        print_json(result.rows)


def _check(name: str, text: list[str] | None, device: str) -> None:
    """Raise UsageError unless the experiment exists and supports the options."""
    if name not in EXPERIMENTS:
        raise UsageError(f"{name}: unknown experiment; choose from {', '.join(EXPERIMENTS)}")
    entry = EXPERIMENTS[name]
    if text and not entry.text:
        raise UsageError(f"--text {text[0]}: has no effect on {name}, which generates its data; remove the option")
    if device not in ("auto", "cpu") and not entry.trains:
        raise UsageError(f"--device {device}: {name} runs on the CPU only; remove the option")


def _command(name: str, quick: bool, text: list[str] | None, seed: int, device: str) -> str:
    """Return the command line that repeats an experiment."""
    from charrnn.cli.shared.terminal import shell_quoted

    words = ["charrnn lab", name] + ["--quick"] * quick + [f"--text {shell_quoted(file)}" for file in text or ()]
    return " ".join(words + [f"--seed {seed}"] * (seed != 0) + [f"--device {device}"] * (device != "auto"))


def _list(as_json: bool) -> None:
    from charrnn.cli.shared.tables import plain_table, show_table
    from charrnn.cli.shared.terminal import console, print_json

    if as_json:
        print_json([{"name": name, "question": entry.question} for name, entry in EXPERIMENTS.items()])
        return
    table = plain_table(show_header=False)
    table.add_column(style="bold")
    for name, entry in EXPERIMENTS.items():
        table.add_row(name, entry.question)
    show_table(table)
    console().print(
        "\n`charrnn lab NAME --quick` runs a small version in a few minutes; docs/lab has the full results."
    )


@contextmanager
def _progress_bar() -> Iterator[ProgressCallback]:
    """Show one progress bar for each part of an experiment, one after another."""
    from charrnn.cli.shared.terminal import one_line, progress_bar

    current = ""
    with progress_bar(None, "", "step") as shown:

        def progress(label: str, done: int, total: int) -> None:
            nonlocal current
            if label != current:
                current = label
                shown.set_description(one_line(label), refresh=False)
                shown.reset(total)
            shown.update(done - shown.n)

        yield progress


def _show(result: LabResult, paths: Sequence[Path]) -> None:
    """Print the table, its caption, the samples and the file names."""
    from charrnn.cli.shared.tables import plain_table, show_table
    from charrnn.cli.shared.terminal import console, escape_control_chars, log_field, one_line

    screen = console()
    table = plain_table(collapse_padding=True)
    headers, *lines = result.table
    for number, header in enumerate(headers):
        table.add_column(header, justify="right" if number else "left", overflow="fold")
    for line in lines:
        table.add_row(*line)
    show_table(table)
    screen.print(f"\n{one_line(result.text)}")
    for title, text in result.samples:
        screen.rule(one_line(title), align="left")
        screen.print(escape_control_chars(text), soft_wrap=True)
    log_field("files", ", ".join(map(str, paths)))
