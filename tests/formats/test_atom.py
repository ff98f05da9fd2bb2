"""Atom documents: equal to the golden ones, valid by the RFCs, readable by others, harmless."""

import re
from calendar import timegm
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import feedparser
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from caseflow.formats.atom import (
    Category,
    Entry,
    FeedHead,
    Kind,
    Link,
    Tombstone,
    render_entry,
    render_feed,
)

DATA = Path(__file__).parent / "data"
SCHEMA = etree.RelaxNG(etree.parse(DATA / "atom.rng"))
NAMESPACES = {
    "a": "http://www.w3.org/2005/Atom",
    "fh": "http://purl.org/syndication/history/1.0",
    "at": "http://purl.org/atompub/tombstones/1.0",
    "thr": "http://purl.org/syndication/thread/1.0",
}
AT = datetime(2026, 2, 10, 8, 30, tzinfo=UTC)


class Document(msgspec.Struct, forbid_unknown_fields=True):
    """The values of one golden document."""

    head: FeedHead
    entries: list[Entry]
    tombstones: list[Tombstone]

    def render(self) -> bytes:
        return render_feed(
            self.head, [render_entry(each) for each in self.entries], self.tombstones
        )


def read_values(name: str) -> Document:
    return msgspec.json.decode((DATA / f"{name}.json").read_bytes(), type=Document)


def make_entry(**fields: Any) -> Entry:
    common = {
        "id": UUID(int=1),
        "title": "Title",
        "updated": AT,
        "published": AT,
        "language": "en",
        "author": "Example",
        "content_html": "<p>Text</p>",
    }
    return Entry(**{**common, **fields})


def make_head(**fields: Any) -> FeedHead:
    common = {
        "id": "urn:uuid:00000000-0000-0000-0000-000000000009",
        "title": "Feed",
        "updated": AT,
        "language": "en",
        "author": "Example",
        "self_href": "https://cases.example/feed",
    }
    return FeedHead(**{**common, **fields})


def select(document: bytes | etree._Element, path: str) -> list[Any]:
    root = etree.fromstring(document) if isinstance(document, bytes) else document
    return list(root.xpath(path, namespaces=NAMESPACES))


def list_faults(root: etree._Element) -> list[str]:
    """Return what breaks RFC 4287: by the schema, and by the rules that no grammar can state."""
    faults = [] if SCHEMA.validate(root) else [str(error.message) for error in SCHEMA.error_log]
    if select(root, "//a:entry[not(a:author|a:source/a:author|/a:feed/a:author)]"):
        faults.append("an entry without an author (4.1.1, 4.1.2)")
    if select(root, "//a:entry[not(a:content) and not(a:link[not(@rel) or @rel='alternate'])]"):
        faults.append("an entry with neither content nor alternate (4.1.2)")
    if select(root, "//a:entry[a:content/@src and not(a:summary)]"):
        faults.append("content elsewhere without a summary (4.1.2)")
    for parent in select(root, "//a:feed | //a:entry"):
        links = select(parent, "a:link[not(@rel) or @rel='alternate']")
        if repeats((link.get("type"), link.get("hreflang")) for link in links):
            faults.append("two alternates of one type and language (4.1.1, 4.1.2)")
    versions = [tuple(select(entry, "a:id|a:updated")) for entry in select(root, "//a:entry")]
    if repeats(tuple(element.text for element in version) for version in versions):
        faults.append("one entry twice at one time (4.1.1)")
    graves = select(root, "//at:deleted-entry")
    if repeats((grave.get("ref"), grave.get("when")) for grave in graves):
        faults.append("one tombstone twice (RFC 6721, 3)")
    return faults


def repeats(values: Any) -> bool:
    return any(count > 1 for count in Counter(values).values())


