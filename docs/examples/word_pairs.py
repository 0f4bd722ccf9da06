"""Lines `word<TAB>word backwards`, or in Pig Latin, from the words of a text: some held out, the rest to train on.

python word_pairs.py reverse|pig-latin TEXT [SEED] writes NAME-train.tsv and NAME-held-out.tsv; no word is in both.
"""

import random
import re
import sys
from pathlib import Path

HELD_OUT = 0.1
"""The share of the words that is not trained on."""


def reverse(word: str) -> str:
    """Backwards."""
    return word[::-1]


def pig_latin(word: str) -> str:
    """Its first consonants go to the end, qu as one of them, and "ay" follows; "way" where a vowel is first."""
    consonants, rest = re.fullmatch(r"(y?(?:qu|[^aeiouy])*)(.*)", word).groups()  # type: ignore[union-attr]
    return f"{rest}{consonants or 'w'}ay"


def write_pairs(task: str, text: Path, seed: int = 0) -> None:
    """Write both files into the current folder; the seed decides which words are held out, and the order."""
    change = {"reverse": reverse, "pig-latin": pig_latin}[task]
    words = sorted(set(re.findall(r"[a-z]+", text.read_text(encoding="utf-8").lower())))
    random.Random(seed).shuffle(words)
    held_out = round(HELD_OUT * len(words))
    for name, some in (("held-out", words[:held_out]), ("train", words[held_out:])):
        lines = "".join(f"{word}\t{change(word)}\n" for word in some)
        Path(f"{task}-{name}.tsv").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    write_pairs(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
