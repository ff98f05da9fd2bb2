"""The feeds as JSON: the same windows and words as in Atom, and the windows of other moments."""

import json
from typing import Any

import httpx
import pytest
from lxml import etree

from caseflow.domain.dates import parse_when

from .conftest import AUTHOR, Json, Partner, Seeded, Service, items, pointers, problem

ATOM = {"a": "http://www.w3.org/2005/Atom", "at": "http://purl.org/atompub/tombstones/1.0"}
LANGUAGES = ("ru", "kk", "en")
ALL = "/feeds/all.json"


def read(asker: Any, path: str = ALL, **query: Any) -> Json:
    answer = asker.get(path, **query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/feed+json; charset=utf-8"
    return dict(json.loads(answer.content))


def events(document: Json) -> list[str]:
    return [item["_caseflow"]["event"] for item in document["items"]]


def withdrawn(document: Json) -> list[str]:
    return [gone["id"] for gone in document["_caseflow"]["withdrawn"]]


def assert_same(atom: httpx.Response, found: Json) -> None:
    """Assert that a JSON document has the entries and tombstones of an Atom document."""
    tree = etree.fromstring(atom.content)
    entries = tree.findall("a:entry", ATOM)
    for entry, item in zip(entries, found["items"], strict=True):
        assert item["id"] == entry.findtext("a:id", None, ATOM)
        assert item["title"] == entry.findtext("a:title", None, ATOM)
        assert item["content_html"] == entry.findtext("a:content", None, ATOM)
        assert item["date_published"] == entry.findtext("a:published", None, ATOM)
        assert item["authors"] == [{"name": entry.findtext("a:author/a:name", None, ATOM)}]
        assert item["tags"] == [e.get("term") for e in entry.findall("a:category", ATOM)]
        (link,) = entry.findall("a:link[@rel='alternate']", ATOM)
        assert item["url"] == link.get("href")
    gone = tree.findall("at:deleted-entry", ATOM)
    assert withdrawn(found) == [e.get("ref") for e in gone]
    assert found["title"] == tree.findtext("a:title", None, ATOM)


class TestTheDemo:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_the_items_are_the_entries_of_the_atom_feed(
        self, seeded: Seeded, language: str
    ) -> None:
        code = seeded.cases["movlaev"]["code"]
        for path in ("/feeds/all", f"/feeds/cases/{code}"):
            atom = seeded.service.get(f"{path}.atom", lang=language)
            found = read(seeded.service, f"{path}.json", lang=language)
            assert_same(atom, found)
            assert found["feed_url"] == f"https://cases.example{path}.json?lang={language}"
            assert found["language"] == language
        log = items(seeded.service.get("/v1/events", limit=500))
        positions = [i["_caseflow"]["position"] for i in read(seeded.service)["items"]]
        assert positions == [e["position"] for e in reversed(log)][:50]

    def test_it_is_cached_by_encoding_and_answers_head(self, seeded: Seeded) -> None:
        service = seeded.service
        for path in (ALL, f"{ALL}?as_of=2025-12-31", f"{ALL}?known_at=2099-01-01T00:00:00Z"):
            plain = service.get(path, {"Accept-Encoding": "identity"})
            zipped = service.get(path, {"Accept-Encoding": "gzip"})
            assert zipped.headers["content-encoding"] == "gzip"
            assert plain.headers["etag"] != zipped.headers["etag"]
            known = {"Accept-Encoding": "gzip", "If-None-Match": zipped.headers["etag"]}
            assert service.get(path, known).status_code == 304
            head = service.client.head(path, headers={"Accept-Encoding": "gzip"})
            assert (head.content, dict(head.headers)) == (b"", dict(zipped.headers))
            assert seeded.press.get(path).content == plain.content

    def test_as_of_a_day_what_happened_later_is_left_out(self, seeded: Seeded) -> None:
        log = items(seeded.service.get("/v1/events", limit=500))
        for day in ("2020-01-01", "2025-05-31", "2025-12-31", "2026-12-31"):
            told = [e["id"] for e in log if _earliest(seeded, e["id"]) <= day]
            found = read(seeded.service, as_of=day)
            assert events(found) == told[::-1][:50]
            assert found["_caseflow"]["as_of"] == day
            assert found["feed_url"].endswith(f"?lang=en&as_of={day}")

    def test_known_at_a_time_it_is_the_window_of_then(self, seeded: Seeded) -> None:
        log = items(seeded.service.get("/v1/events", limit=500))
        for event in (log[0], log[20], log[-1]):
            at = event["recorded_at"]
            told = [e["id"] for e in log if e["recorded_at"] <= at]
            found = read(seeded.service, known_at=at)
            assert events(found) == told[::-1][:50]
            assert found["_caseflow"]["updated"] == at
            assert found["_caseflow"]["position"] == len(told)
            code, case = event["code"], event["case"]
            of_case = [e["id"] for e in log if e["case"] == case and e["recorded_at"] <= at]
            found = read(seeded.service, f"/feeds/cases/{code}.json", known_at=at)
            assert events(found) == of_case[::-1]


def _earliest(seeded: Seeded, event_id: str) -> str:
    event = next(e for e in seeded.events.values() if e["id"] == event_id)
    return parse_when(event["occurred"]).earliest or ""


def act(partner: Partner, event: Json, what: str, **body: Any) -> Json:
    answer = partner.post(f"/v1/events/{event['id']}/{what}", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_what_was_corrected_and_withdrawn_says_so(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    granted = author.tell(case, "extradition.granted", place="Vufibadut")
    before = read(service)["_caseflow"]["updated"]
    fixed = act(
        author, granted, "corrections", reason="typo",
        type="extradition.granted", occurred="2025-05-02", visibility="public", place="Almaty",
    )  # fmt: skip
    newest, first = read(service)["items"]
    assert newest["_caseflow"] == {
        **first["_caseflow"],
        "position": 2,
        "kind": "corrected",
        "event": fixed["id"],
        "corrects": first["id"],
    }
    between = newest["date_published"]
    act(author, fixed, "retractions", reason="false")
    found = read(service)
    assert_same(service.get("/feeds/all.atom"), found)
    (only,) = found["items"]
    assert only["_caseflow"]["withdraws"] == newest["id"]
    assert "type" not in only["_caseflow"]
    assert withdrawn(found) == [newest["id"], first["id"]]
    # No replay gives the words back: they are gone in the windows of before as well.
    for at, gone in ((before, [first["id"]]), (between, [newest["id"], first["id"]])):
        answer = service.get(ALL, known_at=at)
        assert withdrawn(answer.json()) == gone
        assert answer.json()["items"] == []
        assert "Vufibadut" not in answer.text
        assert "Almaty" not in answer.text


def test_a_replay_of_before_a_correction_has_the_old_text(service: Service) -> None:
    author = service.partner(*AUTHOR)
    granted = author.tell(author.open(), "extradition.granted", place="Vufibadut")
    before = read(service)
    act(
        author, granted, "corrections", reason="new_evidence",
        type="extradition.refused", occurred="2025-05-02", visibility="public",
    )  # fmt: skip
    then = read(service, known_at=before["_caseflow"]["updated"])
    assert then["items"] == before["items"]
    assert [i["_caseflow"]["kind"] for i in read(service)["items"]] == ["corrected", "published"]


def test_the_window_of_a_day_reaches_back_as_far_as_it_must(light: Service) -> None:
    author = light.partner(*AUTHOR)
    case = author.open()
    old = [author.tell(case, "wanted.removed", f"19{n:02}")["id"] for n in range(60)]
    for n in range(60):
        author.tell(case, "wanted.removed", f"20{n:02}")
    assert events(read(light, as_of="1999-12-31")) == old[:9:-1]
    assert events(read(light, as_of="1905-12-31")) == old[5::-1]


def test_of_a_case_that_was_not_public_yet_there_was_no_feed(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    path = f"/feeds/cases/{case['code']}.json"
    problem(service.get(path), 404, "not-found")
    told = author.tell(case, "extradition.granted")
    assert events(read(service, path)) == [told["id"]]
    problem(service.get(path, known_at="2020-01-01T00:00:00Z"), 404, "not-found")
    assert events(read(service, path, as_of="2020-01-01")) == []


def test_an_empty_feed_has_no_items(service: Service) -> None:
    for language in LANGUAGES:
        found = read(service, lang=language)
        assert (found["items"], withdrawn(found)) == ([], [])
        assert found["_caseflow"]["updated"] == "1970-01-01T00:00:00Z"


def test_replays_are_of_the_json_feed_alone(service: Service) -> None:
    case = service.partner(*AUTHOR).open()
    for path in ("/feeds/all.atom", f"/feeds/cases/{case['code']}.atom"):
        assert pointers(service.get(path, as_of="2025-01-01")) == ["/query/as_of"]
        assert pointers(service.get(path, known_at="2025-01-01T00:00:00Z")) == ["/query/known_at"]


def test_a_merged_case_is_followed_under_the_other(service: Service) -> None:
    author = service.partner(*AUTHOR)
    stays, goes = author.open(), author.open()
    author.tell(stays, "extradition.granted")
    author.tell(goes, "asylum.claim_made")
    version = author.get(f"/v1/cases/{goes['id']}").headers["etag"]
    body = {"into": stays["id"]}
    author.post(f"/v1/cases/{goes['id']}/merges", body, **{"If-Match": version})
    answer = service.client.get(f"/feeds/cases/{goes['code']}.json", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"].endswith(f"/feeds/cases/{stays['code']}.json")
