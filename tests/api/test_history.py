"""Histories, and two clocks: what is said of a day, and what was known of it at a time."""

from typing import Any

import pytest

from caseflow.domain.facts import Frame, counts_on
from caseflow.domain.status import Status, resolve

from .conftest import AUTHOR, Json, Replay, Service, items, problem

FRAME = Frame("KZ", "RU")


def replayed(found: Status) -> Json:
    """Return what is compared of a status."""
    return {
        "headline": found.headline,
        "at_risk": found.at_risk,
        "since": [found.since.earliest, found.since.latest],
        "tracks": {
            name: [
                t.state,
                t.ambiguous,
                t.since.earliest,
                t.since.latest,
                sorted(map(str, t.events)),
            ]
            for name, t in found.tracks.items()
        },
        "disputed": sorted(str(d.track) for d in found.disputed),
    }


def answered(found: Json) -> Json:
    """Return the same of an answer."""
    return {
        "headline": found["headline"],
        "at_risk": found["at_risk"],
        "since": [found["since"]["earliest"], found["since"]["latest"]],
        "tracks": {
            name: [
                t["state"], t["ambiguous"], t["since"]["earliest"], t["since"]["latest"],
                sorted(t["events"]),
            ]
            for name, t in found["tracks"].items()
        },
        "disputed": sorted(str(d["track"]) for d in found["disputed"]),
    }  # fmt: skip


def clocks(as_of: str | None, known_at: str | None) -> Json:
    return {k: v for k, v in (("as_of", as_of), ("known_at", known_at)) if v}


def asker_of(replay: Replay, view: str) -> Any:
    return {"public": replay.service, "author": replay.author}[view]


VIEWS = pytest.mark.parametrize("view", ["public", "author"])


@VIEWS
def test_a_case_is_what_its_claims_of_then_say(replay: Replay, view: str) -> None:
    asker = asker_of(replay, view)
    for as_of, known_at in replay.moments:
        for case in replay.cases:
            facts = replay.facts_of(case, view, known_at)
            answer = asker.get(f"/v1/cases/{case['id']}", **clocks(as_of, known_at))
            counted_only = view == "public" and case is replay.cases[2]
            unopened = view == "author" and known_at is not None and known_at < case["opened_at"]
            if counted_only or unopened or (view == "public" and not facts):
                problem(answer, 404, "not-found")
                continue
            found = answer.json()
            assert answered(found["status"]) == replayed(resolve(FRAME, facts, as_of=as_of))
            assert (found["as_of"], found["known_at"]) == (as_of, in_utc(known_at))


def in_utc(known_at: str | None) -> str | None:
    return "2020-01-01T00:00:00.000000Z" if known_at == "2020-01-01T00:00:00Z" else known_at


@VIEWS
def test_lists_are_what_the_cases_of_then_were(replay: Replay, view: str) -> None:
    asker = asker_of(replay, view)
    headlines = set()
    for as_of, known_at in replay.moments:
        expected = {}
        for case in replay.cases:
            facts = replay.facts_of(case, view, known_at)
            opened = known_at is None or known_at >= case["opened_at"]
            if view == "public":
                opened = bool(facts) and case is not replay.cases[2]
            if opened and (as_of is None or any(counts_on(f, as_of) for f in facts)):
                expected[case["id"]] = replayed(resolve(FRAME, facts, as_of=as_of))
        asked = clocks(as_of, known_at)
        found = {c["id"]: answered(c["status"]) for c in items(asker.get("/v1/cases", **asked))}
        assert found == expected
        for headline in {status["headline"] for status in expected.values()} | {"deported"}:
            headlines.add(headline)
            named = items(asker.get("/v1/cases", headline=headline, **asked))
            assert {c["id"] for c in named} == {
                id for id, status in expected.items() if status["headline"] == headline
            }
        risky = items(asker.get("/v1/cases", at_risk="true", **asked))
        assert {c["id"] for c in risky} == {i for i, s in expected.items() if s["at_risk"]}
    assert len(headlines) > 4


@VIEWS
def test_a_history_is_what_was_known_then_of_days_until_then(replay: Replay, view: str) -> None:
    asker = asker_of(replay, view)
    for as_of, known_at in replay.moments:
        for case in replay.cases[:2]:
            facts = replay.facts_of(case, view, known_at)
            answer = asker.get(f"/v1/cases/{case['id']}/events", **clocks(as_of, known_at))
            if answer.status_code == 404:
                assert not facts
                continue
            claims = [e for e in items(answer) if "occurred" in e]
            assert {e["id"] for e in claims} == {str(f.id) for f in facts if counts_on(f, as_of)}
            assert [e["version"] for e in items(answer)] == sorted(
                e["version"] for e in items(answer)
            )


