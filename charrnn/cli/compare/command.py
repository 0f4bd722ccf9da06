"""`charrnn compare`: models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from charrnn.cli.shared import shell_completion as completion
from charrnn.cli.shared.escapes import unescaped
from charrnn.cli.shared.options import DeviceOption, TextEncoding
from charrnn.config import LARGEST_INTEGER, SamplingConfig
from charrnn.errors import UsageError


def compare(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(
            help="Checkpoints; if not said, the newest one and all others of its text in checkpoints/.",
            autocompletion=completion.checkpoints,
            show_default=False,
        ),
    ] = None,
    *,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="The text to compare on; the one they were fitted on if not said. For several files say it again.",
            show_default=False,
        ),
    ] = None,
    encoding: TextEncoding = None,
    baselines: Annotated[
        str,
        typer.Option(
            help="What the table lacks is made for it alone: n-grams (Goldberg's counts, modified and tuned "
            "Kneser-Ney), and the best network mixed with the best of them; auto: of a text of more than 20 million "
            "characters only the tuned ones.",
            metavar="auto|all|none",
        ),
    ] = "auto",
    online: Annotated[
        bool,
        typer.Option(
            "--online",
            help="Also a table of what learns while it reads: networks by dynamic evaluation, counts that go on, and "
            "the compressors bz2, xz and PPMd.",
        ),
    ] = False,
    structure: Annotated[
        bool,
        typer.Option(
            "--structure",
            help="Also where the best network differs from the best n-grams: with the last 8 to 512 characters alone, "
            "by the distance from a bracket, quote or tag to its close, and in indentation.",
        ),
    ] = False,
    limit: Annotated[
        int,
        typer.Option(
            help="Held-out characters that --online and --structure read at most; 0: all.", min=0, max=LARGEST_INTEGER
        ),
    ] = 200_000,
    prime: Annotated[
        str,
        typer.Option(
            help="What the samples go on from, such as 'ROMEO:\\n'; a line end if not said.", show_default=False
        ),
    ] = "",
    length: Annotated[int, typer.Option(help="Characters of each sample.")] = 300,
    temperature: Annotated[float, typer.Option("--temp", "--temperature", help="Temperature of the samples.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the samples, and of the places of --structure.")] = 0,
    novelty_length: Annotated[
        int,
        typer.Option(
            help="Characters that each model writes to be judged for what it copies from the training text; 0: none.",
            min=0,
            max=LARGEST_INTEGER,
        ),
    ] = 10_000,
    unknown: Annotated[
        str,
        typer.Option(
            help="What to do with characters of the prime that a model does not know.", metavar="error|skip|replace"
        ),
    ] = "error",
    device: DeviceOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option(help="Write the rows of the tables to this file too, as CSV.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print the rows as JSON; with --online or --structure, one object: static, online, structure.",
        ),
    ] = False,
) -> None:
    """Compare models on the same held-out characters.

    Beside them stand n-grams of the same training part, and the best network mixed with the best n-grams.
    """
    sampling = SamplingConfig(temperature=temperature, length=length, seed=seed)
    from charrnn.checkpoint import checkpoints_in, load, newest
    from charrnn.cli.compare.models import fitted_ngrams, fitted_on, others_like, with_parts
    from charrnn.cli.compare.online import online_rows, show_online
    from charrnn.cli.compare.rows import Measuring, check_out, structure_in, write_rows
    from charrnn.cli.compare.structure import show_structure
    from charrnn.cli.compare.tables import show, show_copies, show_samples
    from charrnn.cli.shared.checkpoints import FOLDER, find
    from charrnn.cli.shared.devices import choose
    from charrnn.cli.shared.novelty import sort
    from charrnn.cli.shared.terminal import print_json, say
    from charrnn.cli.shared.texts import locate_all, read_fitted_on, read_for
    from charrnn.scoring.compare.rows import Copying, held_out

    if baselines not in ("auto", "all", "none"):
        raise UsageError(f"--baselines {baselines}: must be auto, all or none")
    if out:
        check_out(out)
    where = choose(device)
    if checkpoints:
        models = [load(find(name), where) for name in checkpoints]
    else:
        first = load(newest(FOLDER), where)
        say(f"comparing all models of {first.facts.text.source} in {FOLDER}/")
        models = [first, *others_like(first, checkpoints_in(FOLDER), where)]
    corpus = read_fitted_on(models[0]) if not text else read_for(models[0], locate_all(text), encoding)
    part = held_out(models, corpus)
    if part.documents and (online or structure):
        option = "--online" if online else "--structure"
        raise UsageError(f"{option}: goes on through a text, and {models[0].name} reads documents; leave it out")
    models = list(with_parts(models))
    is_text_needed = novelty_length or online or baselines != "none"
    text_of_all = fitted_on(models, corpus) if is_text_needed else None
    if online and not text_of_all:
        raise UsageError("--online: needs the text that all of them were fitted on; leave it out")

    fitted = fitted_ngrams(models, text_of_all, baselines == "all") if text_of_all and baselines != "none" else []
    copying = Copying.beside(part, sort(text_of_all), novelty_length) if text_of_all and novelty_length else None
    prime = unescaped(prime)
    measuring = Measuring(part, sampling, prime, unknown, copying)
    rows, together = measuring.rows(models, fitted, baselines != "none")
    result: dict[str, Any] = {"static": [row.as_json() for row in rows]}
    if not as_json:
        show(rows, part, corpus)
    learned = online_rows([*models, *fitted], together, part, text_of_all, limit) if online and text_of_all else []
    if learned:
        result["online"] = [row.as_json() for row in learned]
        if not as_json:
            show_online(learned)
    if text_of_all and copying and not as_json:
        show_copies(rows, text_of_all)
    if structure:
        network, counts, found = structure_in(rows, part, limit, seed)
        result["structure"] = {"network": network, "counts": counts, **found.as_json()}
        if not as_json:
            show_structure(found, network, counts, len(part.ids))
    if out:
        write_rows(out, [*result["static"], *result.get("online", ())])
    if as_json:
        print_json(result if online or structure else result["static"])
    else:
        show_samples(rows, prime)
