"""Events: recording a claim, what is answered, and reading one."""

from typing import Any
from uuid import UUID

import pytest

from caseflow.domain.vocabulary import TYPES
from tests.strategies import REQUIRED

from .conftest import ABSENT, AUTHOR, Json, Service, items, path_name, problem


def test_recording_a_claim_answers_with_the_event_and_the_new_status(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    told = {
        "external_id": "x/granted",
        "type": "extradition.granted",
        "occurred": "2026-01-29",
        "notified": "2026-02",
        "place": "Алматы",
        "authority": "court",
        "summary": {"ru": "выдать", "kk": "беру", "en": "granted"},
        "private_note": "a note",
        "sources": [
            {
                "title": "A report",
                "publisher": "A paper",
                "url": "https://example.org/a?b=c",
                "archived": "https://archive.example/1",
                "sha256": "0" * 64,
                "published": "2026-02",
                "language": "ru",
                "connection": "reporter",
            }
        ],
        "verification": "confirmed",
        "visibility": "public",
    }
    answer = author.post(f"/v1/cases/{case['id']}/events", told)
    event = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"https://cases.example/v1/events/{event['id']}"
    assert answer.headers["etag"] == '"2"'
    assert {name: event[name] for name in told} == told
    assert UUID(event["id"]).version == 4
    assert (event["case"], event["version"], event["position"]) == (case["id"], 2, 2)
    assert event["jurisdiction"] == "KZ"
    assert event["partner"] == str(author.id)
    assert (event["publication"], event["publication_reason"]) == ("published", None)
    assert event["status"] == author.get(f"/v1/cases/{case['id']}").json()["status"]
    assert event["status"]["headline"] == "extradition_granted"
    read = author.get(f"/v1/events/{event['id']}").json()
    assert read == {name: value for name, value in event.items() if name != "status"}
    shown = service.get(f"/v1/events/{event['id']}").json()
    for name in ("type", "occurred", "notified", "place", "authority", "summary", "verification"):
        assert shown[name] == told[name]


@pytest.mark.parametrize("code", sorted(TYPES))
def test_every_type_can_be_told_and_read(shared: Service, code: str) -> None:
    author = shared.partner(*AUTHOR)
    case = author.open()
    decision = author.tell(case, "extradition.granted", "2025-01")
    fields: Json = {**REQUIRED.get(code, {})}
    if "against" in fields:
        fields["against"] = decision["id"]
    told = author.tell(case, code, "2025-05", **fields)
    assert told["type"] == code
    for name, value in fields.items():
        assert told[name] == value
    ceiling = TYPES[code].ceiling
    assert (told["visibility"], told["publication"]) == (
        ceiling,
        "published" if ceiling == "public" else "withheld",
    )
    assert shared.get(f"/v1/events/{told['id']}").status_code == (
        200 if ceiling == "public" else 404
    )


@pytest.mark.parametrize(
    "occurred",
    ["2025", "2025-05", "2025-05-01", "202X", "2025-XX", "2025-21", "2024-24", "[2025-01..2025-03]",
     "2025-01/2025-03", "[..2025-03]", "/2025", "2025~", "2025-05?", "2024-02-29", "0000",
     "9999-12-31"],
)  # fmt: skip
def test_dates_are_kept_as_they_were_told(shared: Service, occurred: str) -> None:
    author = shared.partner(*AUTHOR)
    told = author.tell(author.open(), "wanted.removed", occurred)
    assert told["occurred"] == occurred
    assert shared.get(f"/v1/events/{told['id']}").json()["occurred"] == occurred


class TestNaming:
    def test_own_names_stand_for_ids_in_body_and_path(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open(external_id="дело/1")
        path = f"/v1/cases/{path_name('ext:дело/1')}/events"
        granted = author.tell(case, "extradition.granted", external_id="дело/1/выдать")
        answer = author.post(
            path,
            {
                "type": "appeal.filed",
                "occurred": "2025-05-01",
                "against": "ext:дело/1/выдать",
                "after": "ext:дело/1/выдать",
            },
        )
        assert answer.status_code == 201
        assert answer.json()["against"] == answer.json()["after"] == granted["id"]
        assert answer.json()["status"]["headline"] == "extradition_appealed"
        found = author.get(f"/v1/events/{path_name('ext:дело/1/выдать')}")
        assert found.json()["id"] == granted["id"]

    def test_the_same_again_is_answered_with_what_is_stored(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open()
        first = author.tell(case, "wanted.removed", external_id="e", summary={"en": "a"})
        author.tell(case, "person.died")
        body = {"summary": {"en": "a"}, "visibility": "public", "external_id": "e"}
        body |= {"type": "wanted.removed", "occurred": "2025-05-01"}
        again = author.post(f"/v1/cases/{case['id']}/events", body, **{"If-Match": '"1"'})
        assert again.status_code == 200
        stored = again.json()
        assert stored.pop("status")["headline"] == "died"
        first.pop("status")
        assert stored == first
        assert service.head == 3

    def test_other_content_under_the_same_name_is_a_conflict(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case, other = author.open(), author.open(external_id="c")
        body = {"type": "wanted.removed", "occurred": "2025-05-01", "external_id": "e"}
        path = f"/v1/cases/{case['id']}/events"
        assert author.post(path, body).status_code == 201
        head = service.head
        for changed in (
            {**body, "occurred": "2025-05-02"},
            {**body, "visibility": "public"},
            {**body, "private_note": "x"},
            {**body, "external_id": "c"},
        ):
            problem(author.post(path, changed), 409, "external-id-taken")
        problem(author.post(f"/v1/cases/{other['id']}/events", body), 409, "external-id-taken")
        assert service.head == head

    def test_two_partners_tell_of_one_case(self, service: Service) -> None:
        author, other = service.partner(*AUTHOR), service.partner("events:write")
        case = author.open()
        told = other.tell(case, "wanted.removed", external_id="same")
        author.tell(case, "wanted.removed", external_id="same")
        assert told["version"] == 2
        assert author.get(f"/v1/cases/{case['id']}").json()["version"] == 3

    @pytest.mark.parametrize(
        "name",
        [ABSENT, "nonsense", "KZ-0000-0000", "ext:nothing", "%00"],
    )
    def test_a_case_that_is_not_there_has_no_events(self, shared: Service, name: str) -> None:
        author = shared.partner(*AUTHOR)
        body = {"type": "wanted.removed", "occurred": "2025"}
        problem(author.post(f"/v1/cases/{path_name(name)}/events", body), 404, "not-found")

    @pytest.mark.parametrize(
        "name",
        [ABSENT, "nonsense", "ext%3Anothing", "ext%3A", "%00"],
    )
    def test_an_event_that_is_not_there_is_not_found(self, shared: Service, name: str) -> None:
        for asker in (shared, shared.partner()):
            problem(asker.get(f"/v1/events/{name}"), 404, "not-found")


class TestVersions:
    def test_the_version_that_was_seen_is_taken(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open()
        path, body = (
            f"/v1/cases/{case['id']}/events",
            {"type": "wanted.removed", "occurred": "2025"},
        )
        first = author.post(path, body, **{"If-Match": '"1"'})
        second = author.post(path, body, **{"If-Match": first.headers["etag"]})
        third = author.post(path, body, **{"If-Match": "*"})
        assert [a.status_code for a in (first, second, third)] == [201, 201, 201]
        assert [a.headers["etag"] for a in (first, second, third)] == ['"2"', '"3"', '"4"']
        refused = author.post(path, body, **{"If-Match": '"3"'})
        problem(refused, 412, "version-mismatch")
        assert refused.headers["etag"] == '"4"'
        assert service.head == 4

    def test_the_old_version_of_a_public_answer_is_not_taken_for_the_case(
        self, service: Service
    ) -> None:
        """The public ETag is no version: what is hidden would show in it."""
        author = service.partner(*AUTHOR)
        case = author.open()
        author.tell(case, "wanted.removed")
        tag = service.get(f"/v1/cases/{case['id']}").headers["etag"]
        body = {"type": "wanted.removed", "occurred": "2025"}
        answer = author.post(f"/v1/cases/{case['id']}/events", body, **{"If-Match": tag})
        assert answer.status_code in (412, 422)


def test_hostile_text_is_kept_as_it_was_told(service: Service) -> None:
    author = service.partner(*AUTHOR)
    marks = "<script>alert('&amp;')</script> ]]> '\"\\"
    text = f"{marks} \u202eevil\u202c 💥 𠜎 \u0600 \ue000 \U0010fffd \t\r\n"
    told = author.tell(author.open(), "wanted.removed", summary={"en": text}, place=text)
    for asker in (author, service):
        found: Any = asker.get(f"/v1/events/{told['id']}").json()
        assert (found["summary"]["en"], found["place"]) == (text, text)
    assert items(service.get("/v1/events"))[0]["place"] == text
