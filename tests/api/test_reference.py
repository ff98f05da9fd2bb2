"""The API reference: a page that loads nothing from elsewhere, as written and in a real browser."""

import hashlib
import re
import socket
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from caseflow.api.openapi import make_openapi
from caseflow.api.reference import ASSETS
from tests.browser import Page, find_chromium, open_page
from tests.cli.test_serve import read_until, start, stop

from .conftest import Service, problem

VENDORED = files("caseflow.api") / "assets" / "swagger-ui"
LOADED = {
    "/schema/swagger-ui.css",
    "/schema/reference.css",
    "/schema/swagger-ui-bundle.js",
    "/schema/reference.js",
}
DATA = "data:"


class Reader(HTMLParser):
    """Collects what a page would load, and what would run or be styled within it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.inline = ""
        self._within = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._within = tag
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("src", "srcset", "href", "data", "action", "poster", "background"):
                self.addresses.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            self.inline += data


@pytest.fixture
def reader(light: Service) -> Reader:
    """The page as it was read."""
    answer = light.get("/schema")
    assert (answer.status_code, answer.headers["content-language"]) == (200, "en")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Reader(answer.text)


# -- as written -----------------------------------------------------------------------------------


def test_the_page_names_addresses_of_this_service_only(light: Service, reader: Reader) -> None:
    ours = {address for address in reader.addresses if not address.startswith(DATA)}
    assert ours == LOADED | {"/schema/openapi.json"}
    assert {light.get(address).status_code for address in ours} == {200}


def test_the_page_runs_and_styles_nothing_inline(reader: Reader) -> None:
    assert reader.inline.strip() == ""
    assert not {name for name in reader.attributes if name.startswith("on") or name == "style"}
    assert not reader.tags & {"style", "base", "iframe", "object", "embed", "form", "img"}


@pytest.mark.parametrize("name", ["reference.css", "swagger-ui.css"])
def test_a_style_sheet_loads_nothing(light: Service, name: str) -> None:
    style = light.get(f"/schema/{name}").text
    addresses = re.findall(r"""url\(\s*["']?([^"')]*)""", style, re.IGNORECASE)
    assert [address for address in addresses if not address.startswith(DATA)] == []
    assert "@import" not in style
    assert "image-set(" not in style


@pytest.mark.parametrize("name", ["reference.js", "swagger-ui-bundle.js"])
def test_a_script_loads_no_other(light: Service, name: str) -> None:
    script = light.get(f"/schema/{name}").text
    loaders = (
        r"importScripts|new (Shared)?Worker|sendBeacon|WebSocket\(|EventSource\(|\bimport\s*\("
    )
    assert re.search(rf"{loaders}|^\s*import\b", script, re.MULTILINE) is None


def test_our_script_names_the_document_and_no_other_address(light: Service) -> None:
    script = light.get("/schema/reference.js").text
    code = re.sub(r"//.*", "", script)
    assert re.findall(r'"([^"]*/[^"]*)"', code) == ["/schema/openapi.json"]
    # The validator is another host; the rest would keep a key, or let a link change the page.
    for setting in (
        "validatorUrl: null",
        "persistAuthorization: false",
        "queryConfigEnabled: false",
    ):
        assert setting in code


@pytest.mark.parametrize("path", ["/schema", *(f"/schema/{name}" for name in ASSETS)])
def test_the_browser_is_told_to_load_nothing_from_elsewhere(light: Service, path: str) -> None:
    headers = light.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    directives = [part.split() for part in headers["content-security-policy"].split(";")]
    policy = {name: set(sources) for name, *sources in directives}
    assert {name: found for name, found in policy.items() if found != {"'none'"}} == {
        "script-src": {"'self'"},
        "style-src": {"'self'"},
        "connect-src": {"'self'"},
        "img-src": {DATA},
    }
    assert set(policy) >= {"default-src", "base-uri", "form-action", "frame-ancestors"}


# -- as served ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ASSETS)
def test_a_file_answers_get_head_and_304_as_public_documents_do(light: Service, name: str) -> None:
    path = f"/schema/{name}"
    found = light.get(path)
    suffix = name.rpartition(".")[2]
    media_type = {"js": "text/javascript", "css": "text/css", "txt": "text/plain"}[suffix]
    assert found.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert found.headers["cache-control"] == "public, max-age=60, must-revalidate"
    assert found.headers["vary"] == "Accept-Encoding"
    head = light.client.head(path)
    assert (head.content, dict(head.headers)) == (b"", dict(found.headers))
    plain = light.get(path, {"Accept-Encoding": "identity"})
    assert plain.content == found.content
    zipped = "content-encoding" in found.headers
    assert (plain.headers["etag"] != found.headers["etag"]) is zipped is (len(plain.content) > 1024)
    again = light.get(path, {"If-None-Match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "no-such.js",
        # It is there, at another address.
        "reference.html",
        # In the folder, and not named.
        "SHA256SUMS",
        "LICENSE",
        "swagger-ui",
        "swagger-ui/LICENSE",
        "swagger-ui%2FLICENSE",
        "..%2Fapp.py",
        "%2E%2E%2Fapp.py",
        "..%5Capp.py",
        "%2Fetc%2Fpasswd",
        "reference.js%00",
        "REFERENCE.JS",
        "swagger-ui-bundle.js.map",
    ],
)
def test_no_other_name_finds_a_file(light: Service, name: str) -> None:
    problem(light.get(f"/schema/{name}"), 404, "not-found")


def test_the_vendored_files_are_the_published_ones() -> None:
    """SHA256SUMS was written from the package of docs/adr/0011-reference-page.md."""
    sums = (VENDORED / "SHA256SUMS").read_text("ascii").splitlines()
    named = dict(reversed(line.split("  ")) for line in sums)
    held = {file.name for file in VENDORED.iterdir()} - {"SHA256SUMS", "README.md"}
    assert {
        name: hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() for name in held
    } == named


def test_the_licences_go_out_with_the_scripts(light: Service) -> None:
    bundle = light.get("/schema/swagger-ui-bundle.js").text
    (named,) = re.findall(r"see (\S+\.LICENSE\.txt)", bundle.partition("\n")[0])
    assert "MIT" in light.get(f"/schema/{named}").text
    assert "Apache License" in light.get("/schema/swagger-ui.LICENSE.txt").text
    assert "SmartBear" in light.get("/schema/swagger-ui.NOTICE.txt").text


def test_the_index_names_the_page(light: Service) -> None:
    assert light.get("/v1").json()["reference"] == "https://cases.example/schema"


# -- in a browser ---------------------------------------------------------------------------------


class Visit:
    """The page in a browser, and the key of the demonstration that it shows."""

    def __init__(self, page: Page, origin: str, key: str) -> None:
        self.page = page
        self.origin = origin
        self.key = key


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The demonstration, which serves; its origin, and a key."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    process = start("demo", tmp_path_factory.mktemp("demo"), port)
    try:
        key = re.findall(r"cfk_[\w-]+", read_until(process, "Ctrl-C"))[0]
        yield f"http://127.0.0.1:{port}", key
    finally:
        stop(process)


@pytest.fixture(scope="module")
def chromium() -> str:
    """The program of a browser."""
    return find_chromium() or pytest.skip("no Chromium here; on Debian: apt install chromium")


@pytest.fixture
def visit(chromium: str, demonstration: tuple[str, str], tmp_path: Path) -> Iterator[Visit]:
    """The page, opened in a browser anew."""
    origin, key = demonstration
    with open_page(chromium, tmp_path, f"{origin}/schema") as page:
        page.wait_for("document.querySelector('.opblock') !== null")
        yield Visit(page, origin, key)


def test_a_browser_shows_every_operation_and_asks_only_this_service(visit: Visit) -> None:
    shown = visit.page.evaluate("[...document.querySelectorAll('.opblock')].map(one => one.id)")
    assert sorted(shown) == sorted(
        f"operations-{operation['tags'][0]}-{operation['operationId']}"
        for methods in make_openapi()["paths"].values()
        for operation in methods.values()
    )
    asked = {"/schema", "/schema/openapi.json", *LOADED}
    assert sorted(visit.page.requests) == sorted(visit.origin + path for path in asked)
    assert visit.page.complaints == []


def test_a_key_typed_in_opens_a_case_and_is_kept_nowhere(visit: Visit) -> None:
    page, operation = visit.page, "#operations-cases-open_case"
    page.click(".btn.authorize")
    page.write(".dialog-ux input", visit.key)
    assert page.evaluate("document.querySelector('.dialog-ux input').autocomplete") == "off"
    page.click(".dialog-ux button[type=submit]")
    page.click(".dialog-ux .btn-done")
    page.click(f"{operation} .opblock-summary-control")
    page.click(f"{operation} .try-out__btn")
    page.click(f"{operation} .execute")
    status = page.read(f"{operation} .live-responses-table tbody .response-col_status")
    assert status.split()[0] == "201"
    assert page.requests[-1] == f"{visit.origin}/v1/cases"
    assert page.complaints == []
    kept = "[localStorage.length, sessionStorage.length, document.cookie]"
    assert page.evaluate(kept) == [0, 0, ""]


def test_a_browser_lets_the_page_ask_nobody_else(visit: Visit) -> None:
    """The policy refuses it before anything is sent; another port is somebody else too."""
    assert visit.page.evaluate("fetch('/healthz').then(answer => answer.status)") == 200
    refused = visit.page.evaluate(
        "new Promise(done => {"
        " addEventListener('securitypolicyviolation', it => done(it.effectiveDirective));"
        " fetch('http://127.0.0.1:1/').catch(() => {}); })"
    )
    assert refused == "connect-src"
