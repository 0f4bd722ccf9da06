"""`charrnn export`: write a model as a page that writes text, or as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.shared.options import (
    CheckpointsArgument,
    EncodingOption,
    ForceOption,
    TextOption,
    check_range,
)
from charrnn.errors import UsageError

if TYPE_CHECKING:
    from charrnn.checkpoint import Checkpoint
    from charrnn.export.fit import PageModel
    from charrnn.text.documents import TextSpan

PAGE, ONNX = ".html", ".onnx"
MAX_SIZE = 500
"""Maximum size of a page in megabytes; a browser cannot hold a much longer one as text."""
MAX_TEMPERATURE = 2
"""The end of the page's slider."""


def export(
    names: CheckpointsArgument = None,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="FILE", help="File to write: a page (.html) or an ONNX graph (.onnx) (default: NAME.html)."
        ),
    ] = None,
    max_size: Annotated[
        float, typer.Option(metavar="MB", help="Prune n-grams until the page has at most this size, in megabytes.")
    ] = 3.0,
    prime: Annotated[str, typer.Option("--prime", metavar="TEXT", help="Prompt that the page shows at first.")] = "",
    temperature: Annotated[
        float, typer.Option("--temp", "--temperature", metavar="X", help="Temperature that the page shows at first.")
    ] = 0.8,
    length: Annotated[
        int,
        typer.Option(
            metavar="N", help="Number of characters that the page shows at first.", callback=check_range(1, 20_000)
        ),
    ] = 500,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title of the page (default: the names).")] = "",
    text: TextOption = None,
    encoding: EncodingOption = None,
    force: ForceOption = False,
) -> None:
    """Write models as a page that writes text by itself, or a network as an ONNX graph.

    The page is one file that opens in any browser, without installation and without network. With several models, it
    writes with all of them side by side, from the same prompt. Weights are rounded, and n-grams are pruned until the
    page fits --max-size; what both cost is measured on the held-out part of --text, and printed.

    An ONNX file has a network with its state as inputs and outputs, and the vocabulary in its metadata.

    ONNX files need `pip install onnx`.
    """
    from charrnn.checkpoint import load
    from charrnn.cli.shared.checkpoints import check_writable
    from charrnn.cli.shared.locate import locate_checkpoints
    from charrnn.cli.shared.terminal import log_field

    if not 0 < max_size <= MAX_SIZE:
        raise UsageError(f"--max-size {max_size:g}: must be more than 0, and at most {MAX_SIZE}")
    if not 0 <= temperature <= MAX_TEMPERATURE:
        raise UsageError(f"--temp {temperature:g}: must be from 0 to {MAX_TEMPERATURE}, as on the page")
    checkpoints = [load(path) for path in locate_checkpoints(names or [], "export")]
    path = Path(to) if to else Path(f"{checkpoints[0].name}{PAGE}")
    if path.suffix not in (PAGE, ONNX):
        raise UsageError(f"--to {path}: must end with {PAGE} (a page) or {ONNX} (an ONNX graph)")
    if path.exists() and not force and not _is_own(path):
        raise UsageError(f"{path}: exists; use --force to overwrite it, or --to FILE for another file")
    check_writable(path, "--to")
    if path.suffix == ONNX:
        _export_onnx(checkpoints, path)
        return
    from charrnn.config import SamplingConfig
    from charrnn.export.page import make_page
    from charrnn.report.page import write

    models = _fit(checkpoints, int(max_size * 1e6), text, encoding)
    config = SamplingConfig(temperature=temperature, length=length, seed=0)
    write(make_page(models, config, prime, title), path)
    log_field("page", f"{path}, {path.stat().st_size / 1e6:.2f} MB; open it in a browser")


def _export_onnx(checkpoints: list[Checkpoint], path: Path) -> None:
    """Write an ONNX file."""
    from charrnn.cli.shared.terminal import log_field
    from charrnn.export.onnx import save_onnx

    if len(checkpoints) > 1:
        raise UsageError(f"--to {path}: an ONNX file has one model, and there are {len(checkpoints)}; name one")
    save_onnx(checkpoints[0], path)
    log_field("model", f"{checkpoints[0].path}: {checkpoints[0].description}")
    log_field("written", f"{path}, {path.stat().st_size / 1e6:.1f} MB")


def _fit(
    checkpoints: list[Checkpoint], max_bytes: int, text: list[str] | None, encoding: str | None
) -> list[PageModel]:
    """Fit models to a page, and print what that costs; networks first, because n-grams can take what they leave."""
    from charrnn.cli.shared.terminal import log, log_field
    from charrnn.export.fit import fit_page_model
    from charrnn.export.page import overhead

    room = max_bytes - overhead()
    fitted: dict[int, PageModel] = {}
    for number in sorted(range(len(checkpoints)), key=lambda number: checkpoints[number].kind != "recurrent"):
        checkpoint, share = checkpoints[number], room // (len(checkpoints) - len(fitted))
        log_field("model", f"{checkpoint.path}: {checkpoint.description}")
        held_out = _held_out(checkpoint, text, encoding)
        model = fitted[number] = fit_page_model(checkpoint, held_out, max(0, share * 3 // 4), log)
        room -= len(model.data) * 4 // 3  # in the page's base64
        weights = f"weights rounded to {8 if model.encoding == 'i8' else 16} bits" if model.has_network else ""
        pruned = f"{model.kept:.1%} of the n-grams kept" if model.kept is not None else ""
        rows = f"{model.rows:.1%} of the embeddings of n-grams kept" if model.rows is not None else ""
        what = ", ".join(filter(None, (weights, pruned, rows)))
        log_field("size", f"{len(model.data) * 4 / 3 / 1e6:.2f} MB: {what}")
        loss = "not measured: infinite bits/char" if model.loss is None else f"{model.loss:+.4f} bits/char"
        log_field("loss", f"{loss} on {model.measured}")
    return [fitted[number] for number in range(len(checkpoints))]


def _is_own(path: Path) -> bool:
    from charrnn.report.page import is_page

    return path.suffix == PAGE and is_page(path)


def _held_out(checkpoint: Checkpoint, text: list[str] | None, encoding: str | None) -> TextSpan | None:
    """Return the held-out part of the text of a model; None if the text is not there."""
    from charrnn.cli.shared.terminal import log
    from charrnn.cli.shared.texts import read_texts_or_training_text
    from charrnn.errors import CharRNNError
    from charrnn.scoring.held_out import choose_split

    try:
        return choose_split([checkpoint], read_texts_or_training_text(checkpoint, text, encoding)).text
    except CharRNNError as error:
        if text:
            raise
        log(f"the training text is not at hand ({error}); losses are measured on a text that the model writes")
        return None
