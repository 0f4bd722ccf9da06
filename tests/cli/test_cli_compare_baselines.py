"""`charrnn compare`: the models that are fitted for the table alone."""

from pathlib import Path

import pytest
from program import QUICK, SMALL, TEXT, Charrnn


def test_baselines_missing_models_are_fitted(charrnn: Charrnn, models: Path) -> None:
    """Without a word: three n-grams of the default order, and the network mixed with the best of all n-grams."""
    rows = charrnn("compare", *QUICK, "--json").json()
    assert sorted((row["model"], row["is_baseline"]) for row in rows) == [
        ("60% lstm 1x8, 40% mkn order 9", True),
        ("lstm 1x8", False),
        ("mkn order 9", True),
        ("ml order 9", True),
        ("tuned order 3", False),
        ("tuned order 9", True),
    ]
    assert all((row["checkpoint"] is None) == row["is_baseline"] for row in rows)
    assert len({(row["characters"], row["split"], row["rule"]) for row in rows}) == 1
    assert not (models / "text-tuned-9.safetensors").exists()
    by_model = {row["model"]: row for row in rows}
    for words in (("--smoothing", "mkn"), ()):
        counted = charrnn("ngram", "text.txt", *words, "--json").json()
        assert by_model[counted["model"]]["bits_per_char"] == pytest.approx(counted["bits_per_char"])
    network, (mixed,) = by_model["lstm 1x8"], [row for row in rows if row["kind"] == "mixture"]
    assert (mixed["parameters"], mixed["entries"] > 0) == (network["parameters"], True)
    assert mixed["bits_per_char"] < network["bits_per_char"]
    again = charrnn("compare", *QUICK, "--json").json()  # two of them are there now
    assert sorted(row["kind"] for row in again if row["is_baseline"]) == ["mixture", "ngram"]


def test_baselines_are_explained_below_the_table(charrnn: Charrnn, models: Path, folder: Path) -> None:
    """Zeros are counted: of this held-out part, which ends with a character that never followed."""
    (folder / "odd.txt").write_text("to be or not\n" * 99 + "zz", encoding="utf-8")
    assert charrnn("train", "odd.txt", *SMALL).status == 0
    shown = charrnn("compare", "odd-lstm", "--novelty-length", 40, "--length", 5).err
    for part in (
        "fitting n-gram baselines for this table: tuned order 9, mkn order 9, ml order 9", "* tuned order 9",
        "% impossible)", "∞", "ml: Goldberg's counts", "weights of the mixture are fixed", "novel n-grams, n =",
        "4 to 50",
    ):  # fmt: skip
        assert part in " ".join(shown.split()), part
    assert "█" in shown


def test_baselines_of_a_long_text_are_only_the_best(
    charrnn: Charrnn, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.pipeline.compare.MAX_COUNTED", 1000)
    result = charrnn("compare", "text-lstm", *QUICK, "--json")
    assert sorted(row["kind"] for row in result.json()) == ["mixture", "ngram", "recurrent"]
    assert (
        "mkn, ml: skipped, as the training part is long (1,530 characters); include them with --baselines all"
        in result.err
    )
    assert len(charrnn("compare", "text-lstm", *QUICK, "--json", "--baselines", "all").json()) == 5


def test_baselines_without_training_text_are_left_out(charrnn: Charrnn, models: Path, folder: Path) -> None:
    """With it, also for a table of another text."""
    (folder / "part.txt").write_text(TEXT[:200], encoding="utf-8")
    words = ("compare", "text-lstm", "--text", "part.txt", *QUICK)
    assert len(charrnn(*words, "--json").json()) == 5
    (folder / "text.txt").unlink()
    result = charrnn(*words, "--json")
    assert [row["kind"] for row in result.json()] == ["recurrent"]
    assert "n-gram baselines and novelty are skipped: text.txt: not found" in result.err
    assert charrnn(*words, "--online").err.endswith(
        "--online: needs a training text that all models share; remove the option\n"
    )
    assert charrnn(*words, "--structure").status == 2
