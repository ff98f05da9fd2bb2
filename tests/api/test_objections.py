"""Objections over HTTP: whoever is shown objects without a key, and partners see what was said."""

import json
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from sqlalchemy import select

from caseflow.api.rate_limits import RateLimits
from caseflow.projections.partner.objections import partner_objections
from caseflow.projections.view import VIEW_SETS, registered

from .asgi import exchange
from .conftest import (
    AUTHOR,
    Json,
    Partner,
    Service,
    items,
    path_name,
    pointers,
    problem,
    serve,
    steady,
)
from .outputs import all_logged
from .scenes import change
from .test_erasure import erase
from .test_public_view import look

PATH: Final = "/v1/objections"
TEXT, CONTACT = "Capercaillie asks for it", "capercaillie@example.org"
CANARY: Final = "capercaillie"
FORMS: Final = ("atom", "json")
SUMMARY: Final = "Extradition was allowed"
ADDRESS: Final = "198.51.100.7"


def object_to(service: Service, case: Json | str, key: Partner | None = None, **said: Any) -> Any:
    """Object to a case and return the answer."""
    name = case if isinstance(case, str) else case["code"]
    body = {"case": name, "by": "person", "text": TEXT, "contact": CONTACT} | said
    headers = key.headers if key else {}
    return service.client.post(PATH, json=body, headers=headers)


def consent_to(partner: Partner, case: Json, publish: str = "anonymous") -> Json:
    """Tell consent anew, and return the event."""
    return change(partner, case, "consent", {"publish": publish, "basis": "own"})


