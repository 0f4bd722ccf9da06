"""`--normalize`, `--lower` and `--min-count`, which a checkpoint remembers."""

import json
from pathlib import Path

from program import SMALL, Charrnn

LINE = "Café, CAFE\u0301 – naïve\n"


def test_normalized_model_normalizes_all_it_reads(charrnn: Charrnn, folder: Path) -> None:
    (folder / "cafe.txt").write_text(LINE * 30, encoding="utf-8")
    form = ("--normalize", "NFC", "--lower")
    result = charrnn("ngram", "cafe.txt", *form, "--order", 9)
    assert "cafe.txt: 570 characters, vocabulary size 12" in result.err
    assert charrnn("train", "cafe.txt", *form, *SMALL).status == 0
    sample = charrnn("sample", "cafe-tuned-9", "--prime", "CAFE\u0301, ", "--temp", 0, "--length", 4)
    assert sample.text == "café, café"
    assert charrnn("score", "cafe-lstm").status == 0
    (folder / "other.txt").write_text("NAI\u0308VE", encoding="utf-8")
    assert "other.txt: 5 characters, " in charrnn("score", "cafe-lstm", "--text", "other.txt").err
    assert charrnn("compare", "--prime", "CAFÉ", "--length", 9, "--novelty-length", 50).status == 0
    assert charrnn("sample", "cafe-lstm", "--novelty", "--length", 20).status == 0
    again = charrnn("train", "cafe.txt", "--resume", "--normalize", "NFD")
    assert again.failed_with(2, "--normalize NFD: the run to resume uses --normalize NFC")
    assert charrnn("train", "cafe.txt", "--resume").status == 0


def test_min_count_model_reads_any_text(charrnn: Charrnn, folder: Path) -> None:
    (folder / "rare.txt").write_text("to be or not to be 漢字 " * 2 + "to be or not to be " * 30, encoding="utf-8")
    result = charrnn("ngram", "rare.txt", "--min-count", 5, "--order", 3)
    assert "unknown     4 characters of the text (0.65%) are read as the unknown symbol" in result.err
    assert charrnn("train", "rare.txt", "--min-count", 5, *SMALL).status == 0
    (folder / "other.txt").write_text("être ou ne pas être", encoding="utf-8")
    for model in ("rare-tuned-3", "rare-lstm"):
        scored = charrnn("score", model, "--text", "other.txt", "--json")
        assert "unknown     " in scored.err
        assert json.loads(scored.out)["characters"] == 19
        assert charrnn("sample", model, "--prime", "é", "--length", 5).status == 0
    assert charrnn("compare", "--novelty-length", 50, "--length", 9).status == 0
    assert charrnn("train", "rare.txt", "--resume").status == 0
    grown = charrnn("train", "other.txt", "--init-from", "rare-lstm", *SMALL[4:], "--out", "grown")
    assert grown.status == 0


def test_normalization_options_invalid_values_are_one_line(charrnn: Charrnn) -> None:
    for words in (("--lower",), ("--normalize", "NFC"), ("--min-count", 2)):
        assert charrnn("train", "text.txt", "--bytes", *words).failed_with(
            2, f"{words[0]} cannot be combined with --bytes"
        )
    assert charrnn("ngram", "text.txt", "--normalize", "nfx").failed_with(2, "--normalize nfx: must be one of NFC")
    assert charrnn("ngram", "text.txt", "--min-count", 0).failed_with(2, "--min-count 0: must be 1 or more")
    huge = charrnn("ngram", "text.txt", "--min-count", 10_000)
    assert huge.failed_with(1, "text.txt: no character occurs 10,000 times; use a smaller --min-count")
