"""`charrnn compare --online`: models and compressors that learn while they read."""

import bz2
import csv
import sys
from pathlib import Path

import pytest
from program import QUICK, SMALL, TEXT, Charrnn


def test_online_models_and_compressors_have_their_own_table(charrnn: Charrnn, models: Path, folder: Path) -> None:
    words = ("compare", *QUICK, "--baselines", "none", "--online")
    result = charrnn(*words, "--json", "--out", "table.csv").json()
    assert [row["rule"] for row in result["static"]] == ["static, full"] * 2
    rows = {row["model"]: row for row in result["online"]}
    assert set(rows) == {"lstm 1x8", "tuned order 3", "PPMd order 6", "bz2 -9", "xz -9"}
    assert {(row["rule"], row["characters"], row["split"]) for row in rows.values()} == {
        ("online, full", 170, "90/10/0")
    }
    counted = charrnn("ngram", "text.txt", "--order", 3, "--online", "--json").json()
    assert rows["tuned order 3"]["bits_per_char"] == counted["online"]["bits_per_char"]
    scored = charrnn("score", "text-lstm", "--online", "--json").json()
    assert rows["lstm 1x8"]["bits_per_char"] == pytest.approx(scored["online"]["bits_per_char"])
    train, both = (TEXT[:1530].encode(), TEXT.encode())
    expected = 8 * (len(bz2.compress(both)) - len(bz2.compress(train))) / 170
    assert rows["bz2 -9"]["bits_per_char"] == pytest.approx(expected)
    with (folder / "table.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["rule"] for row in table] == ["static, full"] * 2 + ["online, full"] * 5
    assert float(table[0]["bits_per_char"]) == pytest.approx(result["static"][0]["bits_per_char"])


def test_online_table_is_explained(charrnn: Charrnn, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyppmd", None)
    shown = " ".join(charrnn("compare", "text-lstm", *QUICK, "--online", "--limit", 100).err.split())
    for part in (
        "not installed: pip install pyppmd", "compressor, 900 kB blocks", "dynamic evaluation",
        "Online, on the first 100 of 170 held-out characters (--limit 0: all)", "are not comparable with the static",
        "60% lstm 1x8, 40% ",
    ):  # fmt: skip
        assert part in shown, part


def test_online_bytes_are_compressed_as_they_are(charrnn: Charrnn) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--bytes", "--out", "raw").status == 0
    result = charrnn("compare", "raw", *QUICK, "--baselines", "none", "--online", "--json").json()
    found = {row["model"]: row["bits_per_char"] for row in result["online"]}
    train, both = (TEXT[:1530].encode(), TEXT.encode())
    assert found["bz2 -9"] == pytest.approx(8 * (len(bz2.compress(both)) - len(bz2.compress(train))) / 170)
