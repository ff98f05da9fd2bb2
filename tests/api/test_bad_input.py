"""Bad input: each a problem with a pointer; nothing is stored, nothing repeated, nothing breaks."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from .conftest import AUTHOR, Json, Partner, Service, path_name, pointers, problem

CANARY = "Zyxwvut Qponmlk"
CASE: Json = {
    "host_state": "KZ",
    "origin_state": "RU",
    "consent": {"publish": "anonymous", "basis": "own"},
}
CLAIM: Json = {"type": "wanted.removed", "occurred": "2025-05", "visibility": "public"}
FILED: Json = {"type": "appeal.filed", "occurred": "2025-05"}
# What XML 1.0 cannot carry, as JSON writes it.
ILLEGAL = [
    "\\u0000",
    "\\u000b",
    "\\u001f",
    "\\ufffe",
    "\\uffff",
    "\\ud800",
    "\\udc00",
    "\\udfff\\ud800",
]


class Desk:
    """A partner with two cases, and what nothing may change."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.author: Partner = service.partner(*AUTHOR)
        self.case = self.author.open(
            subject={"names": [{"text": CANARY, "language": "en", "kind": "primary"}]}
        )
        self.event = self.author.tell(self.case, "extradition.granted")
        self.other = self.author.open()
        self.foreign = self.author.tell(self.other, "extradition.granted")
        self.events = f"/v1/cases/{self.case['id']}/events"

    def send(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        """Post bytes as JSON."""
        sent = {"Content-Type": "application/json", **self.author.headers, **headers}
        return self.service.client.post(path, content=body, headers=sent)


@pytest.fixture(scope="module")
def desk(shared: Service) -> Desk:
    """A desk on either database."""
    return Desk(shared)


@pytest.fixture(autouse=True)
def nothing_is_stored(desk: Desk) -> Iterator[None]:
    """Nothing of a test may move the end of the log or a byte of what anyone reads."""
    before = (
        desk.service.head,
        desk.author.get("/v1/events").text,
        desk.service.get("/v1/events").text,
    )
    yield
    after = (
        desk.service.head,
        desk.author.get("/v1/events").text,
        desk.service.get("/v1/events").text,
    )
    assert after == before


def without(fields: Json, *names: str) -> Json:
    return {name: value for name, value in fields.items() if name not in names}


BAD_CLAIMS: list[tuple[Json, list[str]]] = [
    ({**CLAIM, "type": f"wanted.{CANARY}"}, ["/type"]),
    ({**CLAIM, "type": "case.opened"}, ["/type"]),
    ({**CLAIM, "type": "claim.corrected"}, ["/type"]),
    ({**CLAIM, "type": 7}, ["/type"]),
    ({**CLAIM, "type": None}, ["/type"]),
    (without(CLAIM, "type"), ["/type"]),
    (without(CLAIM, "occurred"), ["/occurred"]),
    ({**CLAIM, "colour": CANARY}, ["/colour"]),
    ({**CLAIM, "basis": "wanted"}, ["/basis"]),
    ({**CLAIM, "against": str(uuid4())}, ["/against"]),
    ({**CLAIM, "type": "wanted.listed"}, ["/list"]),
    ({**CLAIM, "type": "wanted.listed", "list": CANARY}, ["/list"]),
    ({**CLAIM, "type": "detention.apprehended", "basis": "extradition"}, ["/basis"]),
    ({**CLAIM, "verification": "certain"}, ["/verification"]),
    ({**CLAIM, "visibility": "secret"}, ["/visibility"]),
    ({**CLAIM, "visibility": None}, ["/visibility"]),
    ({**CLAIM, "occurred": ""}, ["/occurred"]),
    ({**CLAIM, "occurred": "x" * 65}, ["/occurred"]),
    ({**CLAIM, "occurred": 2025}, ["/occurred"]),
    ({**CLAIM, "occurred": None}, ["/occurred"]),
    ({**CLAIM, "notified": "2026-02-30"}, ["/notified"]),
    ({**CLAIM, "publish_after": "2026-02-10"}, ["/publish_after"]),
    ({**CLAIM, "publish_after": "2026-02-10T00:00:00"}, ["/publish_after"]),
    ({**CLAIM, "publish_after": "2026-02-30T00:00:00Z"}, ["/publish_after"]),
    ({**CLAIM, "publish_after": "0001-01-01T00:00:00+14:00"}, ["/publish_after"]),
    ({**CLAIM, "publish_after": "9999-12-31T23:59:59-14:00"}, ["/publish_after"]),
    ({**CLAIM, "jurisdiction": "XX"}, ["/jurisdiction"]),
    ({**CLAIM, "jurisdiction": "kz"}, ["/jurisdiction"]),
    ({**CLAIM, "jurisdiction": "KAZ"}, ["/jurisdiction"]),
    ({**CLAIM, "jurisdiction": ""}, ["/jurisdiction"]),
    ({**CLAIM, "type": "departure.left", "destination": "EU"}, ["/destination"]),
    ({**CLAIM, "place": ""}, ["/place"]),
    ({**CLAIM, "place": "x" * 501}, ["/place"]),
    ({**CLAIM, "place": {"en": CANARY}}, ["/place"]),
    ({**CLAIM, "summary": CANARY}, ["/summary"]),
    ({**CLAIM, "summary": {}}, ["/summary"]),
    ({**CLAIM, "summary": {"de": CANARY}}, ["/summary/de"]),
    ({**CLAIM, "summary": {"en": "x" * 20_001}}, ["/summary/en"]),
    ({**CLAIM, "private_note": 5}, ["/private_note"]),
    ({**CLAIM, "external_id": ""}, ["/external_id"]),
    ({**CLAIM, "external_id": "я" * 256}, ["/external_id"]),
    ({**CLAIM, "sources": {}}, ["/sources"]),
    ({**CLAIM, "sources": [CANARY]}, ["/sources/0"]),
    ({**CLAIM, "sources": [{}]}, ["/sources/0"]),
    ({**CLAIM, "sources": [{"title": "t"}, {"publisher": CANARY}]}, ["/sources/1"]),
    ({**CLAIM, "sources": [{"title": "t"}] * 51}, ["/sources"]),
    ({**CLAIM, "sources": [{"title": "t", "isbn": CANARY}]}, ["/sources/0/isbn"]),
    ({**CLAIM, "sources": [{"url": f"javascript:{CANARY}"}]}, ["/sources/0/url"]),
    ({**CLAIM, "sources": [{"url": "ftp://example.org"}]}, ["/sources/0/url"]),
    ({**CLAIM, "sources": [{"title": "t", "published": "13.05.2025"}]}, ["/sources/0/published"]),
    ({**CLAIM, "sources": [{"title": "t", "sha256": "0"}]}, ["/sources/0/sha256"]),
    ({**CLAIM, "sources": [{"title": "t", "connection": CANARY}]}, ["/sources/0/connection"]),
    ({**CLAIM, "type": "prosecution.charged"}, ["/accusation"]),
    *(
        ({**CLAIM, "type": "detention.custody_ordered", "basis": "other", "term_days": n},
         ["/term_days"])
        for n in (0, -1, 1.5, 10**30, "1")
    ),
    ({**FILED, "against": CANARY}, ["/against"]),
    ({**FILED, "against": "ext:nothing"}, ["/against"]),
    ({**FILED, "against": ""}, ["/against"]),
    (FILED, ["/against"]),
    ({**CLAIM, "after": str(uuid4())}, ["/after"]),
    ({**CLAIM, "occurred": "May 2025", "jurisdiction": "XX"}, ["/occurred", "/jurisdiction"]),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "where"), BAD_CLAIMS)
