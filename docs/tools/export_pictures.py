"""Take screenshots of a page of `charrnn export`, with Debian's chromium and selenium.

    charrnn train tinyshakespeare --minutes 3
    charrnn ngram tinyshakespeare
    charrnn export tinyshakespeare-lstm tinyshakespeare-tuned-9 --prime ROMEO: --length 330 --to page.html
    python docs/tools/export_pictures.py page.html [FOLDER]

Without FOLDER: docs/pictures/export-page.png. With it: the page on a phone, a tablet, a laptop and a wide screen, light
and dark, to be looked at.
"""

import base64
import io
import shutil
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

PICTURE = Path(__file__).parents[1] / "pictures" / "export-page.png"
WIDTH, HEIGHT = 1200, 857
COLORS = 255
"""Number of colors of a picture, few enough for a small file."""
SCREENS = {"phone": (390, 844), "tablet": (820, 1180), "laptop": (1366, 768), "wide": (1920, 1080)}
PLACE = 60
"""The character at the caret."""
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


def shoot(chrome: Chrome, page: Path, size: tuple[int, int], scheme: str, target: Path, is_whole: bool) -> None:
    """Open the page, let it write, and save what a screen shows of it, or all of it."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 900}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    chrome.get(page.resolve().as_uri())
    for wanted in ("write", "more"):  # each can be clicked once the models are loaded, or have written
        while chrome.execute_script("return document.getElementById(arguments[0]).disabled", wanted):
            time.sleep(0.05)
        if wanted == "write":
            chrome.find_element("id", "write").click()
    chrome.find_element("id", "own").send_keys("To be, or not to be: taht is the question.")
    time.sleep(1)
    chrome.execute_script(f"document.querySelectorAll('.written i')[{PLACE}].click(); scrollTo(0, 0)")
    if is_whole:
        height = chrome.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    picture = chrome.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": is_whole})
    image = Image.open(io.BytesIO(base64.b64decode(picture["data"]))).convert("RGB")
    image.quantize(COLORS).save(target, optimize=True)
    print(target)


def main(page: Path, folder: Path | None) -> None:
    """Take the picture of the README, or those to look at."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for option in (*OPTIONS, f"--user-data-dir={profile}"):
            options.add_argument(option)
        chrome = Chrome(options, ChromeService(shutil.which("chromedriver") or ""))
        try:
            if folder is None:
                shoot(chrome, page, (WIDTH, HEIGHT), "light", PICTURE, False)
                return
            for name, size in SCREENS.items():
                for scheme in ("light", "dark"):
                    shoot(chrome, page, size, scheme, folder / f"{name}-{scheme}.png", True)
        finally:
            chrome.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
