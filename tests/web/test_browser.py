"""The pages in a real browser: in three languages, on phone and desk, with scripts and without."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from tests.browser import find_chromium
from tests.demonstration import Demonstration, demonstration

from .conftest import LANGUAGES

sync_api = pytest.importorskip("playwright.sync_api")
axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")
CHROMIUM: Final = find_chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium or Chrome here")

SIZES: Final = {"phone": {"width": 360, "height": 780}, "desk": {"width": 1280, "height": 900}}
RULES: Final = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
}
REACHABLE: Final = (
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
)


def list_paths(site: Demonstration) -> list[str]:
    """Return a page of each kind."""
    return [
        "/", "/cases", "/cases?at_risk=true", f"/cases/{site.code}", "/statistics",
        "/statistics?as_of=2025-12-31", "/feeds", "/how", "/verify", "/privacy", "/partners",
        "/objection", "/post", f"/cases/{site.code}?as_of=2025-06-30", "/nothing",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """Yield the demonstration, in a process of its own."""
    with demonstration(tmp_path_factory.mktemp("demo")) as found:
        yield found


@pytest.fixture(scope="module")
def browser(site: Demonstration) -> Iterator[Any]:
    """Yield a browser; it finds no host but this machine."""
    with sync_api.sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-dev-shm-usage",
                  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )  # fmt: skip
        yield found
        found.close()


class Visit:
    """A page that is looked at, and what the browser said and asked for meanwhile."""

    def __init__(
        self, browser: Any, site: Demonstration, size: str, *, scripts: bool, dark: bool
    ) -> None:
        self.context = browser.new_context(
            viewport=SIZES[size],
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            has_touch=size == "phone",
        )
        self.site = site
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def go(self, path: str, language: str) -> Any:
        self.said.clear()
        self.asked.clear()
        query = "&" if "?" in path else "?"
        return self.page.goto(f"{self.site.url}{path}{query}lang={language}")

    def check(self, path: str) -> None:
        """Assert that nothing went wrong, and nobody else was asked."""
        hosts = {urlsplit(url).netloc for url in self.asked}
        assert hosts == {urlsplit(self.site.url).netloc}, (path, hosts)
        wrong = [text for text in self.said if not (path == "/nothing" and "404" in text)]
        assert not wrong, (path, wrong)
        assert not self.context.cookies()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])
@pytest.mark.parametrize("size", SIZES)
def test_pages_open_without_a_complaint_and_ask_nobody_else(
    browser: Any, site: Demonstration, size: str, scripts: bool
) -> None:
    visit = Visit(browser, site, size, scripts=scripts, dark=False)
    for path in list_paths(site):
        for language in LANGUAGES:
            answer = visit.go(path, language)
            assert answer.status == (404 if path == "/nothing" else 200), path
            visit.check(path)
            if scripts:
                wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert visit.page.evaluate(wide) <= 0, (path, language, "is wider than the screen")
    visit.context.close()


VIEWS: Final = [("ru", "phone", True), ("kk", "phone", False), ("en", "desk", False)]
ALL_VIEWS: Final = [
    pytest.param(language, size, dark, marks=pytest.mark.soak)
    for language in LANGUAGES
    for size in SIZES
    for dark in (True, False)
    if (language, size, dark) not in VIEWS
]


@pytest.mark.parametrize(("language", "size", "dark"), [*VIEWS, *ALL_VIEWS])
def test_nothing_keeps_people_out(
    browser: Any, site: Demonstration, language: str, size: str, dark: bool
) -> None:
    axe = axe_module.Axe()
    found = {}
    visit = Visit(browser, site, size, scripts=True, dark=dark)
    for path in list_paths(site):
        visit.go(path, language)
        result = axe.run(visit.page, options=RULES)
        if result.violations_count:
            found[path] = [
                (one["id"], [node["html"][:120] for node in one["nodes"][:3]])
                for one in result.response["violations"]
            ]
    visit.context.close()
    assert not found


def test_the_keyboard_reaches_everything(browser: Any, site: Demonstration) -> None:
    visit = Visit(browser, site, "desk", scripts=True, dark=False)
    for path in list_paths(site):
        visit.go(path, "ru")
        # Of radio buttons with one name the keyboard stops at one; arrows lead to the others.
        wanted = visit.page.evaluate(
            """(selector) => {
                const seen = new Set(); let count = 0;
                document.querySelectorAll(selector).forEach((element) => {
                    if (!element.checkVisibility()) return;
                    if (element.type === 'radio') {
                        if (seen.has(element.name)) return;
                        seen.add(element.name);
                    }
                    element.dataset.wanted = count++;
                });
                window.reached = new Set();
                document.addEventListener('focusin', (event) => {
                    window.reached.add(event.target.type === 'radio'
                        ? document.querySelector(`[name=${event.target.name}]`).dataset.wanted
                        : event.target.dataset.wanted);
                });
                return count;
            }""",
            REACHABLE,
        )
        for _ in range(wanted + 2):
            visit.page.keyboard.press("Tab")
        assert (
            visit.page.evaluate("window.reached.delete(undefined), window.reached.size") == wanted
        )
        assert wanted > 10
    visit.context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])
def test_a_partner_posts_with_the_form(browser: Any, site: Demonstration, scripts: bool) -> None:
    visit = Visit(browser, site, "phone", scripts=scripts, dark=False)
    page = visit.page
    visit.go("/partners", "en")
    page.click("main a.button")
    page.fill("#key", site.key)
    page.fill("#case", site.code)
    page.select_option("#type", "asylum.refused")
    page.click("main button")
    page.fill("#occurred", "03.2026")
    page.select_option("#occurred-kind", "month")
    page.select_option("#stage", "first_instance")
    page.fill("#summary-en", "Told by his lawyer.")
    page.check("#visibility-public")
    page.click("main button")
    assert "Told by his lawyer." in page.inner_text(".public")
    page.click("main button >> nth=0")
    assert "It is stored" in page.inner_text("h1")
    # Sent again, as after a line that broke.
    page.reload()
    assert "It was stored before" in page.inner_text("h1")
    page.click("text=Check it now")
    assert "The receipt is good" in page.inner_text(".notice")
    visit.check("/verify")
    visit.go(f"/cases/{site.code}", "en")
    assert "March 2026" in page.inner_text(".timeline")
    visit.context.close()


def test_a_page_is_printed_without_its_navigation(browser: Any, site: Demonstration) -> None:
    visit = Visit(browser, site, "desk", scripts=True, dark=True)
    for path in ("/", "/statistics", f"/cases/{site.code}"):
        visit.go(path, "en")
        visit.page.emulate_media(media="print", color_scheme="light")
        assert not visit.page.is_visible(".menu")
        assert visit.page.is_visible("h1")
        assert visit.page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    visit.context.close()


def test_whoever_objects_needs_no_script(browser: Any, site: Demonstration) -> None:
    """Last: the case is hidden after it."""
    visit = Visit(browser, site, "phone", scripts=False, dark=True)
    page = visit.page
    visit.go(f"/cases/{site.code}", "ru")
    page.click("main >> text=Возразить")
    assert page.input_value("#case") == site.code
    page.check("#by-relative")
    page.click("main button")
    assert site.code in page.inner_text(".notice")
    visit.check("/objection")
    assert visit.go(f"/cases/{site.code}", "ru").status == 410
    visit.context.close()
