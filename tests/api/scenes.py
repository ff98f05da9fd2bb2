"""What tests of record events share: acts in one line, feeds as readers see them."""

from typing import Any, Final, NamedTuple

from lxml import etree

from caseflow.domain.vocabulary import TYPES
from tests.checks import check_house
from tests.houses import run_house

from .conftest import Json, Partner, Service

ATOM: Final = "{http://www.w3.org/2005/Atom}"
DELETED: Final = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"
IN_REPLY_TO: Final = "{http://purl.org/syndication/thread/1.0}in-reply-to"
ANY_VERSION: Final = {"If-Match": "*"}


def act(by: Partner, event: Json | str, what: str, body: Any = None, **headers: str) -> Json:
    """Post a judgement of an event, or of what an own name stands for; return what was recorded."""
    name = event if isinstance(event, str) else event["id"]
    answer = by.post(f"/v1/events/{name}/{what}", body or {}, **headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def change(by: Partner, case: Json, what: str, body: Any) -> Json:
    """Post a change of a case, of whichever version; return what was recorded."""
    answer = by.post(f"/v1/cases/{case['id']}/{what}", body, **ANY_VERSION)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def review(by: Partner, event: Json, decision: str = "approve") -> Json:
    """Post a review; return what was recorded."""
    answer = by.post(f"/v1/reviews/{event['id']}", {"decision": decision})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def claim(type: str, occurred: str = "2025-05-01", **fields: Any) -> Json:
    """Return a claim that is public unless it says otherwise."""
    return {"type": type, "occurred": occurred, "visibility": "public", **fields}


def corrected(fields: Json, reason: str = "typo") -> Json:
    """Return the body of a correction, in the form that suits every type."""
    return {"reason": reason, "claim": fields}


def headline(asker: Partner | Service, case: Json, **query: Any) -> str:
    """Return the headline of a case."""
    answer = asker.get(f"/v1/cases/{case['id']}", **query)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["status"]["headline"])


def count(asker: Partner | Service, headline: str, **query: Any) -> int:
    """Return how many persons have a headline."""
    answer = asker.get("/v1/statistics", **query)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["headline"].get(headline, 0))


def check(service: Service, *canaries: str) -> None:
    """Assert all that must hold of the whole house, and that no canary is public."""
    with run_house(service.settings) as house:
        check_house(house, *canaries)


# -- feeds ----------------------------------------------------------------------------------------


class FeedEntry(NamedTuple):
    """An entry as a reader sees it."""

    title: str
    content: str
    links: list[tuple[str, str]]
    in_reply_to: str | None
    updated: str
    terms: set[str]


class Feed(NamedTuple):
    """A document: entries by id, newest first, and when what was withdrawn, by id."""

    entries: dict[str, FeedEntry]
    tombstones: dict[str, str]
    updated: str
    text: str


def read_feed(service: Service, path: str = "/feeds/all.atom", language: str = "en") -> Feed:
    """Return a feed that must be there."""
    answer = service.get(path, lang=language)
    assert answer.status_code == 200, answer.text
    root = etree.fromstring(answer.content)
    entries = {_id(e.findtext(f"{ATOM}id")): _entry(e) for e in root.findall(f"{ATOM}entry")}
    assert len(entries) == len(root.findall(f"{ATOM}entry"))
    gone = {_id(e.get("ref")): str(e.get("when")) for e in root.findall(DELETED)}
    assert not entries.keys() & gone.keys()
    return Feed(entries, gone, str(root.findtext(f"{ATOM}updated")), answer.text)


def _id(urn: str | None) -> str:
    assert urn is not None
    assert urn.startswith("urn:uuid:")
    return urn.removeprefix("urn:uuid:")


def _entry(element: Any) -> FeedEntry:
    reply = element.find(IN_REPLY_TO)
    return FeedEntry(
        str(element.findtext(f"{ATOM}title")),
        str(element.findtext(f"{ATOM}content")),
        [(link.get("rel"), link.get("href")) for link in element.findall(f"{ATOM}link")],
        None if reply is None else _id(reply.get("ref")),
        str(element.findtext(f"{ATOM}updated")),
        {c.get("term") for c in element.findall(f"{ATOM}category")},
    )


# -- all that anyone may read ---------------------------------------------------------------------


def read_public(service: Service, *cases: Json, events: tuple[Json, ...] = ()) -> str:
    """Return every public document, with those about these cases and events, as one text."""
    paths = ["/v1/cases", "/v1/events", "/v1/statistics", "/v1/cases?as_of=2026-06-01"]
    paths += [f"/feeds/all.atom?lang={language}" for language in ("ru", "kk", "en")]
    paths += ["/feeds/all.json", "/v1/statistics/changes"]
    paths += [f"/feeds/{name}.atom" for name in ("recalls", "states/KZ")]
    for case in cases:
        paths += [
            f"/feeds/cases/{case['code']}.json",
            f"/v1/cases/{case['id']}", f"/v1/cases/{case['code']}",
            f"/v1/cases/{case['id']}/events",
            f"/feeds/cases/{case['code']}.atom", f"/feeds/cases/{case['code']}.atom?lang=ru",
        ]  # fmt: skip
    paths += [f"/v1/events/{event['id']}" for event in events]
    texts = [service.client.get(path, follow_redirects=True).text for path in paths]
    # What these feeds are of stands in their heads, whatever they have.
    of_types = [service.get(f"/feeds/types/{code}.atom").text for code in TYPES]
    return "\n".join((*texts, *(text.partition("<entry")[2] for text in of_types)))
