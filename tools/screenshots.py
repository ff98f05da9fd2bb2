"""Pictures of the pages for the documentation: `make screenshots` (needs Chromium).

Serves the demonstration in a folder of its own, so that the pictures show the same cases each time.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Page, sync_playwright

from tests.demonstration import demonstration

ROOT: Final = Path(__file__).parents[1]
IMAGES: Final = ROOT / "docs" / "images"
DESK: Final = {"width": 1_100, "height": 760}
PHONE: Final = {"width": 390, "height": 760}
# Of names that a system gives it, the program's.
_PROGRAMS: Final = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


def main() -> None:
    """Take all pictures."""
    program = next((name for name in _PROGRAMS if Path(name).exists()), None)
    if program is None:
        sys.exit("there is no Chromium or Chrome here")
    IMAGES.mkdir(exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        demonstration(Path(folder)) as (url, key, code),
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        desk = browser.new_context(viewport=DESK).new_page()
        _take(desk, f"{url}/?lang=en", "home")
        _take(desk, f"{url}/cases/{code}?lang=en", "case")
        desk.evaluate("document.querySelector('.disputed').scrollIntoView()")
        _shoot(desk, "contradiction")
        _take(desk, f"{url}/statistics?lang=ru", "statistics")
        desk.evaluate("document.querySelector('#returns-heading').scrollIntoView()")
        _shoot(desk, "charts")
        phone = browser.new_context(viewport=PHONE, color_scheme="dark").new_page()
        _take(phone, f"{url}/cases/{code}?lang=kk", "phone")
        _take_preview(browser.new_context(viewport=DESK).new_page(), url, key, code)
        browser.close()
    for path in sorted(IMAGES.glob("*.png")):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes")


def _take(page: Page, address: str, name: str) -> None:
    page.goto(address)
    _shoot(page, name)


def _shoot(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png")


def _take_preview(page: Page, url: str, key: str, code: str) -> None:
    page.goto(f"{url}/post?lang=en")
    page.fill("#key", key)
    page.fill("#case", code)
    page.select_option("#type", "appeal.filed")
    page.click("main button")
    page.fill("#occurred", "15.02.2026")
    page.fill("#summary-en", "His lawyer filed an appeal.")
    page.check("#visibility-public")
    page.click("main button")
    _shoot(page, "preview")


if __name__ == "__main__":
    main()
