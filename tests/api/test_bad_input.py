"""Bad input: each a problem with a pointer; nothing is stored, nothing repeated, nothing breaks."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from .conftest import ABSENT, AUTHOR, Json, Partner, Service, path_name, pointers, problem

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


# -- record events --------------------------------------------------------------------------------

CONSENT: Json = {"publish": "count", "basis": "own"}
SUBJECT: Json = {"birth_year": 1990}
CORRECTION: Json = {**CLAIM, "reason": "typo"}
# What would be taken, had it nothing wrong in it: `into` and `from` name another case.
GOOD: dict[str, Json] = {
    "corrections": CORRECTION,
    "retractions": {"reason": "false"},
    "visibility": {"visibility": "partners"},
    "corroborations": {},
    "disputes": {"reason": "it was another"},
    "reviews": {"decision": "approve"},
    "consent": CONSENT,
    "subject": SUBJECT,
    "merges": {"into": "ext:other"},
    "unmerges": {"from": "ext:other"},
}
NEED_A_VERSION = ("consent", "subject", "merges")
NEED_NO_BODY = ("corroborations", "unmerges")
ANY_POST = pytest.mark.parametrize("what", GOOD)


class Acts:
    """Whoever may post each record event, and what each is about."""

    def __init__(self, desk: Desk) -> None:
        service = desk.service
        self.author, self.other = desk.author, service.partner(*AUTHOR)
        self.reviewer = service.partner("review")
        self.case, self.event = desk.case, desk.event
        self.held = service.partner("events:write", of=desk.author).tell(self.case, CLAIM["type"])
        self.author.open(external_id="other")

    def by(self, what: str) -> Partner:
        found = {"corroborations": self.other, "disputes": self.other, "reviews": self.reviewer}
        return found.get(what, self.author)

    def path(self, what: str, name: str | None = None) -> str:
        if what == "reviews":
            return f"/v1/reviews/{name or self.held['id']}"
        if what in ("consent", "subject", "merges", "unmerges"):
            return f"/v1/cases/{name or self.case['id']}/{what}"
        return f"/v1/events/{name or self.event['id']}/{what}"

    def post(self, what: str, body: Any, **headers: str) -> httpx.Response:
        return self.send(what, json.dumps(body).encode(), **headers)

    def send(self, what: str, body: bytes, **headers: str) -> httpx.Response:
        sent = {"Content-Type": "application/json", "If-Match": "*", **self.by(what).headers}
        return self.author.service.client.post(
            self.path(what), content=body, headers={**sent, **headers}
        )


@pytest.fixture(scope="module")
def acts(desk: Desk) -> Acts:
    """What record events can be about, on either database."""
    return Acts(desk)


BAD_ACTS: list[tuple[str, Any, list[str]]] = [
    ("corrections", CLAIM, ["/reason"]),
    ("corrections", {**CORRECTION, "reason": CANARY}, ["/reason"]),
    ("corrections", {**CORRECTION, "reason": None}, ["/reason"]),
    ("corrections", {**CORRECTION, "reason": "unsafe"}, ["/reason"]),
    ("corrections", {"reason": "typo"}, ["/type"]),
    ("corrections", without(CORRECTION, "occurred"), ["/occurred"]),
    ("corrections", {**CORRECTION, "type": CANARY}, ["/type"]),
    ("corrections", {**CORRECTION, "type": "claim.retracted"}, ["/type"]),
    ("corrections", {**CORRECTION, "type": 7}, ["/type"]),
    ("corrections", {**CORRECTION, "type": [CANARY]}, ["/type"]),
    ("corrections", {**CORRECTION, "type": "case.closed"}, ["/reason"]),
    ("corrections", {**CORRECTION, "occurred": "2026-02-30"}, ["/occurred"]),
    ("corrections", {**CORRECTION, "occurred": CANARY}, ["/occurred"]),
    ("corrections", {**CORRECTION, "jurisdiction": "XX", "notified": "25"},
     ["/notified", "/jurisdiction"]),
    ("corrections", {**CORRECTION, "place": ""}, ["/place"]),
    ("corrections", {**CORRECTION, "place": "a\u0000b"}, ["/place"]),
    ("corrections", {**CORRECTION, "summary": {}}, ["/summary"]),
    ("corrections", {**CORRECTION, "sources": [{"title": "t", "published": CANARY}]},
     ["/sources/0/published"]),
    ("corrections", {**CORRECTION, "after": str(uuid4())}, ["/after"]),
    ("corrections", {**CORRECTION, "after": "ext:nothing"}, ["/after"]),
    ("corrections", {**CORRECTION, **FILED, "against": CANARY}, ["/against"]),
    ("corrections", {**CORRECTION, "claim": CLAIM}, ["/type"]),
    ("corrections", {"claim": CLAIM}, ["/reason"]),
    ("corrections", {"reason": "typo", "claim": CANARY}, ["/claim"]),
    ("corrections", {"reason": "typo", "claim": None}, ["/claim"]),
    ("corrections", {"reason": "typo", "claim": {}}, ["/claim/type"]),
    ("corrections", {"reason": "typo", "claim": {**CLAIM, "colour": CANARY}}, ["/claim/colour"]),
    ("corrections", {"reason": "typo", "claim": CLAIM, "colour": CANARY}, ["/colour"]),
    ("corrections", {"reason": "typo", "claim": CORRECTION}, ["/claim/reason"]),
    ("corrections", {"reason": "typo", "claim": {**CLAIM, "occurred": "2026-02-30"}},
     ["/claim/occurred"]),
    ("corrections", {"reason": "typo", "claim": {**CLAIM, "place": "a\u000bb"}}, ["/claim/place"]),
    ("corrections", {"reason": "typo", "claim": {**CLAIM, "jurisdiction": "XX"}},
     ["/claim/jurisdiction"]),
    ("corrections", {"reason": "typo", "claim": {**CLAIM, "after": str(uuid4())}},
     ["/claim/after"]),
    ("corrections", {"reason": "typo", "claim": {**FILED, "against": "ext:nothing"}},
     ["/claim/against"]),
    ("retractions", {}, ["/reason"]),
    ("retractions", {"reason": CANARY}, ["/reason"]),
    ("retractions", {"reason": "typo"}, ["/reason"]),
    ("retractions", {"reason": None}, ["/reason"]),
    ("retractions", {"reason": "false", "note": ""}, ["/note"]),
    ("retractions", {"reason": "false", "note": 7}, ["/note"]),
    ("retractions", {"reason": "false", "note": "a\u0000b"}, ["/note"]),
    ("retractions", {"reason": "false", "note": "x" * 20_001}, ["/note"]),
    ("visibility", {}, ["/visibility"]),
    ("visibility", {"visibility": CANARY}, ["/visibility"]),
    ("visibility", {"visibility": None}, ["/visibility"]),
    ("visibility", {"visibility": "partners", "until_review": True}, ["/until_review"]),
    ("corroborations", {"note": ""}, ["/note"]),
    ("corroborations", {"note": "a\ufffeb"}, ["/note"]),
    ("corroborations", {"reason": CANARY}, ["/reason"]),
    ("disputes", {}, ["/reason"]),
    ("disputes", {"reason": ""}, ["/reason"]),
    ("disputes", {"reason": "a\u0000b"}, ["/reason"]),
    ("disputes", {"reason": "x" * 20_001}, ["/reason"]),
    ("disputes", {"reason": "r", "rank_against": "yes"}, ["/rank_against"]),
    ("disputes", {"reason": "r", "rank_against": 1}, ["/rank_against"]),
    ("reviews", {}, ["/decision"]),
    ("reviews", {"decision": CANARY}, ["/decision"]),
    ("reviews", {"decision": "decline", "note": "a\u0000b"}, ["/note"]),
    ("consent", {}, ["/publish"]),
    ("consent", {**CONSENT, "publish": CANARY}, ["/publish"]),
    ("consent", {"consent": {**CONSENT, "publish": CANARY}}, ["/consent/publish"]),
    ("consent", {"consent": CANARY}, ["/consent"]),
    ("consent", {"consent": None}, ["/consent"]),
    ("consent", {"consent": CONSENT, "publish": "none"}, ["/publish"]),
    ("subject", {"names": CANARY}, ["/names"]),
    ("subject", {"names": [{"text": CANARY}]}, ["/names/0/language"]),
    ("subject", {"subject": [CANARY]}, ["/subject"]),
    ("subject", {"subject": SUBJECT, "birth_year": 1990}, ["/birth_year"]),
    ("merges", {}, ["/into"]),
    ("merges", {"into": ""}, ["/into"]),
    ("merges", {"into": None}, ["/into"]),
    ("merges", {"into": 7}, ["/into"]),
    ("merges", {"into": CANARY}, ["/into"]),
    ("merges", {"into": "a\u0000b"}, ["/into"]),
    ("merges", {"into": str(uuid4())}, ["/into"]),
    ("merges", {"into": f"ext:{CANARY}"}, ["/into"]),
    ("merges", {"into": "x" * 261}, ["/into"]),
    ("unmerges", {"from": ""}, ["/from"]),
    ("unmerges", {"from": CANARY}, ["/from"]),
    ("unmerges", {"from": "a\u0000b"}, ["/from"]),
    ("unmerges", {"from": str(uuid4())}, ["/from"]),
    ("unmerges", {"apart_from": CANARY}, ["/apart_from"]),
    *(
        (what, {**body, CANARY: 1}, [f"/{CANARY}"])
        for what, body in GOOD.items()
    ),
    *(
        (what, body, [""])
        for what in GOOD
        for body in ([], "text", 7, None)
    ),
]  # fmt: skip


class TestRecordEvents:
    """What the other posts refuse as well."""

    @pytest.mark.parametrize(("what", "body", "where"), BAD_ACTS)
    def test_what_cannot_stand_is_refused_where_it_is_wrong(
        self, acts: Acts, what: str, body: Any, where: list[str]
    ) -> None:
        answer = acts.post(what, body)
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == where
        assert CANARY not in answer.text.replace(json.dumps(where)[1:-1], "")

    @ANY_POST
    @pytest.mark.parametrize("name", ["", "я" * 256, 7, "a\u0000b", "a\u000bb", "\ud800"])
    def test_an_own_name_that_is_none(self, acts: Acts, what: str, name: Any) -> None:
        good = GOOD[what]
        # Beside these two there is a name only where they are wrapped.
        body = {what: good} if what in ("consent", "subject") else good
        told = json.dumps({**body, "external_id": name}).encode()
        answer = acts.send(what, told)
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == ["/external_id"]

    @ANY_POST
    @pytest.mark.parametrize(
        "body",
        [b" ", b"{", b"{}}", b"nothing", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b'{"note": NaN}',
         b'{"note": "\xff"}', b'{"reason": "false", "reason": "unsafe"}', b"[" * 65 + b"]" * 65,
         b'{"consent": {"publish": "none", "publish": "name"}}', b'{"a":' * 50_000,
         b'{"decision": "approve", "decision": "decline"}'],
    )  # fmt: skip
    def test_what_is_not_json_is_unreadable(self, acts: Acts, what: str, body: bytes) -> None:
        problem(acts.send(what, body), 400, "unreadable")

    @ANY_POST
    def test_no_body_is_none(self, acts: Acts, what: str) -> None:
        if what not in NEED_NO_BODY:
            problem(acts.send(what, b""), 400, "unreadable")

    @ANY_POST
    def test_a_body_that_is_too_long(self, acts: Acts, what: str) -> None:
        body = json.dumps({**GOOD[what], "note": "a" * 1_000_001}).encode()
        problem(acts.send(what, body), 413, "too-large")

    @ANY_POST
    @pytest.mark.parametrize("kind", ["text/plain", "", "application/x-ndjson"])
    def test_another_content_type(self, acts: Acts, what: str, kind: str) -> None:
        answer = acts.send(what, json.dumps(GOOD[what]).encode(), **{"Content-Type": kind})
        problem(answer, 415, "unsupported-media-type")

    @ANY_POST
    def test_a_compressed_body(self, acts: Acts, what: str) -> None:
        answer = acts.send(what, b"x", **{"Content-Encoding": "gzip"})
        problem(answer, 415, "unsupported-media-type")

    @ANY_POST
    def test_a_key_is_needed_and_its_scope(self, acts: Acts, what: str) -> None:
        service, path = acts.author.service, acts.path(what)
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp4"}):
            answer = service.client.post(path, json=GOOD[what], headers=headers)
            problem(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        others = ("events:publish", "restricted:read", "audit:read")
        others += ("events:write",) if what == "reviews" else ("review",)
        # The key is looked at before anything that it is about: also where that is not there.
        for name in (None, str(uuid4())):
            by = service.partner(*others)
            answer = by.post(acts.path(what, name), GOOD[what], **{"If-Match": "*"})
            problem(answer, 403, "forbidden")

    @ANY_POST
    @pytest.mark.parametrize(
        "name", [ABSENT, "nonsense", "KZ-0000-0000", "ext%3Anothing", "ext%3A", "%00",
                 "%ED%A0%80", "x" * 5000],
    )  # fmt: skip
    def test_what_is_not_there_is_not_found(self, acts: Acts, what: str, name: str) -> None:
        answer = acts.by(what).post(acts.path(what, name), GOOD[what], **{"If-Match": "*"})
        problem(answer, 404, "not-found")

    @ANY_POST
    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
    def test_another_method(self, acts: Acts, what: str, method: str) -> None:
        client, headers = acts.author.service.client, acts.by(what).headers
        answer = client.request(method, acts.path(what), headers=headers)
        problem(answer, 405, "method-not-allowed")
        assert "POST" in answer.headers["allow"]

    @ANY_POST
    def test_another_version_or_none(self, acts: Acts, what: str) -> None:
        head = acts.author.get(f"/v1/cases/{acts.case['id']}").headers["etag"]
        version = head.strip('"').partition("-")[0]
        for tag in ('"0"', '"999"', f'"{int(version) - 1}"'):
            answer = acts.post(what, GOOD[what], **{"If-Match": tag})
            problem(answer, 412, "version-mismatch")
            assert answer.headers["etag"] == f'"{version}"'
        for tag in ("2", 'W/"2"', '"x"', '"2", "3"', '"-1"'):
            answer = acts.post(what, GOOD[what], **{"If-Match": tag})
            problem(answer, 422, "invalid-input")
            assert pointers(answer) == ["/headers/If-Match"]
        if what in NEED_A_VERSION:
            problem(acts.by(what).post(acts.path(what), GOOD[what]), 428, "version-required")

    @ANY_POST
    @pytest.mark.parametrize("key", ["", "x" * 256])
    def test_an_idempotency_key_that_is_none(self, acts: Acts, what: str, key: str) -> None:
        answer = acts.post(what, GOOD[what], **{"Idempotency-Key": key})
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == ["/headers/Idempotency-Key"]

    @ANY_POST
    @pytest.mark.parametrize(("query", "where"), [("lang=de", "lang"), ("as_of=2026", "as_of")])
    def test_a_parameter_that_is_wrong(self, acts: Acts, what: str, query: str, where: str) -> None:
        path, by = f"{acts.path(what)}?{query}", acts.by(what)
        answer = by.post(path, GOOD[what], **{"If-Match": "*"})
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == [f"/query/{where}"]

    def test_what_is_not_allowed_now_is_a_conflict(self, acts: Acts) -> None:
        for by, path, body in (
            (acts.author, acts.path("corroborations"), {}),
            (acts.author, acts.path("disputes"), GOOD["disputes"]),
            (acts.reviewer, acts.path("reviews", acts.event["id"]), GOOD["reviews"]),
            (acts.author, acts.path("merges"), {"into": acts.case["id"]}),
            (acts.author, acts.path("unmerges"), {}),
        ):
            problem(by.post(path, body, **{"If-Match": "*"}), 409, "conflict")
