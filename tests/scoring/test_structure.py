"""`charrnn compare --structure` with models of known probabilities, so that each result can be computed by hand."""

import json
import math

import numpy as np
import pytest
import torch
from known_model import KnownModel, always, by_length

from charrnn.errors import ModelError, TextError
from charrnn.scoring.structure import context_length as contexts
from charrnn.scoring.structure import probe as probing
from charrnn.scoring.structure.context_length import draw_places, lengths_in, surprisals_after
from charrnn.scoring.structure.figures import Difference
from charrnn.scoring.structure.indentation import IndentedLines
from charrnn.scoring.structure.probe import probe
from charrnn.scoring.structure.side_by_side import compare_structure
from charrnn.text.vocabulary import Vocabulary


def log2(p: float) -> float:
    return math.log2(p)


def test_context_has_exactly_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's probabilities reveal how many characters it has read, for any number of rows in a batch."""
    ids, places = np.zeros(40, np.uint8), np.array([7, 20, 39])
    for rows in (256, 2):
        monkeypatch.setattr(contexts, "MAX_ROWS", rows)
        for length in (1, 2, 7):
            after = surprisals_after(by_length(3), ids, places, length)
            np.testing.assert_allclose(after, math.log(1 + length), rtol=1e-6)


def test_context_is_what_precedes_the_place() -> None:
    """A model that repeats the first character of its context reveals where the context begins."""
    repeats = KnownModel(5, lambda read: torch.nn.functional.one_hot(torch.tensor(read[0]), 5).float() * 50)
    ids = np.arange(20) % 5
    for length, is_known in ((5, True), (4, False), (10, True)):
        after = surprisals_after(repeats, ids, np.array([10, 13, 19]), length)
        assert all((after < 1e-3) == is_known)


def test_places_are_drawn_by_seed_with_enough_context() -> None:
    drawn = draw_places(1000, 512, 50, seed=3)
    assert (drawn == draw_places(1000, 512, 50, seed=3)).all()
    assert (drawn != draw_places(1000, 512, 50, seed=4)).any()
    assert (len(set(drawn.tolist())), drawn.min() >= 512, drawn.max() < 1000) == (50, True, True)
    assert draw_places(20, 8, 50).tolist() == list(range(8, 20))
    assert lengths_in(100, (8, 16, 50, 51)) == (8, 16, 50)


