"""What the tests of the pages share: those of the API, and readers of what a page says."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from tests.api.conftest import (  # noqa: F401 - fixtures
    Service,
    house_settings,
    light,
    logged_as_before,
    seeded,
    service,
)

LANGUAGES: Final = ("ru", "kk", "en")
VOID: Final = {"meta", "link", "input", "br", "img", "hr", "rect"}


class Reader(HTMLParser):
    """What a page says, links to, asks for and would run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.title = ""
        self.text = ""
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.figures: dict[str, str] = {}
        self.inputs: dict[str, str] = {}
        self.tables: dict[str, list[list[str]]] = {}
        self.language = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.attributes |= told.keys()
        if tag == "html":
            self.language = told["lang"]
        if "id" in told:
            self.ids.append(told["id"])
        if tag == "a":
            self.links.append(told["href"])
        if tag in ("img", "script", "iframe") or (
            tag == "link" and told["rel"] in ("stylesheet", "icon")
        ):
            self.loads.append(told.get("src") or told["href"])
        if tag == "input" and "name" in told:
            self.inputs[told["name"]] = told.get("value", "")
        if tag == "table":
            self.tables[told.get("id", "")] = []
        if tag == "tr" and self.tables:
            list(self.tables.values())[-1].append([])
        if tag in ("td", "th") and self.tables:
            list(self.tables.values())[-1][-1].append("")
        if tag not in VOID:
            self._open.append((tag, told))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        within = [tag for tag, _ in self._open]
        if "title" in within and "head" in within:
            self.title += data
        if "main" in within:
            self.text += data
        for tag, told in self._open:
            if "data-figure" in told:
                figure = told["data-figure"]
                self.figures[figure] = self.figures.get(figure, "") + data
            if tag in ("td", "th"):
                list(self.tables.values())[-1][-1][-1] += data


def read_page(answer: httpx.Response) -> Reader:
    """Return a page that was answered."""
    assert answer.status_code == 200, (answer.request.url, answer.text[:300])
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Reader(answer.text)


def read_error(answer: httpx.Response, status: int) -> Reader:
    """Return the page that tells why there is none."""
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "text/html; charset=utf-8",
    )
    assert answer.headers["cache-control"] == "no-store"
    return Reader(answer.text)


def walk(site: Service, start: str) -> Iterator[tuple[str, httpx.Response]]:
    """Yield every address of this site that can be reached from a page, once, with its answer."""
    waiting, seen = [start], {start}
    while waiting:
        address = waiting.pop()
        answer = site.get(address, headers={"Accept": "text/html"})
        yield address, answer
        if answer.headers.get("content-type", "").startswith("text/html"):
            found = Reader(answer.text)
            for link in [*found.links, *found.loads]:
                target = _strip(urljoin(address, link))
                if target and target not in seen:
                    seen.add(target)
                    waiting.append(target)


def _strip(address: str) -> str | None:
    """Return an address of this site without its fragment, None for those of others."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    return re.sub("#.*", "", address)
