"""The pages in docs/lab: each experiment has a chart, and the table that the command printed."""

import shutil
from pathlib import Path

import pytest

from charrnn.lab.catalogue import EXPERIMENTS, load_experiment
from charrnn.lab.experiment import MARKER, markdown_table
from charrnn.lab.redraw import read_rows, redraw

PAGES = Path(__file__).parents[2] / "docs" / "lab"
MAX_BYTES = 220_000


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_committed_page_has_its_chart(name: str) -> None:
    above, _, below = (PAGES / f"{name}.md").read_text(encoding="utf-8").partition(MARKER)
    assert f"]({name}.png)" in above
    assert f"    charrnn lab {name}" in above
    assert f"`charrnn lab {name}" in below
    assert "| --- | --:" in below
    assert 10_000 < (PAGES / f"{name}.png").stat().st_size < MAX_BYTES
    readme = (PAGES / "README.md").read_text(encoding="utf-8")
    assert f"| [{name}]({name}.md) | {EXPERIMENTS[name].question} |" in readme


# The scores of vanishing are not in its CSV file.
@pytest.mark.parametrize("name", ["memory", "cells", "length", "ngrams", "names"])
def test_committed_table_is_what_the_program_prints(name: str) -> None:
    module = load_experiment(name)
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    size = module.SIZES["quick" if f"`charrnn lab {name} --quick`, on " in page else "full"]
    assert f"\n\n{markdown_table(module.table(read_rows(PAGES / f'{name}.csv'), size))}\n\n" in page


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_redraw_needs_only_the_page_and_its_measurements(name: str, tmp_path: Path) -> None:
    for suffix in ("csv", "md"):
        shutil.copy(PAGES / f"{name}.{suffix}", tmp_path)
    assert redraw(tmp_path, name).read_bytes().startswith(b"\x89PNG")
