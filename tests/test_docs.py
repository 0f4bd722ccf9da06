"""The documentation: the commands, options, files, folders and layers that it names exist."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from blocks import FENCE, blocks
from outputs import SESSIONS, Session
from test_architecture import LAYERS
from update import run_cog

import charrnn
from charrnn.cli.main import make_command

ROOT = Path(__file__).parents[1]
README, CONTRIBUTING, DESIGN = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md", "docs/project/architecture.md")
)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
INLINE_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
README_BLOCKS = [block.body for block in blocks(README)]
CONTRIBUTING_BLOCKS = [block.body for block in blocks(CONTRIBUTING)]
OTHER_OPTIONS = {
    *(
        "--nnodes",
        "--nproc-per-node",
        "--max-restarts",
        "--rdzv-backend",
        "--rdzv-endpoint",
        "--standalone",
    ),  # torchrun
    *("--dist", "--strict", "--no-cov", "--check", "--all", "--index-url", "--extra-index-url"),  # of tools
    *("--help", "--version", "--install-completion", "--show-completion"),
}
"""Options that pages name, of other programs and of `charrnn` itself."""


def page_name(path: Path) -> str:
    """The path of a page in the repository."""
    return path.relative_to(ROOT).as_posix()


def commands_of(page: Path) -> list[list[str]]:
    """The words of each `charrnn` command in the blocks and in the inline code of a page."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(text) if "not run: an error" not in block.comment for line in block.commands()]
    prose = FENCE.sub("", text)
    lines += [code for _, code in INLINE_CODE.findall(prose)]
    lines += [line.strip() for line in re.findall(r"^ {4}(charrnn .*)$", prose, flags=re.MULTILINE)]
    found = []
    for line in lines:
        for part in re.split(r" \| | && |; ", line.replace("-m charrnn ", "; charrnn ").replace("\\|", "|")):
            command = re.sub(r"^(?:[A-Z_]+=\S+ |\.venv/bin/)*", "", part.strip()).split(" > ")[0].split("  #")[0]
            if command.startswith("charrnn "):
                found.append(shlex.split(command)[1:])
    return found


def known_options(words: list[str]) -> set[str]:
    """The options of the command that these words begin with.

    Raises:
        KeyError: there is no such command.
    """
    command = make_command()
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
    if command is make_command() and not words[0].startswith("-") and not words[0].isupper():
        raise KeyError(words[0])
    return {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}


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


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_of_page_have_their_options(page: Path) -> None:
    for words in commands_of(page):
        flags = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert flags <= known_options(words) | OTHER_OPTIONS, f"charrnn {shlex.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_options_that_page_names_exist(page: Path) -> None:
    """In inline code that is an option, such as `--temp` or `--minutes 10`."""
    known = all_options()
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    named = {code.split()[0].partition("=")[0] for _, code in INLINE_CODE.findall(prose) if code.startswith("--")}
    assert {flag for name in named for flag in name.split("/")} - known == set()


def all_options() -> set[str]:
    """The options of all commands, and of the programs in benchmarks/ and docs/."""
    flags = set(OTHER_OPTIONS)
    commands = [make_command()]
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        flags |= {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    for folder in ("benchmarks", "docs"):
        for path in (ROOT / folder).rglob("*.py"):
            flags |= set(re.findall(r'"(--[a-z-]+)"', path.read_text(encoding="utf-8")))
    return flags


def test_commands_of_pages_are_found_by_these_tests() -> None:
    assert {words[0] for words in commands_of(ROOT / "README.md")} >= {"train", "sample", "ngram", "compare", "data"}


def test_generated_parts_of_pages_are_current(capfd: pytest.CaptureFixture[str]) -> None:
    status = run_cog("--check", "--diff")
    assert status == 0, f"run `python docs/tools/update.py`:\n{capfd.readouterr().out}"


def test_every_command_has_a_page() -> None:
    names = {path.stem for path in (ROOT / "docs" / "reference" / "commands").glob("*.md")}
    assert names - {"index"} == set(make_command().commands)


def test_outputs_are_of_this_version() -> None:
    printed = json.loads((ROOT / "docs" / "output" / "printed.json").read_text(encoding="utf-8"))
    assert {name for name, record in printed.items() if record["version"] != charrnn.__version__} == set()
    files = {path.stem for path in (ROOT / "docs" / "output").glob("*.txt")}
    assert files == set(printed) <= {output.name for session in SESSIONS for output in session.outputs}


@pytest.mark.docs
@pytest.mark.parametrize("session", [session for session in SESSIONS if not session.is_long], ids=str)
def test_short_outputs_are_what_this_version_prints(session: Session, tiny_shakespeare: Path) -> None:
    """Apart from what depends on the machine; in a process of their own, which forks for each command."""
    check_outputs(tiny_shakespeare, *(output.name for output in session.outputs))


@pytest.mark.slow
def test_all_outputs_are_what_this_version_prints(tiny_shakespeare: Path) -> None:
    check_outputs(tiny_shakespeare, "--all")


def check_outputs(tiny_shakespeare: Path, *options: str) -> None:
    environment = {**os.environ, "CHARRNN_TINYSHAKESPEARE": str(tiny_shakespeare)}
    command = [sys.executable, "docs/tools/print_output.py", "--check", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run `python docs/tools/print_output.py`:\n{done.stdout}{done.stderr}"


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
    (tree,) = [block for block in CONTRIBUTING_BLOCKS if block.startswith("charrnn/")]
    packages = {path.parent for path in (ROOT / "charrnn").rglob("*.py")}
    assert tree_paths(tree) == {f"{path.relative_to(ROOT).as_posix()}/" for path in packages}


def test_contributing_lists_the_import_layers() -> None:
    (table,) = [block for block in CONTRIBUTING_BLOCKS if "  cli\n" in block]
    rows = [line.split(maxsplit=1) for line in table.splitlines()]
    listed = {package: int(layer) for layer, packages in rows for package in packages.split(", ")}
    assert listed == {package: layer for package, layer in LAYERS.items() if not package.startswith("__")}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_page_names_files_that_exist(page: Path) -> None:
    paths = re.findall(r"`((?:charrnn|tests|benchmarks|docs)/[\w/]+(?:\.\w+|/))", page.read_text(encoding="utf-8"))
    assert [path for path in paths if not (ROOT / path).exists() and "NAME" not in path] == []


def defined_names() -> set[str]:
    """All classes, functions, parameters, attributes, variables and constants of the source."""
    names: set[str] = set()
    paths = (path for folder in ("charrnn", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py"))
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
    for name in ("text.txt", "novel.txt"):
        (tmp_path / name).write_text(small_text)
    program = "\n".join(blocks).replace("steps=300", "steps=20")  # half a minute, for a reader who waits
    (tmp_path / "examples.py").write_text(program, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-W", "error", "examples.py"], cwd=tmp_path, env=environment, check=True)
