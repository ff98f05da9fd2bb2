"""Cases: opening one, reading one, lists and their pages, and who may do which."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest

from .asgi import exchange
from .conftest import (
    ABSENT,
    AUTHOR,
    Json,
    Partner,
    Seeded,
    Service,
    items,
    path_name,
    pointers,
    problem,
    steady,
)

NAMES = [{"text": "Иван Тестов", "language": "ru", "kind": "primary"}]
PUBLIC_CASE = {
    "id", "code", "label", "host_state", "origin_state", "persons", "version", "position",
    "status", "as_of", "known_at", "updated_at",
}  # fmt: skip


def test_opening_a_case_answers_with_the_case(service: Service) -> None:
    author = service.partner(*AUTHOR)
    answer = author.post(
        "/v1/cases",
        {
            "external_id": "mine/1",
            "host_state": "KZ",
            "origin_state": "RU",
            "persons": 3,
            "subject": {"names": NAMES, "birth_year": 1990, "nationalities": ["RU"]},
            "consent": {"publish": "none", "basis": "own"},
        },
    )
    case = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"https://cases.example/v1/cases/{case['id']}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["cache-control"] == "no-store"
    assert UUID(case["id"]).version == 4
    assert re.fullmatch(r"KZ-[0-9A-Z]{4}-[0-9A-Z]{4}", case["code"])
    assert (case["version"], case["position"], case["persons"]) == (1, 1, 3)
    assert (case["host_state"], case["origin_state"]) == ("KZ", "RU")
    assert case["external_id"] == "mine/1"
    assert case["subject"]["names"] == NAMES
    assert case["possible_duplicates"] == []
    assert (case["as_of"], case["known_at"]) == (None, None)
    assert case["status"] == {
        "headline": "monitored",
        "label": "under monitoring",
        "since": {"earliest": None, "latest": None},
        "at_risk": False,
        "tracks": {},
        "disputed": [],
        "flags": [],
    }


def test_what_is_not_said_has_its_default(service: Service) -> None:
    case = service.partner().open(publish="none")
    assert case["persons"] == 1
    assert case["consent"]["share"] is False
    assert service.partner().open(publish="count", persons=1_000_000)["persons"] == 1_000_000


def test_consent_to_a_name_implies_sharing(light: Service) -> None:
    case = light.partner().open(publish="name", subject={"names": NAMES})
    assert case["consent"]["share"] is True


class TestOwnNames:
    def test_the_same_again_is_answered_with_what_is_stored(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open(external_id="x")
        author.tell(case, "wanted.removed", external_id="x/1")
        head = service.head
        again = author.post(
            "/v1/cases",
            {
                "consent": {"basis": "own", "publish": "anonymous"},
                "origin_state": "RU",
                "host_state": "KZ",
                "external_id": "x",
            },
        )
        assert again.status_code == 200
        assert again.json()["id"] == case["id"]
        assert (again.json()["version"], again.headers["etag"]) == (2, '"2"')
        assert service.head == head

    def test_other_content_is_a_conflict_and_stores_nothing(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        author.open(external_id="x")
        body = {"external_id": "x", "host_state": "KG", "origin_state": "RU"}
        body["consent"] = {"publish": "anonymous", "basis": "own"}  # type: ignore[assignment]
        problem(author.post("/v1/cases", body), 409, "external-id-taken")
        assert service.head == 1

    def test_each_partner_has_its_own(self, light: Service) -> None:
        one, two = light.partner(), light.partner()
        first, second = one.open(external_id="x"), two.open(external_id="x")
        assert first["id"] != second["id"]
        assert one.get("/v1/cases/ext%3Ax").json()["id"] == first["id"]
        assert two.get("/v1/cases/ext%3Ax").json()["id"] == second["id"]
        problem(light.partner().get("/v1/cases/ext%3Ax"), 404, "not-found")
        problem(light.get("/v1/cases/ext%3Ax"), 404, "not-found")

    @pytest.mark.parametrize(
        "name",
        [
            "a/b", "/a", "a/", "a//b", "a%b", "a%25b", "a%2Fb", "a b", "a+b", "a?b", "a#b", "..",
            ".", "ext:q", "Мовлаев/задержан", "ünï", "💥", "a;b=c", "a&b", "\u202ea", "x" * 255,
            "я" * 255, "%", "%zz", "a:b@c",
        ],
    )  # fmt: skip
    def test_any_name_may_stand_percent_encoded_in_a_path(self, shared: Service, name: str) -> None:
        author = shared.partner(*AUTHOR)
        case = author.open(external_id=name)
        path = f"/v1/cases/{path_name('ext:' + name)}"
        found = author.get(path)
        assert (found.status_code, found.json()["id"]) == (200, case["id"])
        told = author.post(
            f"{path}/events",
            {"type": "wanted.removed", "occurred": "2025", "external_id": name[:-2] + "/e"},
        )
        assert told.status_code == 201
        event = author.get(f"/v1/events/{path_name('ext:' + name[:-2] + '/e')}")
        assert event.json()["id"] == told.json()["id"]
        page = author.get(f"{path}/events", limit=1)
        assert len(items(author.get(next_of(page)))) == 1


class TestReading:
    def test_a_case_has_two_names(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open()
        author.tell(case, "wanted.removed")
        for asker in (author, service):
            by_id = asker.get(f"/v1/cases/{case['id']}")
            assert by_id.status_code == 200
            assert asker.get(f"/v1/cases/{case['code']}").json() == by_id.json()

    @pytest.mark.parametrize(
        "name",
        [ABSENT, "KZ-0000-0000", "nonsense", "%00", "a%00b", "%FF", "%ED%A0%80", "x" * 3000,
         "ext%3A", "ext%3A%00", "%D0%9C", "%E2%80%AE", "..%2F..%2Fetc"],
    )  # fmt: skip
    def test_what_is_not_there_is_not_found(self, shared: Service, name: str) -> None:
        for asker in (shared.partner(), shared):
            for path in (f"/v1/cases/{name}", f"/v1/cases/{name}/events"):
                problem(asker.get(path), 404, "not-found")

    def test_texts_are_in_the_language_asked(self, light: Service) -> None:
        author = light.partner(*AUTHOR)
        case = author.open()
        author.tell(case, "detention.whereabouts_unknown")
        for asker in (author, light):
            said = {}
            for language in ("ru", "kk", "en"):
                asked = asker.get(f"/v1/cases/{case['id']}", lang=language)
                accepted = asker.get(
                    f"/v1/cases/{case['id']}",
                    headers={"Accept-Language": f"{language}-KZ, en;q=0.1"},
                )
                assert asked.json() == accepted.json()
                assert asked.headers["content-language"] == language
                assert "Accept-Language" in asked.headers["vary"]
                said[language] = asked.json()["status"]["label"]
            assert len(set(said.values())) == 3

    def test_the_shapes_of_both_views_are_the_same(self, light: Service) -> None:
        author = light.partner(*AUTHOR)
        case = author.open()
        author.tell(case, "wanted.removed")
        shown = light.get(f"/v1/cases/{case['id']}").json()
        assert set(shown) == PUBLIC_CASE
        assert set(author.get(f"/v1/cases/{case['id']}").json()) >= PUBLIC_CASE


# -- lists ----------------------------------------------------------------------------------------


def next_of(answer: Any) -> str:
    """Return the address of the next page."""
    return str(answer.links["next"]["url"])


def walk(asker: Any, path: str) -> list[list[Json]]:
    """Return all pages, following the links."""
    pages = []
    while True:
        answer = asker.get(path)
        pages.append(items(answer))
        if answer.json()["next_cursor"] is None:
            assert "next" not in answer.links
            return pages
        path = next_of(answer)


class TestPages:
    @pytest.mark.parametrize("view", ["public", "author", "partner", "reader"])
    def test_pages_hold_everything_once_and_in_order(self, seeded: Seeded, view: str) -> None:
        asker = seeded.views[view]
        everything = items(asker.get("/v1/cases", limit=500))
        for limit in (1, 4, 5, 15, 16, 17):
            pages = walk(asker, f"/v1/cases?limit={limit}")
            assert all(len(page) == limit for page in pages[:-1])
            assert 1 <= len(pages[-1]) <= limit
            assert [case for page in pages for case in page] == everything

    @pytest.mark.parametrize("view", ["public", "author"])
    @pytest.mark.parametrize(
        "more",
        [
            "at_risk=true",
            "q=a",
            "as_of=2026-01-28&headline=deported",
            "as_of=2026-01-28&lang=ru",
            "headline=left_for_third_country",
        ],
    )
    def test_pages_keep_the_filters(self, seeded: Seeded, view: str, more: str) -> None:
        asker = seeded.views[view]
        everything = items(asker.get(f"/v1/cases?limit=500&{more}"))
        pages = walk(asker, f"/v1/cases?limit=1&{more}")
        assert [case for page in pages for case in page] == everything

    @pytest.mark.parametrize("who", ["public", "author"])
    def test_pages_are_stable_while_cases_are_added(self, service: Service, who: str) -> None:
        author = service.partner(*AUTHOR)
        asker: Any = service if who == "public" else author

        def add() -> str:
            case = author.open()
            author.tell(case, "wanted.removed")
            return str(case["id"])

        before = [add() for _ in range(5)]
        seen: list[str] = []
        answer = asker.get("/v1/cases?limit=2")
        seen += [case["id"] for case in items(answer)]
        added: list[str] = []
        while answer.json()["next_cursor"] is not None and len(added) < 3:
            added.append(add())
            answer = asker.get(next_of(answer))
            seen += [case["id"] for case in items(answer)]
        while answer.json()["next_cursor"] is not None:
            answer = asker.get(next_of(answer))
            seen += [case["id"] for case in items(answer)]
        assert seen == before + added

    def test_a_case_that_becomes_public_between_pages_comes_at_the_end(
        self, service: Service
    ) -> None:
        """The public order is that of publication: a late one moves nobody."""
        author = service.partner(*AUTHOR)
        hidden = author.open()
        shown = [author.open() for _ in range(3)]
        for case in shown:
            author.tell(case, "wanted.removed")
        first = service.get("/v1/cases?limit=2")
        author.tell(hidden, "wanted.removed")
        second = service.get(next_of(first))
        found = [case["id"] for case in items(first) + items(second)]
        assert found == [case["id"] for case in (*shown, hidden)]

    def test_the_default_is_fifty_and_the_most_five_hundred(self, light: Service) -> None:
        author = light.partner(*AUTHOR)
        for _ in range(52):
            author.open()
        assert len(items(author.get("/v1/cases"))) == 50
        assert len(items(author.get("/v1/cases?limit=500"))) == 52
        for limit in ("0", "501", "-1", "x", "1.5", "1e2", "9" * 40):
            answer = author.get("/v1/cases", limit=limit)
            problem(answer, 422, "invalid-input")
            assert pointers(answer) == ["/query/limit"]

    @pytest.mark.parametrize(
        "cursor", ["x", "MQ", "W10", "WzEsIngiXQ", "W251bGwsbnVsbF0", "%00", "=="]
    )
    def test_a_cursor_that_is_none_is_refused(self, shared: Service, cursor: str) -> None:
        for asker in (shared, shared.partner()):
            answer = asker.get(f"/v1/cases?cursor={cursor}")
            problem(answer, 422, "invalid-input")
            assert pointers(answer) == ["/query/cursor"]


# -- keys -----------------------------------------------------------------------------------------


class TestKeys:
    def test_a_key_that_is_none_is_never_answered_as_if_there_were_none(
        self, service: Service
    ) -> None:
        expired = service.partner("events:write", expires_at=1)
        for value in (
            "Bearer nonsense",
            "Basic eA==",
            "Bearer",
            "",
            expired.headers["Authorization"],
        ):
            for path in ("/v1/cases", "/v1/statistics", "/v1/events", f"/v1/cases/{uuid4()}"):
                answer = service.get(path, headers={"Authorization": value})
                problem(answer, 401, "unauthenticated")
                assert answer.headers["www-authenticate"] == "Bearer"

    def test_a_revoked_key_is_refused(self, service: Service) -> None:
        partner = service.partner()
        service.revoke(partner)
        problem(partner.get("/v1/cases"), 401, "unauthenticated")

    def test_writing_takes_the_scope_that_the_refusal_names(self, service: Service) -> None:
        body = {"host_state": "KZ", "origin_state": "RU"}
        body["consent"] = {"publish": "none", "basis": "own"}  # type: ignore[assignment]
        problem(service.client.post("/v1/cases", json=body), 401, "unauthenticated")
        case = service.partner().open()
        for scope in ("events:publish", "review", "restricted:read", "audit:read", "admin"):
            reader = service.partner(scope)
            for path in (
                "/v1/cases",
                f"/v1/cases/{case['id']}/events",
                f"/v1/cases/{uuid4()}/events",
            ):
                said = problem(reader.post(path, body), 403, "forbidden")
                assert "events:write" in said["detail"]
        assert service.head == 1

    def test_any_key_reads_what_is_for_partners(self, service: Service) -> None:
        case = service.partner().open(publish="none")
        for scope in ("events:write", "events:publish", "review", "audit:read", "admin"):
            assert service.partner(scope).get(f"/v1/cases/{case['id']}").status_code == 200
        problem(service.get(f"/v1/cases/{case['id']}"), 404, "not-found")


def two_views(case: Json, event: Json) -> list[str]:
    """Return the addresses that answer a key in another way than the public."""
    return [
        f"/v1/cases/{case['id']}",
        f"/v1/cases/{case['id']}/events",
        "/v1/cases",
        f"/v1/events/{event['id']}",
        "/v1/events",
        "/v1/statistics",
        "/readyz",
    ]


def every_get(case: Json, event: Json) -> list[str]:
    """Return all addresses that answer GET."""
    return [
        *two_views(case, event),
        f"/feeds/cases/{case['code']}.atom",
        "/feeds/all.atom",
        "/v1/vocabulary",
        "/problems/not-found",
        "/schema/openapi.json",
        "/healthz",
        "/v1",
    ]


@pytest.fixture
def told(service: Service) -> tuple[Service, Partner, Json, Json]:
    """A public case with an event, and its author."""
    author = service.partner(*AUTHOR)
    case = author.open()
    event = author.tell(case, "wanted.removed", summary={"en": "x" * 1200})
    service.settle()
    service.settle(author)
    return service, author, case, event


Told = tuple[Service, Partner, Json, Json]


class TestHeaders:
    def test_answers_to_a_key_are_not_stored_and_vary(self, told: Told) -> None:
        service, author, case, event = told
        for path in two_views(case, event):
            for asker in (author, service):
                assert "Authorization" in asker.get(path).headers["vary"]
            assert author.get(path).headers["cache-control"] == "no-store"

    def test_public_answers_may_be_kept_for_less_than_five_minutes(self, told: Told) -> None:
        service, _, case, event = told
        for path in every_get(case, event):
            control = service.get(path).headers["cache-control"]
            if path in ("/healthz", "/readyz"):
                assert control == "no-store"
            elif path == "/v1/events":
                # The same address answers otherwise once there is more.
                assert control == "public, no-cache"
            else:
                found = re.fullmatch(r"public, max-age=(\d+), must-revalidate", control)
                assert found
                assert int(found[1]) < 300

    def test_head_has_the_headers_of_get_and_no_body(self, told: Told) -> None:
        service, author, case, event = told
        for path in every_get(case, event):
            for headers in ({}, author.headers, {"Accept-Encoding": "identity"}):
                got = service.client.get(path, headers=headers)
                raw = exchange(
                    service.client,
                    "HEAD",
                    path,
                    headers=[("host", "testserver.local"), *got.request.headers.items()][1:],
                )
                assert raw.body == b""
                assert (raw.status, steady(raw.headers)) == (200, steady(got.headers))
        assert service.client.head(f"/v1/cases/{uuid4()}").status_code == 404

    def test_a_known_etag_is_answered_304(self, told: Told) -> None:
        service, _, case, event = told
        for path in every_get(case, event):
            for encoding in ("identity", "gzip"):
                got = service.get(path, headers={"Accept-Encoding": encoding})
                tag = got.headers["etag"]
                known = service.get(
                    path, headers={"Accept-Encoding": encoding, "If-None-Match": tag}
                )
                assert (known.status_code, known.content) == (304, b"")
                assert known.headers["etag"] == tag
                assert known.headers["vary"] == got.headers["vary"]
                assert known.headers["cache-control"] == got.headers["cache-control"]
                other = service.get(
                    path, headers={"Accept-Encoding": encoding, "If-None-Match": '"other"'}
                )
                assert (other.status_code, other.content) == (200, got.content)

    def test_gzip_has_an_etag_of_its_own_and_the_same_content(self, told: Told) -> None:
        service, _, case, event = told
        for path in every_get(case, event):
            plain = service.get(path, headers={"Accept-Encoding": "identity"})
            zipped = service.get(path, headers={"Accept-Encoding": "gzip"})
            assert zipped.content == plain.content
            is_long = len(plain.content) > 1024
            assert ("content-encoding" in zipped.headers) == is_long
            assert (zipped.headers["etag"] != plain.headers["etag"]) == is_long
            assert "content-encoding" not in plain.headers
            assert "Accept-Encoding" in plain.headers["vary"]

    def test_an_etag_changes_with_the_answer(self, told: Told) -> None:
        service, author, case, event = told
        paths = [
            f"/v1/cases/{case['id']}",
            f"/v1/cases/{case['id']}/events",
            "/v1/cases",
            "/v1/statistics",
            "/feeds/all.atom",
            f"/feeds/cases/{case['code']}.atom",
        ]
        before = {path: service.get(path).headers["etag"] for path in paths}
        author.tell(case, "wanted.listed", "2025-06", list="cis")
        for path in paths:
            assert service.get(path, headers={"If-None-Match": before[path]}).status_code == 200
        assert len(set(before.values())) == len(paths)
        assert event["id"]

    def test_the_etag_of_a_read_may_be_sent_back_when_writing(self, told: Told) -> None:
        _, author, case, _ = told
        tag = author.get(f"/v1/cases/{case['id']}").headers["etag"]
        body = {"type": "wanted.removed", "occurred": "2025"}
        path = f"/v1/cases/{case['id']}/events"
        assert author.post(path, body, **{"If-Match": tag}).status_code == 201
        refused = author.post(path, body, **{"If-Match": tag})
        problem(refused, 412, "version-mismatch")
        assert refused.headers["etag"] == '"3"'

    def test_other_methods_are_refused_with_those_that_are_allowed(self, told: Told) -> None:
        service, author, case, event = told
        for path in every_get(case, event):
            for method in ("PUT", "PATCH", "DELETE"):
                answer = service.client.request(method, path, headers=author.headers)
                problem(answer, 405, "method-not-allowed")
                allowed = set(answer.headers["allow"].split(", "))
                assert {"GET", "HEAD"} <= allowed
                posts = path in ("/v1/cases", f"/v1/cases/{case['id']}/events")
                assert ("POST" in allowed) == posts

    def test_options_lists_what_is_allowed(self, told: Told) -> None:
        service, _, case, event = told
        posted = self.posted(case)
        for path in set(every_get(case, event)) - set(posted):
            answer = service.client.options(path)
            assert (answer.status_code, answer.content) == (204, b"")
            assert answer.headers["allow"] == "GET, HEAD, OPTIONS"

    def test_options_lists_reading_and_writing(self, told: Told) -> None:
        service, _, case, _ = told
        for path in self.posted(case):
            allowed = service.client.options(path).headers["allow"]
            assert allowed == "GET, HEAD, OPTIONS, POST"

    def posted(self, case: Json) -> list[str]:
        """Return the addresses that answer POST."""
        return ["/v1/cases", f"/v1/cases/{case['id']}/events"]
