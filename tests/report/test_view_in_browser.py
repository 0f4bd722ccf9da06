"""The page of `charrnn view` in a real browser: interaction, layout, and safety with hostile texts."""

import contextlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from browser import emulate
from program import status_of
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from charrnn.training.monitor.history import History, Record, history_path

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]

HOSTILE = (
    "<script>alert(1)</script> \"quoted\" 'so' <img src=x onerror=alert(2)> "
    "\u202eback\u202c nul:\0 {{ 7 * 7 }} & \x1b[2J <!-- \u2028\n"
)
FILE = '<img src=x onerror=alert(3)> "it\'s" \u202e.txt'
NAME = '<b onmouseover=alert(4)> "it\'s" \u202e'
SHOWN_NAME = NAME.replace("\u202e", "\\u202e")
SIZES = ("--hidden", "12", "--layers", "2", "--steps", "5")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small network trained on a hostile text, with hostile names and a hostile sample."""
    folder = tmp_path_factory.mktemp("page")
    with contextlib.chdir(folder):
        Path(FILE).write_text(HOSTILE * 60, encoding="utf-8")
        assert status_of("train", FILE, *SIZES, "--out", NAME) == 0
        checkpoint = Path("checkpoints") / f"{NAME}.safetensors"
        history_path(checkpoint).unlink(missing_ok=True)
        history = History(history_path(checkpoint))
        for step in range(1, 6):
            losses = (3.0 / step, 5, 3.1 / step, 4.4 / step)
            history.add(vars(Record(step, 1, 0.1 * step, 0.01, 1e4, *losses, 300, "90/10/0", sample=HOSTILE)))
        history.close()
        assert status_of("view", NAME, "--out", "page.html", "--length", "400") == 0
        assert status_of("ngram", FILE, "--order", "3", "--out", "counts") == 0
        assert status_of("view", "counts", "--out", "counts.html", "--length", "90", "--no-compare") == 0
    return folder / "page.html"


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


def colors(chrome: Chrome) -> list[str]:
    script = "return [...document.querySelectorAll('#text i')].map(span => getComputedStyle(span).backgroundColor)"
    return list(chrome.execute_script(script))


def test_page_hover_shows_the_prediction(opened: Chrome) -> None:
    characters = opened.find_elements(By.CSS_SELECTOR, "#text i")
    assert len(characters) == 400
    before = text_of(opened, "actual")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", characters[90])
    ActionChains(opened).move_to_element(characters[90]).perform()
    actual = text_of(opened, "actual")
    assert actual != before
    assert actual.startswith("Actual: ")
    assert "bits" in actual
    rows = [row.text for row in opened.find_elements(By.CSS_SELECTOR, "#likeliest li")]
    assert len(rows) == 5
    shares = [float(row.split("\n")[-1].strip("< %")) for row in rows]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 100.5
    widths = [bar.size["width"] for bar in opened.find_elements(By.CSS_SELECTOR, "#likeliest .bar")]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1
    ActionChains(opened).move_to_element(opened.find_element(By.TAG_NAME, "h2")).perform()
    assert text_of(opened, "actual") == before  # the caret's character again


def test_page_keys_move_the_caret(opened: Chrome) -> None:
    """Tab stops once for the whole text; the arrow keys move the caret, and screen readers hear the prediction."""
    field = opened.find_element(By.ID, "text")
    assert opened.find_elements(By.CSS_SELECTOR, "#text [tabindex]") == []
    opened.find_element(By.ID, "find").click()
    ActionChains(opened).send_keys(Keys.TAB).perform()
    assert opened.switch_to.active_element == field

    def caret() -> int:
        script = "return [...document.querySelectorAll('#text i')].findIndex(i => i.classList.contains('caret'))"
        return int(opened.execute_script(script))

    def press(*keys: str) -> int:
        ActionChains(opened).send_keys(*keys).perform()
        return caret()

    first = caret()
    assert press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT) == first + 2
    assert press(Keys.ARROW_LEFT) == first + 1
    start = press(Keys.HOME)
    end = press(Keys.END)
    line = opened.find_elements(By.CSS_SELECTOR, "#text i")[start : end + 1]
    assert line[-1].text == "↵"
    assert press(Keys.ARROW_DOWN) > end
    assert press(Keys.ARROW_UP) <= end
    ActionChains(opened).key_down(Keys.CONTROL).send_keys(Keys.END).key_up(Keys.CONTROL).perform()
    assert caret() == 399
    assert press(Keys.ARROW_RIGHT) == 399
    spoken = opened.find_element(By.ID, "spoken")
    assert spoken.get_attribute("aria-live") == "polite"
    opened.implicitly_wait(0)
    for _ in range(40):
        if "Expected" in text_of(opened, "spoken"):
            break
        ActionChains(opened).pause(0.1).perform()
    assert "bits. Expected " in text_of(opened, "spoken")
    press(Keys.ESCAPE)
    assert opened.switch_to.active_element != field


def test_page_tap_moves_the_caret(opened: Chrome) -> None:
    opened.find_elements(By.CSS_SELECTOR, "#text i")[50].click()
    assert "caret" in str(opened.find_elements(By.CSS_SELECTOR, "#text i")[50].get_attribute("class"))


def test_page_unit_colors_the_text(opened: Chrome) -> None:
    select = Select(opened.find_element(By.ID, "color"))
    values = [option.get_attribute("value") for option in select.options]
    assert len(values) == len(set(values)) == 1 + 2 * 2 * 12  # surprisal; two layers of h and c
    by_surprisal = colors(opened)
    select.select_by_value("5")
    by_unit = colors(opened)
    assert by_unit != by_surprisal
    assert len(set(by_unit)) > 2
    assert "layer 1 h 6" in text_of(opened, "colored")
    assert "Activation of layer 1 h 6: " in text_of(opened, "activation")
    find = opened.find_element(By.ID, "find")
    find.send_keys("layer 2 c 3")
    assert select.first_selected_option.get_attribute("value") == str(3 * 12 + 2)
    assert colors(opened) != by_unit
    buttons = opened.find_elements(By.CSS_SELECTOR, "button.unit")
    if buttons:  # whether a unit is better than chance depends on the training
        buttons[0].click()
        assert buttons[0].get_attribute("aria-pressed") == "true"
    select.select_by_value("surprisal")
    assert colors(opened) == by_surprisal


def test_page_slider_turns_samples(opened: Chrome) -> None:
    def visible() -> list[str]:
        """Return the labels of the samples that are shown."""
        items = opened.find_elements(By.CSS_SELECTOR, "#samples li")
        return [item.text.splitlines()[0] for item in items if item.is_displayed()]

    assert visible() == ["step 5, validation 0.880 bits"]
    opened.find_element(By.ID, "sample-choice").send_keys(Keys.HOME)
    assert visible() == ["step 1, validation 4.400 bits"]


def test_page_shows_hostile_text_as_text(opened: Chrome) -> None:
    with pytest.raises(NoAlertPresentException):
        _ = opened.switch_to.alert
    assert opened.find_element(By.TAG_NAME, "h1").text == SHOWN_NAME
    assert opened.find_elements(By.CSS_SELECTOR, "img, b[onmouseover], #text script, blockquote script") == []
    assert len(opened.find_elements(By.TAG_NAME, "script")) == 2
    shown = text_of(opened, "text")
    for part in (
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(2)>",
        "\\u202eback",
        "nul:\\x00",
        "{{ 7 * 7 }} &",
    ):
        assert part in shown
        assert part in text_of(opened, "samples")
    assert 'onerror=alert(3)> "it\'s" \\u202e.txt' in text_of(opened, "reading")
    everything = str(opened.execute_script("return document.documentElement.outerHTML"))
    assert not any(character in everything for character in "\0\u202e\u202c\x1b")
    for character in opened.find_elements(By.CSS_SELECTOR, "#text i")[:60]:
        character.click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_has_no_accessibility_violations(opened: Chrome, scheme: str) -> None:
    """Axe finds no violation, with a unit selected and all details open; it must bypass the page's policy."""
    emulate(opened, scheme)
    opened.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    try:
        opened.refresh()
        opened.execute_script("document.querySelectorAll('details').forEach(details => { details.open = true; })")
        Select(opened.find_element(By.ID, "color")).select_by_value("5")
        opened.execute_script((resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
        results: dict[str, Any] = opened.execute_async_script("axe.run().then(arguments[0])")
    finally:
        opened.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    violations = [
        (rule["id"], rule["help"], [node["html"][:200] for node in rule["nodes"][:3]]) for rule in results["violations"]
    ]
    assert violations == []
    assert "color-contrast" in [rule["id"] for rule in results["passes"]]
    assert len(results["passes"]) > 20


def test_page_follows_the_preferred_colors(opened: Chrome) -> None:
    def look() -> tuple[str, str, str]:
        script = (
            "const look = (name) => getComputedStyle(document.querySelector(name));"
            "return [look('html').backgroundColor, look('body').color, look('.figure text').fill]"
        )
        background, text, figure = opened.execute_script(script)
        return background, text, figure

    light = look()
    emulate(opened, "dark")
    dark = look()
    assert light == ("rgb(254, 254, 253)", "rgb(26, 26, 27)", "rgb(26, 26, 27)")
    assert dark == ("rgb(23, 23, 26)", "rgb(231, 228, 221)", "rgb(231, 228, 221)")


def test_page_on_a_phone_scrolls_down_alone(opened: Chrome) -> None:
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    )
    opened.refresh()
    script = "return [document.documentElement.scrollWidth, document.body.scrollWidth, window.innerWidth]"
    assert opened.execute_script(script) == [360, 360, 360]
    panel = opened.find_element(By.ID, "panel")
    opened.execute_script("document.getElementById('text').scrollIntoView()")
    place = opened.execute_script("return arguments[0].getBoundingClientRect().bottom", panel)
    assert place <= 740  # at the bottom of the screen while the text is read
    opened.find_element(By.ID, "text").send_keys(Keys.END)
    script = "return [document.querySelector('#before b').getBoundingClientRect().right, window.innerWidth]"
    mark, width = opened.execute_script(script)
    assert mark <= width  # the end of the context is visible, however long the line


def test_page_fetches_nothing(opened: Chrome) -> None:
    script = "return performance.getEntriesByType('resource').length"
    assert opened.execute_script(script) == 0


def test_page_of_ngrams_has_no_units(opened: Chrome, page: Path) -> None:
    opened.get(page.with_name("counts.html").as_uri())
    assert len(opened.find_elements(By.CSS_SELECTOR, "#text i")) == 90
    assert opened.find_elements(By.CSS_SELECTOR, "#units, #states, #gates, #find") == []
    opened.find_elements(By.CSS_SELECTOR, "#text i")[40].click()
    assert len(opened.find_elements(By.CSS_SELECTOR, "#likeliest li")) == 5
    assert len(set(colors(opened))) > 2
