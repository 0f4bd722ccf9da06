"""The tutorial as a notebook: docs/getting-started/tutorial.md → tutorial.ipynb, with bash and python blocks as cells.

The notebook has one more cell, which installs charrnn. Blocks after `<!-- page only -->`, and what cog printed with
`console` or `printed`, are left out: a notebook prints its own output.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from blocks import FENCE

PAGE = Path(__file__).parents[1] / "getting-started" / "tutorial.md"
NOTEBOOK = PAGE.with_suffix(".ipynb")
GENERATED = re.compile(
    r"^<!-- \[\[\[cog(?P<code>.*?)\]\]\] -->\n(?P<text>.*?)^<!-- \[\[\[end\]\]\] -->\n?", re.M | re.S
)
COMMENT = re.compile(r"^ *<!--.*?--> *\n?", re.MULTILINE | re.DOTALL)
INSTALL = """\
# Install charrnn from a clone of its repository, and work in the folder of the clone.
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = ""  # In a hosted notebook: the address of the repository, as for `git clone`.

clone, programs = Path("charrnn-clone"), Path(sys.executable).parent
for folder in (Path.cwd(), *Path.cwd().parents):
    if (folder / "charrnn" / "api.py").exists():
        clone = folder
if not clone.exists():
    assert REPOSITORY, "Set REPOSITORY to the address of charrnn's repository, and run this cell again."
    subprocess.run(["git", "clone", "-q", REPOSITORY, clone], check=True)
if not shutil.which("charrnn", path=programs):
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", f"{clone.resolve()}[report]"], check=True)
os.chdir(clone)
os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
"""
"""The first cell. It uses the PyTorch that is installed, as hosted notebooks have one for their GPU."""


def notebook(markdown: str) -> dict[str, Any]:
    """The notebook of a page, in Jupyter's format 4.5."""
    text = GENERATED.sub(
        lambda match: "" if re.search(r"\b(console|printed)\(", match["code"]) else match["text"], markdown
    )
    cells: list[dict[str, Any]] = []
    position = 0
    for match in FENCE.finditer(text):
        language, body = match["language"], match["body"].rstrip("\n")
        page_only = "<!-- page only -->" in match["comments"]
        if not page_only and language not in ("bash", "python"):
            continue
        _add(cells, "markdown", _prose(text[position : match.start()]))
        if not page_only:
            _add(cells, "code", f"%%bash\n{body}" if language == "bash" else body)
        position = match.end()
    _add(cells, "markdown", _prose(text[position:]))
    _add_install(cells)
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def notebook_text(markdown: str) -> str:
    """The notebook as its file has it."""
    return json.dumps(notebook(markdown), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write_notebook() -> bool:
    """Write the notebook anew; returns whether it changed."""
    if not PAGE.exists():
        return False
    text = notebook_text(PAGE.read_text(encoding="utf-8"))
    is_changed = not NOTEBOOK.exists() or NOTEBOOK.read_text(encoding="utf-8") != text
    NOTEBOOK.write_text(text, encoding="utf-8")
    return is_changed


def is_current() -> bool:
    """Whether the notebook is that of the page."""
    if not PAGE.exists():
        return not NOTEBOOK.exists()
    current = notebook_text(PAGE.read_text(encoding="utf-8"))
    return NOTEBOOK.exists() and NOTEBOOK.read_text(encoding="utf-8") == current


def _prose(text: str) -> str:
    text = re.sub(r"^> \[!(\w+)\]", lambda match: f"> **{match[1].capitalize()}:**", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", COMMENT.sub("", text)).strip("\n")


def _add(cells: list[dict[str, Any]], kind: str, source: str) -> None:
    if not source:
        return
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
    cells.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))


def _add_install(cells: list[dict[str, Any]]) -> None:
    """Add the cell that installs charrnn, after the text that comes first."""
    install: list[dict[str, Any]] = []
    _add(install, "code", INSTALL)
    install[0]["metadata"] = {"tags": ["install"]}
    cells[1:1] = install
