"""The documentation: the commands, options, files, folders and layers that it names exist."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_architecture import LAYERS

from charrnn.cli.main import make_command

ROOT = Path(__file__).parents[1]
README, CONTRIBUTING, DESIGN = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md", "docs/project/architecture.md")
)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE_BLOCK = re.compile(r"^ *```[a-z]*\n(.*?)^ *```", flags=re.MULTILINE | re.DOTALL)
README_BLOCKS = CODE_BLOCK.findall(README)
LINES = [line for block in README_BLOCKS for line in block.splitlines() if line.startswith("$ charrnn")]
COMMANDS = sorted({line.removeprefix("$ ").split("  #")[0] for line in LINES})


def test_readme_opens_with_one_line_to_train_and_one_to_test() -> None:
    endings = ("charrnn sample --temp 0.8", "pytest -n 2 --dist worksteal")
    for block, ending in zip(README_BLOCKS[:2], endings, strict=True):
        (line,) = block.strip().splitlines()
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt ")
        assert line.endswith(ending)


def test_readme_install_lines_use_the_constraints() -> None:
    lines = [line for line in README.splitlines() if "pip install" in line]
    assert lines
    assert all("-c constraints.txt" in line for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_command_has_the_options_that_are_shown(command: str) -> None:
    words = shlex.split(command.split("|")[0].split(">")[0])[1:]
    commands = make_command().commands
    if words[0].startswith("-"):
        return
    options = {flag for parameter in commands[words[0]].params for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options | {"--help"}


def test_readme_commands_are_found_by_these_tests() -> None:
    assert {shlex.split(command)[1] for command in COMMANDS} >= {"train", "sample", "ngram", "compare", "data"}


def tree_paths(tree: str) -> set[str]:
    """The paths of the folders in a tree that is drawn by indentation, two blanks for each level."""
    folders: list[str] = []
    paths = set()
    for line in tree.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders[depth:] = [name]
        paths.add("".join(folders))
    return paths


def test_contributing_tree_has_the_path_of_every_folder() -> None:
    (tree,) = [block for block in CODE_BLOCK.findall(CONTRIBUTING) if block.startswith("charrnn/")]
    packages = {path.parent for path in (ROOT / "charrnn").rglob("*.py")}
    assert tree_paths(tree) == {f"{path.relative_to(ROOT).as_posix()}/" for path in packages}


def test_contributing_lists_the_import_layers() -> None:
    (table,) = [block for block in CODE_BLOCK.findall(CONTRIBUTING) if "  cli\n" in block]
    rows = [line.split(maxsplit=1) for line in table.splitlines()]
    listed = {package: int(layer) for layer, packages in rows for package in packages.split(", ")}
    assert listed == {package: layer for package, layer in LAYERS.items() if not package.startswith("__")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_names_files_that_exist(page: Path) -> None:
    paths = re.findall(r"`((?:charrnn|tests|benchmarks)/[\w/]+(?:\.\w+|/))", page.read_text(encoding="utf-8"))
    assert [path for path in paths if not (ROOT / path).exists()] == []


def defined_names() -> set[str]:
    """All classes, functions, parameters, attributes, variables and constants of the source."""
    names: set[str] = set()
    paths = (path for folder in ("charrnn", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = next((getattr(node, field) for field in ("name", "id", "attr", "arg") if hasattr(node, field)), None)
            names.add(str(node.value if isinstance(node, ast.Constant) else name))
    return names


def test_pages_name_identifiers_that_exist() -> None:
    """Of those in a form that is no plain word: with capitals, an underscore or a point."""
    names, form = defined_names(), re.compile(r"`([A-Z]+[a-z]\w*(?:\.\w+)*|[A-Za-z]+(?:_[A-Za-z]+)+)`")
    named = [(page.name, name) for page in PAGES for name in form.findall(page.read_text(encoding="utf-8"))]
    assert [(page, name) for page, name in named if not set(name.split(".")) <= names] == []


def test_design_names_source_files_that_exist() -> None:
    paths = re.findall(r"`([\w/]+\.(?:py|c|h))`", DESIGN)
    assert paths
    assert [path for path in paths if not (ROOT / "charrnn" / path).is_file()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/guides/python.md"])
def test_python_examples_run(page: str, tmp_path: Path, small_text: str) -> None:
    """In a process of their own, for some register cells and smoothings; one after the other, as a reader runs them."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    (tmp_path / "text.txt").write_text(small_text)
    (tmp_path / "examples.py").write_text("\n".join(blocks), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-W", "error", "examples.py"], cwd=tmp_path, env=environment, check=True)
