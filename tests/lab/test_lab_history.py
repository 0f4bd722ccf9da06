"""`charrnn lab history`: correct targets, and lines that count if greedy decoding writes their target."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from charrnn.config import ModelConfig
from charrnn.lab.experiment import LabContext
from charrnn.lab.history import CHARACTERS, END, IDS, NETWORKS, PLANES, SIZES, Kind, encoded, measure, run
from charrnn.lab.line_tasks import TASKS, Clause, Noun, number_in_words, same_meanings
from charrnn.models.rnn.model import RecurrentModel
from charrnn.text.batches import IGNORE_INDEX


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (7, "seven"),
        (15, "fifteen"),
        (20, "twenty"),
        (99, "ninety nine"),
        (110, "one hundred ten"),
        (12_000, "twelve thousand"),
        (300_021, "three hundred thousand twenty one"),
        (100_000_003, "one hundred million three"),
    ],
)
def test_number_in_words_is_english(number: int, words: str) -> None:
    assert number_in_words(number) == words


def test_numbers_of_a_size_have_that_many_digits_and_different_words() -> None:
    rng = np.random.default_rng(0)
    for size in range(1, TASKS["numbers"].sizes + 1):
        lines = {TASKS["numbers"].draw(rng, size) for _ in range(50)}
        assert {len(digits) for _, digits in lines} == {size}
        assert len({words for words, _ in lines}) == len(lines)


def test_dates_have_the_year_month_and_day_of_their_source() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        source, target = TASKS["dates"].draw(rng, 1)
        year, month, day = map(int, target.split("-"))
        name = ["Ja", "F", "Mar", "Ap", "May", "Jun", "Jul", "Au", "S", "O", "N", "D"][month - 1]
        assert sorted(map(int, re.findall(r"\d+", source))) == [day, year]
        assert re.search(rf"\b{name}", source)


def test_backwards_target_is_the_source_in_reverse() -> None:
    source, target = TASKS["backwards"].draw(np.random.default_rng(0), 8)
    assert target == source[::-1]
    assert len(source.split()) == 8


def test_clause_is_translated_with_order_case_and_number() -> None:
    clause = Clause(Noun(True, "small", "dog", True), "see", Noun(False, "", "house", False), False)
    assert clause.english == "the small dogs see a house"
    assert clause.translated == "sa kani mini domm vidun"
    passive = Clause(clause.subject, "see", Noun(False, "old", "child", True), True)
    assert passive.english == "some old children are seen by the small dogs"
    assert passive.translated == "sa kani mini pelim vetim vidun"


def test_equal_meanings_have_equal_translations_and_different_words() -> None:
    lines = same_meanings()
    assert len({source for source, _ in lines}) == len(lines) == 16
    assert len({target for _, target in lines}) == 4


@pytest.mark.parametrize("is_reversed", [False, True])
def test_encoded_lines_have_the_targets_only(is_reversed: bool) -> None:
    inputs, targets = encoded([("ab", "12"), ("abc", "")], is_reversed)
    text = ["".join(CHARACTERS[i] for i in row) for row in inputs.tolist()]
    assert text == (["\nba\t12", "\ncba\t\n"] if is_reversed else ["\nab\t12", "\nabc\t\n"])
    assert targets.tolist() == [
        [IGNORE_INDEX] * 3 + [IDS["1"], IDS["2"], END],
        [IGNORE_INDEX] * 4 + [END, IGNORE_INDEX],
    ]


def test_measured_lines_are_those_that_greedy_decoding_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = RecurrentModel(ModelConfig("gru", 1, 8), len(CHARACTERS)).eval()
    monkeypatch.setattr("charrnn.lab.history.TEST_ROWS", 7)

    def greedy(source: str, length: int) -> str:
        ids = [IDS[character] for character in f"\n{source}\t"]
        for _ in range(length):
            ids.append(int(network(torch.tensor([ids]))[0][0, -1].argmax()))
        return "".join(CHARACTERS[i] for i in ids[len(source) + 2 :])

    torch.nn.init.normal_(network.head.weight)
    network.head.bias.data[END] += 5  # so that it ends many lines
    drawn: list[tuple[str, str]] = []

    def draw(rng: np.random.Generator, size: int) -> tuple[str, str]:
        source = "".join(CHARACTERS[i] for i in rng.integers(4, 40, size))
        target = greedy(source, 6).partition("\n")[0] if rng.integers(2) else "xyz"
        drawn.append((source, target))
        return drawn[-1]

    monkeypatch.setitem(TASKS, "backwards", replace(TASKS["backwards"], draw=draw, sizes=3, width=1))
    rows = measure(LabContext(), SIZES["tiny"], "backwards", Kind("gru", False, "gru"), network)
    assert [row["length"] for row in rows] == [1, 2, 3]
    right = [greedy(source, len(target) + 1) == f"{target}\n" for source, target in drawn]
    assert sum(row["lines"] * row["accuracy"] for row in rows) == pytest.approx(sum(right))
    assert 0.2 < np.mean(right) < 0.8


def test_history_has_rows_for_each_task_and_network_and_the_planes() -> None:
    size = SIZES["tiny"]
    result = run(LabContext(seed=1), size)
    for task in size.tasks:
        for name in NETWORKS:
            rows = [row for row in result.rows if (row["task"], row["network"]) == (task, name) and row["lines"]]
            assert sum(row["lines"] for row in rows) == size.tests * size.seeds
            assert {row["seed"] for row in rows} == {1, 2}
    assert [row["network"] for row in result.rows if row["phrase"]] == [name for name in PLANES for _ in range(16)]
    assert len(result.table) == 1 + len(size.tasks) * len(NETWORKS) * size.seeds
    assert all(abs(row["parameters"] - size.parameters) <= 0.02 * size.parameters for row in result.rows)
    again = run(LabContext(seed=1), size)
    assert again.rows == result.rows
