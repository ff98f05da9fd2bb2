"""Reported figures: shown beside what is computed, as they were known, and never mixed in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from litestar.testing import TestClient

from caseflow.api.app import create_app
from caseflow.bootstrap import House
from caseflow.database import begin_read
from caseflow.eventstore.quarantine import Suspect
from caseflow.serving import make_services
from tests.checks import check_house, dump_table, dump_tables, find_canaries
from tests.houses import Clock, new_settings, run_house

from .conftest import AUTHOR, Json, Partner, Service, check_answer, path_name, problem

CANARY: Final = "Kanarienvogel"
HELPED: Final[Json] = {
    "measure": "persons_helped",
    "low": 22,
    "as_of": "2026-01-29",
    "host_state": "KZ",
    "origin_state": "RU",
    "source": {"title": "Annual report", "url": "https://bureau.example/report"},
}
STAYED: Final[Json] = {
    "measure": "persons_staying",
    "low": 50_000,
    "high": 80_000,
    "as_of": "2026-01",
    "host_state": "KZ",
    "source": {"title": f"Estimate {CANARY}"},
    "summary": {"ru": "Осталось от 50 до 80 тысяч.", "en": "Between 50 and 80 thousand stayed."},
}


def report(partner: Partner, figure: Json, status: int = 201, **more: Any) -> Json:
    """Report a figure and return it."""
    answer = partner.post("/v1/figures", {**figure, **more})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def act(partner: Partner, event: Json, what: str, body: Json, status: int = 201) -> Json:
    """Do something to an event and return the answer."""
    path = f"/v1/reviews/{event['id']}" if what == "review" else f"/v1/events/{event['id']}/{what}"
    answer = partner.post(path, body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def numbers(asker: Any, **query: Any) -> Json:
    answer = asker.get("/v1/statistics", **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def reported(asker: Any, **query: Any) -> list[Json]:
    found: list[Json] = numbers(asker, **query)["reported"]
    return found


def ids(figures: list[Json]) -> list[str]:
    return [figure["id"] for figure in figures]


# -- reporting ------------------------------------------------------------------------------------


def test_a_figure_is_shown_to_everyone_beside_what_is_computed(service: Service) -> None:
    author = service.partner(*AUTHOR, public_name="Bureau")
    told = report(author, HELPED, external_id="helped")
    assert (told["type"], told["case"], told["version"]) == ("figure.reported", None, 1)
    assert (told["publication"], told["state"], told["high"]) == ("published", "in_force", 22)
    (seen,) = reported(service, lang="en")
    assert seen == {
        **HELPED,
        "high": 22,
        "id": told["id"],
        "label": "persons helped",
        "summary": None,
        "reported_by": "Bureau",
        "recorded_at": told["recorded_at"],
        "state": "published",
    }
    assert reported(author, lang="en") == [{**seen, "partner": str(author.id)}]
    labels = {reported(service, lang=language)[0]["label"] for language in ("ru", "kk", "en")}
    assert len(labels) == 3


def test_without_a_public_name_the_deployment_speaks(service: Service) -> None:
    report(service.partner(*AUTHOR), HELPED)
    assert reported(service)[0]["reported_by"] == "Test record"


def test_what_is_computed_stays_as_it_was_byte_for_byte(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "detention.custody_ordered", "2025-05", basis="extradition")
    author.tell(case, "extradition.granted", "2026-01-10")
    feed = service.get("/feeds/all.atom").content
    log = service.get("/v1/events").content
    asked = ({}, {"as_of": "2026-02-10"}, {"host_state": "KZ"})
    before = [numbers(view, **query) for view in (service, author) for query in asked]
    for figure in (HELPED, STAYED, {**HELPED, "measure": "persons_in_custody", "low": 5}):
        report(author, figure)
    after = [numbers(view, **query) for view in (service, author) for query in asked]
    for old, new in zip(before, after, strict=True):
        assert (old.pop("reported"), len(new.pop("reported"))) == ([], 3)
        old.pop("position")
        new.pop("position")
        assert json.dumps(old) == json.dumps(new)
    # Nor do feeds, the public log or its position know of figures.
    assert (service.get("/feeds/all.atom").content, service.get("/v1/events").content) == (
        feed,
        log,
    )
    assert numbers(service)["position"] == 2


def test_figures_are_those_of_the_day_and_the_states_asked_for(service: Service) -> None:
    author = service.partner(*AUTHOR)
    january = report(author, STAYED)["id"]
    day = report(author, HELPED)["id"]
    elsewhere = report(author, HELPED, host_state="KG")["id"]
    open_start = report(author, HELPED, as_of="../2024")["id"]
    # By what they count, then by day.
    everything = [open_start, day, elsewhere, january]
    for view in (service, author):
        assert ids(reported(view)) == everything
        assert ids(reported(view, as_of="2026-01-01")) == [open_start, january]
        assert ids(reported(view, as_of="2025-12-31")) == [open_start]
        assert ids(reported(view, host_state="KG")) == [elsewhere]
        assert ids(reported(view, origin_state="RU")) == [open_start, day, elsewhere]
        assert reported(view, origin_state="BY") == []


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"measure": "persons_dreaming"}, "/measure"),
        ({"low": 23, "high": 22}, "/high"),
        ({"low": -1}, "/low"),
        ({"low": 1.5}, "/low"),
        ({"high": 1_000_000_001}, "/high"),
        ({"host_state": "XX"}, "/host_state"),
        ({"host_state": "kz"}, "/host_state"),
        ({"origin_state": "KZ"}, "/origin_state"),
        ({"as_of": "yesterday"}, "/as_of"),
        ({"source": {"publisher": "Press"}}, "/source"),
        ({"source": {"url": "ftp://x"}}, "/source/url"),
        ({"source": None}, "/source"),
        ({"source": {"title": "a\u0001b"}}, "/source/title"),
        ({"summary": {"en": "\ufffe"}}, "/summary/en"),
        ({"summary": {}}, "/summary"),
        ({"unknown": 1}, "/unknown"),
        ({"external_id": ""}, "/external_id"),
    ],
)
def test_what_is_wrong_is_pointed_at(light: Service, wrong: Json, pointer: str) -> None:
    author = light.partner(*AUTHOR)
    found = problem(author.post("/v1/figures", {**HELPED, **wrong}), 422, "invalid-input")
    assert [error["pointer"] for error in found["errors"]] == [pointer]
    for field in ("measure", "low", "as_of", "host_state", "source"):
        fewer = {name: value for name, value in HELPED.items() if name != field}
        problem(author.post("/v1/figures", fewer), 422, "invalid-input")
    assert light.head == 0


def test_who_may_not_write_reports_nothing(light: Service) -> None:
    problem(light.client.post("/v1/figures", json=HELPED), 401, "unauthenticated")
    problem(light.partner("review").post("/v1/figures", HELPED), 403, "forbidden")


# -- once -----------------------------------------------------------------------------------------


def test_the_same_own_name_and_content_is_one_figure(service: Service) -> None:
    author = service.partner(*AUTHOR)
    told = report(author, HELPED, external_id="annual/2025")
    # Without `high` and with the same number it says the same.
    assert report(author, HELPED, 200, external_id="annual/2025", high=22) == told
    other = author.post("/v1/figures", {**HELPED, "external_id": "annual/2025", "low": 21})
    problem(other, 409, "external-id-taken")
    opening = {"host_state": "KZ", "origin_state": "RU", "external_id": "annual/2025"}
    consent = {"consent": {"publish": "none", "basis": "own"}}
    problem(author.post("/v1/cases", opening | consent), 409, "external-id-taken")
    assert len(reported(service)) == 1
    # Nobody but its partner sees the name; it stands for the event in paths.
    path = f"/v1/events/{path_name('ext:annual/2025')}"
    assert author.get(path).json()["external_id"] == "annual/2025"
    other = service.partner()
    assert "external_id" not in other.get(f"/v1/events/{told['id']}").json()
    body = {"reason": "false"}
    assert author.post(f"{path}/retractions", body).status_code == 201
    assert reported(service) == []


def test_a_figure_is_not_a_case(service: Service) -> None:
    author = service.partner(*AUTHOR)
    told = report(author, HELPED, external_id="helped")
    claim = {"type": "person.died", "occurred": "2026"}
    named = path_name("ext:helped")
    problem(author.post(f"/v1/cases/{named}/events", claim), 404, "not-found")
    problem(author.get(f"/v1/cases/{named}"), 404, "not-found")
    for what, body in (("corroborations", {}), ("visibility", {"visibility": "public"})):
        problem(author.post(f"/v1/events/{told['id']}/{what}", body), 404, "not-found")


def test_a_request_that_comes_again_is_answered_as_the_first_time(service: Service) -> None:
    author = service.partner(*AUTHOR)
    once = {"Idempotency-Key": "a phone that lost its connection"}
    first = author.post("/v1/figures", HELPED, **once)
    again = author.post("/v1/figures", HELPED, **once)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = author.post("/v1/figures", STAYED, **once)
    problem(other, 422, "idempotency-key-reused")
    correction = {"Idempotency-Key": "correction"}
    path, body = f"/v1/events/{first.json()['id']}/corrections", {**HELPED, "low": 23}
    told = author.post(path, {**body, "reason": "typo"}, **correction)
    later = author.post(path, {**body, "low": 24, "reason": "typo"})
    assert (told.status_code, later.status_code) == (201, 201)
    replayed = author.post(path, {**body, "reason": "typo"}, **correction)
    assert replayed.json() == told.json()
    assert [figure["low"] for figure in reported(service)] == [24]
    assert first.headers["etag"] == '"1"'


# -- what becomes of it ---------------------------------------------------------------------------


def test_a_correction_takes_the_place_of_what_was_wrong(service: Service) -> None:
    author = service.partner(*AUTHOR, public_name="Bureau")
    first = report(author, HELPED)
    second = act(author, first, "corrections", {**HELPED, "low": 23, "reason": "typo"})
    figure = {**HELPED, "low": 24, "high": 30}
    third = act(author, first, "corrections", {"reason": "new_evidence", "figure": figure})
    (seen,) = reported(service)
    assert (seen["id"], seen["low"], seen["high"]) == (third["id"], 24, 30)
    assert ids(reported(author)) == [third["id"]]
    assert (third["corrects"], third["correction_reason"]) == (second["id"], "new_evidence")
    old = author.get(f"/v1/events/{first['id']}").json()
    assert (old["state"], old["corrected_by"], old["low"]) == ("corrected", second["id"], 22)
    assert (old["publication"], old["publication_reason"]) == ("withheld", "corrected")
    refused = author.post(
        f"/v1/events/{first['id']}/corrections", {**HELPED, "reason": "typo"}, **{"If-Match": '"2"'}
    )
    problem(refused, 412, "version-mismatch")


def test_a_correction_under_an_own_name_is_made_once(service: Service) -> None:
    author = service.partner(*AUTHOR)
    first = report(author, HELPED, external_id="helped")
    body = {**HELPED, "low": 23, "reason": "typo", "external_id": "helped"}
    second = act(author, first, "corrections", body)
    assert act(author, first, "corrections", body, 200)["id"] == second["id"]
    renamed = {**body, "low": 24, "external_id": "helped/2"}
    third = act(author, first, "corrections", renamed)
    assert act(author, first, "corrections", renamed, 200)["id"] == third["id"]
    assert author.get(f"/v1/events/{path_name('ext:helped/2')}").json()["low"] == 24


def test_only_the_author_or_a_reviewer_corrects(service: Service) -> None:
    author = service.partner(*AUTHOR, public_name="Bureau")
    other, reviewer = service.partner(*AUTHOR), service.partner(*AUTHOR, "review")
    first = report(author, HELPED)
    body = {**HELPED, "low": 23, "reason": "typo"}
    act(other, first, "corrections", body, 403)
    act(other, first, "retractions", {"reason": "false"}, 403)
    told = act(reviewer, first, "corrections", body)
    assert (told["partner"], told["posted_by"]) == (str(author.id), str(reviewer.id))
    assert reported(service)[0]["reported_by"] == "Bureau"


@pytest.mark.parametrize("reason", ["false", "unsafe"])
def test_a_retraction_takes_it_out_and_replays_show_the_time_before(
    service: Service, reason: str
) -> None:
    author = service.partner(*AUTHOR)
    first = report(author, STAYED)
    second = act(author, first, "corrections", {**STAYED, "low": 60_000, "reason": "typo"})
    gone = act(author, second, "retractions", {"reason": reason, "note": "They said so."})
    assert (gone["type"], gone["figure"], gone["reason"]) == (
        "figure.retracted", second["id"], reason,
    )  # fmt: skip
    moments = {
        first["recorded_at"]: [first["id"]],
        second["recorded_at"]: [second["id"]],
        gone["recorded_at"]: [],
    }
    for known_at, expected in moments.items():
        assert ids(reported(author, known_at=known_at)) == expected
        # What is unsafe to be known was never there, as far as anyone is told.
        public = expected if reason == "false" else []
        assert ids(reported(service, known_at=known_at)) == public
    assert reported(service) == reported(author) == []
    assert reported(service, known_at="2020-01-01T00:00:00Z") == []
    assert act(author, first, "corrections", {**STAYED, "reason": "typo"}, 409)
    assert author.get(f"/v1/events/{second['id']}").json()["state"] == "retracted"
    with begin_read(service.engine) as connection:
        left = dump_table(connection, "public_figures_a")
    assert bool(find_canaries(left, [CANARY])) is (reason == "false")


# -- reviews --------------------------------------------------------------------------------------


def test_without_the_scope_a_figure_waits_for_a_review(service: Service) -> None:
    author = service.partner("events:write", public_name="Newcomer")
    reviewer, other = service.partner("review"), service.partner()
    told = report(author, STAYED)
    assert (told["publication"], told["publication_reason"]) == ("awaiting_review", "review")
    assert reported(service) == []
    for view in (author, reviewer, other):
        (seen,) = reported(view)
        assert (seen["id"], seen["state"]) == (told["id"], "awaiting_review")
        assert seen["source"] == STAYED["source"]
        assert seen["summary"] == STAYED["summary"]
    with begin_read(service.engine) as connection:
        assert find_canaries(dump_tables(connection), [CANARY]) == []
    declined = act(reviewer, told, "review", {"decision": "decline", "note": "No source."})
    assert (declined["type"], declined["event"]) == ("publication.declined", told["id"])
    assert [reported(view) for view in (service, author, other)] == [[], [], []]
    assert author.get(f"/v1/events/{told['id']}").json()["publication_reason"] == "declined"
    approved = act(reviewer, told, "review", {"decision": "approve"})
    (seen,) = reported(service)
    assert (seen["id"], seen["reported_by"]) == (told["id"], "Newcomer")
    # To the public, it was recorded when it came to be public.
    assert seen["recorded_at"] == approved["recorded_at"]
    assert reported(author)[0]["recorded_at"] == told["recorded_at"]
    assert reported(service, known_at=told["recorded_at"]) == []
    assert reported(author, known_at=told["recorded_at"])[0]["state"] == "awaiting_review"
    act(reviewer, told, "review", {"decision": "approve"}, 409)


def test_a_correction_that_waits_hides_what_was_wrong_at_once(service: Service) -> None:
    author = service.partner(*AUTHOR)
    careful = service.partner("events:write", of=author)
    reviewer = service.partner("review")
    first = report(author, HELPED)
    told = act(careful, first, "corrections", {**HELPED, "low": 23, "reason": "typo"})
    assert told["publication"] == "awaiting_review"
    assert reported(service) == []
    assert [(f["low"], f["state"]) for f in reported(reviewer)] == [(23, "awaiting_review")]
    own = service.partner("review", of=author)
    act(own, told, "review", {"decision": "approve"}, 409)
    act(reviewer, first, "review", {"decision": "approve"}, 409)
    act(reviewer, told, "review", {"decision": "approve"})
    assert [f["low"] for f in reported(service)] == [23]


# -- for partners ---------------------------------------------------------------------------------


def test_partners_find_figures_in_the_log_and_the_public_does_not(service: Service) -> None:
    author, other = service.partner(*AUTHOR), service.partner()
    told = report(author, HELPED, external_id="mine")
    corrected = act(author, told, "corrections", {**HELPED, "low": 23, "reason": "typo"})
    gone = act(author, told, "retractions", {"reason": "false", "external_id": "gone"})
    log = other.get("/v1/events").json()["items"]
    assert ids(log) == ids([told, corrected, gone])
    assert [e["position"] for e in log] == [1, 2, 3]
    assert [e["type"] for e in log] == ["figure.reported", "figure.reported", "figure.retracted"]
    assert log[1] == other.get(f"/v1/events/{corrected['id']}").json()
    assert not any("external_id" in event for event in log)
    assert service.get("/v1/events").json()["items"] == []
    problem(service.get(f"/v1/events/{told['id']}"), 404, "not-found")


def test_the_vocabulary_says_what_may_be_counted(light: Service) -> None:
    measures = light.get("/v1/vocabulary").json()["measures"]
    assert [m["code"] for m in measures][:3] == [
        "persons_helped", "persons_entered", "persons_staying",
    ]  # fmt: skip
    assert all(set(m["label"]) == {"ru", "kk", "en"} for m in measures)


# -- a house of figures ---------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["scope", "two_person"])
def house(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path, clock: Clock
) -> Iterator[House]:
    """A house that asks for one person or for two."""
    with (
        new_settings(database_kind, request, tmp_path, CASEFLOW_REVIEW=request.param) as settings,
        run_house(settings, clock) as found,
    ):
        yield found


@pytest.fixture
def within(house: House) -> Iterator[Service]:
    """The service of that house."""
    app = create_app(make_services(house))
    with TestClient(app, raise_server_exceptions=False) as client:
        client.event_hooks = {"response": [check_answer]}
        service = Service(house.settings, client)
        yield service
        service.engine.dispose()


def answers(service: Service, *partners: Partner) -> list[httpx.Response]:
    return [view.get("/v1/statistics") for view in (service, *partners)]


def test_views_made_again_are_the_same(house: House, within: Service, clock: Clock) -> None:
    two = house.settings.review == "two_person"
    author, reviewer = within.partner(*AUTHOR), within.partner(*AUTHOR, "review")
    newcomer = within.partner("events:write")
    stolen = within.partner(*AUTHOR)
    by = ((author, HELPED), (author, STAYED), (stolen, STAYED), (author, HELPED))
    told = [report(partner, figure) for partner, figure in by]
    assert {t["publication"] for t in told} == {"awaiting_review" if two else "published"}
    assert len(reported(within)) == (0 if two else 4)
    clock.set("2026-02-10T13:00:00Z")
    if two:
        for figure in told:
            act(author, figure, "review", {"decision": "approve"}, 403)
            act(reviewer, figure, "review", {"decision": "approve"})
    at_one = reported(within)
    assert ids(at_one) == sorted(ids(told), key=ids(at_one).index)
    clock.set("2026-02-10T14:00:00Z")
    act(author, told[0], "corrections", {**HELPED, "low": 1, "reason": "wrong_person"})
    act(author, told[1], "retractions", {"reason": "unsafe"})
    waiting = report(newcomer, STAYED, source={"title": "Kanarienvogel waits"}, as_of="2025")
    act(reviewer, report(newcomer, HELPED, as_of="2024"), "review", {"decision": "decline"})
    (step,) = house.quarantine(Suspect(stolen.key_id, 0)).steps
    assert author.get(f"/v1/events/{step.event_id}").json()["publication"] == "awaiting_review"
    before = [answer.content for answer in answers(within, author, newcomer)]
    check_house(house, "Kanarienvogel waits")
    house.rebuild()
    check_house(house, "Kanarienvogel waits")
    with TestClient(create_app(make_services(house))) as client:
        again = Service(house.settings, client)
        fresh = [
            again.get("/v1/statistics"),
            *(again.get("/v1/statistics", p.headers) for p in (author, newcomer)),
        ]
        again.engine.dispose()
    assert [answer.content for answer in fresh] == before
    shown = {figure["id"]: figure["state"] for figure in reported(newcomer)}
    assert shown[told[2]["id"]] == shown[waiting["id"]] == "awaiting_review"
    assert told[2]["id"] not in ids(reported(within))
    # Replayed, what should never have been told is not there; the rest is as it was.
    assert ids(reported(within, known_at="2026-02-10T13:30:00Z")) == [
        i for i in ids(at_one) if i in (told[2]["id"], told[3]["id"])
    ]
    act(reviewer, {"id": str(step.event_id)}, "review", {"decision": "approve"})
    assert told[2]["id"] in ids(reported(within))
    check_house(house)


def test_while_publication_is_halted_figures_wait(house: House, within: Service) -> None:
    author, reviewer = within.partner(*AUTHOR), within.partner("review")
    house.cases.freeze(True).result()
    told = report(author, HELPED)
    assert told["publication"] == "awaiting_review"
    act(reviewer, told, "review", {"decision": "approve"}, 409)
    assert reported(within) == []
    house.cases.freeze(False).result()
    act(reviewer, told, "review", {"decision": "approve"})
    assert ids(reported(within)) == [told["id"]]
    check_house(house)
