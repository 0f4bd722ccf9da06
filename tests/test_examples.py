"""The programs in docs/examples do what the recipes say of them."""

import runpy
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "docs" / "examples" / "word_pairs.py"


@pytest.mark.parametrize(
    ("task", "pairs"),
    [
        ("reverse", {"to": "ot", "question": "noitseuq"}),
        (
            "pig-latin",
            {"to": "otay", "question": "estionquay", "arrows": "arrowsway", "slings": "ingsslay", "rhythm": "ythmrhay",
             "yes": "esyay", "my": "ymay", "squire": "iresquay", "nth": "nthay"},
        ),
    ],
)  # fmt: skip
def test_word_pairs_example_writes_train_and_held_out_files(
    task: str, pairs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*pairs, *(f"{a}{b}" for a in "abcde" for b in "xyz")]
    (tmp_path / "words.txt").write_text(" ".join(words).title() + ", " + words[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def made(*seed: str) -> tuple[list[str], list[str]]:
        monkeypatch.setattr(sys, "argv", ["word_pairs.py", task, "words.txt", *seed])
        runpy.run_path(str(PROGRAM), run_name="__main__")
        held_out, train = (Path(f"{task}-{name}.tsv").read_text(encoding="utf-8") for name in ("held-out", "train"))
        return held_out.splitlines(), train.splitlines()

    held_out, train = made()
    assert len(held_out) == round(0.1 * len(words))
    sources = [line.partition("\t")[0] for line in held_out + train]
    assert sorted(sources) == sorted(words)
    assert set(held_out + train) >= {f"{word}\t{other}" for word, other in pairs.items()}
    assert made("0") == (held_out, train) != made("1")
