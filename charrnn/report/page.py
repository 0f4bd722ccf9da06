"""A page that is one file: template, style and script put together, and nothing that a text holds can act in it.

Whatever is put into the template is escaped, and what is no plain character in it is written as its code. The page's
own policy (Content-Security-Policy) allows the script and the styles that are in it, by their checksums, and nothing
else: no other script, no network.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
from importlib import resources
from pathlib import Path
from typing import Any

from charrnn import __version__
from charrnn.errors import CharRNNError, UsageError
from charrnn.files import atomic_write
from charrnn.text.sanitize import escape_control_chars

NEEDED = ("matplotlib", "jinja2")
GENERATOR = '<meta name="generator" content="charrnn'
"""Is near the beginning of each page."""
BEGINNING = 4096
"""Bytes of a file in which that is looked for."""
POLICY = "@policy@"
"""Stands in the template for what is known when the rest is done."""


def check_extra() -> None:
    """Raise UsageError if what pages are made with is not installed."""
    lacking = [name for name in NEEDED if not _is_there(name)]
    if lacking:
        raise UsageError(f"pages need {' and '.join(lacking)}; try `pip install {' '.join(NEEDED)}`")


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # in sys.modules without one, as where a test takes it away
        return False


def fill(template: str, values: dict[str, Any]) -> str:
    """A page from a template in `page/`, which finds its style and its script there too.

    Args:
        template: name of the file.
        values: what it names. `Markup` is put in as it is; of text nothing acts.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup, escape

    def harmless(value: object) -> object:
        return escape_control_chars(value, "↵") if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=harmless, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["as_text"] = lambda text: escape(escape_control_chars(text))  # of several lines
    page = environment.from_string(_read(template)).render(
        values, version=__version__, style=Markup(_read("style.css")), script=Markup(_read("view.js")), policy=POLICY
    )
    return page.replace(POLICY, _policy(page), 1)


def _read(name: str) -> str:
    return (resources.files("charrnn.report") / "templates" / name).read_text(encoding="utf-8")


def _policy(page: str) -> str:
    """What the page may do: run its one script, be styled by its styles."""
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hashes(scripts)}",
            f"style-src {_hashes(styles)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hashes(texts: list[str]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in dict.fromkeys(texts))
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"


def is_page(path: Path) -> bool:
    """Whether a file is a page that charrnn wrote."""
    try:
        with path.open("rb") as file:
            return GENERATOR.encode() in file.read(BEGINNING)
    except OSError:
        return False


def write(page: str, path: Path) -> None:
    """Write a page, whole or not at all.

    Raises:
        CharRNNError: it cannot be written.
    """
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CharRNNError(f"{path}: cannot be written: {error.strerror}; say another place with --out") from error