def test_a_claim_that_cannot_stand_is_refused_where_it_is_wrong(
    desk: Desk, claim: Json, where: list[str]
) -> None:
    answer = desk.author.post(desk.events, claim)
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == where
    assert CANARY not in answer.text
    assert CANARY.split(maxsplit=1)[0] not in answer.text


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30", "2026-13", "May 2025", "2025-00", "2025-04-31", "2025-02-29", "25-05-01",
        "2025/05/01", "01.05.2025", "2025-5-1", "2025-05-01T10:00", "-2025", "+2025", "Y20250",
        "2025-05-01/2025-04-01", "2025/..", "2025/", "[2025..]", "[2025..2024]", "{2025,2026}",
        "..", "/", "20255", "٢٠٢٥", "２０２５", "2025-25", "yesterday", " 2025", "2025 ", "2025\n",
        "XXXX", "2025-05-XXX",
    ],
)  # fmt: skip
def test_a_date_that_is_none_is_refused(desk: Desk, text: str) -> None:
    answer = desk.author.post(desk.events, {**CLAIM, "occurred": text})
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == ["/occurred"]


@pytest.mark.parametrize("field", ["occurred", "notified", "sources"])
def test_a_name_in_the_place_of_a_date_is_not_repeated(desk: Desk, field: str) -> None:
    value: Any = [{"title": "t", "published": CANARY}] if field == "sources" else CANARY
    answer = desk.author.post(desk.events, {**CLAIM, field: value})
    problem(answer, 422, "invalid-input")
    assert CANARY not in answer.text


