"""A mirror of a feed as the guide describes it, knowing nothing but Atom and its extensions."""

from typing import Final, NamedTuple

from lxml import etree

from .conftest import Service

BASE: Final = "https://cases.example"
ATOM: Final = "{http://www.w3.org/2005/Atom}"
DELETED: Final = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"
IN_REPLY_TO: Final = "{http://purl.org/syndication/thread/1.0}in-reply-to"
ARCHIVE: Final = "{http://purl.org/syndication/history/1.0}archive"


class Page(NamedTuple):
    """One document. entries: their bytes by id, in its order. links: by relation."""

    entries: dict[str, bytes]
    tombstones: set[str]
    links: dict[str, str]
    is_archive: bool
    body: bytes
    updated: str
    id: str


def read_page(service: Service, address: str) -> Page:
    """Return a document that has to be there."""
    answer = service.get(address.removeprefix(BASE))
    assert answer.status_code == 200, answer.text
    root = etree.fromstring(answer.content)
    found = root.findall(f"{ATOM}entry")
    entries = {str(e.findtext(f"{ATOM}id")): etree.tostring(e, with_tail=False) for e in found}
    assert len(entries) == len(found), "an entry stands there twice"
    return Page(
        entries,
        {str(e.get("ref")) for e in root.findall(DELETED)},
        {str(e.get("rel")): str(e.get("href")) for e in root.findall(f"{ATOM}link")},
        root.find(ARCHIVE) is not None,
        answer.content,
        str(root.findtext(f"{ATOM}updated")),
        str(root.findtext(f"{ATOM}id")),
    )


def walk(service: Service, path: str) -> list[Page]:
    """Return the subscription document and all archives, the newest first."""
    pages = [read_page(service, path)]
    while "prev-archive" in pages[-1].links:
        older = read_page(service, pages[-1].links["prev-archive"])
        assert older.links["self"] not in {page.links["self"] for page in pages}, "in a circle"
        pages.append(older)
    return pages


def mirror(service: Service, path: str) -> dict[str, bytes]:
    """Return all entries that a feed has, by id, as a mirror holds them after a walk."""
    held: dict[str, bytes] = {}
    gone: set[str] = set()
    for page in walk(service, path):
        gone |= page.tombstones
        for entry_id, entry in page.entries.items():
            # Documents overlap, and an entry is never edited.
            assert held.setdefault(entry_id, entry) == entry
    assert not gone & held.keys()
    return held
