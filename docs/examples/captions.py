"""Lines `picture<TAB>caption`: pictures of 12 x 7 characters with one or two shapes, and what each shows.

python captions.py [SEED] writes captions-train.tsv and captions-held-out.tsv. The pictures held out are those of a
sixth of all captions of two shapes: each shape and each place is in the training file, but not together.
"""

import random
import sys
from pathlib import Path

WIDTH, HEIGHT, LINES = 12, 7, 20_000
SINGLE, HELD_OUT = 0.1, 1 / 6
"""The share of pictures of one shape, and the share of captions of two shapes that is not trained on."""
SHAPES = {
    "small circle": (".#.", "#.#", ".#."),
    "small square": ("##", "##"),
    "small triangle": (".#.", "###"),
    "large circle": (".###.", "#...#", ".###."),
    "large square": ("#####", "#...#", "#####"),
    "large triangle": ("..#..", ".#.#.", "#####"),
}
"""The pixels of each shape, in the order in which captions name them, so that each picture has one caption."""


def draw(*placed: tuple[str, int, int]) -> str:
    """Draw shapes, each with the column and row of its top left corner; rows end with a slash but for the last."""
    pixels = [["."] * WIDTH for _ in range(HEIGHT)]
    for name, column, row in placed:
        for y, line in enumerate(SHAPES[name], row):
            pixels[y][column : column + len(line)] = line
    return "/".join(map("".join, pixels))


def example(rng: random.Random) -> tuple[str, str]:
    """Return a random picture and its caption."""
    one, two = rng.choices(list(SHAPES), k=2)
    (width, height), (width2, height2) = ((len(SHAPES[name][0]), len(SHAPES[name])) for name in (one, two))
    if rng.random() < SINGLE:
        return draw((one, rng.randint(0, WIDTH - width), rng.randint(0, HEIGHT - height))), f"a {one}"
    if rng.random() < 0.5:  # beside each other, in the same rows or one row apart
        column, row = rng.randint(0, WIDTH - width - 1 - width2), rng.randint(0, HEIGHT - height)
        column2 = rng.randint(column + width + 1, WIDTH - width2)
        row2 = min(max(row + rng.randint(-1, 1), 0), HEIGHT - height2)
        first, second = "left of", "right of"
    else:  # above each other
        column, row = rng.randint(0, WIDTH - width), rng.randint(0, HEIGHT - height - 1 - height2)
        column2 = min(max(column + rng.randint(-1, 1), 0), WIDTH - width2)
        row2 = rng.randint(row + height + 1, HEIGHT - height2)
        first, second = "above", "below"
    picture = draw((one, column, row), (two, column2, row2))
    in_order = list(SHAPES).index(one) <= list(SHAPES).index(two)
    return picture, f"a {one} {first} a {two}" if in_order else f"a {two} {second} a {one}"


def write_captions(seed: int = 0) -> None:
    """Write both files into the current folder; the seed decides which captions are held out, and the pictures."""
    rng = random.Random(seed)
    lines = dict(example(rng) for _ in range(LINES))  # no picture twice
    pairs = sorted({caption for caption in lines.values() if caption.count("a ") > 1})
    held_out = set(rng.sample(pairs, round(HELD_OUT * len(pairs))))
    files: dict[str, list[str]] = {"train": [], "held-out": []}
    for picture, caption in lines.items():
        files["held-out" if caption in held_out else "train"].append(f"{picture}\t{caption}\n")
    for name, chosen in files.items():
        Path(f"captions-{name}.tsv").write_text("".join(chosen), encoding="utf-8")


if __name__ == "__main__":
    write_captions(*map(int, sys.argv[1:]))
