"""Take the screenshots in docs/pictures from a page of `charrnn view`, with Debian's chromium and selenium.

    charrnn train tinyshakespeare --minutes 2.5
    charrnn view tinyshakespeare-lstm --out page.html
    charrnn train tinyshakespeare --cell lstm,attention --hidden 128 --steps 500
    charrnn view tinyshakespeare-lstm-attention --out attention.html
    python docs/tools/view_pictures.py page.html attention.html   # or attention.html alone

The first picture shows the top of the page. The second shows the text, colored by the unit that
tracks text in capitals, such as the names of speakers. The third shows where attention looks.
"""

import base64
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

FOLDER = Path(__file__).parents[1] / "pictures"
WIDTH, HEIGHT = 1200, 857
COLORS = 255
"""Number of colors of a picture, few enough for a small file."""
FEATURE = "text in capitals"
"""The feature whose best unit colors the text."""
PLACE = 250
"""The character at the caret."""
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


def shoot(chrome: Chrome, top: float, name: str) -> None:
    """Save the part of the page that begins `top` pixels below the top of the page."""
    clip = {"x": 0, "y": top, "width": WIDTH, "height": HEIGHT, "scale": 1}
    picture = chrome.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    image = Image.open(io.BytesIO(base64.b64decode(picture["data"]))).convert("RGB")
    image.quantize(COLORS).save(FOLDER / name, optimize=True)
    print(FOLDER / name)


def shoot_text(chrome: Chrome, name: str) -> None:
    """Save the text with the caret at PLACE."""
    chrome.execute_script(f"document.querySelectorAll('#text i')[{PLACE}].click()")
    top = chrome.execute_script("return document.getElementById('reading').getBoundingClientRect().top + scrollY")
    shoot(chrome, top - 15, name)


def main(page: Path | None, attention: Path) -> None:
    """Take all pictures: two of a page if there is one, and one of a page of a network with attention."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in OPTIONS:
        options.add_argument(option)
    chrome = Chrome(options, ChromeService(shutil.which("chromedriver") or ""))
    try:
        metrics = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        if page:
            chrome.get(page.resolve().as_uri())
            shoot(chrome, 0, "view-page.png")
            chrome.execute_script(
                "const rows = [...document.querySelectorAll('#units tbody tr')];"
                "rows.find((row) => row.cells[0].textContent === arguments[0]).querySelector('button.unit').click()",
                FEATURE,
            )
            shoot_text(chrome, "view-text.png")
        chrome.get(attention.resolve().as_uri())
        chrome.execute_script("document.querySelector('#attention button.unit').click()")
        shoot_text(chrome, "view-attention.png")
    finally:
        chrome.quit()


if __name__ == "__main__":
    *pages, last = map(Path, sys.argv[1:])
    main(pages[0] if pages else None, last)
