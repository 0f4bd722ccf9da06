"""Pairs of brackets, quotes and tags, and their distances."""

from charrnn.scoring.structure.brackets import MAX_DISTANCE, find_closings, looks_like_code

CODE = "\nx = {a_b: (c_d, [e_f])}\n" * 3
"""A prefix that makes any text look like code."""


def closings(text: str) -> list[tuple[str, str, int]]:
    """Return the closing characters of each pair, the kind, and the distance."""
    return [
        (text[closing.place : closing.place + closing.length], closing.kind, closing.distance)
        for closing in find_closings(text)
    ]


def in_code(line: str) -> list[tuple[str, str, int]]:
    before = find_closings(CODE)
    text = CODE + line
    return [
        (text[closing.place : closing.place + closing.length], closing.kind, closing.distance)
        for closing in find_closings(text)
        if closing not in before
    ]


def test_brackets_of_several_kinds_match_by_kind() -> None:
    assert closings("(a[b)c] d{}") == [(")", "()", 4), ("]", "[]", 4), ("}", "{}", 1)]
    assert closings("((a) b)") == [(")", "()", 2), (")", "()", 6)]
    assert closings("a) b) (c") == []


def test_closings_have_their_places_in_the_text() -> None:
    (closing,) = find_closings("say (it) now")
    assert (closing.place, closing.length, closing.distance) == (7, 1, 3)


def test_quotes_of_prose_end_in_their_paragraph() -> None:
    prose = '"Go," he said. \'Tis o\' the king\'s "men\nare" \'here\' and "there\n\nnot" so'
    assert closings(prose) == [('"', '""', 4), ('"', '""', 8)]
    assert closings("“Well” he’s") == [("”", "“”", 5)]


def test_quotes_of_code_end_on_their_line() -> None:
    assert in_code("f('a\\'b', \"don't\", r'c') # it's") == [
        ("'", "''", 5), ('"', '""', 6), ("'", "''", 2), (")", "()", 22),
    ]  # fmt: skip
    assert in_code("'open\nclose'") == []
    assert in_code("a = ''") == [("'", "''", 1)]


def test_brackets_in_a_string_of_code_are_ignored() -> None:
    assert in_code("f('(')") == [("'", "''", 2), (")", "()", 4)]
    assert in_code("f(a)['x', 'y']") == [(")", "()", 2), ("'", "''", 2), ("'", "''", 2), ("]", "[]", 9)]


def test_quotes_of_three_count_once() -> None:
    assert in_code('"""A "b".\n\nIt\'s.\n"""') == [('"', '""', 2), ('"', '"""', 15)]


def test_tags_match_by_name() -> None:
    text = '<p class="x">a<br>b<i/> <b>c</b></p> 1 < 2 </q>'
    assert closings(text)[1:] == [("b>", "<>", 2), ("p>", "<>", text.index("</p>") - text.index(">"))]


def test_brackets_beyond_the_longest_distance_are_ignored() -> None:
    text = "(" + "a" * (MAX_DISTANCE - 1)
    assert closings(text + ")") == [(")", "()", MAX_DISTANCE)]
    assert closings(text + "a)") == []


def test_looks_like_code_tells_code_from_prose() -> None:
    assert looks_like_code(CODE)
    prose = "To be, or not to be: that is the question that men put to themselves (and none else), or so he says."
    assert not looks_like_code(prose)
    assert not looks_like_code("")
