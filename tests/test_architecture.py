"""The architecture rules: which package may import which, and what is loaded when."""

import ast
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "charrnn"
LAYERS = {
    "cli": 8,
    "__main__": 8,
    "lab": 7,
    "export": 7,
    "serve": 6,
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
    "paths": 0,
    "formatting": 0,
    "files": 0,
    "errors": 0,
    "config": 0,
    "__init__": 0,
}
"""The layer of each package or module directly in charrnn/; imports go down."""
WITHIN_LAYER = {
    ("config", "errors"),
    ("torchrun", "errors"),
    ("checkpoint", "sampling"),
    ("__main__", "cli"),
}
"""Pairs on one layer of which the first may import the second; text and models, for example, may not."""
TERMINAL_LIBRARIES = {"typer", "rich", "tqdm"}
FILES = sorted(PACKAGE.rglob("*.py"))
EXPORTS = PACKAGE / "__init__.py"
"""Names things of every layer, but imports them only when they are asked for."""


def part_of(module: str) -> str:
    """The package or module directly in charrnn/ that, for example, `charrnn.text.corpus` belongs to."""
    return [*module.split("."), "__init__"][1]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions and for types alone."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            modules.add(str(node.module))
            if node.module == "charrnn":
                modules |= {f"charrnn.{alias.name}" for alias in node.names if not alias.name.startswith("_")}
    return modules


def module_of(path: Path) -> str:
    return ".".join(("charrnn", *path.relative_to(PACKAGE).with_suffix("").parts))


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_down(path: Path) -> None:
    importer = part_of(module_of(path))
    for module in imports(path) if path != EXPORTS else ():
        library = module.split(".")[0]
        if library == "charrnn":
            imported = part_of(module)
            is_below = LAYERS[imported] < LAYERS[importer]
            is_allowed = is_below or imported == importer or (importer, imported) in WITHIN_LAYER
            assert is_allowed, f"{importer} imports {module}"
        elif library in TERMINAL_LIBRARIES:
            assert importer == "cli" or (importer, library) == ("api", "tqdm"), f"{importer} imports {library}"
        elif LAYERS[importer] == 0:
            assert library in sys.stdlib_module_names, f"{importer} imports {library}"


def test_modules_have_no_import_cycles() -> None:
    """Not even for types alone; front doors of packages are left out, for they name what lies behind them."""
    graph = {module_of(path): imports(path) for path in FILES if path.name != "__init__.py"}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").rglob("*.py")), ids=module_of)
def test_commands_do_not_import_from_each_other(path: Path) -> None:
    command = module_of(path).split(".")[2]
    if command == "main":  # which lists them
        return
    for module in imports(path):
        parts = module.split(".")
        if parts[:2] == ["charrnn", "cli"] and len(parts) > 2:
            assert parts[2] in (command, "shared"), f"{path} imports {module}"


def test_sampling_and_evaluation_do_not_import_kinds_of_models() -> None:
    kinds = {"charrnn.models.rnn.model", "charrnn.models.ngram.model", "charrnn.models.rnn.cells"}
    for path in (*(PACKAGE / "sampling").glob("*.py"), PACKAGE / "scoring" / "evaluate.py"):
        assert not imports(path) & kinds, path


def test_ngrams_and_networks_do_not_import_each_other() -> None:
    for path in (PACKAGE / "models").rglob("*.py"):
        if "ngram" in path.relative_to(PACKAGE).parts:
            assert not imports(path) & {"charrnn.models.rnn.model", "charrnn.models.rnn.cells"}, path
        else:
            assert not any(module.startswith("charrnn.models.ngram") for module in imports(path)), path


def test_class_names_are_unique() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in FILES]
    counts = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert [name for name, count in counts.items() if count > 1] == []


def test_package_parts_have_a_layer() -> None:
    parts = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if path.suffix in ("", ".py")}
    assert parts - {"__pycache__"} <= set(LAYERS)


def test_importing_charrnn_loads_no_heavy_library() -> None:
    code = "import sys, charrnn, charrnn.config; print(*(set(sys.modules) & {'torch', 'numpy', 'typer'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_module_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
