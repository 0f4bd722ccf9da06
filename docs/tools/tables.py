"""Tables and lists of the documentation that are made from the program's own records."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from charrnn import config
from charrnn.config import SMOOTHINGS, OneOf, SamplingConfig, option_flags
from charrnn.config.option import MAX_INT, ValidatedConfig

CONFIGS = (
    "CorpusConfig", "ModelConfig", "TrainingConfig", "NgramConfig", "SamplingConfig", "CompletionConfig",
    "ScoreConfig", "CompareConfig",
)  # fmt: skip


def block(*lines: str) -> str:
    """Lines of Markdown with an empty line before and after, as they stand between two comments of cog."""
    return "\n" + "\n".join(lines).strip("\n") + "\n\n"


def tidy(text: str) -> str:
    """Markdown without more than one empty line at a time."""
    return re.sub(r"\n{3,}", "\n\n", text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], align: str = "") -> str:
    """A table in Markdown.

    Args:
        head: the titles of the columns.
        rows: the cells; `|` in them is escaped.
        align: a letter for each column: l, r or c; all l by default.
    """
    rules = {"l": "---", "r": "--:", "c": ":-:"}
    lines = [list(head), [rules[letter] for letter in align or "l" * len(head)]]
    lines += [[_cell(cell) for cell in row] for row in rows]
    return block(*("|" + "".join(f" {cell} |" if cell else " |" for cell in line) for line in lines))


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def code(text: object) -> str:
    """Inline code."""
    text = str(text)
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}" if text else ""


def escape(text: str) -> str:
    """Plain text as Markdown: what is special in it is escaped, but for inline code."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([\\*_<>\[\]])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def filter_order() -> str:
    """The options of the sampling filters, in the order in which they are applied, as a numbered list."""
    from charrnn.sampling.filters import FILTERS

    specs = {spec.name: spec for spec in dataclasses.fields(SamplingConfig)}
    lines = []
    for number, record in enumerate(FILTERS, 1):
        flags = ", ".join(code(option_flags(specs[name])[0]) for name in record.settings)
        lines.append(f"{number}. {flags}: {_lower_first(escape(specs[record.settings[0]].metadata['help']))}")
    return block(*lines)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def smoothings_table() -> str:
    """The n-gram smoothings: name, what it is, whether every character has a probability, and what works with it."""
    rows = (
        (
            code(smoothing.name),
            smoothing.help,
            _yes(smoothing.is_smoothed),
            _yes(smoothing.supports_online),
            _yes(smoothing.supports_prune),
        )
        for smoothing in SMOOTHINGS.values()
    )
    return table(("`--smoothing`", "method", "no zero probabilities", "`--online`", "`--prune`"), rows, "llccc")


def _yes(value: bool) -> str:
    return "✓" if value else ""


def cells_table() -> str:
    """The recurrent cells: name, label, equations' line, and how many parameters a layer of 256 units has."""
    from charrnn.models.rnn.cells import CELLS

    rows = []
    for name in config.CELLS:
        cell = CELLS[name]
        states = ", ".join(cell.state_names)
        gates = ", ".join(cell.gate_names.values()) or "none"
        rows.append((code(name), cell.label, states, gates, f"{cell.weight_count(256, 256):,}"))
    return table(("`--cell`", "name", "state", "gates", "weights of a layer, 256 → 256"), rows, "llllr")


def settings_tables() -> str:
    """A heading and a table for each configuration: Python name, option, type, default, allowed values, help."""
    parts = []
    for name in CONFIGS:
        owner: type[ValidatedConfig] = getattr(config, name)
        types = typing.get_type_hints(owner)
        summary = " ".join((owner.__doc__ or "").split("\n\n")[0].split())
        rows = []
        for spec in dataclasses.fields(owner):  # type: ignore[arg-type]
            flags = "<br>".join(code(flag) for flag in option_flags(spec))
            rows.append(
                (
                    f"{code(spec.name)}<br>{flags}",
                    code(_type_name(types[spec.name])),
                    code(repr(spec.default)),
                    allowed(spec.metadata["check"], types[spec.name]),
                    escape(spec.metadata["help"]),
                )
            )
        head = ("field and option", "type", "default", "allowed", "what it does")
        parts.append(f"## {name}\n\n{summary}\n{table(head, rows)}".rstrip("\n"))
    return tidy(block("\n\n".join(parts)))


def _type_name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind)


def allowed(check: Any, kind: Any) -> str:
    """The values that a check accepts, in words; found by its complaint about a value."""
    if check is None:
        return ""
    if isinstance(check, OneOf):
        return ", ".join(code(choice) for choice in check.choices)
    is_tuple = typing.get_origin(kind) is tuple
    for wrong in (("",),) if is_tuple else (("", "\0") if kind in (str, str | None) else (-1e308, 1e308)):
        complaint = check(wrong)
        if complaint:
            words = str(complaint).removeprefix("must be ").removeprefix("must ").replace("not be empty", "not empty")
            return re.sub(rf"from (\d+) to {MAX_INT}", r"\1 or more", words)
    return ""
