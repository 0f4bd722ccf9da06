"""Commands with networks that have attention: the page of `charrnn view`, and every other command."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import Charrnn
from view_page import data_of, weights_of, words_of

from charrnn.report.view.attention import attention_data
from charrnn.report.view.pictures import distance_ranges
from charrnn.scoring.probes.attention import SEEN, HeadWeights
from charrnn.text.documents import Documents, TextSpan

WINDOW = ("--window", 16)
SHOWN = ("--length", 60, "--no-compare")


def train(charrnn: Charrnn, cell: str, *options: object, text: str = "text.txt") -> None:
    result = charrnn("train", text, "--cell", cell, "--hidden", 64, "--steps", 2, *WINDOW, "--out", "a", *options)
    assert result.status == 0, result.err


def page_of(charrnn: Charrnn) -> tuple[str, dict[str, Any]]:
    """The words of the page, and the data of its script."""
    result = charrnn("view", "a", *SHOWN)
    assert result.status == 0, result.err
    page = Path(result.text.strip()).read_text(encoding="utf-8")
    return words_of(page), data_of(page)


def test_view_shows_where_attention_looks(charrnn: Charrnn) -> None:
    train(charrnn, "lstm,attention")
    shown, data = page_of(charrnn)
    for part in (
        "Network with 2 layers of 64 units (LSTM, Attention), trained for",
        "Layer 2 has attention, with 2 heads. To predict a character, a head looks at the last 16 characters",
        "Where attention looks",
        "over 170 characters",
        "head median distance lower case upper case punctuation space line end mean of heads",
        "Outputs of the top layer",
        "Layers with attention have no gates and are not shown.",
        "and c the cell state of an LSTM",
    ):
        assert part in shown
    assert "To keep the page small" not in shown
    attention = data["attention"]
    assert (attention["count"], attention["starts"]) == (60, [])
    assert [(layer["name"], layer["heads"]) for layer in attention["layers"]] == [("layer 2", 2)]
    rows = weights_of(attention["layers"][0])
    assert rows[0] == [{}, {}]
    assert rows[1] == [{1: 1}, {1: 1}]
    for i, row in enumerate(rows[1:], 1):
        for weights in row:
            assert max(weights) <= min(i, 16)
            assert 0.8 < sum(weights.values()) < 1.1
    assert data["units"]["groups"] == ["layer 1 h", "layer 1 c", "layer 2 h"]


def test_view_of_attention_alone_has_no_gates(charrnn: Charrnn) -> None:
    train(charrnn, "attention")
    shown, data = page_of(charrnn)
    assert "Layers 1 and 2 have attention, with 2 heads each." in shown
    assert "Attention with 2 layers of 64 units" in shown
    assert "ate saturation" not in shown
    assert len(data["attention"]["layers"]) == 2


def test_view_of_an_lstm_has_no_attention(charrnn: Charrnn, models: Path) -> None:
    (models / "text-lstm.safetensors").rename(models / "a.safetensors")
    shown, data = page_of(charrnn)
    assert "attention" not in shown
    assert "States of the top layer" in shown
    assert data["attention"] is None


def test_view_of_gates_beside_states_names_both(charrnn: Charrnn) -> None:
    """Of an LSTM below a vanilla layer, the page said that its cell has no gates."""
    train(charrnn, "lstm,rnn")
    shown, _ = page_of(charrnn)
    assert "A gate below 0.1 is shut (left-saturated)" in shown
    assert "A vanilla layer has no gates, so the chart shows the states." in shown
    assert "This cell has no gates" not in shown


def test_view_of_documents_looks_at_their_start(charrnn: Charrnn, folder: Path) -> None:
    (folder / "names.txt").write_text("Zoe\nMax\nJo\n" * 60, encoding="utf-8")
    train(charrnn, "attention", "--document-separator", "\\n", "--layers", 1, text="names.txt")
    shown, data = page_of(charrnn)
    assert "document start mean of heads" in shown
    rows = weights_of(data["attention"]["layers"][0])
    starts = data["attention"]["starts"]
    characters = data["text"]["characters"]
    assert starts == [0, *(i for i in range(1, 60) if characters[i - 1] == "↵\n")]
    for start in starts:
        assert rows[start] == [{1: 1}, {1: 1}]


@pytest.mark.parametrize("cell", ["attention", "gru,attention"])
def test_commands_take_networks_with_attention(charrnn: Charrnn, cell: str) -> None:
    train(charrnn, cell)
    assert charrnn("ngram", "text.txt", "--order", 3).status == 0
    model = f"{cell} 2x64"
    assert model in charrnn("inspect", "a").err
    shown = charrnn("sample", "a", "--length", 40, "--seed", 1)
    assert (shown.status, len(shown.text)) == (0, 40)
    assert charrnn("sample", "a", "--length", 20, "--beam", 2).status == 0
    assert charrnn("sample", "a", "--length", 20, "--count", 3, "--mix", "text-tuned-3:0.3").status == 0
    score = charrnn("score", "a", "--online", "--window", 20)
    assert score.status == 0, score.err
    assert "online" in score.err
    compared = charrnn("compare", "a", "text-tuned-3", "--length", 10, "--novelty-length", 0, "--online", "--structure")
    assert compared.status == 0, compared.err
    assert model in compared.err
    for result in (score, compared):
        assert "Traceback" not in result.err


def layer_of(counts: list[list[int]], furthest: int = 3) -> HeadWeights:
    """A layer of two heads with the numbers of weights given for each character."""
    total = int(np.sum(counts))
    distances, weights = np.arange(total) % furthest + 1, np.linspace(0.1, 1, total, dtype=np.float32)
    shares = np.ones((3, furthest)) / furthest
    return HeadWeights(1, furthest, shares, np.ones((3, len(SEEN))), np.array(counts), distances, weights)


def test_attention_data_fits_the_limit() -> None:
    counts = [[0, 0]] + [[2, 1]] * 9
    layer = layer_of(counts)
    text = TextSpan(np.zeros(10, np.uint8))
    assert attention_data((), text) is None
    whole = attention_data((layer,), text)
    assert whole is not None
    assert whole["count"] == 10
    rows = weights_of(whole["layers"][0])
    assert [[len(head) for head in row] for row in rows] == counts
    np.testing.assert_allclose([w for row in rows for head in row for w in head.values()], layer.weights, atol=0.004)
    part = attention_data((layer, layer), text, 2 * (4 + 10 + 10) * 4 // 3)
    assert part is not None
    assert part["count"] == 3
    assert weights_of(part["layers"][1]) == rows[:3]
    nothing = attention_data((layer,), text, 4)
    assert nothing is not None
    assert nothing["count"] == 0


def test_attention_data_of_far_distances_and_documents() -> None:
    layer = layer_of([[0, 0], *[[99, 99]] * 9], furthest=300)
    data = attention_data((layer,), TextSpan(np.array([1, 0, 1, 1, 0, 1, 1, 1, 1, 1]), Documents((0,), 2)))
    assert data is not None
    assert data["layers"][0]["width"] == 2
    assert max(max(head) for row in weights_of(data["layers"][0])[1:] for head in row) == 300
    assert data["starts"] == [0, 2, 5]


def test_distance_ranges_double_twice() -> None:
    assert distance_ranges(1) == [1]
    assert distance_ranges(2) == [1, 2]
    assert distance_ranges(17) == [1, 2, 3, 4, 6, 8, 12, 16]
