"""JSON Feed documents: what JSON Feed 1.1 asks for, the same bytes each time, harmless."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from caseflow.formats.atom import Category, Entry, FeedHead, Tombstone
from caseflow.formats.json_feed import FeedFacts, ItemFacts, render_feed, render_item

AT = datetime(2026, 2, 10, 8, 30, tzinfo=UTC)
FACTS = ItemFacts(
    position=7, kind="published", event="e", case="c", code="KZ-7Q3K-9F2M", host_state="KZ"
)
HEAD = FeedHead(
    id="https://cases.example/feeds/all.json",
    title="Feed",
    updated=AT,
    language="en",
    author="Example",
    self_href="https://cases.example/feeds/all.json?lang=en",
    alternate_href="https://cases.example/",
)


def entry(**fields: Any) -> Entry:
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


def test_an_item_has_what_an_entry_says() -> None:
    categories = (Category("extradition.granted", "https://x", "granted"), Category("KZ"))
    assert json.loads(render_item(entry(categories=categories), "https://e.org/1", FACTS)) == {
        "id": "urn:uuid:00000000-0000-0000-0000-000000000001",
        "url": "https://e.org/1",
        "title": "Title",
        "content_html": "<p>Text</p>",
        "date_published": "2026-02-10T08:30:00Z",
        "language": "en",
        "authors": [{"name": "Example"}],
        "tags": ["extradition.granted", "KZ"],
        "_caseflow": {
            "position": 7,
            "kind": "published",
            "event": "e",
            "case": "c",
            "code": "KZ-7Q3K-9F2M",
            "host_state": "KZ",
        },
    }


def test_a_document_holds_its_items_as_they_were_rendered() -> None:
    items = [render_item(entry(id=UUID(int=n)), "https://e.org/", FACTS) for n in (2, 1)]
    tombstone = Tombstone(UUID(int=3), AT)
    facts = FeedFacts(position=7, known_at="2026-02-11T00:00:00Z")
    document = render_feed(HEAD, items, [tombstone], facts)
    assert all(item in document for item in items)
    assert document == render_feed(HEAD, items, [tombstone], facts)
    found = json.loads(document)
    assert [item["id"][-1] for item in found.pop("items")] == ["2", "1"]
    assert found == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Feed",
        "home_page_url": "https://cases.example/",
        "feed_url": "https://cases.example/feeds/all.json?lang=en",
        "language": "en",
        "authors": [{"name": "Example"}],
        "_caseflow": {
            "position": 7,
            "as_of": None,
            "known_at": "2026-02-11T00:00:00Z",
            "updated": "2026-02-10T08:30:00Z",
            "withdrawn": [
                {
                    "id": "urn:uuid:00000000-0000-0000-0000-000000000003",
                    "when": "2026-02-10T08:30:00Z",
                }
            ],
        },
    }


@pytest.mark.parametrize("html", ["<script>x</script>", "<p onclick=x>t</p>", "<img src=x>"])
def test_content_is_cleaned(html: str) -> None:
    said = json.loads(render_item(entry(content_html=html), "https://e.org", FACTS))
    assert not {"script", "onclick", "img"} & set(said["content_html"].replace("<", " ").split())


def test_times_are_in_utc_and_need_a_zone() -> None:
    later = AT.astimezone(timezone(timedelta(hours=5)))
    item = json.loads(render_item(entry(published=later), "https://e.org", FACTS))
    assert item["date_published"] == "2026-02-10T08:30:00Z"
    with pytest.raises(ValueError, match="zone"):
        render_item(entry(published=AT.replace(tzinfo=None)), "https://e.org", FACTS)
