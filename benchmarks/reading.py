"""Draw sentences at random that a user meets, for a reading test: `python benchmarks/reading.py [SEED]`.

Fifteen of each kind: help (of options and commands), errors, screen output, and docstrings of public names. A name in
braces stands for a value that is filled in when the program runs.
"""

from __future__ import annotations

import ast
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from charrnn.cli.main import make_command

PACKAGE = Path(__file__).parents[1] / "charrnn"
SENTENCES_PER_KIND = 15
LOG_CALLS = ("log", "log_field", "log_wrapped", "print", "warn", "note", "add_row")
"""Functions whose arguments appear on the screen."""


def help_sentences(command: Any, path: str = "charrnn") -> Iterator[tuple[str, str]]:
    """Where each help text is, and the text."""
    yield path, command.help or ""
    for parameter in command.params:
        yield f"{path} {parameter.opts[0]}", getattr(parameter, "help", None) or ""
    for name, child in getattr(command, "commands", {}).items():
        yield from help_sentences(child, f"{path} {name}")


def texts_in(node: ast.AST) -> Iterator[str]:
    """The strings of an expression, those with values filled in as a whole."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"  # type: ignore[attr-defined]
            for part in node.values
        )
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts_in(child)


def source_sentences() -> Iterator[tuple[str, str, str]]:
    """Kind, place and text of every error, output and public docstring in the source."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                yield from (("error", place, text) for argument in node.exc.args for text in texts_in(argument))
            elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in LOG_CALLS:
                yield from (("output", place, text) for argument in node.args for text in texts_in(argument))
            elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                name = getattr(node, "name", "")
                if not name.startswith("_"):
                    yield "docstring", f"{place} {name}".strip(), ast.get_docstring(node) or ""


def sentences(text: str) -> list[str]:
    """The sentences of a text of at least three words, without the sections that list arguments."""
    prose = re.split(r"\n\s*(?:Args|Returns|Raises|Yields|Attributes):\n", text)[0]
    parts = re.split(r"(?<=[.?!])\s+|\n\n", " ".join(prose.split()))
    return [part for part in parts if len(part.split()) >= 3]


def collect() -> dict[str, list[tuple[str, str]]]:
    """The sentences of each kind, with their places."""
    texts = [("help", place, text) for place, text in help_sentences(make_command())] + list(source_sentences())
    kinds: dict[str, list[tuple[str, str]]] = {"help": [], "error": [], "output": [], "docstring": []}
    for kind, place, text in texts:
        kinds[kind] += [(place, sentence.replace("\\[", "[")) for sentence in sentences(text)]
    return {kind: list(dict.fromkeys(pairs)) for kind, pairs in kinds.items()}


def main() -> None:
    """Print the sentences that a seed draws (default: 1)."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    for kind, pairs in collect().items():
        print(f"## {kind} ({len(pairs)} in all, seed {seed})")
        for place, sentence in random.Random(seed).sample(pairs, min(SENTENCES_PER_KIND, len(pairs))):
            print(f"- {place}: {sentence}")


if __name__ == "__main__":
    main()
