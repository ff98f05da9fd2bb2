"""Erasure over HTTP: two admins, 410 for whoever could read it, 404 for everybody else."""

import json
from typing import Any

import httpx
import pytest

from tests.api.conftest import ABSENT, Partner, Service, items, pointers, problem

GROUNDS = {"reason": "The person asked for it.", "legal_basis": "Withdrawal of consent"}
Json = dict[str, Any]


def ask(
    admin: Partner, case: Json | str, body: Json | None = None, **headers: str
) -> httpx.Response:
    name = case if isinstance(case, str) else case["id"]
    return admin.post(f"/v1/cases/{name}/erasure", body or GROUNDS, **headers)


def erase(service: Service, case: Json) -> Json:
    first, second = service.partner("admin"), service.partner("admin")
    assert ask(first, case).status_code == 202
    answer = ask(second, case)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def test_the_same_from_another_admins_key_carries_it_out(service: Service) -> None:
    desk = service.partner("events:write", "events:publish")
    case = desk.open()
    first = service.partner("admin")
    again = service.partner("admin", of=first)
    answer = ask(first, case)
    assert (answer.status_code, answer.json()["state"]) == (202, "requested")
    assert answer.headers["cache-control"] == "no-store"
    assert ask(first, case).status_code == 202
    assert desk.get(f"/v1/cases/{case['id']}").status_code == 200
    carried_out = ask(again, case).json()
    assert carried_out == {
        "case": case["id"],
        "state": "erased",
        "requested_at": carried_out["requested_at"],
        "erased": [case["id"]],
        "position": service.head,
        "differs": False,
        "finished": True,
    }
    problem(ask(first, case), 410, "withdrawn")


def test_a_key_that_is_no_admins_erases_nothing(service: Service) -> None:
    desk = service.partner("events:write", "events:publish", "review", "audit:read")
    case = desk.open()
    problem(ask(desk, case), 403, "forbidden")
    answer = service.client.post(f"/v1/cases/{case['id']}/erasure", json=GROUNDS)
    problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": "Asked."}, "/legal_basis"),
        ({"legal_basis": "Consent"}, "/reason"),
        ({**GROUNDS, "reason": ""}, "/reason"),
        ({**GROUNDS, "reason": 7}, "/reason"),
        ({**GROUNDS, "reason": "a\u0000b"}, "/reason"),
        ({**GROUNDS, "legal_basis": "x" * 501}, "/legal_basis"),
        ({**GROUNDS, "more": 1}, "/more"),
    ],
    ids=str,
)
def test_grounds_that_cannot_be_used_are_refused(light: Service, body: Json, pointer: str) -> None:
    case = light.partner("events:write").open()
    answer = ask(light.partner("admin"), case, body)
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == [pointer]


def test_the_grounds_name_nobody(light: Service) -> None:
    names = [{"text": "Мансур Мовлаев", "language": "ru", "kind": "primary"}]
    case = light.partner("events:write").open(subject={"names": names})
    answer = ask(light.partner("admin"), case, {**GROUNDS, "reason": "Movlaev asked"})
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == ["/reason"]
    assert "Movlaev" not in answer.text


def test_a_case_that_is_not_there_is_not_found(light: Service) -> None:
    admin = light.partner("admin")
    for name in (ABSENT, "KZ-0000-0000", "ext:nobody", "nonsense"):
        problem(ask(admin, name), 404, "not-found")


