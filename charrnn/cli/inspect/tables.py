"""Output of `charrnn inspect`: the contents of a checkpoint."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from charrnn.cli.shared.config_options import format_option
from charrnn.cli.shared.tables import plain_table, show_table
from charrnn.cli.shared.terminal import log_field, log_wrapped, one_line, shell_quoted
from charrnn.config import CorpusConfig, TrainingConfig, option_flags
from charrnn.formatting import duration, plural

if TYPE_CHECKING:
    from charrnn.checkpoint.info import CheckpointInfo, ComponentInfo
    from charrnn.text.vocabulary import Vocabulary

SHOWN_NAMES = 12
"""The number of odd characters of a vocabulary shown by name."""


def show_checkpoint(listing: CheckpointInfo) -> None:
    """Print the contents of a checkpoint on stderr."""
    checkpoint, metadata = listing.checkpoint, listing.checkpoint.metadata
    log_wrapped(
        "checkpoint", f"{checkpoint.path}: {checkpoint.kind}, format {listing.format}, {checkpoint.size:,} bytes"
    )
    for part in listing.parts:
        _show_part(part)
    _show_vocabulary(checkpoint.vocabulary)
    text = metadata.text
    log_wrapped("text", f"{text.source}: {text.characters:,} characters; SHA-256 {text.sha256}")
    log_wrapped("", f"read and split with {_options(text.corpus)}")
    if metadata.validation or not listing.resume_state:
        log_wrapped("validation", str(metadata.validation or "not scored: nothing was held out"))
    if metadata.training:
        log_wrapped("training", _options(metadata.training))
    steps = "" if metadata.step is None else f", {metadata.step:,} steps"
    compute = f" ({metadata.compute})" if metadata.compute else ""
    log_wrapped("fit time", f"{metadata.fit_seconds:,.1f} s on {metadata.device}{compute}{steps}")
    log_wrapped("versions", ", ".join(f"{name} {version}" for name, version in metadata.versions.items()))
    log_wrapped("command", " ".join(map(_quoted_word, metadata.command)) or "unknown")
    _show_progress(listing)
    checked, total = sum(tensor.has_checksum for tensor in listing.tensors), len(listing.tensors)
    parts = ["the header"] + [f"{checked:,} of {total:,} tensors"] * bool(checked)
    others = "" if checked == total else "; n-gram tables have no checksums, but are checked for consistency"
    log_wrapped(
        "checksums",
        f"correct for {' and '.join(parts)}{others}" if listing.is_checksummed
        else "none: written by a version of charrnn without checksums",
    )  # fmt: skip
    _show_tensors(listing)


def _quoted_word(word: str) -> str:
    """Quote a word of a command line, except for options."""
    return word if word.startswith("-") and word.replace("-", "").isalnum() else shell_quoted(word)


def _show_part(part: ComponentInfo) -> None:
    sizes = []
    if part.parameters is not None:
        sizes.append(f"{part.parameters:,} parameters")
    if part.entries is not None:
        sizes.append(f"{sum(part.entries):,} n-grams")
    log_wrapped(part.name, ", ".join((part.description, *sizes)))
    if part.config:
        log_wrapped("", ", ".join(f"{name} {value}" for name, value in part.config.items()))
    if part.entries:
        orders = (f"order {order}: {number:,}" for order, number in enumerate(part.entries, 1))
        log_wrapped("", ", ".join(orders))


def _show_vocabulary(vocabulary: Vocabulary) -> None:
    from charrnn.text.vocabulary import character_name

    if vocabulary.characters is None:
        log_wrapped("vocabulary", "256 bytes")
        return
    plain = "".join(character for character in vocabulary.characters if character > " " and character.isprintable())
    log_wrapped("vocabulary", f"{len(vocabulary):,} characters: {plain}")
    odd = [character for character in vocabulary.characters if character <= " " or not character.isprintable()]
    if odd:
        more = f" and {len(odd) - SHOWN_NAMES:,} more" if len(odd) > SHOWN_NAMES else ""
        log_wrapped("", f"and {', '.join(map(character_name, odd[:SHOWN_NAMES]))}{more}")


def _options(config: CorpusConfig | TrainingConfig) -> str:
    """Return settings as options, as they are typed; settings that are off are left out."""
    values = (
        (spec, option_flags(spec)[0].split("/")[0], getattr(config, spec.name)) for spec in dataclasses.fields(config)
    )
    return " ".join(
        flag if value is True else f"{flag} {format_option(spec, value)}"
        for spec, flag, value in values
        if value not in (None, False)
    )


def _show_progress(listing: CheckpointInfo) -> None:
    if listing.resume_state is None:
        return
    from charrnn.scoring.evaluate import Score

    progress = listing.resume_state.progress
    total = f" of {progress.plan[0]:,}" if progress.plan else ""
    networks = f", network {progress.finished + 1} of {progress.model.networks}" if progress.model.networks > 1 else ""
    best = "no validation yet"
    if progress.best_nats is not None:
        score = Score(progress.best_nats, progress.best_characters, progress.best_impossible)
        best = f"best validation {score}, after step {progress.best_step:,}"
    halved = f"; learning rate halved {plural(progress.halvings, 'time')}" * bool(progress.halvings)
    spent = duration(progress.seconds)
    log_wrapped("progress", f"step {progress.number:,}{total}{networks}, {spent} of training; {best}{halved}")
    is_last_step = progress.plan is not None and progress.number >= progress.plan[0]
    if not is_last_step or progress.finished + 1 < progress.model.networks:
        text = " ".join(map(shell_quoted, listing.checkpoint.metadata.text.names))
        log_field("resume with", f"charrnn train {text} --resume-from {shell_quoted(listing.checkpoint.path)}")


def _show_tensors(listing: CheckpointInfo) -> None:
    table = plain_table()
    for header in ("tensor", "dtype", "shape", "bytes"):
        table.add_column(header, justify="right" if header == "bytes" else "left", overflow="fold")
    for tensor in listing.tensors:
        shape = " x ".join(f"{size:,}" for size in tensor.shape) or "scalar"
        table.add_row(one_line(tensor.name), tensor.dtype, shape, f"{tensor.bytes:,}")
    show_table(table)
