"""`charrnn compare --structure`: where a network differs from n-grams."""

from pathlib import Path

from program import QUICK, SMALL, Charrnn


def test_structure_of_code_has_all_tables(charrnn: Charrnn, folder: Path) -> None:
    code = "def f(a):\n    if a:\n        return [a, 'b']\n    return {\"c\": (a)}\n\n\n"
    (folder / "code.txt").write_text(code * 80, encoding="utf-8")
    assert charrnn("train", "code.txt", *SMALL).status == 0
    words = ("compare", "code-lstm", *QUICK, "--structure")
    found = charrnn(*words, "--json").json()["structure"]
    assert (found["network"], found["counts"]) == ("lstm 1x8", "mkn order 9")
    assert (found["characters"], found["is_code"]) == (len(code) * 8, True)
    assert [row["length"] for row in found["contexts"]] == [8, 16, 32, 64, 128, 256, None]
    cases = {(row["kind"], row["low"]): row["bits"]["cases"] for row in found["kinds"]}
    assert {kind for kind, _ in cases} == {"()", "[]", "{}", "''", '""'}
    assert cases["()", 1] == 2 * 8
    assert [row["change"] for row in found["indentation"]] == ["all", "deeper", "shallower"]
    shown = charrnn(*words).err
    for part in ("Where lstm 1x8 differs from mkn order 9", "context", "brackets", "1-3", "±", "deeper", "indentation"):
        assert part in shown, part


def test_structure_of_prose_says_what_it_lacks(charrnn: Charrnn, models: Path) -> None:
    shown = charrnn("compare", *QUICK, "--structure", "--limit", 120).err
    assert "No bracket is closed in this text." in shown
    assert "Too few lines of this text are indented to compare indentation." in shown
    assert "Measured on the first 120 of 170 held-out characters (--limit 0: all)." in " ".join(shown.split())
    result = charrnn("compare", "text-tuned-3", "--structure", *QUICK)
    assert result.status == 2
    assert result.err.endswith("--structure: compares a network with n-grams, but there is no network; add one\n")
