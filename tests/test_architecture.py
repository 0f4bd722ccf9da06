"""The house: who may import whom, and what may be loaded when."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "charrnn"
FLOORS = {
    "cli": 8,
    "__main__": 8,
    "lab": 7,
    "report": 6,
    "api": 6,
    "pipeline": 5,
    "training": 4,
    "scoring": 3,
    "sampling": 2,
    "checkpoint": 2,
    "text": 1,
    "models": 1,
    "torchrun": 0,
    "progress": 0,
    "format": 0,
    "files": 0,
    "paths": 0,
    "errors": 0,
    "config": 0,
    "__init__": 0,
}
NEIGHBOURS = {
    ("config", "errors"),
    ("torchrun", "errors"),
    ("checkpoint", "sampling"),
    ("__main__", "cli"),
}
"""Rooms on one floor of which the first may import the second; text and models, say, may not."""
SCREEN = {"typer", "rich", "tqdm"}
FILES = sorted(PACKAGE.rglob("*.py"))
FRONT_DOOR = PACKAGE / "__init__.py"
"""Names things of every floor, but loads them only when they are asked for."""


def room(module: str) -> str:
    """The part of the house that `charrnn.text.corpus`, or a path in it, belongs to."""
    return [*module.split("."), "__init__"][1]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions and for types alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(str(node.module))
            if node.module == "charrnn":
                found |= {f"charrnn.{alias.name}" for alias in node.names if not alias.name.startswith("_")}
    return found


def module_of(path: Path) -> str:
    return ".".join(("charrnn", *path.relative_to(PACKAGE).with_suffix("").parts))


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_only_down(path: Path) -> None:
    here = room(module_of(path))
    for module in imports(path) if path != FRONT_DOOR else ():
        top = module.split(".")[0]
        if top == "charrnn":
            there = room(module)
            below = FLOORS[there] < FLOORS[here]
            assert below or there == here or (here, there) in NEIGHBOURS, f"{here} imports {module}"
        elif top in SCREEN:
            assert here == "cli" or (here, top) == ("api", "tqdm"), f"{here} imports {top}"
        elif FLOORS[here] == 0:
            assert top in sys.stdlib_module_names, f"{here} imports {top}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not even for types alone; front doors of packages are left out, for they name what lies behind them."""
    graph = {module_of(path): imports(path) for path in FILES if path.name != "__init__.py"}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").rglob("*.py")), ids=module_of)
def test_no_command_imports_from_the_folder_of_another(path: Path) -> None:
    here = module_of(path).split(".")[2]
    if here == "main":  # which lists them
        return
    for module in imports(path):
        parts = module.split(".")
        if parts[:2] == ["charrnn", "cli"] and len(parts) > 2:
            assert parts[2] in (here, "shared"), f"{path} imports {module}"


def test_sampling_and_scoring_do_not_know_the_kinds_of_models() -> None:
    kinds = {"charrnn.models.rnn.model", "charrnn.models.ngram.model", "charrnn.models.rnn.cells"}
    for path in (*(PACKAGE / "sampling").glob("*.py"), PACKAGE / "scoring" / "evaluate.py"):
        assert not imports(path) & kinds, path


def test_counting_does_not_know_networks_nor_networks_counting() -> None:
    for path in (PACKAGE / "models").rglob("*.py"):
        side = "ngram" if "ngram" in path.relative_to(PACKAGE).parts else "recurrent"
        for module in imports(path):
            if side == "ngram":
                assert module not in {"charrnn.models.rnn.model", "charrnn.models.rnn.cells"}, path
            else:
                assert not module.startswith("charrnn.models.ngram"), path


def test_every_room_has_its_floor() -> None:
    rooms = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if path.suffix in ("", ".py")}
    assert rooms - {"__pycache__"} <= set(FLOORS)


def test_importing_charrnn_loads_nothing_heavy() -> None:
    code = "import sys, charrnn, charrnn.config; print(*(set(sys.modules) & {'torch', 'numpy', 'typer'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_every_file_says_what_it_does(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
