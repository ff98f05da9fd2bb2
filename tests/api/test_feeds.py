"""The feeds: valid, readable by others, in order, the same bytes for everyone and ever."""

from calendar import timegm
from datetime import datetime
from pathlib import Path
from typing import Any

import feedparser
import httpx
import pytest
from lxml import etree

from .conftest import AUTHOR, Json, Seeded, Service, items, problem, serve

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).parents[1] / "formats" / "data" / "atom.rng"))
ATOM = {"a": "http://www.w3.org/2005/Atom"}
LANGUAGES = ("ru", "kk", "en")
HOSTILE = [
    "<script>alert(1)</script>", "a & b < c > d", "]]>", "<!-- -->", "&lt;b&gt; &#x202e;",
    "\u202eevil\u2066", "quote\" ' `", "\x85\u2028\u2029", "\u0130ı", "\u0600\u0661",
    "\ue000", "\U0001f4a5", "\U0002070e", "\U000e0041", "\U000f0000", "\U0010fffd", "{{ 7*7 }}",
    "<p xmlns='x'>", "<?xml version='1.0'?>", "line\nbreak\ttab",
]  # fmt: skip


def parse(answer: httpx.Response) -> Any:
    """Return a document as an independent reader sees it; it must be valid as well."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    tree = etree.fromstring(answer.content)
    assert SCHEMA.validate(tree), SCHEMA.error_log
    found = feedparser.parse(answer.content)
    assert not found.bozo, found.get("bozo_exception")
    assert len(found.entries) == len(tree.findall("a:entry", ATOM))
    return found


def ids(found: Any) -> list[str]:
    return [entry.id.removeprefix("urn:uuid:") for entry in found.entries]


class TestTheDemo:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_the_feed_is_valid_and_has_the_newest_fifty(
        self, seeded: Seeded, language: str
    ) -> None:
        log = items(seeded.service.get("/v1/events", limit=500))
        assert len(log) > 50
        found = parse(seeded.service.get("/feeds/all.atom", lang=language))
        assert ids(found) == [e["id"] for e in reversed(log)][:50]
        times = [timegm(entry.updated_parsed) for entry in found.entries]
        assert times == sorted(times, reverse=True)
        assert found.feed.id == "https://cases.example/feeds/all.atom"
        for entry, event in zip(found.entries, reversed(log), strict=False):
            assert entry.updated == entry.published == event["recorded_at"]
            assert entry.author == "Press desk"
            terms = {tag.term for tag in entry.tags}
            assert {event["type"], "KZ"} <= terms
            (link,) = [link.href for link in entry.links if link.rel == "alternate"]
            assert link == f"https://cases.example/v1/events/{event['id']}"
        assert found.feed.updated == log[-1]["recorded_at"]

    def test_a_feed_of_a_case_has_that_case_alone(self, seeded: Seeded) -> None:
        log = items(seeded.service.get("/v1/events", limit=500))
        for case in items(seeded.service.get("/v1/cases", limit=500)):
            found = parse(seeded.service.get(f"/feeds/cases/{case['code']}.atom"))
            assert ids(found) == [e["id"] for e in reversed(log) if e["case"] == case["id"]]
            assert case["label"] in found.feed.title
            assert found.feed.id == f"https://cases.example/feeds/cases/{case['code']}.atom"

    def test_languages_are_chosen_by_parameter_or_header(self, seeded: Seeded) -> None:
        documents = {}
        for path in ("/feeds/all.atom", f"/feeds/cases/{seeded.cases['movlaev']['code']}.atom"):
            for language in LANGUAGES:
                asked = seeded.service.get(path, lang=language)
                accepted = seeded.service.get(
                    path, headers={"Accept-Language": f"{language}, *;q=0.1"}
                )
                assert asked.content == accepted.content
                assert asked.headers["content-language"] == language
                assert "Accept-Language" in accepted.headers["vary"]
                root = etree.fromstring(asked.content)
                assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == language
                documents[path, language] = asked.content
            assert seeded.service.get(path).content == documents[path, "en"]
        assert len(set(documents.values())) == 6
        assert "Мансур Мовлаев" in documents["/feeds/all.atom", "ru"].decode()
        assert "Mansur Movlaev" in documents["/feeds/all.atom", "en"].decode()

    def test_the_bytes_are_the_same_for_everyone_and_from_every_process(
        self, seeded: Seeded
    ) -> None:
        service = seeded.service
        addresses = [f"/feeds/all.atom?lang={language}" for language in LANGUAGES]
        addresses.append(f"/feeds/cases/{seeded.cases['movlaev']['code']}.atom")
        with serve(service.settings) as elsewhere:
            for address in addresses:
                for encoding in ("identity", "gzip"):
                    headers = {"Accept-Encoding": encoding}
                    first, second = service.get(address, headers), service.get(address, headers)
                    other = elsewhere.get(address, headers)
                    with_key = seeded.press.get(address, headers)
                    for answer in (second, other, with_key):
                        assert answer.content == first.content
                        assert answer.headers["etag"] == first.headers["etag"]
                    known = {**headers, "If-None-Match": first.headers["etag"]}
                    assert elsewhere.get(address, known).status_code == 304

    def test_it_is_cached_by_encoding(self, seeded: Seeded) -> None:
        service = seeded.service
        plain = service.get("/feeds/all.atom", {"Accept-Encoding": "identity"})
        zipped = service.get("/feeds/all.atom", {"Accept-Encoding": "gzip"})
        assert zipped.headers["content-encoding"] == "gzip"
        assert int(zipped.headers["content-length"]) < len(plain.content) / 3
        assert zipped.content == plain.content
        assert plain.headers["etag"] != zipped.headers["etag"]
        for tag, encoding, status in (
            (plain, "identity", 304), (zipped, "gzip", 304), (plain, "gzip", 200),
            (zipped, "identity", 200),
        ):  # fmt: skip
            headers = {"Accept-Encoding": encoding, "If-None-Match": tag.headers["etag"]}
            assert service.get("/feeds/all.atom", headers).status_code == status
        head = service.client.head("/feeds/all.atom", headers={"Accept-Encoding": "gzip"})
        assert (head.status_code, head.content) == (200, b"")
        assert dict(head.headers) == dict(zipped.headers)


def test_cases_and_lists_tell_where_their_feeds_are(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case, hidden = author.open(), author.open()
    author.tell(case, "extradition.granted")
    found = {
        f"/v1/cases/{case['id']}": f"/feeds/cases/{case['code']}",
        f"/v1/cases/{case['id']}/events": f"/feeds/cases/{case['code']}",
        "/v1/cases": "/feeds/all",
        "/v1/cases?host_state=KZ": "/feeds/states/KZ",
    }
    for path, feed in found.items():
        answer = service.get(path)
        assert answer.headers["link"] == (
            f'<{feed}.atom>; rel="alternate"; type="application/atom+xml", '
            f'<{feed}.json>; rel="alternate"; type="application/feed+json"'
        )
        for ending in ("atom", "json"):
            assert service.get(f"{feed}.{ending}").status_code == 200
    # To its partner, too, a case that is not public has no feed.
    for path in (f"/v1/cases/{hidden['id']}", f"/v1/cases/{hidden['id']}/events"):
        assert "link" not in author.get(path).headers


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_entry_leads_to_its_proof_while_it_can_be_read(light: Service, language: str) -> None:
    author = light.partner(*AUTHOR)
    told = author.tell(author.open(), "extradition.granted")
    light.settle()
    (entry,) = parse(light.get("/feeds/all.atom", lang=language)).entries
    (proof,) = (link for link in entry.links if link.href.endswith("/proof"))
    assert (proof.rel, proof.type) == ("related", "application/json")
    assert proof.title
    answer = light.get(proof.href.removeprefix("https://cases.example"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    author.post(f"/v1/events/{told['id']}/retractions", {"reason": "false"})
    assert "/proof" not in light.get("/feeds/all.atom").text


def test_an_empty_feed_is_valid(service: Service) -> None:
    for language in LANGUAGES:
        found = parse(service.get("/feeds/all.atom", lang=language))
        assert found.entries == []
        assert found.feed.updated == "1970-01-01T00:00:00Z"


def test_the_order_is_that_of_publication_not_of_the_facts(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    told = [author.tell(case, "wanted.removed", day) for day in ("2025", "2020", "2026", "1999")]
    found = parse(service.get("/feeds/all.atom"))
    assert ids(found) == [event["id"] for event in reversed(told)]


def test_the_window_slides_and_old_entries_keep_their_bytes(light: Service) -> None:
    author = light.partner(*AUTHOR)
    case = author.open()
    told = [author.tell(case, "wanted.removed", f"20{n:02}")["id"] for n in range(50)]
    before = light.get("/feeds/all.atom")
    assert ids(parse(before)) == told[::-1]
    more = author.tell(case, "person.died")["id"]
    after = light.get("/feeds/all.atom")
    assert ids(parse(after)) == [more, *told[:0:-1]]
    entries = [
        {
            etree.tostring(e, with_tail=False)
            for e in etree.fromstring(d.content).findall("a:entry", ATOM)
        }
        for d in (before, after)
    ]
    assert len(entries[0] & entries[1]) == 49
    assert (
        light.get("/feeds/all.atom", {"If-None-Match": before.headers["etag"]}).status_code == 200
    )


def test_a_partner_without_a_public_name_leaves_the_word_to_the_deployment(light: Service) -> None:
    author = light.partner(*AUTHOR)
    author.tell(author.open(), "wanted.removed")
    (entry,) = parse(light.get("/feeds/all.atom")).entries
    assert entry.author == "Test record"
    (event,) = items(light.get("/v1/events"))
    assert event["partner"] == "Test record"
    assert str(author.id) not in light.get("/v1/events").text + light.get("/feeds/all.atom").text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless_and_whole(shared: Service, text: str) -> None:
    author = shared.partner(*AUTHOR, public_name=f"N {text.splitlines()[0]}")
    consent = {"publish": "pseudonym", "basis": "already_public", "pseudonym": f"P {text}"}
    case = author.open(consent=consent)
    sources = [{"title": f"T {text}", "publisher": text, "url": "https://e.org/?a=<&b=\"'"}]
    fields: Json = {"place": text, "authority": text, "accusation": f"A {text}", "sources": sources}
    for language in LANGUAGES:
        fields["summary"] = {language: f"S {text}"}
        author.tell(case, "prosecution.charged", **fields)
    for language in LANGUAGES:
        answer = shared.get(f"/feeds/cases/{case['code']}.atom", lang=language)
        parse(answer)
        tree = etree.fromstring(answer.content)
        assert all(e.tag.startswith("{http://www.w3.org/2005/Atom}") for e in tree.iter())
        for content in tree.findall("a:entry/a:content", ATOM):
            assert content.get("type") == "html"
            said = etree.HTML(content.text or "")
            assert {e.tag for e in said.iter()} <= {
                "html", "body", "p", "bdi", "blockquote", "ul", "li", "a",
            }  # fmt: skip
            names = {name for e in said.iter() for name in e.attrib}
            assert names <= {"lang", "href", "rel"}
            assert f"S {text}" in "".join(map(str, said.itertext()))
        titles = [e.text or "" for e in tree.findall("a:entry/a:title", ATOM)]
        assert len(titles) == 3


def test_a_feed_that_is_not_there_is_not_found(shared: Service) -> None:
    for name in (
        "KZ-0000-0000.atom",
        "KZ-0000-0000",
        "x.rss",
        ".atom",
        "atom",
        "%00.atom",
        "a.json",
    ):
        problem(shared.get(f"/feeds/cases/{name}"), 404, "not-found")
    problem(shared.get("/feeds/none.atom"), 404, "not-found")


def test_times_are_of_the_log_and_never_of_the_clock(light: Service) -> None:
    author = light.partner(*AUTHOR)
    told = author.tell(author.open(), "wanted.removed")
    first = light.get("/feeds/all.atom")
    root = etree.fromstring(first.content)
    times = {e.text for e in root.iter("{*}updated", "{*}published")}
    assert times == {told["recorded_at"]}
    assert datetime.fromisoformat(told["recorded_at"]).utcoffset() is not None
    with serve(light.settings) as later:
        assert later.get("/feeds/all.atom").content == first.content