class Scene:
    """A service with a public case, and a second one that nobody objects to."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.author = service.partner(*AUTHOR, "audit:read", public_name="Open desk")
        self.stranger = service.partner(*AUTHOR, "audit:read")
        self.reviewer = service.partner("review")
        self.reader = service.partner("restricted:read")
        self.case = self.author.open()
        self.event = self.author.tell(self.case, "extradition.granted", summary={"en": SUMMARY})
        self.other = self.stranger.open()
        self.stranger.tell(self.other, "wanted.listed", list="national")

    def object(self, **said: Any) -> Any:
        return object_to(self.service, self.case, **said)

    def made(self, key: Partner, **query: Any) -> list[Json]:
        return items(key.get(PATH, **query))

    def settle_it(self) -> Json:
        return consent_to(self.author, self.case)

    def pages(self) -> list[str]:
        """Return where the public reads of the case by itself."""
        case, code, event = self.case["id"], self.case["code"], self.event["id"]
        return [
            *(f"/v1/cases/{name}{more}" for name in (case, code) for more in ("", "/events")),
            f"/v1/events/{event}",
        ]  # fmt: skip

    def counts(self) -> tuple[int, int, int]:
        """Return how many cases the public is told of, in its list and in its numbers."""
        numbers = self.service.get("/v1/statistics").json()
        granted = numbers["headline"]["extradition_granted"]
        return len(items(self.service.get("/v1/cases"))), numbers["cases"], granted

    def entries(self) -> str:
        """Return what stands in the feeds that have the claim."""
        of_all, of_case = "/feeds/all", f"/feeds/cases/{self.case['code']}"
        of_type = "/feeds/types/extradition.granted"
        paths = (f"{feed}.{form}" for feed in (of_all, of_case, of_type) for form in FORMS)
        return "".join(self.service.get(path).text for path in paths)


@pytest.fixture
def scene(service: Service) -> Scene:
    return Scene(service)


@pytest.fixture
def light_scene(light: Service) -> Scene:
    return Scene(light)


# -- what it does ---------------------------------------------------------------------------------


def test_the_case_is_hidden_at_once_and_shown_when_consent_is_told_anew(scene: Scene) -> None:
    # Twice: the second answer is one that was kept.
    for _ in range(2):
        assert {scene.service.get(page).status_code for page in scene.pages()} == {200}
    assert (scene.counts(), SUMMARY in scene.entries()) == ((2, 2, 1), True)
    before = scene.service.get("/v1/events").json()["position"]
    answer = scene.object()
    assert (answer.status_code, answer.json()) == (202, {"received": True})
    assert answer.headers["cache-control"] == "no-store"
    for page in scene.pages():
        assert scene.service.get(page).status_code == 410, page
    assert scene.counts() == (1, 1, 0)
    entries = scene.entries()
    assert (SUMMARY in entries, f"urn:uuid:{scene.event['id']}" in entries) == (False, True)
    (withdrawn,) = items(scene.service.get("/v1/events", after=before))
    assert withdrawn["kind"] == "withdrawn"
    scene.settle_it()
    assert {scene.service.get(page).status_code for page in scene.pages()} == {200}
    assert (scene.counts(), SUMMARY in scene.entries()) == ((2, 2, 1), True)


def test_the_public_is_told_what_a_partner_that_withdraws_consent_has_it_told(
    light: Service,
) -> None:
    """From the feeds and numbers nobody learns that it was an objection."""
    told = []
    for objects in (True, False):
        scene = Scene(light)
        before = light.get("/v1/events").json()["position"]
        if objects:
            assert scene.object().status_code == 202
        else:
            consent_to(scene.author, scene.case, "none")
        (withdrawn,) = items(light.get("/v1/events", after=before))
        (moved,) = items(light.get("/v1/statistics/changes", since=before))
        assert (withdrawn.pop("case"), withdrawn.pop("code")) == (
            scene.case["id"],
            scene.case["code"],
        )
        for name in ("id", "position", "recorded_at", "case"):
            withdrawn.pop(name, None)
            moved.pop(name, None)
        told.append((withdrawn, moved))
    assert told[0] == told[1]


def test_the_second_objection_does_not_hide(scene: Scene) -> None:
    scene.object()
    scene.settle_it()
    assert scene.object(text="and again").status_code == 202
    assert scene.service.get(f"/v1/cases/{scene.case['id']}").status_code == 200
    assert [one["hides"] for one in scene.made(scene.author)] == [True, False]


def test_the_same_twice_is_received_and_recorded_once(scene: Scene) -> None:
    """From another process too; the case is hidden by then."""
    with serve(scene.service.settings) as elsewhere:
        for service in (scene.service, elsewhere, scene.service):
            answer = object_to(service, scene.case)
            assert (answer.status_code, answer.json()) == (202, {"received": True})
        problem(object_to(elsewhere, scene.case, text="other words"), 404, "not-found")
        elsewhere.hear()
        assert elsewhere.get(f"/v1/cases/{scene.case['id']}").status_code == 410
    assert len(scene.made(scene.author)) == 1


def test_a_key_may_be_shown_and_must_work(light_scene: Scene) -> None:
    service = light_scene.service
    bad = service.client.post(
        PATH, json={"case": light_scene.case["code"], "by": "other"},
        headers={"Authorization": "Bearer unknown"},
    )  # fmt: skip
    problem(bad, 401, "unauthenticated")
    answer = object_to(service, light_scene.case, light_scene.stranger)
    assert (answer.status_code, answer.json()) == (202, {"received": True})
    (event,) = [e for e in items(light_scene.author.get("/v1/events")) if "hides" in e]
    assert event["partner"] == "00000000-0000-0000-0000-000000000000"


def test_what_is_not_public_is_answered_as_what_is_not_there(scene: Scene) -> None:
    author = scene.author
    counted, waiting, empty = author.open("count"), author.open(), author.open()
    author.tell(counted, "person.died")
    author.tell(waiting, "person.died", visibility="partners")
    erased = author.open(external_id="own-name")
    author.tell(erased, "person.died")
    erase(scene.service, erased)

    def told(name: str) -> tuple[int, dict[str, str], bytes]:
        answer = object_to(scene.service, name)
        assert problem(answer, 404, "not-found")
        return answer.status_code, steady(answer.headers), answer.content

    absent = told("KZ-0000-0000")
    assert absent == told(str(uuid4())) == told("nonsense") == told(path_name("ext:own-name"))
    for case in (counted, waiting, empty, erased):
        assert told(case["id"]) == told(case["code"]) == absent
    assert scene.made(scene.reviewer) == []
    # Bad input is refused before it is looked for.
    for name in ("KZ-0000-0000", counted["id"], erased["code"]):
        problem(object_to(scene.service, name, text="\x00"), 422, "invalid-input")
    # Withdrawn, whoever knew of it is told the same.
    consent_to(author, scene.case, "none")
    assert told(scene.case["id"]) == absent


def test_a_merged_case_may_be_named_by_either_name(light_scene: Scene) -> None:
    scene = light_scene
    merge = {"into": scene.case["id"]}
    path = f"/v1/cases/{scene.other['id']}/merges"
    assert scene.stranger.post(path, merge, **{"If-Match": "*"}).status_code == 201
    assert object_to(scene.service, scene.other).status_code == 202
    assert scene.counts() == (0, 0, 0)
    # Each partner has its own case to check.
    assert [one["case"] for one in scene.made(scene.author)] == [scene.case["id"]]
    assert [one["case"] for one in scene.made(scene.stranger)] == [scene.other["id"]]
    scene.settle_it()
    shown = scene.stranger.get(f"/v1/cases/{scene.case['id']}").json()
    assert shown["objection"]["id"] == scene.made(scene.stranger)[0]["id"]


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"by": "police"}, "/by"),
        ({"by": None}, "/by"),
        ({"case": 7}, "/case"),
        ({"case": ""}, "/case"),
        ({"text": ""}, "/text"),
        ({"text": "x" * 20_001}, "/text"),
        ({"contact": "x" * 501}, "/contact"),
        ({"text": "a\x00b"}, "/text"),
        ({"contact": "\ufffe"}, "/contact"),
        ({"hides": False}, "/hides"),
    ],
)
def test_bad_input_is_refused_with_a_pointer(
    light_scene: Scene, fields: Json, pointer: str
) -> None:
    body = {"case": light_scene.case["code"], "by": "person"} | fields
    answer = light_scene.service.client.post(PATH, json=body)
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == [pointer]
    assert light_scene.service.get(f"/v1/cases/{light_scene.case['id']}").status_code == 200


def test_bodies_are_those_of_other_requests(light_scene: Scene) -> None:
    def post(content: bytes, media_type: str = "application/json") -> httpx.Response:
        headers = {"Content-Type": media_type}
        return light_scene.service.client.post(PATH, content=content, headers=headers)

    problem(post(b"{"), 400, "unreadable")
    problem(post(b"{}", "text/plain"), 415, "unsupported-media-type")
    problem(post(b'{"text": "' + b"x" * 1_000_001 + b'"}'), 413, "too-large")
    assert pointers(post(b"{}")) == ["/case"]
    missing = post(b'{"case": "KZ-0000-0000"}')
    problem(missing, 422, "invalid-input")
    unknown = light_scene.service.client.post(f"{PATH}?dry_run=true", json={})
    problem(unknown, 422, "invalid-input")


def test_an_address_may_object_as_often_as_it_may_ask(light_scene: Scene) -> None:
    state = light_scene.service.client.app.state
    limits = RateLimits(state.services.authenticator, per_partner=0, per_address=2, proxies=())
    state.services = msgspec.structs.replace(state.services, rate_limits=limits)
    body = json.dumps({"case": light_scene.case["code"], "by": "person"}).encode()
    statuses = [
        exchange(
            light_scene.service.client, "POST", PATH, peer=ADDRESS,
            headers=[("content-type", "application/json")],
            messages=[{"type": "http.request", "body": body}],
        ).status
        for _ in range(3)
    ]  # fmt: skip
    assert statuses == [202, 202, 429]


def test_no_more_are_open_than_can_be_checked(light_scene: Scene) -> None:
    light_scene.object()
    light_scene.settle_it()
    for number in range(20):
        assert light_scene.object(text=f"{number}").status_code == 202
    problem(light_scene.object(text="one more"), 409, "conflict")
    light_scene.settle_it()
    assert light_scene.object(text="one more").status_code == 202


# -- who reads it ---------------------------------------------------------------------------------


def test_partners_list_what_is_objected_to_their_own_cases(scene: Scene) -> None:
    scene.object(by="lawyer")
    object_to(scene.service, scene.other, by="relative", text=None, contact=None)
    first, second = scene.made(scene.reviewer)
    assert first == {
        "id": first["id"],
        "case": scene.case["id"],
        "code": scene.case["code"],
        "by": "lawyer",
        "text": TEXT,
        "contact": CONTACT,
        "hides": True,
        "recorded_at": first["recorded_at"],
        "state": "open",
        "settled_by": None,
    }
    assert (second["by"], second["text"], second["contact"]) == ("relative", None, None)
    assert scene.made(scene.reader) == [first, second]
    assert scene.made(scene.author) == [first]
    assert scene.made(scene.stranger) == [second]
    assert scene.made(scene.service.partner("events:write")) == []
    problem(scene.service.get(PATH), 401, "unauthenticated")
    settled = scene.settle_it()
    (after,) = scene.made(scene.author)
    assert after == first | {"state": "settled", "settled_by": settled["id"]}
    assert [one["state"] for one in scene.made(scene.reader)] == ["settled", "open"]
    # What settles a later one leaves the first as it was.
    scene.object()
    again = scene.settle_it()
    settled_by = [one["settled_by"] for one in scene.made(scene.author)]
    assert settled_by == [settled["id"], again["id"]]


def test_lists_have_pages(light_scene: Scene) -> None:
    light_scene.object()
    light_scene.settle_it()
    for number in range(4):
        light_scene.object(text=f"{number}")
    page = light_scene.author.get(PATH, limit=2)
    found, cursor = items(page), page.json()["next_cursor"]
    assert page.links["next"]["url"].startswith(f"{PATH}?limit=2")
    while cursor:
        page = light_scene.author.get(PATH, limit=2, cursor=cursor)
        found += items(page)
        cursor = page.json()["next_cursor"]
    assert [one["text"] for one in found] == [TEXT, "0", "1", "2", "3"]
    assert found == light_scene.made(light_scene.author)
    answer = light_scene.author.get(PATH, state="open")
    assert pointers(answer) == ["/query/state"]


def test_what_was_objected_to_an_erased_case_is_gone(scene: Scene) -> None:
    scene.object()
    object_to(scene.service, scene.other)
    assert len(scene.made(scene.reader)) == 2
    erase(scene.service, scene.case)
    assert [one["case"] for one in scene.made(scene.reader)] == [scene.other["id"]]
    with scene.service.engine.connect() as connection:
        for view_set in VIEW_SETS:
            cases = connection.scalars(select(partner_objections[view_set].c.case_id))
            assert UUID(scene.case["id"]) not in set(cases)


def test_a_case_tells_of_an_open_objection_to_those_who_may_read_it(scene: Scene) -> None:
    path = f"/v1/cases/{scene.case['id']}"
    assert scene.author.get(path).json()["objection"] is None
    assert "objection" not in scene.service.get(path).json()
    scene.object()
    (made,) = scene.made(scene.author)
    told = {"id": made["id"], "recorded_at": made["recorded_at"]}
    for key in (scene.author, scene.reviewer, scene.reader):
        assert key.get(path).json()["objection"] == told
        assert items(key.get("/v1/cases"))[0]["objection"] == told
    for found in (scene.stranger.get(path).json(), items(scene.stranger.get("/v1/cases"))[0]):
        assert "objection" not in found
    scene.settle_it()
    assert scene.author.get(path).json()["objection"] is None
    then = scene.author.get(path, known_at=made["recorded_at"]).json()
    assert then["objection"] == told
    assert "objection" not in scene.service.get(path).json()


def test_other_partners_see_that_it_is_there_and_nothing_of_it(scene: Scene) -> None:
    scene.object()
    (made,) = scene.made(scene.author)
    paths = (f"/v1/events/{made['id']}", f"/v1/cases/{scene.case['id']}/events", "/v1/events")
    for key in (scene.author, scene.reviewer, scene.reader):
        for path in paths:
            assert TEXT in key.get(path).text
    for path in (*paths, PATH, "/v1/exports/log", f"/v1/cases/{scene.case['id']}"):
        assert CANARY not in scene.stranger.get(path).text.lower()
    found = scene.stranger.get(paths[0]).json()
    assert found["type"] == "objection.made"
    assert not found.keys() & {"by", "text", "contact", "hides"}
    problem(scene.service.get(paths[0]), 404, "not-found")


def test_a_bundle_shows_it_to_those_who_may_read_it(light_scene: Scene) -> None:
    light_scene.object()
    light_scene.service.settle(light_scene.author)
    path = f"/v1/cases/{light_scene.case['id']}/bundle"
    assert TEXT in light_scene.author.get(path).text
    shown = light_scene.stranger.get(path)
    assert (shown.status_code, CANARY in shown.text.lower()) == (200, False)
    assert "objection.made" in shown.text


def test_reads_of_it_are_logged(scene: Scene) -> None:
    scene.object()
    (made,) = scene.made(scene.author)
    paths = (PATH, f"/v1/events/{made['id']}", "/v1/events", "/v1/exports/log")
    for path in paths:
        assert scene.reviewer.get(path).status_code == 200
    reads = items(scene.author.get("/v1/audit/reads", partner=str(scene.reviewer.id)))
    assert [(read["kind"], read["case"], read["event"]) for read in reads] == [
        ("objection", scene.case["id"], made["id"])
    ] * len(paths)
    assert scene.stranger.get("/v1/events").status_code == 200
    others = items(scene.author.get("/v1/audit/reads", partner=str(scene.stranger.id)))
    assert "objection" not in {read["kind"] for read in others}


def test_objections_are_counted_for_those_who_watch(light_scene: Scene) -> None:
    for _ in range(2):
        light_scene.object()
    problem(light_scene.object(text="to nothing"), 404, "not-found")
    watched = light_scene.author.get("/metrics").text
    assert "caseflow_objections_total 1.0" in watched
    assert "objections" not in light_scene.service.get("/metrics").text


# -- what nobody reads ----------------------------------------------------------------------------


def test_nothing_that_was_said_is_public_or_logged(scene: Scene) -> None:
    """In answers, feeds, errors, log lines and public tables; while it is open, and after."""
    everything: list[bytes] = []
    addresses = [
        *scene.pages(), "/", "/v1/cases", "/v1/events", "/v1/exports/log", "/v1/statistics",
        "/v1/statistics/changes", "/feeds/all.atom", "/feeds/all.json", "/feeds/recalls.atom",
        "/feeds/recalls.json", "/feeds/states/KZ.atom", "/feeds/types/extradition.granted.json",
        "/feeds/headlines/extradition_granted.atom", "/v1/vocabulary", "/readyz", "/metrics",
        f"/v1/cases/{scene.case['id']}/bundle", f"/v1/events/{scene.event['id']}/proof",
        "/v1/log/checkpoint", "/v1/log/tile/entries/000.p/1", PATH,
    ]  # fmt: skip
    words = CANARY.encode()

    def look_around() -> None:
        scene.service.settle()
        seen = look(scene.service, addresses)
        everything.extend(content for _, _, content in seen.values())

    with all_logged() as logged:
        answers = [scene.object(), scene.object(), scene.object(text=f"{TEXT}!")]
        answers += [scene.object(by=CANARY), scene.object(text=f"{CANARY}\x00")]
        answers += [scene.object(**{CANARY: CANARY}), object_to(scene.service, "KZ-0000-0000")]
        assert [a.status_code for a in answers] == [202, 202, 404, 422, 422, 422, 404]
        look_around()
        scene.settle_it()
        assert scene.object(text=f"{TEXT}!").status_code == 202
        look_around()
        made = scene.made(scene.author)
        for one in made:
            everything.append(scene.service.get(f"/v1/events/{one['id']}").content)
    everything.append(scene.service.get(f"/v1/cases?q={CANARY}").content)
    # An unknown field is named where it stands; what stands in it is not.
    named = answers.pop(5)
    assert named.text.lower().count(CANARY) == 1
    everything.extend(answer.content for answer in answers)
    assert [said for said in everything if words in said.lower()] == []
    assert words not in logged.said.lower()
    # Nor does anybody learn that somebody objected.
    # Pages say to everyone that there are objections.
    for_programs = [said for said in everything if not said.startswith(b"<!doctype html>")]
    assert [said for said in for_programs if b"objecti" in said.lower()] == []
    with scene.service.engine.connect() as connection:
        for table in registered:
            for view_set in VIEW_SETS:
                rows = repr([tuple(row) for row in connection.execute(select(table[view_set]))])
                assert CANARY not in rows.lower(), table.name
