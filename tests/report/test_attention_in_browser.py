"""Where attention looks, on the page of `charrnn view` in a real browser: shades, by pointer and by keys."""

import contextlib
import math
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from browser import emulate
from program import status_of
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from view_page import data_of, weights_of

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]

SIZES = ("--cell", "lstm,attention", "--hidden", "64", "--window", "16", "--steps", "5")
LENGTH, LEVELS = 200, 8


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small network with two heads, and the page of one that was trained on documents."""
    folder = tmp_path_factory.mktemp("page")
    with contextlib.chdir(folder):
        Path("text.txt").write_text("Whether 'tis nobler <b>in</b> the mind to suffer\n" * 60, encoding="utf-8")
        Path("names.txt").write_text("Zoe\nMax\nJo\n" * 60, encoding="utf-8")
        for name, options in (("text", ()), ("names", ("--document-separator", "\\n"))):
            assert status_of("train", f"{name}.txt", *SIZES, *options, "--out", name) == 0
            words = ("--out", f"{name}.html", "--length", str(LENGTH), "--no-compare")
            assert status_of("view", name, *words) == 0
    return folder / "text.html"


@pytest.fixture
def opened(chrome: Chrome, page: Path) -> Iterator[Chrome]:
    """The freshly opened page on a desktop screen with light colors; the browser's log must be empty at the end."""
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    emulate(chrome, "light")
    chrome.get(page.as_uri())
    yield chrome
    assert chrome.get_log("browser") == []  # type: ignore[no-untyped-call]


def text_of(chrome: Chrome, name: str) -> str:
    return str(chrome.find_element(By.ID, name).get_property("textContent"))


def choose(chrome: Chrome, value: str) -> None:
    Select(chrome.find_element(By.ID, "color")).select_by_value(value)


def click(chrome: Chrome, place: int) -> None:
    chrome.execute_script("document.querySelectorAll('#text i')[arguments[0]].click()", place)


def shades(chrome: Chrome) -> dict[int, int]:
    """The level of each shaded character, by place."""
    script = "return [...document.querySelectorAll('#text i')].map(span => /\\bw(\\d)/.exec(span.className)?.[1] ?? 0)"
    return {place: int(level) for place, level in enumerate(chrome.execute_script(script)) if int(level)}


def expected_shades(rows: list[dict[int, float]], place: int) -> dict[int, int]:
    """The levels for the mean of some heads, whose weights by distance are given."""
    total: dict[int, float] = {}
    for row in rows:
        for distance, weight in row.items():
            total[place - distance] = total.get(place - distance, 0) + weight / len(rows)
    levels = {i: math.floor(LEVELS * (weight / max(total.values())) + 0.5) for i, weight in total.items()}
    return {i: level for i, level in sorted(levels.items()) if level}


def test_page_shades_where_attention_looks(opened: Chrome, page: Path) -> None:
    """A head shades the characters before the one at the caret, by its weights; by default all heads together do."""
    layer = data_of(page.read_text(encoding="utf-8"))["attention"]["layers"][0]
    weights = weights_of(layer)
    labels = [option.text for option in Select(opened.find_element(By.ID, "color")).options]
    assert labels[:4] == ["surprisal", "layer 2, mean of heads", "layer 2, head 1", "layer 2, head 2"]
    for value, label, heads in (
        ("layer 2", "layer 2, mean of heads", slice(None)), ("layer 2 head 2", "layer 2, head 2", slice(1, 2))
    ):  # fmt: skip
        choose(opened, value)
        assert f"({label})" in text_of(opened, "colored")
        for place in (60, 100, 5):
            click(opened, place)
            assert shades(opened) == expected_shades(weights[place][heads], place)
            assert all(place - 16 <= i < place for i in shades(opened))
    largest = max(weights[5][1], key=lambda distance: weights[5][1][distance])
    assert f"Looks at {text_of(opened, 'text')[5 - largest]} ({largest} back) " in text_of(opened, "activation")
    assert text_of(opened, "high").rstrip("%") in text_of(opened, "activation")
    click(opened, 0)
    assert (shades(opened), text_of(opened, "activation")) == ({}, "Looks at nothing: there is no context.")
    choose(opened, "surprisal")
    assert text_of(opened, "activation") == ""
    assert len(shades(opened)) > LENGTH / 2


def test_page_shades_follow_the_pointer_and_the_keys(opened: Chrome) -> None:
    choose(opened, "layer 2 head 1")
    click(opened, 60)
    at_caret = shades(opened)
    characters = opened.find_elements(By.CSS_SELECTOR, "#text i")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", characters[90])
    ActionChains(opened).move_to_element(characters[90]).perform()
    assert shades(opened)
    assert all(74 <= i < 90 for i in shades(opened))
    ActionChains(opened).move_to_element(opened.find_element(By.TAG_NAME, "h2")).perform()
    assert shades(opened) == at_caret
    opened.find_element(By.ID, "text").send_keys(Keys.ARROW_RIGHT)
    assert shades(opened) != at_caret
    for _ in range(40):
        if "Looks at" in text_of(opened, "spoken"):
            break
        ActionChains(opened).pause(0.1).perform()
    assert " back) " in text_of(opened, "spoken")


def test_page_buttons_of_heads_color_the_text(opened: Chrome) -> None:
    buttons = opened.find_elements(By.CSS_SELECTOR, "#attention button.unit")
    assert [button.text for button in buttons] == ["mean of heads", "head 1", "head 2"]
    buttons[2].send_keys(Keys.ENTER)
    assert opened.find_element(By.ID, "color").get_property("value") == "layer 2 head 2"
    assert [button.get_attribute("aria-pressed") for button in buttons] == ["false", "false", "true"]
    choose(opened, "5")  # a unit
    assert [button.get_attribute("aria-pressed") for button in buttons] == ["false"] * 3
    assert "Activation of layer 1 h 6: " in text_of(opened, "activation")


def test_page_of_documents_names_their_start(opened: Chrome, page: Path) -> None:
    """The first character of a document is predicted from the start character, which is not in the text."""
    opened.get(page.with_name("names.html").as_uri())
    choose(opened, "layer 2")
    characters = data_of(page.with_name("names.html").read_text(encoding="utf-8"))["text"]["characters"]
    second = characters.index("↵\n") + 1
    click(opened, second)
    assert text_of(opened, "activation") == "Looks at the start 100%"
    assert shades(opened) == {}
    click(opened, second + 1)
    assert set(shades(opened)) <= {second}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_with_attention_has_no_accessibility_violations(opened: Chrome, scheme: str) -> None:
    """Axe finds no violation in a shaded text; it must bypass the page's policy."""
    emulate(opened, scheme)
    opened.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    try:
        opened.refresh()
        choose(opened, "layer 2")
        click(opened, 90)
        assert shades(opened)
        opened.execute_script((resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
        results: dict[str, Any] = opened.execute_async_script("axe.run().then(arguments[0])")
    finally:
        opened.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    violations = [(rule["id"], [node["html"][:200] for node in rule["nodes"][:3]]) for rule in results["violations"]]
    assert violations == []


def test_page_with_attention_fits_a_phone(opened: Chrome) -> None:
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    opened.refresh()
    choose(opened, "layer 2")
    click(opened, 40)
    script = "return [document.documentElement.scrollWidth, document.body.scrollWidth, window.innerWidth]"
    assert opened.execute_script(script) == [360, 360, 360]
