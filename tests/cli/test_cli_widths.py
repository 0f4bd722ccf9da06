"""Screens of any width from 20 columns on: no figure is cut, and names wrap. Notebooks, dumb terminals."""

import re

import pytest
from program import Charrnn
from rich.console import Console
from rich.table import Table

from charrnn.cli.shared import tables, terminal


def table() -> Table:
    found = Table(box=None, header_style="bold", pad_edge=False)
    found.add_column("model", overflow="fold")
    for header in ("bits/\nchar", "scoring,\nchars/s"):
        found.add_column(header, justify="right", no_wrap=True)
    found.add_row("a-name-that-is-rather-long-for-a-narrow-screen", "1.9695", "1,113,468")
    return found


@pytest.mark.parametrize("width", [20, 25, 30, 40, 60, 80, 200])
def test_narrow_table_keeps_all_figures(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    tables.show_table(table())
    shown = capsys.readouterr().err
    assert "1.9695" in shown
    assert "1,113,468" in shown
    letters = re.sub(r"[^a-z]", "", shown)
    assert all(part in letters for part in ("anamethatisrat", "narrow"))
    assert max(map(len, shown.splitlines())) <= width


@pytest.mark.parametrize("width", [20, 40, 80])
def test_compare_on_narrow_screen_keeps_all_figures(
    width: int, charrnn: Charrnn, models: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    found = charrnn("compare", "text-lstm", "text-tuned-3", "--baselines", "none", "--novelty-length", 100)
    assert found.status == 0
    assert "…" not in found.err
    assert "lstm" in found.err
    assert re.search(r"\d\.\d{4}", found.err)


def test_notebook_has_no_live_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its terminal shows each drawing below the one before."""
    monkeypatch.setattr(terminal, "console", lambda: Console(force_terminal=True))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    monkeypatch.setenv("TERM", "xterm-color")
    assert terminal.supports_live_display()
    monkeypatch.setenv("JPY_PARENT_PID", "17")
    assert not terminal.supports_live_display()