BAD_CASES: list[tuple[Any, list[str]]] = [
    ({}, ["/host_state"]),
    (without(CASE, "origin_state"), ["/origin_state"]),
    (without(CASE, "consent"), ["/consent"]),
    ({**CASE, "host_state": "XX"}, ["/host_state"]),
    ({**CASE, "host_state": "Kazakhstan"}, ["/host_state"]),
    ({**CASE, "origin_state": "SU"}, ["/origin_state"]),
    ({**CASE, "host_state": "UK"}, ["/host_state"]),
    ({**CASE, "host_state": "RU"}, ["/origin_state"]),
    *(
        ({**CASE, "persons": n}, ["/persons"])
        for n in (0, -1, 1_000_001, 1.5, True, "1", 10**30, None)
    ),
    ({**CASE, "consent": {}}, ["/consent/publish"]),
    ({**CASE, "consent": {"publish": "anonymous"}}, ["/consent/basis"]),
    ({**CASE, "consent": {"publish": CANARY, "basis": "own"}}, ["/consent/publish"]),
    ({**CASE, "consent": {"publish": "none", "basis": CANARY}}, ["/consent/basis"]),
    ({**CASE, "consent": {"publish": "none", "basis": "own", "share": "yes"}}, ["/consent/share"]),
    ({**CASE, "consent": {"publish": "pseudonym", "basis": "own"}}, ["/consent/pseudonym"]),
    ({**CASE, "consent": {"publish": "name", "basis": "own"}}, ["/subject/names"]),
    ({**CASE, "consent": {"publish": "initials", "basis": "own"}}, ["/subject/names"]),
    ({**CASE, "consent": [CANARY]}, ["/consent"]),
    ({**CASE, "code": CANARY}, ["/code"]),
    ({**CASE, CANARY: 1}, [f"/{CANARY}"]),
    ({**CASE, "external_id": "x" * 256}, ["/external_id"]),
    ({**CASE, "external_id": 7}, ["/external_id"]),
    ({**CASE, "subject": {"names": [{"text": CANARY}]}}, ["/subject/names/0/language"]),
    ({**CASE, "subject": {"names": [{"text": " ", "language": "ru", "kind": "primary"}]}},
     ["/subject/names/0/text"]),
    ({**CASE, "subject": {"names": [{"text": "x", "language": "Russian", "kind": "primary"}]}},
     ["/subject/names/0/language"]),
    ({**CASE, "subject": {"names": [{"text": "x", "language": "ru", "kind": "nick"}]}},
     ["/subject/names/0/kind"]),
    ({**CASE, "subject": {"birth_year": 90}}, ["/subject/birth_year"]),
    ({**CASE, "subject": {"nationalities": ["RU", "XX"]}}, ["/subject/nationalities/1"]),
    ({**CASE, "subject": {"profile": [CANARY]}}, ["/subject/profile/0"]),
    ([], [""]),
    ("text", [""]),
    (7, [""]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "where"), BAD_CASES)