@pytest.mark.parametrize("name", ["window", "archive"])
class TestGoldenDocuments:
    def test_rendering_gives_the_golden_bytes(self, name: str) -> None:
        assert read_values(name).render() == (DATA / f"{name}.atom").read_bytes()

    def test_rendering_twice_gives_the_same_bytes(self, name: str) -> None:
        assert read_values(name).render() == read_values(name).render()

    def test_the_document_is_valid(self, name: str) -> None:
        assert list_faults(etree.fromstring(read_values(name).render())) == []

    def test_each_entry_alone_is_a_valid_entry_document(self, name: str) -> None:
        for entry in read_values(name).entries:
            assert list_faults(etree.fromstring(render_entry(entry))) == []

    def test_feedparser_reads_back_the_values(self, name: str) -> None:
        values = read_values(name)
        parsed = feedparser.parse(values.render())
        assert not parsed.bozo
        assert parsed.feed.id == values.head.id
        assert parsed.feed.title == values.head.title
        assert parsed.feed.generator == "caseflow"
        assert [each.id for each in parsed.entries] == [each.id.urn for each in values.entries]
        for read, entry in zip(parsed.entries, values.entries, strict=True):
            assert read.title == entry.title
            assert read.author == entry.author
            assert read.content[0].value == entry.content_html
            assert (read.content[0].type, read.content[0].language) == ("text/html", entry.language)
            assert timegm(read.updated_parsed) == int(entry.updated.timestamp())
            assert timegm(read.published_parsed) == int(entry.published.timestamp())
            assert [(each.rel, each.href) for each in read.get("links", [])] == [
                (each.rel, each.href) for each in entry.links
            ]
            assert [(tag.term, tag.scheme, tag.label) for tag in read.get("tags", [])] == [
                (each.term, each.scheme, each.label) for each in entry.categories
            ]


def test_what_the_documentation_shows_is_what_is_rendered() -> None:
    page = (Path(__file__).parents[2] / "docs" / "feed.md").read_text()
    examples = re.findall(r"```xml\n(.*?)```", page, re.DOTALL)
    golden = (DATA / "window.atom").read_text()
    assert examples
    assert all(example in golden for example in examples)


def remove(path: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        for element in select(root, path):
            element.getparent().remove(element)

    return change


def append(xml: str, to: str = "/a:feed") -> Callable[[etree._Element], None]:
    declared = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in NAMESPACES.items())

    def change(root: etree._Element) -> None:
        select(root, to)[0].extend(etree.fromstring(f"<x {declared}>{xml}</x>"))

    return change


def insert_first(xml: str, into: str = "/a:feed") -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        append(xml, into)(root)
        parent = select(root, into)[0]
        parent.insert(0, parent[-1])

    return change


def set_attribute(path: str, name: str, value: str | None) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        for element in select(root, path):
            element.attrib.pop(name, None)
            if value is not None:
                element.set(name, value)

    return change


