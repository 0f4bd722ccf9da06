"""Names and their languages, for classification: lines `name<TAB>language`, from the lists of the faker package.

Each language has the same number of names, first names and family names together, all in the Latin alphabet: otherwise
the script alone would give most languages away. A name that occurs in several of the languages, in whatever case, is
left out, because it has no single right answer. Each name is on one line only.

The last `HELD_OUT` names of each language are the end of the text: all of them are in the last tenth of its characters,
so the default split does not train on them. The order of the lines is random, and the same on every machine.

The lists are read from faker's source code, which is parsed, but not run.
"""

from __future__ import annotations

import ast
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from charrnn.text.datasets.known_text import FetchProgress, KnownText, Pieces
from charrnn.text.datasets.wheel import Wheel

LANGUAGES = {
    "az_AZ": "Azerbaijani",
    "de_DE": "German",
    "en_GB": "English",
    "es_ES": "Spanish",
    "et_EE": "Estonian",
    "fi_FI": "Finnish",
    "fr_FR": "French",
    "ga_IE": "Irish",
    "hr_HR": "Croatian",
    "id_ID": "Indonesian",
    "is_IS": "Icelandic",
    "it_IT": "Italian",
    "lv_LV": "Latvian",
    "nl_NL": "Dutch",
    "pl_PL": "Polish",
    "ro_RO": "Romanian",
    "sk_SK": "Slovak",
    "sv_SE": "Swedish",
    "tr_TR": "Turkish",
    "uz_UZ": "Uzbek",
    "zu_ZA": "Zulu",
}
"""The languages by faker's locale: those written in the Latin alphabet with `PER_LANGUAGE` names that no other has."""
PER_LANGUAGE, HELD_OUT = 360, 35
"""The number of names of each language, and how many of these are at the end of the text."""
_WHEEL = Wheel("faker", "40.63.0", "36627c20b575b4138f54b6c21f8703e9ab122fd487aca11319beec2aa6ca7232")
_LISTS = re.compile(r"(?:first|last)_names(?!.*_rus)")
"""The lists of a locale; Estonia's has lists of Russian names too."""
_BESIDE_LETTERS = frozenset(" '’-")


def _names() -> Pieces:
    paths = {f"{_WHEEL.package}/providers/person/{locale}/__init__.py": LANGUAGES[locale] for locale in LANGUAGES}
    files = yield from _WHEEL.read("names", paths.__contains__, "languages", "a file of such lines of your own")
    names: dict[str, list[str]] = {}
    for done, path in enumerate(sorted(files), start=1):
        names[paths[path]] = list(names_in_source(files[path]))
        yield b"", FetchProgress(done, len(files), "languages", paths[path])
    text = "".join(f"{line}\n" for line in lines_of(names, PER_LANGUAGE, HELD_OUT))
    yield text.encode(), FetchProgress(len(files), len(files), "languages", "all")


def names_in_source(source: str) -> Iterator[str]:
    """Yield the names in the lists of a module of faker, which may repeat: those in the Latin alphabet, in NFC."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and _LISTS.search(target.id):
                names = (unicodedata.normalize("NFC", name.strip()) for name in _strings(node.value))
                yield from filter(_is_latin, names)


def _strings(node: ast.expr) -> Iterator[str]:
    """Yield the strings of an expression: tuples, lists, sums of them, and OrderedDicts (name, frequency).

    Names of other lists are skipped: these are read where they are defined.
    """
    match node:
        case ast.Constant(value=str(name)):
            yield name
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Call(func=ast.Name(id="OrderedDict"), args=parts):
            for part in parts:
                yield from _strings(part)
        case ast.Dict(keys=keys):
            for key in filter(None, keys):
                yield from _strings(key)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from _strings(left)
            yield from _strings(right)


def _is_latin(name: str) -> bool:
    """Whether a name has two characters or more: letters of the Latin alphabet, spaces, apostrophes and hyphens."""
    return len(name) > 1 and all(
        character in _BESIDE_LETTERS or unicodedata.name(character, "").startswith("LATIN ") for character in name
    )


def lines_of(names: Mapping[str, Iterable[str]], number: int, held_out: int) -> list[str]:
    """Return the lines of a text, in which no name occurs twice.

    Args:
        names: the names of each language, which may repeat.
        number: how many names of each language to use; fewer if a language has fewer.
        held_out: how many of these are in the last lines.
    """
    unique = {language: {name.casefold(): name for name in sorted(names[language])} for language in names}
    counts = Counter(key for keys in unique.values() for key in keys)
    train, end = [], []
    for language, keys in unique.items():
        own = [f"{name}\t{language}" for key, name in keys.items() if counts[key] == 1]
        chosen = _shuffled(own, "choice")[:number]
        train += chosen[held_out:]
        end += chosen[:held_out]
    return [*_shuffled(train, "order"), *_shuffled(end, "order")]


def _shuffled(lines: Sequence[str], seed: str) -> list[str]:
    """Return lines in random order: by their checksums, so it depends neither on their order nor on a generator."""
    return sorted(lines, key=lambda line: hashlib.sha256(f"{seed}\t{line}".encode()).digest())


NAMES = KnownText(
    "names",
    source=_WHEEL.source,
    licence="MIT",
    size=122_993,
    sha256="2665496007956d453b6c3f62998405beeb32a44b820a86ab312d5df3f3115ddb",
    pieces=_names,
)
"""7,560 names of 21 languages."""
