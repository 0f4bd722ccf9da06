"""Hooks of MkDocs: pages made from files in the repository's root, and Markdown as GitHub reads it.

README.md is the home page; CONTRIBUTING.md, CHANGELOG.md and LICENSE are pages of the project. On every page, links out
of docs/ become links to the page of that file, or plain text if the site has no such page. GitHub's alerts
(`> [!NOTE]`) become admonitions. Comments, such as those of cog, are dropped, but for directives of mkdocstrings, which
GitHub would show (`<!-- ::: charrnn.fit -->`).
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
ROOT_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "LICENSE": "project/license.md",
}
"""Files in the root → their pages in docs/."""
FENCE = re.compile(r"^( *(?:```|~~~).*?^ *(?:```|~~~) *$)", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^ *<!--.*?--> *\n?", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r"^<!-- (::: [\w.]+) -->$", re.MULTILINE)
TABLE_ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
CODE = re.compile(r"(`+).*?(?<!`)\1(?!`)")
LINK = re.compile(
    r"`[^`\n]*\]\([^`\n]*`|(?P<bang>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\]\([^)]*\)|\[[^\]]*\])*)\]\((?P<url>[^)\s]+)\)"
)
ATTRIBUTE = re.compile(r"""(?P<name>\b(?:src|srcset|href)=)(?P<quote>["'])(?P<url>.*?)(?P=quote)""")
ALERT = re.compile(r"^> \[!(\w+)\] *\n((?:^>.*\n?)*)", re.MULTILINE)
TIGHT_LIST = re.compile(r"^(?![ \t]*(?:[-*+>|#]|\d+\.) ?)[^\n\s][^\n]*\n(?:[-*+]|1\.) [^\n]*", re.MULTILINE)

ODD_INDENT = re.compile(r"(?:^|\n)[ ]*\n( {1,3}[^ \n][^\n]*)|\n( {1,3}(?:[-*+] |```)[^\n]*)")
"""Lines that GitHub reads as part of a list item, and MkDocs does not."""

log = logging.getLogger("mkdocs.hooks.charrnn")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from files in the root."""
    from mkdocs.structure.files import File

    for source, target in ROOT_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if source == "LICENSE":
            text = f"# License\n\n```text\n{text}```\n"
        files.append(File.generated(config, target, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn Markdown as GitHub reads it into Markdown as MkDocs reads it."""
    target = page.file.src_uri
    source = next((name for name, made in ROOT_PAGES.items() if made == target), f"docs/{target}")
    if target == "index.md":
        page.meta["hide"] = ["navigation"]
    return convert(markdown, source, target)


def convert(markdown: str, source: str, target: str) -> str:
    """The Markdown of a page.

    Args:
        markdown: the text of the file.
        source: the file, relative to the root of the repository.
        target: the page, relative to docs/.
    """
    parts = FENCE.split(markdown)
    for found in ODD_INDENT.findall(FENCE.sub(lambda match: match[0].splitlines()[0], markdown)):
        log.warning("%s: what belongs to a list item needs four spaces: %r", source, "".join(found))
    for i in range(0, len(parts), 2):
        part = COMMENT.sub("", DIRECTIVE.sub(r"\1\n", parts[i]))
        part = ALERT.sub(_admonition, part)
        for found in TIGHT_LIST.findall(part):
            log.warning("%s: a list needs an empty line before it: %r", source, found)
        part = TABLE_ROW.sub(lambda match: CODE.sub(lambda code: code[0].replace("\\|", "|"), match[0]), part)
        part = LINK.sub(lambda match: _link(match, source, target), part)
        parts[i] = ATTRIBUTE.sub(
            lambda match: f"{match['name']}{match['quote']}{relocate(match['url'], source, target)}{match['quote']}",
            part,
        )
    return "".join(parts)


def relocate(url: str, source: str, target: str) -> str | None:
    """A link in the file `source` as the page `target` has it; None if the site has nothing to link to."""
    path, mark, anchor = url.partition("#")
    if not path or re.match(r"[a-z]+:", url):
        return url
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if not (ROOT / path).exists():
        log.warning("%s: links to %s, which does not exist", source, url)
        return url
    if (ROOT / path).is_dir():
        path = f"{path}/README.md"
    if path in ROOT_PAGES:
        page = ROOT_PAGES[path]
    elif path.startswith("docs/") and (ROOT / path).is_file() and not path.startswith(("docs/tools/", "docs/output/")):
        page = path.removeprefix("docs/")
    else:
        return None
    return posixpath.relpath(page, posixpath.dirname(target) or ".") + mark + anchor


def _link(match: re.Match[str], source: str, target: str) -> str:
    if match["url"] is None:  # inline code
        return match[0]
    text = LINK.sub(lambda inner: _link(inner, source, target), match["text"])
    url = relocate(match["url"], source, target)
    return text if url is None else f"{match['bang']}[{text}]({url})"


def _admonition(match: re.Match[str]) -> str:
    lines = [re.sub(r"^> ?", "", line) for line in match[2].splitlines()]
    return "\n".join([f"!!! {match[1].lower()}", "", *(f"    {line}".rstrip() for line in lines), ""])