def test_with_an_idempotency_key_the_answer_is_that_of_the_first_time(service: Service) -> None:
    case = service.partner("events:write").open()
    first, second = service.partner("admin"), service.partner("admin")
    for admin, status in ((first, 202), (second, 200)):
        answers = [ask(admin, case, **{"Idempotency-Key": "one"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [status, status]
        assert "idempotency-replayed" not in answers[0].headers
        assert answers[1].headers["idempotency-replayed"] == "true"
    other = {**GROUNDS, "reason": "Another."}
    problem(ask(second, case, other, **{"Idempotency-Key": "one"}), 422, "idempotency-key-reused")


# -- who learns of it -----------------------------------------------------------------------------


def test_whoever_could_read_it_learns_that_it_is_gone_and_its_id(service: Service) -> None:
    desk = service.partner("events:write", "events:publish")
    other, sees_all = service.partner("events:write"), service.partner("restricted:read")
    case = desk.open()
    shown = desk.tell(case, "asylum.refused", stage="registration", visibility="public")
    hidden = desk.tell(case, "interim.requested", visibility="restricted")
    told = desk.tell(case, "person.died", visibility="partners")
    erase(service, case)
    path, events = f"/v1/cases/{case['id']}", [f"/v1/events/{e['id']}" for e in (shown, told)]
    for ask_for in (desk.get, other.get, sees_all.get):
        for address in (path, f"{path}/events", *events):
            found = problem(ask_for(address), 410, "withdrawn")
            assert set(found) == {"type", "title", "status", "detail", "id"}
            assert found["id"] in address
    problem(other.get(f"/v1/events/{hidden['id']}"), 404, "not-found")
    for ask_for in (desk.get, sees_all.get):
        problem(ask_for(f"/v1/events/{hidden['id']}"), 410, "withdrawn")
    # The public could read the case and one event of it.
    for address in (path, f"/v1/cases/{case['code']}", f"{path}/events", events[0]):
        problem(service.get(address), 410, "withdrawn")
    problem(service.get(events[1]), 404, "not-found")


def test_a_case_that_never_was_public_is_not_found(service: Service) -> None:
    desk = service.partner("events:write", "events:publish")
    case = desk.open("none")
    event = desk.tell(case, "person.died")
    erase(service, case)
    for address in (f"/v1/cases/{case['id']}", f"/v1/events/{event['id']}"):
        problem(service.get(address), 404, "not-found")


def test_it_is_in_no_list_and_no_number(service: Service) -> None:
    desk = service.partner("events:write", "events:publish")
    stays, case = desk.open(), desk.open("name", subject=named("Мансур Мовлаев"))
    for one in (stays, case):
        desk.tell(one, "extradition.granted", visibility="public")
    erase(service, case)
    for ask_for in (service.get, desk.get):
        assert [c["id"] for c in items(ask_for("/v1/cases"))] == [stays["id"]]
        assert items(ask_for("/v1/cases", q="movlaev")) == []
        found = ask_for("/v1/statistics").json()
        assert (found["cases"], found["headline"]["extradition_granted"]) == (1, 1)
        known = ask_for("/v1/statistics", known_at="2999-01-01T00:00:00Z").json()
        assert known["cases"] == 1
    again = desk.open("name", subject=named("Мансур Мовлаев"))
    assert again["possible_duplicates"] == []


def named(text: str) -> Json:
    return {"names": [{"text": text, "language": "ru", "kind": "primary"}]}


def test_the_log_goes_on_to_count_it_and_says_nothing(service: Service) -> None:
    desk, auditor = service.partner("events:write", "events:publish"), service.partner("audit:read")
    case = desk.open(external_id="canary-case")
    desk.tell(case, "person.died", place="canary-place", visibility="public")
    erase(service, case)
    for partner in (desk, auditor, service.partner("restricted:read")):
        found = items(partner.get("/v1/events"))
        assert [item["position"] for item in found] == [1, 2, 3]
        assert [item["type"] for item in found] == ["erased", "erased", "case.erased"]
        assert "canary" not in partner.get("/v1/exports/log").text
    assert "reason" not in items(desk.get("/v1/events"))[-1]
    assert items(auditor.get("/v1/events"))[-1]["reason"] == GROUNDS["reason"]
    public = items(service.get("/v1/events"))
    assert [item["kind"] for item in public] == ["published", "withdrawn"]
    assert "canary" not in service.get("/v1/events").text


def test_subscribers_are_told(service: Service) -> None:
    desk = service.partner("events:write", "events:publish", public_name="Press")
    case = desk.open()
    told = desk.tell(case, "person.died", place="canary-place", visibility="public")
    feeds = ("/feeds/all.atom", f"/feeds/cases/{case['code']}.atom")
    for feed in feeds:
        assert "canary-place" in service.get(feed, lang="en").text
    erase(service, case)
    for feed in feeds:
        text = service.get(feed, lang="en").text
        assert "canary" not in text
        assert f'ref="urn:uuid:{told["id"]}"' in text
        assert case["code"] in text


def test_an_old_import_brings_nobody_back(service: Service) -> None:
    desk = service.partner("events:write", "events:publish")
    consent = {"publish": "anonymous", "basis": "own"}
    opening = {"external_id": "c", "host_state": "KZ", "origin_state": "RU", "consent": consent}
    claim = {"external_id": "e", "type": "person.died", "occurred": "2025-05"}
    lines: list[Json] = [{"case": opening}, {"event": {"case": "ext:c", **claim}}]
    assert [line["result"] for line in import_lines(desk, lines)] == ["created"] * 2
    erase(service, desk.get("/v1/cases/ext:c").json())
    head = service.head
    changed = [
        {"case": {**opening, "persons": 2}},
        {"event": {"case": "ext:c", **claim, "external_id": "new"}},
        {"event": {"case": "ext:c", **claim, "occurred": "2024"}},
    ]
    for query in ("", "?dry_run=true"):
        results = import_lines(desk, [*lines, *changed], query)
        assert [line["result"] for line in results] == ["rejected"] * 5
        assert [line["problem"]["status"] for line in results] == [410] * 5
    problem(desk.post("/v1/cases", opening), 410, "withdrawn")
    problem(desk.post("/v1/cases/ext:c/events", claim), 410, "withdrawn")
    problem(desk.get("/v1/cases/ext:c"), 410, "withdrawn")
    assert service.head == head


def import_lines(desk: Partner, lines: list[Json], query: str = "") -> list[Json]:
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    headers = desk.headers | {"Content-Type": "application/x-ndjson"}
    answer = desk.service.client.post(f"/v1/imports{query}", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_whatever_is_asked_about_it_is_gone(service: Service) -> None:
    desk, reviewer = service.partner("events:write", "events:publish"), service.partner("review")
    case = desk.open()
    event = desk.tell(case, "person.died", visibility="public")
    erase(service, case)
    version = {"If-Match": '"2"'}
    cases, events = f"/v1/cases/{case['id']}", f"/v1/events/{event['id']}"
    claim = {"type": "person.died", "occurred": "2025"}
    for partner, path, body, headers in (
        (desk, f"{cases}/events", claim, {}),
        (desk, f"{cases}/consent", {"publish": "none", "basis": "own"}, version),
        (desk, f"{cases}/subject", {"names": []}, version),
        (desk, f"{cases}/merges", {"into": desk.open()["id"]}, version),
        (desk, f"{events}/corrections", {**claim, "reason": "typo"}, {}),
        (desk, f"{events}/retractions", {"reason": "false"}, {}),
        (service.partner("events:write"), f"{events}/disputes", {"reason": "No."}, {}),
        (reviewer, f"/v1/reviews/{event['id']}", {"decision": "decline"}, {}),
    ):
        answer = partner.post(path, body, **headers)
        assert answer.status_code == 410, (path, answer.text)
    problem(desk.get(f"{events}/preview"), 410, "withdrawn")


def test_why_numbers_moved_says_nothing_of_it(service: Service) -> None:
    desk = service.partner("events:write", "events:publish")
    stays, case = desk.open(), desk.open()
    for one in (stays, case):
        desk.tell(one, "extradition.granted", visibility="public")
    erase(service, case)
    for ask_for in (service.get, desk.get):
        found = items(ask_for("/v1/statistics/changes"))
        moved = [(item.get("case"), item["moved"]) for item in found if item["moved"]]
        assert [one for one, _ in moved] == [stays["id"]]
        assert moved[0][1]["/headline/extradition_granted"] == 1
