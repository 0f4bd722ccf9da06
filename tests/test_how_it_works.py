"""docs/how-it-works: the Python of each page runs, and prints the output that is shown below it."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGES = sorted((Path(__file__).parents[1] / "docs" / "how-it-works").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
"""A block of Python and the output below it."""


def test_python_examples_are_found() -> None:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    assert sum(len(BLOCK.findall(text)) for text in texts) == sum(text.count("```python\n") for text in texts) >= 6


@pytest.mark.docs
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_example_prints_what_the_page_shows(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variables: dict[str, Any] = {}
    for code, shown in BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(code, str(page), "exec"), variables)
        assert capsys.readouterr().out == shown
