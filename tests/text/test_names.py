"""The text `names`: lists of names in Python source that is never run, and lines that are balanced and held out."""

import dataclasses
import hashlib
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from fake_pip import replace_download, replace_pip

from charrnn.errors import TextError
from charrnn.text.datasets import names
from charrnn.text.datasets.known_text import fetch
from charrnn.text.datasets.names import HELD_OUT, LANGUAGES, NAMES, PER_LANGUAGE, lines_of, names_in_source
from charrnn.text.datasets.registry import find_known_text

SOURCE = """
from collections import OrderedDict
raise SystemExit("this file must not be run")

class Provider(PersonProvider):
    formats = ("{{first_name}}",)
    language_names = ("Esperanto",)
    first_names_male: ElementsType = ("Jan", "O'Neil", " Ulla-Britt ")
    first_names_female = ["Zoe\u0308", "Œdipe"] + ["Anne Marie"]
    first_names = first_names_male + first_names_female
    male_last_names = OrderedDict((("Berg", 0.2), ("Stein", 0.1)))
    last_names_female = OrderedDict({"Holm": 0.5})
    last_names_rus = ("Ivanov",)
    last_names: Any
    first_names_nonbinary = OrderedDict(chain(first_names.items()))
    first_name_pairs = (("Rei", "x"),)
    last_names_other = ("X", "Γιώργος", "N˜n", "J.", *others, 7)
"""


def test_names_in_source_reads_the_lists_without_running_them() -> None:
    expected = ["Jan", "O'Neil", "Ulla-Britt", "Zoë", "Œdipe", "Anne Marie", "Berg", "Stein", "Holm"]
    assert list(names_in_source(SOURCE)) == expected


def lists() -> dict[str, list[str]]:
    own = {language: [f"{language}{number}" for number in range(50)] for language in ("A", "B", "C")}
    return {language: [*names, *names[:9], "Anna", "OLA"] for language, names in own.items()} | {"D": ["Ola", "Dora"]}


def test_lines_are_balanced_unique_and_the_end_is_held_out() -> None:
    lines = lines_of(lists(), 40, 4)
    assert Counter(line.split("\t")[1] for line in lines) == {"A": 40, "B": 40, "C": 40, "D": 1}
    assert len({line.split("\t")[0].casefold() for line in lines}) == len(lines)
    assert not {"Anna", "Ola", "OLA"} & {line.split("\t")[0] for line in lines}
    assert Counter(line.split("\t")[1] for line in lines[-13:]) == {"A": 4, "B": 4, "C": 4, "D": 1}


def test_lines_are_in_the_same_random_order_whatever_the_order_of_the_lists() -> None:
    lines = lines_of(lists(), 40, 4)
    turned = {language: names[::-1] for language, names in reversed(lists().items())}
    assert lines_of(turned, 40, 4) == lines
    assert lines != sorted(lines)
    for part in (lines[:-13], lines[-13:-1]):  # no run of one language: the order is random
        languages = [line.split("\t")[1] for line in part]
        assert max(Counter(languages[: len(part) // 2]).values()) < len(part) / 2


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A wheel with 12 names for each language, which are enough for 10."""
    monkeypatch.setattr(names, "PER_LANGUAGE", 10)
    monkeypatch.setattr(names, "HELD_OUT", 1)
    files = {
        f"faker/providers/person/{locale}/__init__.py": f"class P:\n    last_names = {_words(number)!r}\n"
        for number, locale in enumerate(LANGUAGES)
    }
    files |= {"faker/providers/person/xx_XX/__init__.py": "this is no Python", "faker/__init__.py": "nor is this!"}
    content = replace_download(monkeypatch, "faker==40.63.0", files)
    monkeypatch.setattr(names, "_WHEEL", dataclasses.replace(names._WHEEL, sha256=hashlib.sha256(content).hexdigest()))
    return content


def _words(number: int) -> list[str]:
    return [f"{chr(65 + number)}{chr(97 + i)}" for i in range(12)]


@pytest.mark.usefixtures("wheel")
def test_fetch_names_writes_the_names_of_the_wheel(tmp_path: Path) -> None:
    steps = list(fetch(dataclasses.replace(NAMES, sha256=None), tmp_path))
    assert steps[0] == (0, None, "languages", "downloading faker 40.63.0")
    assert steps[1] == (1, len(LANGUAGES), "languages", "Azerbaijani")
    assert steps[-1][:2] == (len(LANGUAGES), len(LANGUAGES))
    lines = (tmp_path / "names.txt").read_text(encoding="utf-8").splitlines()
    assert Counter(line.split("\t")[1] for line in lines) == dict.fromkeys(LANGUAGES.values(), 10)
    assert Counter(line.split("\t")[1] for line in lines[-21:]) == dict.fromkeys(LANGUAGES.values(), 1)


@pytest.mark.usefixtures("wheel")
def test_fetch_names_of_other_lists_raises(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=f"names: expected SHA-256 {NAMES.sha256}"):
        list(fetch(NAMES, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_fetch_names_without_network_says_what_to_use_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_pip(monkeypatch, "faker==40.63.0", lambda _: subprocess.CompletedProcess([], 1, "", ""))
    message = r"names: cannot be fetched: pip could not download faker==40\.63\.0; .*, or use a file of such lines"
    with pytest.raises(TextError, match=message):
        list(fetch(NAMES, tmp_path))


def test_names_are_at_least_15_languages_and_the_held_out_ones_fit_into_the_last_tenth() -> None:
    assert find_known_text("names.txt") is NAMES
    assert len(set(LANGUAGES.values())) == len(LANGUAGES) >= 15
    assert HELD_OUT < PER_LANGUAGE / 10
