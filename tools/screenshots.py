"""Pictures of the pages for the documentation: `make screenshots` (needs Chromium).

Serves the demonstration in a folder of its own, so that the pictures show the same cases each time.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright

ROOT: Final = Path(__file__).parents[1]
IMAGES: Final = ROOT / "docs" / "images"
GIVE_UP_SECONDS: Final = 120
DESK: Final = {"width": 1_100, "height": 760}
PHONE: Final = {"width": 390, "height": 760}
_SERVE: Final = "from caseflow.cli.main import main; main(prog_name='caseflow')"
# Of names that a system gives it, the program's.
_PROGRAMS: Final = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


def main() -> None:
    """Take all pictures."""
    program = next((name for name in _PROGRAMS if Path(name).exists()), None)
    if program is None:
        sys.exit("there is no Chromium or Chrome here")
    IMAGES.mkdir(exist_ok=True)
    with demonstration() as (url, key, code), sync_playwright() as driver:
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


@contextmanager
def demonstration() -> Iterator[tuple[str, str, str]]:
    """Yield the address of a demonstration, its partner's key, and the code of a case."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        with said.open("wb") as output:
            process: subprocess.Popen[Any] = subprocess.Popen(
                [sys.executable, "-c", _SERVE, "demo"],
                cwd=folder,
                env={**os.environ, "CASEFLOW_PORT": str(port)},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield f"http://127.0.0.1:{port}", *_wait(process, said)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _wait(process: "subprocess.Popen[Any]", said: Path) -> tuple[str, str]:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while True:
        text = said.read_text("utf-8")
        key, code = re.search(r"KEY=(\S+)", text), re.search(r"CODE=(\S+)", text)
        if key and code:
            return key[1], code[1]
        if process.poll() is not None or time.monotonic() > give_up_at:
            sys.exit(text)
        time.sleep(0.1)


if __name__ == "__main__":
    main()
