"""Outputs as blocks of a page: `console("NAME")` is the file docs/output/NAME.txt, or a part of it."""

from __future__ import annotations

import json
from pathlib import Path

from outputs import find_output
from tables import block

FOLDER = Path(__file__).parents[1] / "output"


def console(
    name: str, command: int | None = None, first: int | None = None, last: int | None = None, prompt: bool = True
) -> str:
    """The commands and the output of docs/output/NAME.txt in a fence.

    Args:
        name: of the output.
        command: show only the nth command, from 1, and its output.
        first: show only this many lines of an output, from its beginning; `...` is in place of the others.
        last: show also, or only, this many from its end.
        prompt: whether to show the command.
    """
    output = find_output(name)
    path = FOLDER / f"{name}.txt"
    if not path.exists():
        commands = [f"$ {line}" for line in output.commands]
        return block("```console", *commands, f"(not printed yet: python docs/tools/print_output.py {name})", "```")
    text = path.read_text(encoding="utf-8")
    parts = []
    for number, line in enumerate(output.commands, 1):
        head = f"$ {line}\n"
        if not text.startswith(head):
            raise ValueError(f"docs/output/{name}.txt is of other commands; run docs/tools/print_output.py {name}")
        following = f"\n$ {output.commands[number]}\n" if number < len(output.commands) else ""
        body, _, rest = text.removeprefix(head).partition(following) if following else (text.removeprefix(head), "", "")
        text = following.lstrip("\n") + rest
        if command in (None, number):
            parts.append((head if prompt else "") + _shortened(body, first, last))
    content = "\n".join(part.rstrip("\n") + "\n" for part in parts)
    before = ("<!-- not run: an error -->",) if output.fails else ()
    return block(*before, "```console" if prompt else "```text", content.rstrip("\n"), "```")


def _shortened(body: str, first: int | None, last: int | None) -> str:
    lines = body.splitlines()
    if (first is None and last is None) or len(lines) <= (first or 0) + (last or 0):
        return body
    return "\n".join([*lines[: first or 0], "...", *(lines[-last:] if last else [])]) + "\n"


def printed(name: str) -> str:
    """When and where an output was printed, and by which version."""
    return block(machine_line(name))


def machine_line(name: str) -> str:
    """The line of `printed`."""
    find_output(name)
    record = json.loads((FOLDER / "printed.json").read_text(encoding="utf-8")).get(name)
    if not record:
        return "*Not printed yet.*"
    return f"*Printed by charrnn {record['version']} on {record['date']}: {record['machine']}.*"
