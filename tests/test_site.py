"""The documentation site: its Markdown, that it builds strictly, and how it looks in a browser."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import emulate
from hooks import convert, relocate

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

ROOT = Path(__file__).parents[1]
PAGES = (
    "index.html",
    "guides/python.html",
    "reference/commands/train.html",
    "reference/settings.html",
    "reference/python-api.html",
    "project/contributing.html",
    "benchmarks/machines.html",
)
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}


@pytest.mark.parametrize(
    ("url", "source", "target", "expected"),
    [
        ("docs/guides/python.md", "README.md", "index.md", "guides/python.md"),
        ("docs/pictures/view-page.png", "README.md", "index.md", "pictures/view-page.png"),
        ("CONTRIBUTING.md#layout", "README.md", "index.md", "project/contributing.md#layout"),
        ("docs/lab", "README.md", "index.md", "lab/README.md"),
        ("LICENSE", "README.md", "index.md", "project/license.md"),
        ("charrnn/api.py", "README.md", "index.md", None),
        ("docs/guides/python.md", "CONTRIBUTING.md", "project/contributing.md", "../guides/python.md"),
        ("../../README.md", "docs/guides/gpu.md", "guides/gpu.md", "../index.md"),
        ("../../charrnn/api.py", "docs/guides/gpu.md", "guides/gpu.md", None),
        ("python.md#a", "docs/guides/gpu.md", "guides/gpu.md", "python.md#a"),
        ("https://example.org/docs/a.md", "README.md", "index.md", "https://example.org/docs/a.md"),
        ("#below", "README.md", "index.md", "#below"),
    ],
)
def test_links_are_relocated(url: str, source: str, target: str, expected: str | None) -> None:
    assert relocate(url, source, target) == expected


def test_markdown_of_github_becomes_markdown_of_mkdocs() -> None:
    page = (
        "<!-- [[[cog code ]]] -->\n"
        "See [the API](charrnn/api.py) and [![picture](docs/lab/ngrams.png)](docs/lab/ngrams.md), `[not](a link)`.\n"
        '<img src="docs/lab/ngrams.png" alt="x">\n'
        "> [!NOTE]\n> Two\n> lines.\n\n"
        "```sh\n<!-- kept -->\n[not](a/link)\n```\n"
        "<!-- ::: charrnn.fit -->\n"
    )
    assert convert(page, "README.md", "index.md") == (
        "See the API and [![picture](lab/ngrams.png)](lab/ngrams.md), `[not](a link)`.\n"
        '<img src="lab/ngrams.png" alt="x">\n'
        "!!! note\n\n    Two\n    lines.\n\n"
        "```sh\n<!-- kept -->\n[not](a/link)\n```\n"
        "::: charrnn.fit\n\n"
    )


@pytest.mark.parametrize(
    ("markdown", "complaint"),
    [
        ("A list:\n- one\n", "needs an empty line before it"),
        ("- one\n\n  more of it\n", "needs four spaces"),
        ("- one\n  ```sh\n  ls\n  ```\n", "needs four spaces"),
        ("- one\n\n  ```sh\n  ls\n  ```\n", "needs four spaces"),
        ("- one\n  - nested\n", "needs four spaces"),
        ("[a](missing.md)\n", "does not exist"),
        ("A list:\n\n- one\n\n    more of it\n", ""),
        ("- one,\n  and more\n- two\n", ""),
    ],
)
def test_markdown_that_mkdocs_reads_otherwise_is_a_warning(
    markdown: str, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And a strict build fails at a warning."""
    convert(markdown, "docs/guides/python.md", "guides/python.md")
    assert complaint in caplog.text
    assert bool(complaint) == bool(caplog.records)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a broken link, a missing anchor or a page that is not in the navigation is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder


@pytest.mark.docs
def test_site_builds_strictly(site: Path) -> None:
    assert all((site / page).is_file() for page in PAGES)


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_page_fits_a_phone_and_requests_nothing(page: str, scheme: str, site: Path, chrome: "Chrome") -> None:
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    emulate(chrome, scheme)
    chrome.get((site / page).as_uri())
    names = chrome.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in names if not name.startswith(("file:", "data:", "blob:"))] == []
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]
    shade = chrome.execute_script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(shade[:3]) > 3 * 128) == (scheme == "light")
    assert chrome.get_log("browser") == []  # type: ignore[no-untyped-call]


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_search_works_from_disk(site: Path, chrome: "Chrome") -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chrome.get((site / "index.html").as_uri())
    chrome.find_element(By.CSS_SELECTOR, "[data-md-component=search-query]").send_keys("temperature")
    found = (By.CSS_SELECTOR, ".md-search-result__item a")
    WebDriverWait(chrome, 20).until(lambda driver: driver.find_elements(*found))
    assert chrome.get_log("browser") == []  # type: ignore[no-untyped-call]


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_copied_console_is_its_commands(site: Path, chrome: "Chrome") -> None:
    """As Material's button copies it: the text that is visible while the block has this attribute."""
    chrome.get((site / "reference/commands/train.html").as_uri())
    copied = chrome.execute_script(
        "const block = document.querySelector('code:has(.gp)'); block.setAttribute('data-md-copying', '');"
        "return block.innerText"
    )
    assert copied.startswith("charrnn train")