def test_a_case_that_cannot_stand_is_refused_where_it_is_wrong(
    desk: Desk, body: Any, where: list[str]
) -> None:
    answer = desk.author.post("/v1/cases", body)
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == where
    # The name of a field is told, that of a person never.
    assert CANARY not in answer.text.replace(json.dumps(where)[1:-1], "")


def test_a_pseudonym_that_holds_the_name_is_refused(desk: Desk) -> None:
    subject = {"names": [{"text": CANARY, "language": "en", "kind": "primary"}]}
    consent = {"publish": "pseudonym", "basis": "own", "pseudonym": CANARY}
    answer = desk.author.post("/v1/cases", {**CASE, "subject": subject, "consent": consent})
    problem(answer, 422, "text-names-person")
    assert pointers(answer) == ["/consent/pseudonym"]
    assert CANARY not in answer.text


class TestReferences:
    @pytest.mark.parametrize("type", ["filed", "hearing_set", "decided", "became_final"])
    def test_an_appeal_against_an_event_of_another_case_is_refused(
        self, desk: Desk, type: str
    ) -> None:
        told = {**FILED, "type": f"appeal.{type}", "against": desk.foreign["id"]}
        told |= {"hearing_set": {"on": "2026-03"}, "decided": {"outcome": "upheld"}}.get(type, {})
        answer = desk.author.post(desk.events, told)
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == ["/against"]

    def test_neither_another_case_nor_a_case_itself_can_be_named(self, desk: Desk) -> None:
        opening = desk.author.get(desk.events).json()["items"][0]["id"]
        for name in (desk.foreign["id"], desk.case["id"], opening):
            for field in ("against", "after"):
                answer = desk.author.post(
                    desk.events, {**FILED, "against": desk.event["id"], field: name}
                )
                problem(answer, 422, "invalid-input")
                assert pointers(answer) == [f"/{field}"]

    def test_after_against_the_dates_is_refused(self, desk: Desk) -> None:
        told = {**CLAIM, "occurred": "2025-04-30", "after": desk.event["id"]}
        answer = desk.author.post(desk.events, told)
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == ["/after"]

    def test_an_event_cannot_name_itself(self, desk: Desk) -> None:
        told = {**FILED, "external_id": "itself", "against": "ext:itself", "after": "ext:itself"}
        answer = desk.author.post(desk.events, told)
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == ["/against", "/after"]

    def test_the_own_names_of_others_name_nothing(self, desk: Desk) -> None:
        stranger = desk.service.partner(*AUTHOR)
        for name in ("ext:nothing", "ext:"):
            path = f"/v1/cases/{path_name(name)}/events"
            problem(stranger.post(path, CLAIM), 404, "not-found")


