"""Statistics: persons counted on any day as known at any time, each view by its own claims."""

import json
from typing import Any

import msgspec
import pytest

from caseflow.domain.facts import Frame
from caseflow.domain.statistics import CaseFacts, tally
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.vocabulary import ORDERS

from .conftest import AUTHOR, Json, Replay, Service

FIELDS = {
    "as_of", "known_at", "position", "cases", "persons", "uncertain", "at_risk", "headline",
    "tracks", "returned", "departed", "custody_days", "series", "series_undated", "reported",
}  # fmt: skip


def of(asker: Any, **query: Any) -> Json:
    answer = asker.get("/v1/statistics", **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("view", ["public", "author"])
def test_the_numbers_are_what_the_claims_of_then_give(replay: Replay, view: str) -> None:
    asker: Any = {"public": replay.service, "author": replay.author}[view]
    different = set()
    for as_of, known_at in replay.moments:
        asked = {k: v for k, v in (("as_of", as_of), ("known_at", known_at)) if v}
        found = of(asker, **asked)
        cases = [
            CaseFacts(
                Frame(case["host_state"], case["origin_state"]),
                case["persons"],
                replay.facts_of(case, view, known_at),
            )
            for case in replay.cases
        ]
        days = [fact.recorded_at for fact in replay.facts if fact.known(view, known_at)]
        until = max(days, default="1970-01-01")[:10]
        expected = msgspec.to_builtins(tally(cases, as_of=as_of, until=until))
        if view == "author":
            # What partners know lasts until the last thing recorded, whatever it was.
            expected.pop("custody_days")
        assert {name: found[name] for name in expected} == json.loads(json.dumps(expected))
        different.add(json.dumps(expected))
    assert len(different) > 20


def test_an_empty_house_counts_nobody(service: Service) -> None:
    for view in (service, service.partner()):
        found = of(view)
        assert set(found) == FIELDS
        assert (found["cases"], found["persons"], found["position"]) == (0, 0, 0)
        assert list(found["headline"]) == list(HEADLINE_CODES)
        assert {t: list(states) for t, states in found["tracks"].items()} == {
            t: list(states) for t, states in ORDERS.items()
        }
        assert found["custody_days"] == {"median": None, "persons": 0}
        assert (found["series"], found["reported"]) == ([], [])
        assert found["returned"]["total"] == found["departed"]["total"] == 0


def test_the_numbers_may_be_those_of_one_pair_of_states(service: Service) -> None:
    author = service.partner(*AUTHOR)
    for host, origin, persons in (("KZ", "RU", 2), ("KZ", "BY", 3), ("GE", "RU", 4)):
        case = author.open(host_state=host, origin_state=origin, persons=persons)
        author.tell(case, "expulsion.executed", destination=origin)
    for view in (service, author):
        assert of(view)["persons"] == 9
        assert of(view, host_state="KZ")["persons"] == 5
        assert of(view, origin_state="RU")["returned"]["deported"] == 6
        assert of(view, host_state="GE", origin_state="RU")["cases"] == 1
        assert of(view, host_state="GE", origin_state="BY")["cases"] == 0


def test_two_accounts_of_one_removal_count_one_person_and_are_disputed(service: Service) -> None:
    """One report has him extradited on 29 January, another deported on 2 February."""
    one = service.partner(*AUTHOR, public_name="One")
    two = service.partner(*AUTHOR, public_name="Two")
    case = one.open()
    first = one.tell(case, "extradition.surrendered", "2026-01-29", destination="RU")
    second = two.tell(case, "expulsion.executed", "2026-02-02", destination="RU")
    for view in (service, one, two):
        found = of(view, as_of="2026-02-10")
        assert (found["cases"], found["persons"]) == (1, 1)
        assert (found["returned"]["total"], found["returned"]["forced"]) == (1, 1)
        assert sum(found["headline"].values()) == sum(found["tracks"]["movement"].values()) == 1
        status = view.get(f"/v1/cases/{case['id']}").json()["status"]
        (dispute,) = [d for d in status["disputed"] if d["track"] == "movement"]
        assert sorted(dispute["events"]) == sorted([first["id"], second["id"]])
        assert sorted(dispute["states"]) == ["deported", "extradited"]
        assert {d["earliest"] for d in dispute["dates"]} == {"2026-01-29", "2026-02-02"}
        names = {"One", "Two"} if view is service else {str(one.id), str(two.id)}
        assert set(dispute["partners"]) == names


def test_a_late_report_of_an_early_fact_changes_no_present(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "extradition.requested", "2025-11")
    author.tell(case, "extradition.granted", "2026-01-10")
    before = author.get(f"/v1/cases/{case['id']}").json()["status"]
    numbers = of(service, as_of="2026-02-10")
    author.tell(case, "wanted.listed", "2024-02", list="national")
    author.tell(case, "extradition.postponed", "2025-12")
    for view in (service, author):
        after = view.get(f"/v1/cases/{case['id']}").json()["status"]
        assert after["tracks"]["extradition"] == before["tracks"]["extradition"]
        assert (after["headline"], after["at_risk"]) == ("extradition_granted", True)
        assert of(view, as_of="2026-02-10")["headline"] == numbers["headline"]
        assert of(view, as_of="2025-12-31")["headline"]["extradition_requested"] == 1
        assert of(view, as_of="2024-03-01")["headline"]["wanted"] == 1


def test_an_order_of_a_foreign_court_leaves_the_own_track_alone(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "wanted.removed", "2023-01")
    foreign = author.tell(case, "expulsion.ordered", "2023-05", jurisdiction="KG")
    author.tell(case, "appeal.filed", "2023-06", against=foreign["id"], jurisdiction="KG")
    for view in (service, author):
        status = view.get(f"/v1/cases/{case['id']}").json()["status"]
        assert "expulsion" not in status["tracks"]
        assert (status["headline"], status["at_risk"]) == ("monitored", False)
        assert sum(of(view)["tracks"]["expulsion"].values()) == 0
    author.tell(case, "expulsion.ordered", "2023-07")
    for view in (service, author):
        assert of(view)["headline"]["expulsion_ordered"] == 1


def test_who_reads_what_is_restricted_counts_by_it(service: Service) -> None:
    author, other = service.partner(*AUTHOR), service.partner()
    reader = service.partner("restricted:read")
    case = author.open()
    author.tell(case, "wanted.removed", "2023-01")
    author.tell(case, "extradition.granted", "2025-01", visibility="partners")
    author.tell(case, "person.died", "2025-02", visibility="restricted")
    found = {view: of(view)["headline"] for view in (service, other, author, reader)}
    assert found[service]["monitored"] == 1
    assert found[other]["extradition_granted"] == 1
    assert found[author]["died"] == found[reader]["died"] == 1


def test_the_public_position_is_that_of_publication(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "wanted.removed", visibility="partners")
    assert (of(service)["position"], of(author)["position"]) == (0, 2)
    author.tell(case, "wanted.removed")
    assert (of(service)["position"], of(author)["position"]) == (1, 3)