def set_text(path: str, text: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        for element in select(root, path):
            element.text = text

    return change


def repeat(path: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        element = select(root, path)[0]
        element.addnext(etree.fromstring(etree.tostring(element, with_tail=False)))

    return change


class TestTheCheckItself:
    """A check that cannot fail shows nothing."""

    @pytest.mark.parametrize(
        "change",
        [
            remove("/a:feed/a:id"),
            remove("/a:feed/a:title"),
            remove("/a:feed/a:updated"),
            remove("//a:entry/a:id"),
            remove("//a:entry/a:updated"),
            remove("//a:entry/a:author | /a:feed/a:author"),
            remove("//a:entry/a:content | //a:entry/a:link"),
            remove("//a:author/a:name"),
            repeat("/a:feed/a:generator"),
            repeat("//a:entry/a:content"),
            repeat("//a:entry/a:link[@rel='alternate']"),
            repeat("//a:entry"),
            repeat("//at:deleted-entry"),
            set_text("//a:id", "not an IRI"),
            set_text("//a:updated", "2026-02-10"),
            set_text("//a:updated", "2026-02-10T08:30:00"),
            set_text("//a:updated", "2026-02-30T08:30:00Z"),
            set_text("//a:author/a:name", ""),
            set_attribute("//a:link", "href", None),
            set_attribute("//a:link", "type", "html"),
            set_attribute("//a:link", "hreflang", "not a language"),
            set_attribute("//a:link", "onclick", "alert(1)"),
            set_attribute("//a:category", "term", None),
            set_attribute("//a:category", "scheme", "relative"),
            set_attribute("//a:content", "type", "xhtml"),
            set_attribute("//at:deleted-entry", "ref", None),
            set_attribute("//at:deleted-entry", "when", "yesterday"),
            set_attribute("//thr:in-reply-to", "ref", None),
            append("<a:rights>After the entries</a:rights>"),
            insert_first("<a:unknown/>"),
            insert_first("<a:unknown/>", "//a:entry"),
            insert_first("<fh:archive>not empty</fh:archive>"),
            insert_first("<fh:archive/><fh:complete/>"),
            insert_first("<thr:in-reply-to ref='urn:x:y'/>"),
        ],
    )
    def test_a_broken_document_is_found_out(self, change: Callable[..., None]) -> None:
        root = etree.fromstring(read_values("window").render())
        change(root)
        assert list_faults(root)

    @pytest.mark.parametrize(
        "change",
        [
            insert_first("<x:mark xmlns:x='urn:x'><a:id/></x:mark>"),
            insert_first("<x:mark xmlns:x='urn:x'>text</x:mark>", "//a:entry"),
            insert_first("<fh:complete/>"),
            set_attribute("//a:link", "{urn:x}seen", "yes"),
            remove("/a:feed/a:author"),
        ],
    )
    def test_what_the_rules_allow_is_let_through(self, change: Callable[..., None]) -> None:
        root = etree.fromstring(read_values("window").render())
        change(root)
        assert list_faults(root) == []


class TestEntries:
    def test_links_keep_every_attribute(self) -> None:
        link = Link("https://x.example/", "alternate", "text/html", "kk", 'A "title"')
        [element] = select(render_entry(make_entry(links=(link,))), "a:link")
        assert dict(element.attrib) == msgspec.structs.asdict(link)

    def test_what_is_not_given_is_not_written(self) -> None:
        entry = make_entry(links=(Link("urn:x:y", "via"),), categories=(Category("term"),))
        fragment = render_entry(entry)
        assert [dict(each.attrib) for each in select(fragment, "a:link|a:category")] == [
            {"term": "term"},
            {"href": "urn:x:y", "rel": "via"},
        ]
        assert not select(fragment, "a:summary | thr:in-reply-to")

    def test_times_are_written_in_utc(self) -> None:
        at = datetime.fromisoformat("2026-02-10T00:30:00.000001+06:00")
        fragment = render_entry(make_entry(updated=at, published=at))
        times = select(fragment, "a:updated/text() | a:published/text()")
        assert times == ["2026-02-09T18:30:00.000001Z"] * 2

    @pytest.mark.parametrize(
        "fields",
        [
            {"title": ""},
            {"author": ""},
            {"updated": AT.replace(tzinfo=None)},
            {"published": AT.replace(tzinfo=None)},
        ],
    )
    def test_what_would_break_the_rules_is_refused(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"Required|no name|no zone"):
            render_entry(make_entry(**fields))


class TestFeeds:
    def test_entries_keep_their_bytes_and_their_order(self) -> None:
        entries = [render_entry(make_entry(id=UUID(int=number))) for number in (2, 9, 1, 5)]
        assert b"".join(entries) in render_feed(make_head(), entries)

    def test_a_feed_without_entries_is_valid(self) -> None:
        assert list_faults(etree.fromstring(render_feed(make_head(), []))) == []

    def test_only_a_kind_other_than_the_window_is_marked(self) -> None:
        marks = {
            kind: [each.tag for each in select(render_feed(make_head(kind=kind), []), "fh:*")]
            for kind in Kind
        }
        assert marks == {
            Kind.WINDOW: [],
            Kind.ARCHIVE: [f"{{{NAMESPACES['fh']}}}archive"],
            Kind.COMPLETE: [f"{{{NAMESPACES['fh']}}}complete"],
        }

    @pytest.mark.parametrize(
        "fields",
        [
            {"id": ""},
            {"title": ""},
            {"author": ""},
            {"updated": AT.replace(tzinfo=None)},
            {"title": "\x00"},
            {"links": (Link("https://x.example/\x0b", "related"),)},
            {"self_href": "/feeds/all.atom"},
        ],
    )
    def test_what_would_break_the_rules_is_refused(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"Required|no name|no zone|cannot carry|http"):
            render_feed(make_head(**fields), [])

    def test_a_tombstone_without_a_zone_or_with_unwritable_text_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no zone"):
            render_feed(make_head(), [], [Tombstone(UUID(int=3), AT.replace(tzinfo=None))])
        with pytest.raises(ValueError, match=r"tombstone.comment: XML cannot carry U\+001B"):
            render_feed(make_head(), [], [Tombstone(UUID(int=3), AT, "\x1b")])


HOSTILE = [
    "<script>alert(1)</script>",
    "]]></content></entry></feed><entry>",
    "<!ENTITY x SYSTEM 'file:///etc/passwd'>&x;",
    "\u202egnp.exe \u2066\u200f\u200b",  # text that turns round, isolates, is invisible
    "".join(chr(plane * 0x10000 + 0x4567) for plane in range(17)),
    "\t\r\n \u0085\u2028\ufeff\ufffd\U0001f1f0\U0001f1ff",
    "Ж" * 200_000,
]


class TestHostileText:
    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_plain_text_comes_back_as_it_was(self, text: str) -> None:
        entry = make_entry(
            title=text,
            summary=text,
            author=text,
            links=(Link("https://x.example/", "related", title=text),),
            categories=(Category(text, label=text),),
        )
        root = etree.fromstring(render_feed(make_head(title=text), [render_entry(entry)]))
        assert list_faults(root) == []
        assert select(root, "//a:title/text()") == [text, text]
        assert select(root, "a:entry/a:summary/text()") == [text]
        assert select(root, "a:entry/a:link/@title") == [text]
        assert select(root, "a:entry/a:category/@term") == [text]

    @given(text=st.text(min_size=1, max_size=40))
    @settings(max_examples=100, deadline=None)
    def test_any_text_comes_back_or_is_refused(self, text: str) -> None:
        try:
            fragment = render_entry(make_entry(title=text))
        except ValueError:
            assert any(not is_xml_character(character) for character in text)
        else:
            assert select(fragment, "a:title/text()") == [text]

    @pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
    @pytest.mark.parametrize("field", ["title", "summary", "content_html", "author", "language"])
    def test_text_that_xml_cannot_carry_is_named_and_not_shown(
        self, field: str, character: str
    ) -> None:
        refusal = rf"^entry\.{field}: XML cannot carry U\+{ord(character):04X}$"
        with pytest.raises(ValueError, match=refusal):
            render_entry(make_entry(**{field: "secret" + character}))

    def test_a_character_reference_in_markup_hides_nothing(self) -> None:
        with pytest.raises(ValueError, match=r"content_html.*U\+000B"):
            render_entry(make_entry(content_html="<p>&#11;</p>"))

    @pytest.mark.parametrize(
        "markup",
        [
            "<script>alert(1)</script>",
            "<p onclick='alert(1)' style='x:url(//e)'>x</p>",
            "<a href='javascript:alert(1)'>x</a>",
            "<a href=' java\tscript:alert(1)'>x</a>",
            "<a href='data:text/html,<script>1</script>'>x</a>",
            "<a href='mailto:x@e.example'>x</a><a href='/x'>x</a><a href='//e.example'>x</a>",
            "<img src=x onerror=alert(1)>",
            "<svg><script>alert(1)</script></svg><math><mtext><style><img src=x></style>",
            "<iframe src=https://e.example></iframe><object data=x></object><embed src=x>",
            "<form action=https://e.example><input name=x></form><base href=//e><meta>",
        ],
    )
    def test_nothing_that_runs_or_loads_is_left_in_markup(self, markup: str) -> None:
        [content] = select(render_entry(make_entry(content_html=markup)), "a:content/text()") or [
            ""
        ]
        left = etree.HTML(f"<div>{content}</div>")
        assert {each.tag for each in left.iter()} <= {"html", "body", "div", "p", "a"}
        assert {name for each in left.iter() for name in each.attrib} <= {"rel"}
        assert "alert" not in content

    @pytest.mark.parametrize(
        "href", ["javascript:alert(1)", "JavaScript:x", " data:text/html,x", "file:///x", "//x", ""]
    )
    def test_a_link_that_a_reader_might_run_is_refused(self, href: str) -> None:
        with pytest.raises(ValueError, match="http"):
            render_entry(make_entry(links=(Link(href, "alternate"),)))


def is_xml_character(character: str) -> bool:
    code = ord(character)
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or code >= 0x10000
    )