def test_probe_in_any_chunks_gives_one_result(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, places = np.array([0, 1, 2, 0, 1, 2, 0, 0]), np.array([1, 4, 6, 7])
    whole = probe(by_length(3), ids, places, {"any": range(3), "last": [1, 2]})
    assert whole.surprisals[0] == math.log(3)
    np.testing.assert_allclose(whole.surprisals[[3, 6, 7]], np.log([4, 7, 8]), rtol=1e-6)
    np.testing.assert_allclose(whole.surprisals[1], -math.log(1 / 4), rtol=1e-6)
    np.testing.assert_allclose(whole.mass["last"], np.log1p(-1 / (places + 1)), rtol=1e-6)
    assert whole.best["any"].tolist() == [0, 1, 1, 1]  # at the first position, all are equally likely
    assert whole.rows(np.array([4, 7])).tolist() == [1, 3]
    for piece in (1, 3):
        monkeypatch.setattr(probing, "CHUNK_CHARS", piece)
        again = probe(by_length(3), ids, places, {"any": range(3), "last": [1, 2]})
        np.testing.assert_array_equal(again.surprisals, whole.surprisals)
        np.testing.assert_array_equal(again.mass["last"], whole.mass["last"])
        np.testing.assert_array_equal(again.best["any"], whole.best["any"])


def test_probe_of_nan_raises() -> None:
    damaged = KnownModel(2, lambda read: torch.full((2,), math.nan))
    with pytest.raises(ModelError, match="NaN probabilities"):
        probe(damaged, np.zeros(3, np.uint8), np.array([1]), {"any": [0, 1]})


def test_difference_has_the_standard_error_of_pairs() -> None:
    network, counts = np.array([1.0, 2.0, 3.0]) * math.log(2), np.array([2.0, 4.0, 3.0]) * math.log(2)
    bits = Difference.of(network, counts)
    assert (bits.cases, bits.network, bits.counts, bits.difference) == pytest.approx((3, 2, 3, -1))
    assert bits.error == pytest.approx(1 / math.sqrt(3))  # of −1, −2 and 0
    assert Difference.of(network[:1], counts[:1]).error is None


TEXT = "(a) (bb) (cccc) [a] (b ccc)\n" * 3
VOCABULARY = Vocabulary("\n ()[]abc")
OPEN, CLOSE, SQUARE = (VOCABULARY.characters or ()).index("("), 3, 5


def test_structure_groups_closings_by_distance_and_kind() -> None:
    network = always(len(VOCABULARY), {CLOSE: 0.5, SQUARE: 0.125})
    counts = always(len(VOCABULARY), {CLOSE: 0.25, SQUARE: 0.5})
    structure = compare_structure(network, counts, VOCABULARY.encode(TEXT), VOCABULARY, places=1)
    by_kind = {(row.kind, row.low, row.high): row.bits for row in structure.kinds}
    assert {key: bits.cases for key, bits in by_kind.items()} == {
        ("()", 1, 3): 6, ("()", 4, 7): 6, ("[]", 1, 3): 3,
    }  # fmt: skip
    near, square = by_kind["()", 1, 3], by_kind["[]", 1, 3]
    assert (near.network, near.counts, near.difference, near.error) == pytest.approx((1, 2, -1, 0))
    assert (square.network, square.counts, square.difference) == pytest.approx((3, 1, 2))
    together = {(row.kind, row.low): row.bits for row in structure.closings}
    assert together["brackets", 1].cases == 9
    assert together["brackets", 1].difference == pytest.approx((6 * -1 + 3 * 2) / 9, abs=1e-6)
    assert structure.is_code
    assert structure.indentation == ()
    round_brackets, square_brackets = structure.brackets
    assert (round_brackets.kind, round_brackets.cases) == ("()", 12)
    assert (round_brackets.network_among, round_brackets.counts_among, round_brackets.network_first) == (1, 0, 1)
    assert (square_brackets.network_among, square_brackets.counts_among, square_brackets.counts_first) == (0, 1, 1)
    assert json.loads(json.dumps(structure.as_json(), allow_nan=False))["kinds"][0]["kind"] == "()"


def test_structure_has_contexts_of_both_models() -> None:
    ids = np.zeros(64, np.uint8)
    structure = compare_structure(by_length(2), always(2, {0: 0.5}), ids, Vocabulary("ab"), places=20)
    assert [row.length for row in structure.contexts] == [8, 16, 32, None]
    assert [row.network for row in structure.contexts[:3]] == pytest.approx([log2(9), log2(17), log2(33)])
    assert [row.counts for row in structure.contexts] == pytest.approx([1.0] * 4)
    drawn = draw_places(64, 32, 20)
    whole = float(np.log2(drawn + 1).mean())
    assert structure.contexts[-1].network == pytest.approx(whole)
    assert structure.contexts[0].lost == pytest.approx(log2(9) - whole)
    assert (structure.contexts[-1].lost, structure.places) == (0, 20)


INDENTED = "half\nif a:\n    b\n    c\n\n  d\ne\n" * 12


def test_indented_lines_have_their_changes_of_indentation() -> None:
    lines = IndentedLines.of(INDENTED)
    assert lines is not None
    starts = [INDENTED[start:].split("\n")[0] for start in lines.starts[:6]]
    assert starts == ["    b", "    c", "  d", "e", "half", "if a:"]
    assert lines.widths[:6].tolist() == [4, 4, 2, 0, 0, 0]
    assert lines.changes[:6].tolist() == [1, 0, 2, 2, 0, 0]
    assert "".join(INDENTED[place] for place in lines.places[:15]) == "    b    c  deh"[:15]
    assert IndentedLines.of("a\n  b\n" * 10) is None


def test_indentation_probability_excludes_the_line_end() -> None:
    """A blank has probability 1/4, a line end 1/2: without line ends, a blank has probability 1/2."""
    vocabulary = Vocabulary("\n abcdefhil:")
    model = always(len(vocabulary), {0: 0.5, 1: 0.25})
    never = always(len(vocabulary), {0: 0.5, 1: 0.0125})
    structure = compare_structure(model, never, vocabulary.encode(INDENTED), vocabulary, places=1)
    rows = {row.change: row for row in structure.indentation}
    lines = IndentedLines.of(INDENTED)
    assert lines is not None
    assert rows["all"].bits.cases == len(lines.widths) == sum(row.bits.cases for row in structure.indentation[1:])
    assert rows["all"].bits.network == pytest.approx((lines.widths + 1).mean())  # a bit for each blank, one for the end
    assert rows["deeper"].bits.network == pytest.approx(5)
    assert rows["deeper"].bits.counts == pytest.approx(-4 * log2(0.025) - log2(0.975))
    # Greedy decoding generates only blanks with the first model, and none with the other.
    assert (rows["all"].network_right, rows["all"].counts_right) == pytest.approx((0, (lines.widths == 0).mean()))


def test_indentation_is_right_only_with_every_blank() -> None:
    """The model always predicts two blanks after a line end."""
    vocabulary = Vocabulary("\n ab")

    def logits(read: list[int]) -> torch.Tensor:
        blank = read[-1] == 0 or read[-2:] == [0, 1]
        return torch.tensor([2.0, 1.0, 0.0, 0.0]) if blank else torch.tensor([2.0, 0.0, 1.0, 0.0])

    ids = vocabulary.encode("a\n" + "  a\n a\n   a\nb\n" * 10)
    structure = compare_structure(KnownModel(4, logits), always(4, {2: 0.5}), ids, vocabulary, places=1)
    assert structure.indentation[0].network_right == pytest.approx(10 / 40, abs=0.03)


def test_structure_of_one_character_or_an_impossible_one_raises() -> None:
    with pytest.raises(TextError, match="no held-out characters"):
        compare_structure(by_length(2), by_length(2), np.zeros(1, np.uint8), Vocabulary("ab"))
    impossible = KnownModel(2, lambda read: torch.tensor([0.0, -math.inf]))
    with pytest.raises(ModelError, match="probability 0"):
        compare_structure(by_length(2), impossible, np.array([0, 1, 0]), Vocabulary("ab"))


def test_structure_of_bytes_reads_characters() -> None:
    text = "(é) " * 8
    ids = np.frombuffer(text.encode(), np.uint8)
    structure = compare_structure(always(256, {41: 0.5}), always(256, {41: 0.25}), ids, Vocabulary(None), places=1)
    (row,) = structure.kinds
    assert (row.kind, row.low, row.bits.cases) == ("()", 1, 8)
    assert row.bits.difference == pytest.approx(-1, rel=1e-5)


def test_structure_progress_covers_all_work() -> None:
    seen: list[tuple[int, int]] = []
    model = by_length(2)
    compare_structure(
        model, model, np.zeros(40, np.uint8), Vocabulary("ab"), 5, progress=lambda *update: seen.append(update)
    )
    assert seen[-1] == (80 + 2 * 5 * (8 + 16), 80 + 2 * 5 * (8 + 16))
    assert seen == sorted(seen)
