"""`charrnn view`: a page of every kind of model, where it goes, and what is said where it cannot be made."""

import base64
import copy
import hashlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from program import SMALL, TEXT, Charrnn
from view_page import data_of, words_of

from charrnn.checkpoint import load, save
from charrnn.models.interpolated import InterpolatedModel
from charrnn.models.mixture import MixtureModel
from charrnn.models.ngram.model import NgramModel
from charrnn.models.rnn.model import RecurrentModel
from charrnn.report.view import render as report
from charrnn.report.view.text import UNIT_OVERHEAD, unit_data
from charrnn.scoring.probes.traces import Trace
from charrnn.training.monitor.history import History, Record, history_path

SHOWN = ("--length", "60")


def page_of(charrnn: Charrnn, *words: object) -> str:
    result = charrnn("view", *words)
    assert result.status == 0, result.err
    path = Path(result.text.strip())  # on a pipe: where it was written, and nothing else
    assert f"page        {path}" in result.err
    return path.read_text(encoding="utf-8")


def test_view_of_a_network_has_all_sections(charrnn: Charrnn, models: Path) -> None:
    history = History(history_path(models / "text-lstm.safetensors"))
    history.add(vars(Record(1, 1, 0.5, 0.01, 100.0, 3.0, 3, sample="first words")))
    history.add(
        vars(Record(3, 1, 1.0, 0.005, 100.0, 2.0, 3, 2.1, 3.0297, 170, "90/10/0", "static, full", True, "last words"))
    )
    history.close()
    page = page_of(charrnn, "text-lstm", *SHOWN)
    assert (models / "text-lstm.html").read_text(encoding="utf-8") == page
    shown = words_of(page)
    for part in (
        "text-lstm LSTM with one layer of 8 units, trained for",
        "split 90/10/0, static, full",
        "charrnn train text.txt --hidden 8 --layers 1 --steps 3",
        "3 steps in 1.0 s. Best validation score: 3.0297 bits per character after step 3",
        "step 1 first words",
        "step 3, validation 3.030 bits last words",
        "The first 60 of 170 characters of the validation part of text.txt, which the model was not trained on",
        "forget gate",
        "on all 170 characters",
        "tuned order 3",
    ):
        assert part in shown
    assert page.count("<svg") == 1 + 1 + 3  # the training, the plane of states, three gates
    data = data_of(page)
    assert "".join(data["text"]["characters"]).replace("↵", "") == TEXT[-170:-110]
    assert len(data["text"]["bits"]) == len(data["text"]["likeliest"]) == 60
    assert data["text"]["likeliest"][0] == []
    assert [len(row) for row in data["text"]["percent"][1:]] == [5] * 59
    assert (data["units"]["groups"], data["units"]["width"]) == (["layer 1 h", "layer 1 c"], 8)
    assert len(base64.b64decode(data["units"]["values"])) == 60 * 16


def test_view_policy_allows_its_own_script_alone(charrnn: Charrnn, models: Path) -> None:
    """The policy names the checksums of the script and of all styles; there is no address, and no style attribute."""
    page = page_of(charrnn, "text-lstm", *SHOWN, "--no-compare")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    policy = policy.replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    for name, tag in (("script-src", "script"), ("style-src", "style")):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts}
        (sources,) = re.findall(rf"{name} ([^;]*)", policy)
        assert set(sources.replace("'", "").replace("sha256-", "").split()) == hashes
    assert not re.search(r'\s(style|on\w+|src)="|href="(?!#)|@import|url\((?!#)', page)
    assert "unsafe" not in policy
    assert "This page was made without a comparison" in words_of(page)


@pytest.mark.parametrize("cell", ["rnn", "mingru"])
def test_view_of_other_cells_has_their_gates(charrnn: Charrnn, cell: str) -> None:
    assert charrnn("train", "text.txt", *SMALL, "--cell", cell).status == 0
    shown = words_of(page_of(charrnn, f"text-{cell}", *SHOWN, "--no-compare"))
    assert ("This cell has no gates" in shown) == (cell == "rnn")
    assert "layer 1 c" not in shown


