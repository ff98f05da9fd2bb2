"""Why each number moved: what changes are told to whom, by which kind, and what they moved."""

import json
from typing import Any

import pytest

from .conftest import AUTHOR, Json, Partner, Service, items, pointers, problem

CHANGES = "/v1/statistics/changes"


def moved(item: Json, *paths: str) -> list[int | None]:
    return [item["moved"].get(path) for path in paths]


def last(asker: Any, **query: Any) -> Json:
    return items(asker.get(CHANGES, limit=500, **query))[-1]


def today(service: Service) -> str:
    """Return a day of this season, for what is reported at once."""
    partner = service.partner("events:write")
    return str(partner.open()["opened_at"][:10])


def retract(partner: Partner, event: Json, reason: str) -> None:
    answer = partner.post(f"/v1/events/{event['id']}/retractions", {"reason": reason})
    assert answer.status_code == 201, answer.text


def test_a_change_says_what_it_is_and_what_it_moved(service: Service) -> None:
    author, day = service.partner(*AUTHOR, "review"), today(service)
    case = author.open(persons=2)
    author.tell(case, "detention.apprehended", day, basis="wanted")
    for asker in (service, author):
        item = last(asker)
        assert (item["kind"], item["case"]) == ("new_case", case["id"])
        numbers = moved(item, "/cases", "/persons", "/at_risk", "/headline/detained")
        assert numbers == [1, 2, 2, 2]
    granted = author.tell(case, "extradition.granted", day)
    for asker in (service, author):
        item = last(asker)
        assert (item["kind"], item["id"]) == ("new_claim", granted["id"])
        assert moved(item, "/cases", "/headline/detained", "/headline/extradition_granted") == [
            None,
            -2,
            2,
        ]
        assert moved(item, f"/series/{day[:7]}/extradition_granted") == [2]
    author.tell(case, "extradition.surrendered", "2020-01", destination="RU")
    assert [last(asker)["kind"] for asker in (service, author)] == ["late_report"] * 2


def test_what_was_taken_back_says_so_and_moves_numbers_back(service: Service) -> None:
    author, day = service.partner(*AUTHOR, "review"), today(service)
    case = author.open()
    author.tell(case, "detention.apprehended", day, basis="wanted")
    granted = author.tell(case, "extradition.granted", day)
    said = {"type": "extradition.refused", "occurred": day, "visibility": "public"}
    answer = author.post(
        f"/v1/events/{granted['id']}/corrections", {"reason": "new_evidence", **said}
    )
    for asker in (service, author):
        item = last(asker)
        assert (item["kind"], item["id"]) == ("correction", answer.json()["id"])
        assert moved(item, "/tracks/extradition/granted", "/tracks/extradition/refused") == [-1, 1]
    retract(author, answer.json(), "false")
    kinds = {"public": last(service), "partner": last(author)}
    # The public is not told why something went.
    assert [kinds[who]["kind"] for who in kinds] == ["withdrawal", "retraction"]
    assert all(moved(kinds[who], "/tracks/extradition/refused") == [-1] for who in kinds)


def test_of_what_is_hidden_nothing_stays_in_past_movements(service: Service) -> None:
    author = service.partner(*AUTHOR)
    granted = author.tell(author.open(), "extradition.granted")
    retract(author, granted, "unsafe")
    told = service.get(CHANGES).json()
    assert [(i["kind"], i["moved"], i["beside"]) for i in told["items"]] == [
        ("new_claim", {}, {}),
        ("withdrawal", {}, {}),
    ]
    assert told["beside"] == {}


def test_judgements_consent_and_merges_move_numbers_by_name_for_partners_alone(
    service: Service,
) -> None:
    author, other = service.partner(*AUTHOR), service.partner(*AUTHOR)
    case, same = author.open(), author.open()
    claim = author.tell(case, "extradition.granted")
    author.tell(case, "person.entered")
    author.tell(same, "asylum.claim_made")
    for critic in (other, service.partner(*AUTHOR)):
        critic.post(f"/v1/events/{claim['id']}/disputes", {"reason": "no", "rank_against": True})
    item = last(author)
    assert (item["kind"], moved(item, "/headline/extradition_granted")) == ("dispute", [-1])
    version = author.get(f"/v1/cases/{same['id']}").headers["etag"]
    author.post(f"/v1/cases/{same['id']}/merges", {"into": case["id"]}, **{"If-Match": version})
    item = last(author)
    assert (item["kind"], item["case"]) == ("merge", same["id"])
    assert moved(item, "/cases", "/persons") == [-1, -1]
    told = service.get(CHANGES).json()
    # What was told of the case that went is told anew, as a correction.
    assert [i["kind"] for i in told["items"]] == [
        "new_case",
        "late_report",
        "new_case",
        "correction",
    ]
    item = told["items"][-1]
    assert (moved(item, "/cases", "/persons"), item["case"]) == ([-1, -1], case["id"])
    assert item["beside"]["/headline/extradition_granted"] == -1
    assert told["beside"] == {}


