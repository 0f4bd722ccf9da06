"""Pages and tables about the commands, made from the objects that the command line is made of."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from tables import block, code, escape, table, tidy

from charrnn.cli.main import make_command
from charrnn.cli.shared.help import EXAMPLES, EXIT_STATUS


def command_names() -> list[str]:
    """All commands, in the order of `charrnn --help`."""
    return list(make_command().commands)


def commands_table(link_prefix: str = "docs/reference/commands/") -> str:
    """All commands with the first sentence of their help, linked to their pages.

    Args:
        link_prefix: the folder of the pages, from the page that has the table.
    """
    rows = (
        (f"[`charrnn {name}`]({link_prefix}{name}.md)", first_sentence(command.help))
        for name, command in make_command().commands.items()
    )
    return table(("command", "what it does"), rows)


def first_sentence(text: str) -> str:
    """The first paragraph of a help text, without its full stop."""
    return escape(" ".join(text.split("\n\n")[0].split()).rstrip("."))


def command_page(name: str) -> str:
    """The reference page of a command, with all of its sub-commands."""
    command = make_command().commands[name]
    lines = [f"# charrnn {name}", "", *_describe(f"charrnn {name}", command, name)]
    for child_name, child in getattr(command, "commands", {}).items():
        lines += [f"## charrnn {name} {child_name}", ""]
        lines += _describe(f"charrnn {name} {child_name}", child, f"{name} {child_name}", level=3)
    return tidy(block(*lines))


def main_page() -> str:
    """The reference page of `charrnn` itself."""
    app = make_command()
    lines = ["# Commands", "", first_sentence(app.help) + ".", commands_table(""), *_example_lines(""), EXIT_STATUS]
    return tidy(block(*lines))


def _describe(path: str, command: Any, key: str, level: int = 2) -> list[str]:
    context = command.make_context(path, [], resilient_parsing=True)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    paragraphs = [escape(" ".join(paragraph.split())) for paragraph in _text(command.help).split("\n\n")]
    lines = [paragraphs[0], "", "```text", usage, "```", ""]
    for paragraph in paragraphs[1:]:
        lines += [paragraph, ""]
    if key in EXAMPLES:
        lines += [f"{'#' * level} Examples{_of(key, level)}", "", *_example_lines(key)]
    for panel, parameters in _panels(command).items():
        rows = [(_names(each, context), escape(_text(each.help)), _default(each)) for each in parameters]
        columns = 3 if any(default for *_, default in rows) else 2
        head = ("argument" if panel == "Arguments" else "option", "what it does", "default")
        lines += [f"{'#' * level} {panel}{_of(key, level)}"]
        lines += [table(head[:columns], [row[:columns] for row in rows])]
    return lines


def _example_lines(key: str) -> list[str]:
    """The examples of a command in a fence, their comments in one column."""
    width = max(len(words) for words, _ in EXAMPLES[key])
    lines = [f"$ charrnn {words:{width}}  # {what}" for words, what in EXAMPLES[key]]
    return ["```console", *lines, "```", ""]


def _panels(command: Any) -> dict[str, list[Any]]:
    """The parameters by panel, in the order of `--help`."""
    panels: dict[str, list[Any]] = {"Arguments": [], "Options": []}
    for parameter in command.params:
        if not parameter.hidden:
            default = "Arguments" if parameter.param_type_name == "argument" else "Options"
            panels.setdefault(parameter.rich_help_panel or default, []).append(parameter)
    return {panel: parameters for panel, parameters in panels.items() if parameters}


def _of(key: str, level: int) -> str:
    """What makes a heading of a sub-command unique on its page."""
    return f" of `{key}`" if level > 2 else ""


def _text(text: str | None) -> str:
    """A help text without rich's markup."""
    return Text.from_markup((text or "").replace("\b\n", "")).plain


def _names(parameter: Any, context: Any) -> str:
    if parameter.param_type_name == "argument":
        return code(parameter.display_name_raw)
    metavar = "" if parameter.is_flag else parameter.display_type_rich(ctx=context) or ""
    names = [*parameter.opts, *parameter.secondary_opts]
    return ", ".join([*map(code, names[:-1]), code(f"{names[-1]} {metavar}".strip())])


def _default(parameter: Any) -> str:
    default = parameter.default
    is_empty = default is None or default is False or default in ([], ())
    if is_empty or parameter.show_default is False or parameter.required:
        return ""
    return code(parameter.opts[0] if getattr(parameter, "is_flag", False) else default)
