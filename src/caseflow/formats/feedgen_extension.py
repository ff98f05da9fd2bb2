"""What feedgen 1.0.0 leaves out of Atom documents, added through its extension interface.

feedgen calls an extension last, with the element it has built; the extension completes that
element in place. Values come as feedgen's own methods take them: dicts of attributes, all
text ready to be written. What the values mean and which are allowed is decided in `atom`.

feedgen builds elements without a namespace and writes `xmlns` as if it were an attribute;
so does this module, and an Atom name needs no prefix here.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from lxml import etree

ATOM: Final = "http://www.w3.org/2005/Atom"
HISTORY: Final = "http://purl.org/syndication/history/1.0"
THREAD: Final = "http://purl.org/syndication/thread/1.0"
TOMBSTONES: Final = "http://purl.org/atompub/tombstones/1.0"

_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"


class EntryExtension:
    """Completes an entry: its own namespace, language, whole links, and what it replies to."""

    def __init__(
        self, *, language: str, links: Sequence[Mapping[str, str]], in_reply_to: str | None
    ) -> None:
        self._language = language
        self._links = links
        self._in_reply_to = in_reply_to

    def extend_atom(self, entry: etree._Element) -> etree._Element:
        """Return the entry that feedgen built, completed. Source: RFC 4287; RFC 4685, section 3."""
        entry.set("xmlns", ATOM)
        entry.set(_XML_LANG, self._language)
        for link in self._links:
            etree.SubElement(entry, "link", dict(link))
        if self._in_reply_to is not None:
            # Declared here and not on the feed, so that the entry can be cut out and pasted.
            nsmap = {"thr": THREAD}
            etree.SubElement(
                entry, f"{{{THREAD}}}in-reply-to", {"ref": self._in_reply_to}, nsmap=nsmap
            )
        _write_utc_as_z(entry)
        return entry


class FeedExtension:
    """Completes a feed without entries: the mark of its kind, and tombstones."""

    def __init__(self, *, mark: str | None, tombstones: Sequence[Mapping[str, str]]) -> None:
        self._mark = mark
        self._tombstones = tombstones

    def extend_ns(self) -> dict[str, str]:
        """Return the prefixes to declare on the feed element."""
        return {"fh": HISTORY, "at": TOMBSTONES}

    def extend_atom(self, feed: etree._Element) -> etree._Element:
        """Return the feed that feedgen built, completed. Source: RFC 5005; RFC 6721, section 3."""
        if self._mark is not None:
            etree.SubElement(feed, f"{{{HISTORY}}}{self._mark}")
        for tombstone in self._tombstones:
            _add_tombstone(feed, tombstone)
        _write_utc_as_z(feed)
        return feed


def _add_tombstone(feed: etree._Element, tombstone: Mapping[str, str]) -> None:
    attributes = {"ref": tombstone["ref"], "when": _with_z(tombstone["when"])}
    element = etree.SubElement(feed, f"{{{TOMBSTONES}}}deleted-entry", attributes)
    if "comment" in tombstone:
        etree.SubElement(element, f"{{{TOMBSTONES}}}comment").text = tombstone["comment"]


def _write_utc_as_z(element: etree._Element) -> None:
    for time in element.iterchildren("updated", "published"):
        time.text = _with_z(time.text or "")


def _with_z(time: str) -> str:
    """Return a time in UTC, as `datetime.isoformat` gives it, with its zone as RFC 3339 has it."""
    return time.replace("+00:00", "Z")
