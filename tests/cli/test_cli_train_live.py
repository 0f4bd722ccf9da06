"""What `charrnn train` draws in place on a terminal, and what stays of it."""

import io
import math
import re
from pathlib import Path

import pytest
from program import SMALL, Charrnn
from rich.console import Console

from charrnn.cli.train.curve import Curve, forward_fill, value_range
from charrnn.cli.train.live import TrainLive
from charrnn.formatting import sparkline
from charrnn.scoring.evaluate import Score
from charrnn.training.monitor.history import Record
from charrnn.training.monitor.monitor import Level, Report
from charrnn.training.optim.schedule import Plan

PLAN = Plan(100, 25, 170)


def test_sparkline_scales_and_fills_gaps() -> None:
    assert sparkline([1, None, 2, 3, 9, 0], 1, 3) == "▁ ▅██▁"
    assert sparkline([5, 5], 5, 5) == "▁▁"
    assert sparkline([], 0, 1) == ""
    assert forward_fill([None, 1, None, 2, None, None]) == [None, 1, 1, 2, None, None]
    assert forward_fill([]) == []
    assert value_range([9, 3, 2, None] + [1] * 7) == (1, 3)
    assert value_range([None]) == (0, 1)


def test_curve_has_bounded_points() -> None:
    curve = Curve(max_points=16)
    for x in range(1, 1001):
        curve.add(x, 2 * x)
        assert len(curve.points) <= 16
    assert curve.columns(4, 1000) == pytest.approx([250, 750, 1250, 1750], rel=0.3)
    assert [y is None for y in curve.columns(4, 2000)] == [False, False, True, True]
    assert curve.latest == 2000
    curve.drop_after(500)
    curve.add(501, 7)
    assert curve.points[-1] == (501, 7)


def report(step: int, network: int = 1, nats: float | None = None, sample: str | None = None) -> Report:
    return Report(
        Level.LINE if nats else Level.UPDATE,
        step,
        PLAN,
        network,
        12,
        steps=1,
        loss=4 - step / 50,
        learning_rate=1e-3,
        chars_per_second=1234.5,
        elapsed=step / 2,
        remaining=(100 - step) / 2 if step > 1 else None,
        score=Score(nats * 170, 170) if nats else None,
        is_best=bool(nats),
        sample=sample,
    )


def drawn(live: TrainLive, width: int, height: int = 25, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    screen = Console(file=file, width=width, height=height)
    return [line.plain for line in live.lines(screen.options)]


def filled() -> TrainLive:
    live = TrainLive(1)
    for number in range(1, 51):
        live.report(report(number, nats=2 * math.log(2) if number == 25 else None))
    live.report(report(51, sample="To be,\n\nor\tnot \x1b[2J to be 日本日本日本日本日本日本日本日本\n" * 9))
    return live


def test_live_picture_has_progress_curves_and_sample() -> None:
    step, training, validation, now, *sample = drawn(filled(), 90)
    assert re.fullmatch(r"step {8}━+ {2}51% 51/100", step)
    bars = training[12:].split("  ")[0].rstrip()
    assert bars[0] == "█"
    assert list(bars) == sorted(bars, reverse=True)
    whole = step.index("  51%") - 12
    assert len(bars) == pytest.approx(whole * 51 / 100, abs=1)  # as long as the training is far
    assert training.endswith(f"  {2.98 / math.log(2):.3f} bits/char (2.980 nats)")
    assert len(validation[12:].split("  2.000 bits")[0].rstrip()) == pytest.approx(whole / 4, abs=1)
    assert now == f"{'status':12}1,234 chars/s, 0:26 elapsed, 0:24 remaining"
    assert sample[0] == f"{'sample':12}To be,"
    assert sample[1].startswith(f"{'':12}or  not \\x1b[2J to be 日本")
    assert len(sample) == 4


@pytest.mark.parametrize(("width", "height"), [(40, 25), (90, 8), (20, 5), (8, 2), (1, 1)])
def test_live_picture_fits_small_terminals(width: int, height: int) -> None:
    live = TrainLive(12)
    for one in (
        report(1, 11),
        report(2, 11, 1.0),
        report(3, 12, 1.0, "日本 to be or not to be, that is the question" * 3),
    ):
        assert all(len(line) < width or width < 5 for line in drawn(live, width, height))
        live.report(one)
    lines = drawn(live, width, height)
    assert all(len(line) < width or width < 5 for line in lines)
    assert len(lines) <= max(4, height)
    assert lines[0].startswith("network 12/12"[: max(0, width - 3)])


def test_live_picture_without_unicode_is_ascii() -> None:
    assert drawn(filled(), 40, encoding="latin-1")[0].isascii()
    assert drawn(filled(), 40, encoding="latin-1")[1].isascii()


def test_live_picture_of_resumed_training_shows_earlier_curve() -> None:
    live = TrainLive(1)
    live.recall([Record(10 * i, 1, i / 2, 1e-3, 1.0, 3 - i / 10, 100, nats_per_char=2.5) for i in range(1, 5)])
    live.report(report(41))
    _, training, validation, _ = drawn(live, 90)
    bars = training[12:].strip().split("  ")[0]
    assert len(bars) > 10
    assert validation.strip().endswith("(2.500 nats)")
    live.report(report(21))  # the loss exploded, and it went back
    assert [x for x, _ in live.training.points] == [10, 20, 21]


def test_terminal_shows_lines_above_picture_and_curves_at_end(
    charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Validations and what is said stay above the picture, which is gone at the end but for its curves."""
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "90")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    (folder / "checkpoints" / "text-lstm.jsonl").mkdir(parents=True)
    shown = charrnn("train", "text.txt", *SMALL[:4], "--steps", 20, "--validate-every", 10).err
    assert "\x1b[1A" in shown  # drawn over
    assert "starting" in shown
    lines = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", shown).splitlines()
    for part in ("step 10/20: training loss", "step 20/20: training loss", "text-lstm.jsonl: cannot be written"):
        assert len([line for line in lines if part in line]) == 1
    assert not [line for line in lines if "step 2/20:" in line]  # the picture shows that
    labels = [line.split()[0] for line in lines if line.strip()]
    end = labels.index("best")
    assert labels[end - 2 : end] == ["training", "validation"]
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor


def test_dumb_terminal_and_pipe_get_lines_only(charrnn: Charrnn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same lines, and nothing else, though colours are asked for."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    pipe = charrnn("train", "text.txt", *SMALL)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    dumb = charrnn("train", "text.txt", *SMALL, "--force")
    for one in (pipe, dumb):
        assert "step 1/3: training loss" in one.err
        assert "\x1b[1A" not in one.err
        assert "\r" not in one.err
        assert "━" not in one.err