class TestTexts:
    @pytest.mark.parametrize("text", ILLEGAL)
    @pytest.mark.parametrize(
        ("claim", "where"),
        [
            ({"place": "a@b"}, "/place"),
            ({"summary": {"kk": "@"}}, "/summary/kk"),
            ({"private_note": "@"}, "/private_note"),
            ({"external_id": "@"}, "/external_id"),
            ({"sources": [{"title": "@"}]}, "/sources/0/title"),
            ({"sources": [{"url": "https://e.org/@"}]}, "/sources/0/url"),
        ],
    )
    def test_what_xml_cannot_carry_is_refused(
        self, desk: Desk, text: str, claim: Json, where: str
    ) -> None:
        body = json.dumps({**CLAIM, **claim}).replace("@", text)
        answer = desk.send(desk.events, body.encode())
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == [where]

    @pytest.mark.parametrize("text", ILLEGAL)
    def test_so_it_is_in_a_case(self, desk: Desk, text: str) -> None:
        name = {"text": "@", "language": "ru", "kind": "primary"}
        body = json.dumps({**CASE, "subject": {"names": [name]}}).replace("@", text)
        answer = desk.send("/v1/cases", body.encode())
        problem(answer, 422, "invalid-input")
        assert set(pointers(answer)) == {"/subject/names/0/text"}

    @pytest.mark.parametrize("text", [*ILLEGAL, "\\u202e"])
    def test_and_in_the_name_of_a_field(self, desk: Desk, text: str) -> None:
        for path, good in (("/v1/cases", CASE), (desk.events, CLAIM)):
            body = json.dumps({**good, "@": 1}).replace("@", text)
            assert desk.send(path, body.encode()).status_code in (400, 422)


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"", b" ", b"{", b"{}}", b"nothing", b"{'a': 1}", b'{"a": 1,}', b"\xff\xfe{\x00}\x00",
            b"\xef\xbb\xbf{}", b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b'{"a": NaN}',
            b'{"a": Infinity}', b'{"a": 01}', b'{"a": "\n"}', b'{"a": 1} {}', b"\x00",
            b"[" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b"[" * 65 + b"]" * 65,
            b'{"place": "a", "place": "b"}', b'{"summary": {"en": "a", "en": "b"}}',
            b'{"type": "wanted.removed", "occurred": "2025", "occurred": "2024"}',
        ],
    )  # fmt: skip
    def test_what_is_not_json_is_unreadable(self, desk: Desk, body: bytes) -> None:
        for path in ("/v1/cases", desk.events):
            problem(desk.send(path, body), 400, "unreadable")

    @pytest.mark.parametrize(
        "number", ["1e400", "-1e400", "1" * 5000, "1" * 400, "1.0e0", "-0", "1E2"]
    )
    def test_numbers_of_any_size_are_read_or_refused(self, desk: Desk, number: str) -> None:
        body = json.dumps({**CASE, "persons": "@", "external_id": "n", "subject": 5}).replace(
            '"@"', number
        )
        answer = desk.send("/v1/cases", body.encode())
        assert answer.status_code in (400, 422)

    def test_a_body_that_is_too_long_is_refused(self, desk: Desk) -> None:
        body = json.dumps({**CLAIM, "private_note": "a" * 1_000_001}).encode()
        for path in ("/v1/cases", desk.events):
            problem(desk.send(path, body), 413, "too-large")

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "",
                 "application/json-seq", "multipart/form-data; boundary=x", "application/x-ndjson"],
    )  # fmt: skip
    def test_another_content_type_is_refused(self, desk: Desk, kind: str) -> None:
        for path in ("/v1/cases", desk.events):
            answer = desk.send(path, json.dumps(CLAIM).encode(), **{"Content-Type": kind})
            problem(answer, 415, "unsupported-media-type")

    def test_a_compressed_body_is_refused(self, desk: Desk) -> None:
        answer = desk.send("/v1/cases", b"x", **{"Content-Encoding": "gzip"})
        problem(answer, 415, "unsupported-media-type")


class TestVersions:
    @pytest.mark.parametrize("tag", ['"1"', '"3"', '"999999999999999999"', '"0"', '"1-gzip"'])
    def test_another_version_is_a_mismatch_that_tells_the_present_one(
        self, desk: Desk, tag: str
    ) -> None:
        answer = desk.author.post(desk.events, CLAIM, **{"If-Match": tag})
        problem(answer, 412, "version-mismatch")
        assert answer.headers["etag"] == '"2"'

    @pytest.mark.parametrize(
        "tag", ["2", 'W/"2"', '"x"', '"2", "3"', '""', '"-1"', '"9999999999999999999999"']
    )
    def test_what_is_no_version_is_refused(self, desk: Desk, tag: str) -> None:
        answer = desk.author.post(desk.events, CLAIM, **{"If-Match": tag})
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == ["/headers/If-Match"]


