"""A stolen key: what it has posted is hidden from the public until somebody reviews it."""

from typing import Any, Final
from uuid import UUID

import pytest

from caseflow.domain.times import parse_time
from caseflow.eventstore.quarantine import Quarantined, Suspect
from tests.checks import check_house
from tests.houses import run_house

from .conftest import AUTHOR, Json, Partner, Service, items, problem
from .scenes import act, change, claim, corrected, read_feed, read_public, review

REVIEWER: Final = ("events:write", "review", "restricted:read")
NAME: Final = {"text": "Askar Canaryname", "language": "en", "kind": "primary"}
CANARIES: Final = (
    "canary-opened", "canary-told", "canary-corrected", "canary-raised", "canary-approved",
    "canary-first", "Canaryname", "Canarynickname",
)  # fmt: skip


class Theft:
    """An honest house, and then a thief who has a key of one of its partners."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.honest = service.partner(*AUTHOR, public_name="Honest desk")
        self.plain = service.partner("events:write")
        self.reviewer = service.partner(*REVIEWER)
        self.victim = service.partner(*AUTHOR)
        self.thief = service.partner(*AUTHOR, "review", "restricted:read", of=self.victim)
        self.case = self.honest.open()
        self.honest.tell(self.case, "extradition.granted", summary={"en": "granted"})
        self.named = self.victim.open(subject={"names": [NAME]})
        self.victim.tell(self.named, "asylum.refused", stage="repeat")
        self.moved = self.victim.tell(self.named, "detention.transferred", place="Astana")
        self.secret = self.victim.tell(
            self.named, "expulsion.ordered", visibility="restricted", place="canary-raised"
        )
        self.other = self.honest.open()
        self.honest.tell(self.other, "person.died")
        self.held = self.plain.tell(self.case, "return.abducted", place="canary-approved")
        # Posted with the key before it was stolen.
        self.earlier = self.thief.tell(self.case, "wanted.removed")
        self.before = self.statistics()
        self.posted: list[Json] = []

    def statistics(self) -> Json:
        """Return the public numbers, whatever their position."""
        return {**self.service.get("/v1/statistics").json(), "position": None}

    def steal(self) -> None:
        """Have the thief do all that it can."""
        thief, posted = self.thief, self.posted
        names = [{**NAME, "text": "Canarynickname"}]
        self.opened = thief.open("name", subject={"names": names}, persons=500)
        posted.append(thief.tell(self.opened, "asylum.refused", stage="repeat", place=CANARIES[0]))
        posted.append(thief.tell(self.case, "return.abducted", summary={"en": "canary-told"}))
        self.first = thief.tell(self.case, "wanted.removed", place="canary-first")
        again = corrected(claim("wanted.removed", place="canary-corrected"))
        posted.append(act(thief, self.first, "corrections", again))
        again = corrected(claim("detention.transferred", place="canary-corrected"))
        posted.append(act(thief, self.moved, "corrections", again))
        wider = {"publish": "name", "basis": "own"}
        posted.append(change(thief, self.named, "consent", {"consent": wider}))
        posted.append(act(thief, self.secret, "visibility", {"visibility": "public"}))
        posted.append(review(thief, self.held))
        posted.append(change(thief, self.other, "merges", {"into": self.case["id"]}))
        posted.append(act(thief, self.earlier, "retractions", {"reason": "duplicate"}))

    @property
    def suspect(self) -> Suspect:
        """The key, from the moment at which it was stolen."""
        return Suspect(self.thief.key_id, parse_time(self.earlier["recorded_at"]) + 1)

    def quarantine(self) -> Quarantined:
        """Hide what the thief did, as the command does; the service goes on meanwhile."""
        with run_house(self.service.settings) as house:
            found = house.quarantine(self.suspect)
        self.service.hear()
        return found

    def read_public(self) -> str:
        """Return all that anyone may read."""
        cases = (self.case, self.named, self.other, self.opened)
        return read_public(self.service, *cases, events=(*self.posted, self.first, self.held))


@pytest.fixture
def theft(service: Service) -> Theft:
    return Theft(service)


def hiding_event(found: Quarantined, target: Any) -> UUID:
    """Return the event that hid something."""
    (event_id,) = (step.event_id for step in found.steps if str(step.target) == target["id"])
    return event_id


def test_nothing_that_a_thief_did_is_public_any_more(theft: Theft, service: Service) -> None:
    theft.steal()
    for canary in CANARIES:
        # Of what it corrected the words stay in the log of changes.
        assert canary in theft.read_public(), canary
    entries = read_feed(service).entries
    assert theft.statistics() != theft.before
    found = theft.quarantine()
    public = theft.read_public()
    assert [canary for canary in CANARIES if canary in public] == []
    after = theft.statistics()
    # What it took away stays away: a human has to look at that.
    assert after["headline"] == theft.before["headline"]
    assert {k: v for k, v in after.items() if k != "tracks"} == {
        k: v for k, v in theft.before.items() if k != "tracks"
    }
    assert [(one.type, str(one.event_id)) for one in found.left if one.type != "case.opened"] == [
        ("claim.retracted", theft.posted[-1]["id"])
    ]
    feed = read_feed(service)
    for told in (*theft.posted[:3], theft.first, theft.held):
        if told["id"] in entries:
            assert told["id"] in feed.tombstones
    with run_house(service.settings) as house:
        check_house(house, *CANARIES)


def test_the_statistics_are_those_of_before(theft: Theft) -> None:
    theft.steal()
    theft.honest.tell(theft.case, "wanted.removed")
    theft.quarantine()
    # In the place of the claim that was taken back.
    assert theft.statistics() == theft.before


def test_partners_with_the_scope_still_read_all_of_it(theft: Theft) -> None:
    theft.steal()
    theft.quarantine()
    history = [
        event
        for case in (theft.case, theft.named, theft.other, theft.opened)
        for event in items(theft.reviewer.get(f"/v1/cases/{case['id']}/events", limit=500))
    ]
    seen = {event["id"]: event for event in history}
    for told in theft.posted:
        assert told["id"] in seen, told["type"]
    assert seen[theft.posted[0]["id"]]["place"] == "canary-opened"
    assert {seen[told["id"]]["visibility"] for told in theft.posted[:4]} == {"restricted"}
    hiding = [e for e in history if e["type"] == "visibility.changed" and e.get("until_review")]
    assert {e["partner"] for e in hiding} == {str(UUID(int=0))}
    # Others do not even see what is hidden.
    theirs = items(theft.plain.get(f"/v1/cases/{theft.case['id']}/events", limit=500))
    assert theft.posted[1]["id"] not in {event["id"] for event in theirs}


def test_a_review_brings_back_what_was_right(theft: Theft, service: Service) -> None:
    theft.steal()
    found = theft.quarantine()
    told = theft.posted[1]
    hidden_by = {"id": str(hiding_event(found, told))}
    for nobody in (theft.victim, service.partner("events:write", "review", of=theft.victim)):
        refused = nobody.post(f"/v1/reviews/{hidden_by['id']}", {"decision": "approve"})
        assert refused.status_code in (403, 409)
    problem(service.get(f"/v1/events/{told['id']}"), 410, "withdrawn")
    review(theft.reviewer, hidden_by)
    shown = service.get(f"/v1/events/{told['id']}").json()
    assert (shown["publication"], shown["summary"]) == ("published", {"en": "canary-told"})
    assert hidden_by["id"] in read_feed(service).entries or told["id"] in read_feed(service).entries
    # What was reviewed is not hidden again.
    head = service.head
    again = theft.quarantine()
    assert (again.steps, service.head) == ([], head)
    assert service.get(f"/v1/events/{told['id']}").status_code == 200


def test_a_case_that_the_thief_opened_comes_back_without_the_name(
    theft: Theft, service: Service
) -> None:
    theft.steal()
    found = theft.quarantine()
    problem(service.get(f"/v1/cases/{theft.opened['id']}"), 410, "withdrawn")
    review(theft.reviewer, {"id": str(hiding_event(found, theft.posted[0]))})
    # A representative's word would not do for asylum: nobody knows what the person agreed to.
    problem(service.get(f"/v1/cases/{theft.opened['id']}"), 410, "withdrawn")
    told = theft.honest.tell(theft.opened, "wanted.removed")
    assert told["publication"] == "published"
    shown = service.get(f"/v1/cases/{theft.opened['id']}").json()
    assert shown["label"] == theft.opened["code"]


def test_the_second_time_nothing_is_done(theft: Theft, service: Service) -> None:
    theft.steal()
    first = theft.quarantine()
    head = service.head
    second = theft.quarantine()
    assert (second.steps, service.head) == ([], head)
    assert second.left == first.left


def test_what_came_before_or_with_another_key_is_left_alone(theft: Theft, service: Service) -> None:
    mine = theft.victim.tell(theft.case, "detention.apprehended", basis="wanted")
    assert theft.quarantine() == Quarantined([], [])
    for event in (theft.earlier, mine):
        assert service.get(f"/v1/events/{event['id']}").status_code == 200
    problem(service.get(f"/v1/events/{theft.held['id']}"), 404, "not-found")


def test_it_works_while_publication_is_halted(theft: Theft) -> None:
    theft.steal()
    with run_house(theft.service.settings) as house:
        house.cases.freeze(True).result()
    found = theft.quarantine()
    assert not [one for one in found.left if one.type.startswith("not done")]
    public = theft.read_public()
    assert [canary for canary in CANARIES if canary in public] == []


def test_what_waited_for_the_thief_to_be_let_go_stays_hidden(
    theft: Theft, service: Service
) -> None:
    """Held, halted and embargoed claims are hidden too, and do not come out afterwards."""
    with run_house(service.settings) as house:
        house.cases.freeze(True).result()
    waiting = theft.thief.tell(theft.case, "return.abducted", place="canary-told")
    assert waiting["publication_reason"] == "frozen"
    theft.quarantine()
    with run_house(service.settings) as house:
        house.cases.freeze(False).result()
        house.release_due()
    service.hear()
    assert "canary-told" not in read_public(service, theft.case, events=(waiting,))


def test_a_partner_may_go_on_with_a_new_key(theft: Theft, service: Service) -> None:
    """The operator's events are no obstacle: consent is told anew, and rules again."""
    theft.steal()
    theft.quarantine()
    wider = {"publish": "name", "basis": "own"}
    fresh: Partner = service.partner(*AUTHOR, of=theft.victim)
    change(fresh, theft.named, "consent", {"consent": wider})
    assert service.get(f"/v1/cases/{theft.named['id']}", lang="en").json()["label"] == NAME["text"]
    assert theft.quarantine().steps == []