@VIEWS
def test_what_changed_since_is_told_as_it_was_known(replay: Replay, view: str) -> None:
    """`updated_since` is about the same clock as `known_at`."""
    asker = asker_of(replay, view)
    times = [at for _, at in replay.moments[: len(replay.facts) + 2] if at]
    for known_at in times:
        for since in times[::3]:
            found = items(asker.get("/v1/cases", known_at=known_at, updated_since=since))
            everything = items(asker.get("/v1/cases", known_at=known_at))
            assert found == [case for case in everything if case["updated_at"] >= since]


def test_known_at_is_a_moment_in_any_zone_and_answered_in_utc(replay: Replay) -> None:
    case = replay.cases[0]
    path = f"/v1/cases/{case['id']}"
    for asker in (replay.service, replay.author):
        utc = asker.get(path, known_at="2998-01-01T00:00:00Z").json()
        for same in ("2998-01-01T05:00:00+05:00", "2998-01-01t00:00:00.000z"):
            assert asker.get(path, known_at=same).json() == utc
        assert utc["known_at"] == "2998-01-01T00:00:00.000000Z"
        assert utc["status"] == asker.get(path).json()["status"]


def test_version_and_position_are_those_of_the_time(replay: Replay) -> None:
    case = replay.cases[0]
    mine = [fact for fact in replay.facts if fact.case is case]
    for number, fact in enumerate(mine[:3], start=2):
        found = replay.author.get(f"/v1/cases/{case['id']}", known_at=fact.recorded_at).json()
        assert (found["version"], found["position"]) == (number, fact.event["position"])
        public = replay.service.get(f"/v1/cases/{case['id']}", known_at=fact.published_at).json()
        assert public["version"] == number - 1
        assert public["updated_at"] == fact.published_at


def test_a_history_comes_in_pages(replay: Replay) -> None:
    path = f"/v1/cases/{replay.cases[0]['id']}/events"
    for asker in (replay.service, replay.author):
        everything = items(asker.get(path))
        assert len(everything) > 4
        for limit in (1, 2, len(everything) - 1, len(everything)):
            found: list[Json] = []
            answer = asker.get(path, limit=limit)
            found += items(answer)
            while answer.json()["next_cursor"] is not None:
                answer = asker.get(answer.headers["link"].split(">")[0][1:])
                found += items(answer)
            assert found == everything


def test_the_public_history_has_the_public_numbers(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "wanted.removed", visibility="partners")
    first = author.tell(case, "wanted.listed", list="cis")
    author.tell(case, "wanted.removed", visibility="restricted")
    second = author.tell(case, "wanted.removed", "2025-06")
    shown = items(service.get(f"/v1/cases/{case['id']}/events"))
    assert [(e["id"], e["version"], e["position"]) for e in shown] == [
        (first["id"], 1, 1),
        (second["id"], 2, 2),
    ]
    known = items(author.get(f"/v1/cases/{case['id']}/events"))
    assert [e["version"] for e in known] == [1, 2, 3, 4, 5]
    assert [e["position"] for e in known] == [1, 2, 3, 4, 5]
    for event in shown:
        assert event == service.get(f"/v1/events/{event['id']}").json()
    for event in known:
        assert event == author.get(f"/v1/events/{event['id']}").json()


def test_no_replay_tells_a_partner_what_was_hidden_from_it_since(service: Service) -> None:
    """Known then or not: who may read now decides."""
    author, stranger = service.partner(*AUTHOR), service.partner("events:write")
    consent = {"publish": "name", "basis": "own", "share": True}
    names = [{"text": "Vufibadut", "language": "en", "kind": "primary"}]
    case = author.open(consent=consent, subject={"names": names})
    told = author.tell(case, "extradition.granted", place="Vufimirut", visibility="partners")
    addresses = [f"/v1/cases/{case['id']}", f"/v1/cases/{case['id']}/events", "/v1/cases"]

    def look() -> str:
        query = {"known_at": told["recorded_at"]}
        return "".join(stranger.get(address, **query).text for address in addresses)

    assert {"Vufibadut", "Vufimirut", "extradition_granted"} <= set(look().split('"'))
    author.post(f"/v1/events/{told['id']}/visibility", {"visibility": "restricted"})
    assert "Vufibadut" in look()
    assert not {"Vufimirut", "extradition_granted", told["id"]} & set(look().split('"'))
    version = author.get(addresses[0]).headers["etag"]
    less = {"consent": {"publish": "anonymous", "basis": "own"}}
    author.post(f"{addresses[0]}/consent", less, **{"If-Match": version})
    assert "Vufibadut" not in look()
    # Its author goes on seeing what it told.
    then = author.get(addresses[1], known_at=told["recorded_at"]).text
    assert "Vufimirut" in then
