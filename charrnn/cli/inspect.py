"""`charrnn inspect`: what a checkpoint holds."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from charrnn.cli.shared.config_options import format_option
from charrnn.cli.shared.options import CheckpointsArgument, JsonOption
from charrnn.cli.shared.tables import plain_table, show_table
from charrnn.cli.shared.terminal import log, log_wrapped, one_line, print_json, shell_quoted
from charrnn.config import CorpusConfig, TrainingConfig, option_flags
from charrnn.errors import UsageError

if TYPE_CHECKING:
    from charrnn.checkpoint.info import CheckpointInfo, ComponentInfo
    from charrnn.text.vocabulary import Vocabulary

SHOWN_NAMES = 12
"""The number of odd characters of a vocabulary shown by name."""


def inspect(names: CheckpointsArgument = None, *, as_json: JsonOption = False) -> None:
    """Show what a checkpoint holds.

    Its tensors, vocabulary, text, settings, scores, versions and checksums. Nothing in it is run.

    For a text use `charrnn data inspect`.
    """
    from charrnn.checkpoint.info import read_info
    from charrnn.cli.shared.checkpoints import find_checkpoint
    from charrnn.cli.shared.texts import locate_checkpoint
    from charrnn.scoring.compare.rows import checkpoint_summary

    advice = f"try `charrnn data inspect {' '.join(map(shell_quoted, names or []))}`"
    paths = [locate_checkpoint(name, advice) for name in names or ()]
    if len(paths) > 1:
        raise UsageError("inspect: shows one checkpoint at a time; `charrnn compare NAME...` compares several")
    listing = read_info(paths[0] if paths else find_checkpoint(None))
    if as_json:
        print_json({**checkpoint_summary(listing.checkpoint), **listing.as_json()})
    else:
        show_checkpoint(listing)


def show_checkpoint(listing: CheckpointInfo) -> None:
    """Print what a checkpoint holds, on stderr."""
    checkpoint, facts = listing.checkpoint, listing.checkpoint.metadata
    log_wrapped(
        "checkpoint", f"{checkpoint.path}: {checkpoint.kind}, format {listing.format}, {checkpoint.size:,} bytes"
    )
    for part in listing.parts:
        _show_part(part)
    _show_vocabulary(checkpoint.vocabulary)
    text = facts.text
    log_wrapped("text", f"{text.source}: {text.characters:,} characters; SHA-256 {text.sha256}")
    log_wrapped("", f"read and split with {_options(text.corpus)}")
    log_wrapped("validation", str(facts.validation or "none: nothing was held out"))
    if facts.training:
        log_wrapped("training", _options(facts.training))
    steps = "" if facts.step is None else f", {facts.step:,} steps"
    how = f" ({facts.compute})" if facts.compute else ""
    log_wrapped("fitted", f"in {facts.fit_seconds:,.1f} s on {facts.device}{how}{steps}")
    log_wrapped("versions", ", ".join(f"{name} {version}" for name, version in facts.versions.items()))
    log_wrapped("command", " ".join(map(_quoted_word, facts.command)) or "not known")
    _show_progress(listing)
    checked, of = sum(tensor.has_checksum for tensor in listing.tensors), len(listing.tensors)
    others = "" if checked == of else "; n-grams have none, and are checked for what they must be"
    log_wrapped(
        "checksums",
        f"fit: of the header and of {checked:,} of {of:,} tensors{others}" if listing.is_checksummed
        else "none: it was made before there were any",
    )  # fmt: skip
    _show_tensors(listing)


def _quoted_word(word: str) -> str:
    """A word of a command line, options as they are."""
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
        log_wrapped("", "by order " + ", ".join(f"{order}: {number:,}" for order, number in enumerate(part.entries, 1)))


def _show_vocabulary(vocabulary: Vocabulary) -> None:
    from charrnn.text.vocabulary import character_name

    if vocabulary.characters is None:
        log_wrapped("vocabulary", "the 256 bytes")
        return
    plain = "".join(character for character in vocabulary.characters if character > " " and character.isprintable())
    log_wrapped("vocabulary", f"{len(vocabulary):,} characters: {plain}")
    odd = [character for character in vocabulary.characters if character <= " " or not character.isprintable()]
    if odd:
        more = f" and {len(odd) - SHOWN_NAMES:,} more" if len(odd) > SHOWN_NAMES else ""
        log_wrapped("", f"and {', '.join(map(character_name, odd[:SHOWN_NAMES]))}{more}")


def _options(config: CorpusConfig | TrainingConfig) -> str:
    """Settings as they are typed, those that are nothing left out."""
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
    done = listing.resume_state.progress
    plan = f" of {done.plan[0]:,}" if done.plan else ""
    networks = f", network {done.finished + 1} of {done.model.networks}" if done.model.networks > 1 else ""
    best = "no validation yet" if done.best_nats is None else f"best after step {done.best_step:,}"
    halved = f"; the rate was halved {done.halvings} times" * bool(done.halvings)
    log_wrapped("progress", f"step {done.number:,}{plan}{networks}, {done.seconds:,.0f} s; {best}{halved}")
    if done.plan is None or done.number < done.plan[0] or done.finished + 1 < done.model.networks:
        text = " ".join(map(shell_quoted, listing.checkpoint.metadata.text.names))
        log(f"{'':12}`charrnn train {text} --resume` goes on, with its --out if it had one")


def _show_tensors(listing: CheckpointInfo) -> None:
    table = plain_table()
    for header in ("tensor", "dtype", "shape", "bytes"):
        table.add_column(header, justify="right" if header == "bytes" else "left", overflow="fold")
    for tensor in listing.tensors:
        shape = " x ".join(f"{size:,}" for size in tensor.shape) or "one number"
        table.add_row(one_line(tensor.name), tensor.dtype, shape, f"{tensor.bytes:,}")
    show_table(table)