def test_view_of_ngrams_has_no_inside(charrnn: Charrnn, models: Path) -> None:
    page = page_of(charrnn, "text-tuned-3", *SHOWN)
    shown = words_of(page)
    assert "N-gram model, fitted for" in shown
    assert "N-gram models are counted in one pass" in shown
    assert "Gate saturation" not in shown
    assert 'href="#gates"' not in page
    data = data_of(page)
    assert data["units"] is None
    assert len(data["text"]["percent"][5]) == 5


def test_view_of_infinite_scores_works(charrnn: Charrnn, folder: Path) -> None:
    (folder / "odd.txt").write_text("a\n" * 450 + "aa\n\n" * 25, encoding="utf-8")
    assert charrnn("ngram", "odd.txt", "--smoothing", "ml", "--order", 3).status == 0
    page = page_of(charrnn, "odd-ml-3")
    assert "The score is infinite: 50.0% of the held-out characters have probability 0." in words_of(page)
    assert None in data_of(page)["text"]["bits"]


def test_view_of_a_mixture_shows_its_network(charrnn: Charrnn, models: Path) -> None:
    network, counts = (load(models / f"{name}.safetensors") for name in ("text-lstm", "text-tuned-3"))
    assert isinstance(network.model, RecurrentModel)
    assert isinstance(counts.model, NgramModel)
    mixture = MixtureModel(InterpolatedModel([network.model, copy.deepcopy(network.model)]), [counts.model])
    save(models / "both.safetensors", mixture, network.vocabulary, network.metadata)
    shown = words_of(page_of(charrnn, "both", *SHOWN))
    assert "Mixture of a network and an n-gram model" in shown
    assert "This section is about the first of 2 networks (the network in the mixture)." in shown
    assert "both.network lstm 1x8 (2 networks)" in shown  # beside its parts


def test_view_without_history_says_so(charrnn: Charrnn, models: Path) -> None:
    history_path(models / "text-lstm.safetensors").unlink(missing_ok=True)
    shown = words_of(page_of(charrnn, "text-lstm", *SHOWN, "--no-compare"))
    assert "the history file text-lstm.jsonl was not found" in shown
    assert "The text is too short, or too uniform" not in shown


def test_view_of_the_last_state_has_its_history(charrnn: Charrnn, models: Path) -> None:
    history = History(history_path(models / "text-lstm.safetensors"))
    history.add(vars(Record(1, 1, 0.5, 0.01, 100.0, 3.0, 3)))
    history.close()
    assert "1 step in 0.5 s" in words_of(page_of(charrnn, "text-lstm-last", *SHOWN, "--no-compare"))


def test_view_of_another_text_writes_to_out(charrnn: Charrnn, models: Path, folder: Path) -> None:
    (folder / "part.txt").write_text(TEXT[:50], encoding="utf-8")
    result = charrnn("view", "text-lstm", "--text", "part.txt", "--out", "pages/part.html")
    assert result.status == 0, result.err
    page = (folder / "pages" / "part.html").read_text(encoding="utf-8")
    assert "All 50 characters of part.txt" in words_of(page)
    assert "".join(data_of(page)["text"]["characters"]).replace("↵", "") == TEXT[:50]


@pytest.mark.parametrize("option", [("--bytes",), ("--document-separator", "\\n")])
def test_view_of_bytes_and_documents_works(charrnn: Charrnn, folder: Path, option: tuple[str, ...]) -> None:
    (folder / "names.txt").write_text("Zoë\nMaël\nÅsa\n" * 40, encoding="utf-8")
    assert charrnn("train", "names.txt", *SMALL, *option).status == 0
    data = data_of(page_of(charrnn, *SHOWN, "--no-compare"))
    is_bytes = option == ("--bytes",)
    assert ("\\xc3" in data["text"]["characters"]) == is_bytes
    assert ("ë" in data["text"]["characters"]) != is_bytes
    assert data["text"]["likeliest"][0] == [] if is_bytes else len(data["text"]["likeliest"][0]) == 5


