"""The programs in docs/examples do what the recipes say of them."""

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
PROGRAM = EXAMPLES / "word_pairs.py"


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


def shapes_in(picture: str, known: dict[str, tuple[str, ...]]) -> list[tuple[str, range, range]]:
    """The names of the shapes of a picture, and their columns and rows: whatever is connected is one of them."""
    rows = picture.split("/")
    assert [len(row) for row in rows] == [12] * 7
    left = {(x, y) for y, row in enumerate(rows) for x, pixel in enumerate(row) if pixel == "#"}
    found = []
    while left:
        shape, ahead = set(), [left.pop()]
        while ahead:
            x, y = ahead.pop()
            shape.add((x, y))
            near = {(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)} & left
            left -= near
            ahead += near
        columns, lines = ({place[axis] for place in shape} for axis in (0, 1))
        across, down = range(min(columns), max(columns) + 1), range(min(lines), max(lines) + 1)
        pixels = tuple("".join("#" if (x, y) in shape else "." for x in across) for y in down)
        (name,) = (name for name, drawn in known.items() if drawn == pixels)
        found.append((name, across, down))
    return sorted(found, key=lambda part: list(known).index(part[0]))


def is_caption(caption: str, shapes: list[tuple[str, range, range]]) -> bool:
    """Whether a caption names all shapes, in the order of the program, and says where the first one is."""
    if len(shapes) == 1:
        return caption == f"a {shapes[0][0]}"
    (one, across, down), (two, across2, down2) = shapes
    place = caption.removeprefix(f"a {one} ").removesuffix(f" a {two}")
    if one == two:
        place = {"right of": "wrong", "below": "wrong"}.get(place, place)  # of equal shapes, the first is left or above
        (across, across2), (down, down2) = sorted((across, across2), key=min), sorted((down, down2), key=min)
    return {
        "left of": across.stop < across2.start, "right of": across2.stop < across.start,
        "above": down.stop < down2.start, "below": down2.stop < down.start,
    }.get(place, False)  # fmt: skip


def test_captions_example_describes_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Captions say what is there; no caption of two shapes is in both files, but every shape and place is."""
    monkeypatch.chdir(tmp_path)

    def made(*seed: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
        monkeypatch.setattr(sys, "argv", ["captions.py", *seed])
        names = runpy.run_path(str(EXAMPLES / "captions.py"), run_name="__main__")
        texts = [Path(f"captions-{name}.tsv").read_text(encoding="utf-8") for name in ("train", "held-out")]
        return names, [dict(line.split("\t") for line in text.splitlines()) for text in texts]

    names, (train, held_out) = made()
    for lines in (train, held_out):
        assert all(is_caption(caption, shapes_in(picture, names["SHAPES"])) for picture, caption in lines.items())
    captions, others = set(train.values()), set(held_out.values())
    assert not captions & others
    assert (len(captions | others), len(others)) == (6 + 72, 12)
    assert len(held_out) > 500
    assert not train.keys() & held_out.keys()
    words = {word for caption in captions for word in caption.split()}
    assert words >= {word for caption in others for word in caption.split()}
    assert made("0")[1] == [train, held_out] != made("1")[1]