def test_who_is_only_counted_moves_numbers_beside_a_change_and_without_a_name(
    service: Service,
) -> None:
    author = service.partner(*AUTHOR)
    shown, counted = author.open(), author.open("count", persons=7)
    author.tell(shown, "asylum.claim_made")
    before = service.get(CHANGES)
    author.tell(counted, "expulsion.ordered")
    after = service.get(CHANGES)
    assert after.json()["items"] == before.json()["items"]
    assert after.json()["position"] == 1
    beside = after.json()["beside"]
    assert (beside["/persons"], beside["/headline/expulsion_ordered"]) == (7, 7)
    author.tell(shown, "asylum.refused", stage="repeat")
    told = service.get(CHANGES).json()
    assert [(i["kind"], i["beside"]) for i in told["items"]] == [
        ("new_case", {}),
        ("late_report", beside),
    ]
    assert told["beside"] == {}
    assert counted["id"] not in service.get(CHANGES).text
    # Its own partner is told which it was.
    assert [i["case"] for i in items(author.get(CHANGES)) if i["kind"] == "new_case"] == [
        shown["id"],
        counted["id"],
    ]


def test_the_list_goes_on_from_a_position_or_a_cursor(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    for number in range(5):
        author.tell(case, "detention.contact_denied", f"2025-05-0{number + 1}")
    whole = items(service.get(CHANGES))
    assert [i["position"] for i in whole] == [1, 2, 3, 4, 5]
    page = service.get(CHANGES, limit=2)
    assert (page.json()["items"], page.json()["position"]) == (whole[:2], 2)
    following = service.get(page.headers["link"].partition(">")[0][1:])
    assert following.json()["items"] == whole[2:4]
    end = service.get(CHANGES, limit=2, since=3).json()
    assert (end["items"], end["next_cursor"], end["position"]) == (whole[3:], None, 5)
    nothing = service.get(CHANGES, since=9).json()
    assert (nothing["items"], nothing["position"], nothing["beside"]) == ([], 9, {})
    assert pointers(service.get(CHANGES, since="x")) == ["/query/since"]
    assert pointers(service.get(CHANGES, as_of="2025-01-01")) == ["/query/as_of"]


def test_changes_may_be_of_persons_between_two_states_alone(service: Service) -> None:
    author = service.partner(*AUTHOR)
    for host_state in ("KZ", "KG"):
        author.tell(author.open(host_state=host_state), "asylum.claim_made")
    for host_state, expected in (("KZ", [1, None]), ("KG", [None, 1]), ("RU", [None, None])):
        found = items(service.get(CHANGES, host_state=host_state))
        assert [i["moved"].get("/persons") for i in found] == expected


def test_what_a_partner_may_not_read_it_is_not_told_of(service: Service) -> None:
    author, stranger = service.partner(*AUTHOR), service.partner("events:write")
    case = author.open()
    author.tell(case, "extradition.granted", visibility="partners")
    hidden = author.tell(case, "departure.left", visibility="restricted")
    assert hidden["id"] not in stranger.get(CHANGES).text
    assert last(stranger)["kind"] == "new_case"
    assert items(service.get(CHANGES)) == []
    # Whoever may read it is told, and that is logged.
    reader, auditor = service.partner("restricted:read"), service.partner("audit:read")
    assert last(reader)["id"] == hidden["id"]
    reads = items(auditor.get("/v1/audit/reads", partner=str(reader.id)))
    assert [(r["kind"], r["event"]) for r in reads] == [("restricted", hidden["id"])]


def test_each_claim_of_an_import_says_what_it_moved(service: Service) -> None:
    """They are recorded in few batches, each of one time."""
    author = service.partner(*AUTHOR)
    opening = {
        "external_id": "x",
        "host_state": "KZ",
        "origin_state": "RU",
        "consent": {"publish": "anonymous", "basis": "own"},
    }
    claims = [("detention.apprehended", {"basis": "wanted"}), ("extradition.granted", {})]
    claims.append(("extradition.surrendered", {"destination": "RU"}))
    told = [
        {"case": "ext:x", "external_id": type, "type": type, "occurred": f"2025-0{n + 1}"}
        | {"visibility": "public", **fields}
        for n, (type, fields) in enumerate(claims)
    ]
    lines = [{"case": opening}, *({"event": claim} for claim in told)]
    answer = service.client.post(
        "/v1/imports",
        content="\n".join(map(json.dumps, lines)),
        headers={**author.headers, "Content-Type": "application/x-ndjson"},
    )
    assert answer.text.count('"created"') == 4
    for asker in (service, author):
        found = [i for i in items(asker.get(CHANGES)) if i["moved"]]
        paths = ("/cases", "/headline/detained", "/headline/extradition_granted")
        assert [moved(i, *paths, "/headline/extradited") for i in found] == [
            [1, 1, None, None],
            [None, -1, 1, None],
            [None, None, -1, 1],
        ]


@pytest.mark.parametrize("position", ["-1", "1e3", str(2**63)])
def test_a_position_that_is_none_is_refused(light: Service, position: str) -> None:
    problem(light.get(CHANGES, since=position), 422, "invalid-input")
