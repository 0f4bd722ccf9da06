"""docs/lab: each experiment has its page, with the picture and the table that the command made."""

from pathlib import Path

import pytest

from charrnn.lab.catalogue import EXPERIMENTS
from charrnn.lab.experiment import MARKER

PAGES = Path(__file__).parents[2] / "docs" / "lab"
MAX_BYTES = 150_000


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_committed_page_has_its_picture(name: str) -> None:
    above, _, below = (PAGES / f"{name}.md").read_text(encoding="utf-8").partition(MARKER)
    assert f"]({name}.png)" in above
    assert f"    charrnn lab {name}" in above
    assert f"`charrnn lab {name}" in below
    assert "| --- | --:" in below
    assert 10_000 < (PAGES / f"{name}.png").stat().st_size < MAX_BYTES
    assert f"[{name}]({name}.md)" in (PAGES / "README.md").read_text(encoding="utf-8")