class TestQueries:
    @pytest.mark.parametrize(
        ("query", "where"),
        [
            ("headline=nobody", "headline"), ("track=liberty", "track"),
            ("track=liberty:deported", "track"), ("track=x:y", "track"),
            ("host_state=XX", "host_state"),
            ("origin_state=ru", "origin_state"), ("at_risk=yes", "at_risk"),
            ("updated_since=2026", "updated_since"), ("as_of=2026-02-30", "as_of"),
            ("as_of=2026-02", "as_of"), ("known_at=2026-02-10", "known_at"),
            ("known_at=0001-01-01T00:00:00%2B14:00", "known_at"),
            ("min_position=-1", "min_position"),
            ("min_position=99999999999999999999", "min_position"), ("lang=de", "lang"),
            ("limit=0", "limit"), ("cursor=%00", "cursor"), ("q=%00", "q"), ("q=" + "x" * 201, "q"),
            ("colour=red", "colour"), ("as_of=2026-01-01&as_of=2026-01-02", "as_of"),
            ("%00=1", "\x00"), ("%D0%9C=1", "М"),
        ],
    )  # fmt: skip
    def test_a_parameter_that_is_wrong_is_refused_by_name(
        self, desk: Desk, query: str, where: str
    ) -> None:
        for asker in (desk.author, desk.service):
            answer = asker.get(f"/v1/cases?{query}")
            problem(answer, 422, "invalid-input")
            assert pointers(answer) == [f"/query/{where}"]

    @pytest.mark.parametrize("path", ["/v1/statistics", "/v1/events", "/feeds/all.atom"])
    def test_a_parameter_of_another_resource_is_refused(self, desk: Desk, path: str) -> None:
        for asker in (desk.author, desk.service):
            problem(asker.get(f"{path}?headline=deported"), 422, "invalid-input")

    @pytest.mark.parametrize(
        "path",
        ["/v1/cases/%00", "/v1/cases/%00/events", "/v1/events/%00", "/feeds/cases/%00.atom",
         "/feeds/cases/KZ%00.atom", "/problems/%00", "/v1/%00", "/%00", "/v1/cases/%",
         "/v1/cases/%zz", "/v1/cases/%F0%9F%92%A5", "/feeds/cases/..%2Fall.atom",
         "/v1/events/" + "x" * 5000, "/v1/events/ext%3A%00", "/v1/cases/%ED%A0%80",
         "/feeds/cases/%ED%A0%80.atom"],
    )  # fmt: skip
    def test_any_path_is_answered(self, desk: Desk, path: str) -> None:
        for asker in (desk.author, desk.service):
            problem(asker.get(path), 404, "not-found")


def test_nobody_learns_from_a_refusal_what_is_stored(desk: Desk) -> None:
    """The canary is the person's name: it is in no refusal, wherever it is asked for."""
    for asker in (desk.author, desk.service):
        for path in (
            f"/v1/cases/{path_name(CANARY)}",
            f"/v1/events/{path_name('ext:' + CANARY)}",
            f"/v1/cases?headline={path_name(CANARY)}",
            f"/v1/cases?track={path_name(CANARY)}",
            f"/v1/cases?cursor={path_name(CANARY)}",
            f"/v1/cases?lang={path_name(CANARY)}",
            f"/v1/statistics?as_of={path_name(CANARY)}",
            f"/feeds/cases/{path_name(CANARY)}.atom",
            f"/{path_name(CANARY)}",
        ):
            answer = asker.get(path)
            assert answer.status_code in (404, 422)
            assert CANARY not in answer.text
            assert CANARY.split(maxsplit=1)[0] not in answer.text
