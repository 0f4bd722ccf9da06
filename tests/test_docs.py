"""The README under test: what it names must be there."""

import re
import shlex
from pathlib import Path

import pytest

from charrnn.cli.main import make_command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```[a-z]*\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines() if line.startswith("$ charrnn")]
COMMANDS = sorted({line.removeprefix("$ ").split("  #")[0] for line in LINES})


def test_it_opens_with_two_lines_that_do_everything() -> None:
    for block, ends in zip(BLOCKS[:2], ("charrnn sample --temp 0.8", "pytest -n 2 --dist worksteal"), strict=True):
        (line,) = block.strip().splitlines()
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt ")
        assert line.endswith(ends)


def test_every_install_line_uses_the_constraints() -> None:
    lines = [line for line in README.splitlines() if "pip install" in line]
    assert lines
    assert all("-c constraints.txt" in line for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command: str) -> None:
    """Each option that the README uses is one that the command has."""
    words = shlex.split(command.split("|")[0].split(">")[0])[1:]
    commands = make_command().commands
    if words[0].startswith("-"):
        return
    options = {flag for parameter in commands[words[0]].params for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options | {"--help"}


def test_commands_were_found() -> None:
    assert {shlex.split(command)[1] for command in COMMANDS} >= {"train", "sample", "ngram", "compare", "data"}


def test_the_tree_is_the_house() -> None:
    """The README's tree names every module, and only those that there are."""
    (tree,) = [block for block in BLOCKS if block.startswith("charrnn/")]
    named = set(re.findall(r"^\s+(\w+\.py)", tree, flags=re.MULTILINE))
    there = {path.name for path in (ROOT / "charrnn").rglob("*.py")} - {"__init__.py", "__main__.py"}
    assert named == there


def test_the_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_text: str) -> None:
    examples = [block for block in BLOCKS if "import charrnn" in block]
    assert len(examples) == 2
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(small_text)
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