def test_view_overwrites_its_own_page_only(charrnn: Charrnn, models: Path, folder: Path) -> None:
    words = ("text-tuned-3", "--no-compare", *SHOWN, "--out", "page.html")
    for _ in range(2):
        assert charrnn("view", *words).status == 0
    (folder / "page.html").write_text("<p>my thesis</p>", encoding="utf-8")
    assert charrnn("view", *words).failed_with(2, "page.html: is not a report of charrnn", "--force")
    assert (folder / "page.html").read_text(encoding="utf-8") == "<p>my thesis</p>"
    assert charrnn("view", *words, "--force").status == 0
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoints", "page.html", "text.txt"]


def test_view_out_that_is_no_file_is_refused(charrnn: Charrnn, models: Path, folder: Path) -> None:
    assert charrnn("view", "text-lstm", "--out", "checkpoints").failed_with(2, "is a folder; use a file name such as")
    assert charrnn("view", "text-lstm", "--out", "new/").failed_with(2, "is a folder")
    assert charrnn("view", "text-lstm", "--out", "text.txt/page.html").failed_with(1, "text.txt", "--out")


def test_view_missing_package_is_one_line(charrnn: Charrnn, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = charrnn("view", "no-such-checkpoint")
    assert result.failed_with(2, "pictures need matplotlib; try `pip install matplotlib`")


def test_view_help_names_the_package(charrnn: Charrnn) -> None:
    assert "pip install matplotlib" in charrnn("view", "--help").text


def test_view_wrong_usage_is_one_line(charrnn: Charrnn, models: Path) -> None:
    assert charrnn("view", "text-lstm", "--length", 1).failed_with(2, "--length")
    assert charrnn("view", "none").failed_with(1, "none: not found")
    (models / "text-lstm.jsonl").write_text("{}\n", encoding="utf-8")
    assert charrnn("view", "text-lstm").failed_with(1, "text-lstm.jsonl: line 1:")


def test_view_open_opens_the_browser(charrnn: Charrnn, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert charrnn("view", "text-tuned-3", "--no-compare", *SHOWN, "--open").status == 0
    assert opened == [(models / "text-tuned-3.html").as_uri()]


def test_view_leaves_out_units_without_room(charrnn: Charrnn, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(page_of(charrnn, "text-lstm", *SHOWN, "--no-compare").encode())
    monkeypatch.setattr(report, "MAX_BYTES", whole - 1)
    page = page_of(charrnn, "text-lstm", *SHOWN, "--no-compare")
    data = data_of(page)
    assert whole - 1500 < len(page.encode()) < whole
    assert 0 < len(data["units"]["kept"]) < 16
    assert f"it includes {len(data['units']['kept']):,} of 16 units" in words_of(page)
    assert {int(unit) for unit, _ in data["tracks"]} <= set(data["units"]["kept"])
    monkeypatch.setattr(report, "MAX_BYTES", whole // 2)
    result = charrnn("view", "text-lstm", "--no-compare")
    assert (result.status, result.err.splitlines()[-1].endswith("; use a smaller --length")) == (2, True)


def test_unit_data_round_trips() -> None:
    values = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    values[:, 2] = 0
    data = unit_data(Trace(("layer 1 h",), 4, values), 20, (), 10_000)
    rows = np.frombuffer(base64.b64decode(data["values"]), np.int8).reshape(4, 20) / 127
    np.testing.assert_allclose(rows.T * data["scales"], values[:20], atol=0.02)
    few = unit_data(Trace(("layer 1 h",), 4, values), 20, (), 2 * (20 * 4 // 3 + UNIT_OVERHEAD))
    assert len(few["kept"]) == 2
    assert 2 not in few["kept"]
