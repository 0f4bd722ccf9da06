"""The tutorial's notebook: that it is the page's, and that it runs in Jupyter."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from test_guides import write_texts
from tutorial import NOTEBOOK, PAGE, is_current, notebook

ROOT = Path(__file__).parents[1]
SMALL_PAGE = """\
# A tutorial

Train a model.

<!-- page only -->
```sh
pip install .
```

> [!TIP]
> It takes a minute.

```bash
charrnn ngram text.txt --order 3
```

<!-- [[[cog from generate import console; cog.out(console("ngram")) ]]] -->

```console
$ charrnn ngram
```

<!-- [[[end]]] -->

Now in Python:

```python
import charrnn

print(charrnn.load("checkpoints/text-tuned-3.safetensors").sample(length=20, seed=1))
```
"""


def sources(page: str) -> list[tuple[str, str]]:
    """The kind and the text of each cell."""
    return [(cell["cell_type"], "".join(cell["source"])) for cell in notebook(page)["cells"]]


def test_notebook_has_the_blocks_of_the_page_as_cells() -> None:
    kinds, texts = zip(*sources(SMALL_PAGE), strict=True)
    assert kinds == ("markdown", "code", "markdown", "code", "markdown", "code")
    assert texts[0] == "# A tutorial\n\nTrain a model."
    assert texts[2] == "> **Tip:**\n> It takes a minute."
    assert texts[3] == "%%bash\ncharrnn ngram text.txt --order 3"
    assert texts[4] == "Now in Python:"
    assert texts[5].startswith("import charrnn\n")
    assert "pip install ." not in "".join(texts)


def test_notebook_is_that_of_the_page() -> None:
    assert is_current(), "run `python docs/tools/update.py`"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("page", ["the tutorial", "a small page"])
def test_notebook_runs(page: str, tmp_path: Path, small_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel of Jupyter, with training cut to a few steps, without the cell that installs charrnn."""
    import nbformat
    from nbclient import NotebookClient

    if page == "the tutorial" and not PAGE.exists():
        pytest.skip("not written yet")
    text = NOTEBOOK.read_text(encoding="utf-8") if page == "the tutorial" else json.dumps(notebook(SMALL_PAGE))
    book = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(book)
    book.cells = [cell for cell in book.cells if "install" not in cell.metadata.get("tags", ())]
    for cell in book.cells:
        cell.source = re.sub(r"--minutes [\d.]+", "--steps 3 --hidden 8 --layers 1", cell.source)
        cell.source = re.sub(r"\bminutes=[\d.]+", "steps=3", cell.source)
    write_texts(tmp_path)
    (tmp_path / "text.txt").write_text(small_text, encoding="utf-8")
    commands = tmp_path / "bin"
    commands.mkdir()
    program = commands / "charrnn"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m charrnn "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    shutil.rmtree(tmp_path / "docs")
    NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
