"""What becomes of a claim: corrected, retracted, doubted; for partners and for the public."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from .conftest import AUTHOR, Json, Partner, Service, items, path_name, pointers, problem
from .scenes import (
    act,
    change,
    check,
    claim,
    corrected,
    count,
    headline,
    read_feed,
    read_public,
    review,
)

SECRET = "Vostrikovka"
WORD = "Poltoratsk"


class Scene:
    """An author with a case that is public by one claim, and those who look on."""

    def __init__(self, service: Service, type: str = "expulsion.executed", **fields: Any) -> None:
        self.service = service
        self.author = service.partner(*AUTHOR, public_name="Open desk")
        self.other = service.partner(*AUTHOR, public_name="Other desk")
        self.case = self.author.open()
        self.told = claim(type, "2025-05-02", place=SECRET, summary={"en": SECRET}, **fields)
        self.event = self.tell()

    def tell(self) -> Json:
        answer = self.author.post(f"/v1/cases/{self.case['id']}/events", self.told)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    @property
    def public(self) -> str:
        return read_public(self.service, self.case, events=(self.event,))


# -- corrections ----------------------------------------------------------------------------------


class TestCorrections:
    def test_the_correction_is_the_claim_from_now_on(self, service: Service) -> None:
        scene = Scene(service, external_id="x/1")
        told, event, author = scene.told, scene.event, scene.author
        path = f"/v1/events/{event['id']}/corrections"
        body = {**told, "occurred": "2025-06-03", "reason": "new_evidence"}
        answer = author.post(path, body, **{"If-Match": '"2"'})
        assert answer.status_code == 201
        found = answer.json()
        assert answer.headers["location"] == f"https://cases.example/v1/events/{found['id']}"
        assert answer.headers["etag"] == '"3"'
        assert UUID(found["id"]).version == 4
        assert {name: found[name] for name in told} == {**told, "occurred": "2025-06-03"}
        assert (found["case"], found["version"], found["position"]) == (scene.case["id"], 3, 3)
        assert (found["corrects"], found["correction_reason"]) == (event["id"], "new_evidence")
        assert (found["state"], found["publication"]) == ("in_force", "published")
        assert found["status"]["since"] == {"earliest": "2025-06-03", "latest": "2025-06-03"}
        assert found["status"]["tracks"]["movement"]["events"] == [found["id"]]
        assert found["partner"] == str(author.id)
        assert "posted_by" not in found
        read = author.get(f"/v1/events/{found['id']}").json()
        assert read == {name: value for name, value in found.items() if name != "status"}
        before = author.get(f"/v1/events/{event['id']}").json()
        assert (before["state"], before["corrected_by"]) == ("corrected", found["id"])
        assert (before["publication"], before["publication_reason"]) == ("withheld", "corrected")
        assert before["occurred"] == told["occurred"]
        check(service)

    def test_anyone_may_see_what_was_corrected_and_by_what(self, service: Service) -> None:
        scene = Scene(service)
        found = act(
            scene.author, scene.event, "corrections", {**scene.told, "type": "expulsion.stayed",
            "reason": "typo"},
        )  # fmt: skip
        before, after = (service.get(f"/v1/events/{e['id']}").json() for e in (scene.event, found))
        assert (before["state"], before["corrected_by"]) == ("corrected", found["id"])
        assert (before["kind"], before["position"], before["type"]) == (
            "published", 1, "expulsion.executed",
        )  # fmt: skip
        assert (after["state"], after["corrects"]) == ("in_force", scene.event["id"])
        assert (after["kind"], after["position"], after["type"]) == (
            "corrected", 2, "expulsion.stayed",
        )  # fmt: skip
        assert after["recorded_at"] == found["recorded_at"]
        for path in (f"/v1/cases/{scene.case['id']}/events", "/v1/events?after=0"):
            assert items(service.get(path)) == [before, after]
        assert items(service.get("/v1/events?after=1")) == [after]
        case = service.get(f"/v1/cases/{scene.case['id']}").json()
        assert (case["version"], case["position"]) == (2, 2)
        assert case["updated_at"] == found["recorded_at"]
        assert case["status"]["tracks"]["expulsion"]["state"] == "stayed"
        assert "movement" not in case["status"]["tracks"]
        # Why, and that it was a judgement at all, is between partners.
        assert "typo" not in scene.public

    def test_the_history_of_partners_holds_both(self, service: Service) -> None:
        scene = Scene(service)
        found = act(scene.author, scene.event, "corrections", corrected(scene.told))
        for asker in (scene.author, scene.other, service.partner("audit:read")):
            history = items(asker.get(f"/v1/cases/{scene.case['id']}/events"))
            assert [e["type"] for e in history] == ["case.opened", *["expulsion.executed"] * 2]
            assert [e["id"] for e in history[1:]] == [scene.event["id"], found["id"]]
            assert [e["state"] for e in history[1:]] == ["corrected", "in_force"]
            assert history[1]["corrected_by"] == found["id"]
            assert history[2]["corrects"] == scene.event["id"]

    def test_numbers_are_those_of_what_was_known(self, service: Service) -> None:
        scene = Scene(service)
        earlier, partners = scene.event["recorded_at"], (service, scene.author, scene.other)
        told = {**scene.told, "type": "expulsion.ordered"}
        found = act(scene.author, scene.event, "corrections", corrected(told, "new_evidence"))
        for asker in partners:
            for known_at, deported, ordered in (
                (None, 0, 1), (earlier, 1, 0), (found["recorded_at"], 0, 1),
            ):  # fmt: skip
                query = {"known_at": known_at} if known_at else {}
                assert count(asker, "deported", **query) == deported
                assert count(asker, "expulsion_ordered", **query) == ordered
                expected = "deported" if deported else "expulsion_ordered"
                assert headline(asker, scene.case, **query) == expected
                listed = items(asker.get("/v1/cases", **query))
                assert [c["status"]["headline"] for c in listed] == [expected]
                named = items(asker.get("/v1/cases", headline=expected, **query))
                assert [c["id"] for c in named] == [scene.case["id"]]
        then = items(service.get(f"/v1/cases/{scene.case['id']}/events", known_at=earlier))
        assert [(e["id"], e["state"]) for e in then] == [(scene.event["id"], "in_force")]

    @pytest.mark.parametrize(
        ("type", "fields"),
        [("prosecution.ended", {"reason": "served"}), ("case.closed", {"reason": "resolved"})],
    )
    def test_a_claim_with_a_reason_of_its_own_is_nested(
        self, light: Service, type: str, fields: Json
    ) -> None:
        scene = Scene(light, type, **fields)
        path = f"/v1/events/{scene.event['id']}/corrections"
        for flat in (scene.told, {**scene.told, "reason": "typo"}):
            refused = scene.author.post(path, flat)
            problem(refused, 422, "invalid-input")
            assert pointers(refused) == ["/reason"]
        found = act(
            scene.author, scene.event, "corrections", corrected({**scene.told, "reason": "other"})
        )
        assert (found["reason"], found["correction_reason"]) == ("other", "typo")
        assert light.get(f"/v1/events/{found['id']}").json()["reason"] == "other"

    def test_both_forms_say_the_same(self, light: Service) -> None:
        found = []
        for nested in (False, True):
            scene = Scene(light, "detention.released", condition="none")
            told = {**scene.told, "condition": "bail"}
            body = corrected(told) if nested else {**told, "reason": "typo"}
            found.append(act(scene.author, scene.event, "corrections", body))
        told = [{n: f[n] for n in (*scene.told, "correction_reason", "state")} for f in found]
        assert told[0] == told[1]

    def test_the_first_id_means_what_stands_there_now(self, service: Service) -> None:
        scene = Scene(service, external_id="first")
        author, event = scene.author, scene.event
        ids = [event["id"]]
        for day in ("2025-05-03", "2025-05-04", "2025-05-05"):
            name = "ext:first" if day == "2025-05-04" else event["id"]
            body = {**scene.told, "occurred": day, "reason": "typo"}
            ids.append(act(author, path_name(name), "corrections", body)["id"])
        told = [author.get(f"/v1/events/{id}").json() for id in ids]
        assert [e.get("corrects") for e in told] == [None, *ids[:-1]]
        assert [e.get("corrected_by") for e in told] == [*ids[1:], None]
        shown = [service.get(f"/v1/events/{id}").json() for id in ids]
        assert [e.get("corrects") for e in shown] == [None, *ids[:-1]]
        assert [e.get("corrected_by") for e in shown] == [*ids[1:], None]
        assert count(service, "deported") == 1
        # Taking the first back takes back what stands there.
        act(author, event, "retractions", {"reason": "false"})
        assert author.get(f"/v1/events/{ids[-1]}").json()["state"] == "retracted"
        assert count(service, "deported") == 0
        for id in ids:
            problem(service.get(f"/v1/events/{id}"), 410, "withdrawn")
        check(service, SECRET)

    def test_what_names_the_claim_follows_its_correction(self, service: Service) -> None:
        scene = Scene(service, "extradition.granted", external_id="granted")
        body = claim("appeal.filed", "2025-05-09", against="ext:granted")
        appeal = scene.author.tell(scene.case, **body)
        told = {**scene.told, "type": "expulsion.ordered"}
        found = act(scene.author, scene.event, "corrections", {**told, "reason": "typo"})
        assert found["status"]["headline"] == "expulsion_appealed"
        later = scene.author.tell(scene.case, **{**body, "occurred": "2025-05-10"})
        # An id that names what was corrected means what stands in its place.
        assert later["against"] == appeal["against"] == scene.event["id"]
        for asker in (service, scene.author, scene.other):
            assert headline(asker, scene.case) == "expulsion_appealed"
        assert headline(service, scene.case, known_at=appeal["recorded_at"]) == (
            "extradition_appealed"
        )
        check(service)

    @pytest.mark.parametrize("field", ["against", "after"])
    def test_a_claim_is_not_corrected_into_one_that_names_itself(
        self, light: Service, field: str
    ) -> None:
        scene = Scene(light, "extradition.granted")
        filed = scene.author.tell(scene.case, "appeal.filed", against=scene.event["id"])
        told = claim("appeal.filed", against=scene.event["id"]) | {field: filed["id"]}
        answer = scene.author.post(
            f"/v1/events/{filed['id']}/corrections", {**told, "reason": "typo"}
        )
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == [f"/{field}"]


class TestOwnNames:
    def test_the_name_that_a_claim_has_stays(self, light: Service) -> None:
        scene = Scene(light, external_id="a")
        found = act(scene.author, "ext:a", "corrections", {**scene.told, "reason": "typo"})
        assert found["external_id"] == "a"
        named = scene.author.get("/v1/events/ext:a").json()
        assert (named["id"], named["corrected_by"]) == (scene.event["id"], found["id"])

    def test_another_name_is_that_of_the_correction(self, light: Service) -> None:
        scene = Scene(light, external_id="a")
        body = {**scene.told, "external_id": "b", "reason": "typo"}
        found = act(scene.author, scene.event, "corrections", body)
        assert scene.author.get("/v1/events/ext:a").json()["id"] == scene.event["id"]
        assert scene.author.get("/v1/events/ext:b").json()["id"] == found["id"]
        again = act(scene.author, "ext:b", "corrections", {**body, "occurred": "2025"})
        assert again["corrects"] == found["id"]

    def test_the_same_correction_again_is_answered_with_what_is_stored(
        self, light: Service
    ) -> None:
        scene = Scene(light, external_id="a")
        path = f"/v1/events/{scene.event['id']}/corrections"
        for name in ("b", "a"):
            body = {**scene.told, "external_id": name, "occurred": "2024", "reason": "typo"}
            first = scene.author.post(path, body)
            head = light.head
            again = scene.author.post(path, body)
            assert (first.status_code, again.status_code) == (201, 200)
            assert again.json() == first.json()
            assert light.head == head

    def test_a_name_of_something_else_is_taken(self, light: Service) -> None:
        scene = Scene(light, external_id="a")
        scene.author.tell(scene.case, "wanted.removed", external_id="b")
        scene.author.open(external_id="c")
        head = light.head
        for name in ("b", "c"):
            body = {**scene.told, "external_id": name, "reason": "typo"}
            answer = scene.author.post(f"/v1/events/{scene.event['id']}/corrections", body)
            problem(answer, 409, "external-id-taken")
        assert light.head == head


# -- who may --------------------------------------------------------------------------------------

JUDGEMENTS: list[tuple[str, Json]] = [
    ("corrections", {**claim("person.died"), "reason": "typo"}),
    ("retractions", {"reason": "false"}),
    ("visibility", {"visibility": "partners"}),
    ("corroborations", {}),
    ("disputes", {"reason": "it was another"}),
]
OF_THE_AUTHOR = JUDGEMENTS[:3]
OF_OTHERS = JUDGEMENTS[3:]


class TestWhoMay:
    @pytest.mark.parametrize(("what", "body"), OF_THE_AUTHOR)
    def test_only_the_author_or_a_reviewer(self, light: Service, what: str, body: Json) -> None:
        scene = Scene(light)
        path, head = f"/v1/events/{scene.event['id']}/{what}", light.head
        for scopes in (AUTHOR, ("events:write", "restricted:read", "audit:read")):
            problem(light.partner(*scopes).post(path, body), 403, "forbidden")
        problem(light.partner("review").post(path, body), 403, "forbidden")
        assert light.head == head
        reviewer = light.partner("events:write", "events:publish", "review")
        found = act(reviewer, scene.event, what, body)
        if what == "corrections":
            # It stays the account of who told it.
            assert found["partner"] == str(scene.author.id)
            assert found["posted_by"] == str(reviewer.id)
            shown = light.get(f"/v1/events/{found['id']}").json()
            assert shown["partner"] == "Open desk"
            assert str(reviewer.id) not in light.get("/v1/events").text
            # So its author may correct it again, and take it back.
            act(scene.author, scene.event, what, body)

    def test_the_words_of_a_reviewer_are_its_own(self, light: Service) -> None:
        scene = Scene(light, external_id="a", private_note="of the author")
        reviewer = light.partner("events:write", "events:publish", "review")
        theirs = {"external_id": "a", "private_note": "of the reviewer"}
        body = {**scene.told, **theirs, "reason": "typo"}
        found = act(reviewer, scene.event, "corrections", body)
        assert theirs.items() <= found.items()
        assert reviewer.get("/v1/events/ext:a").json()["id"] == found["id"]
        assert scene.author.get("/v1/events/ext:a").json()["id"] == scene.event["id"]
        seen = scene.author.get(f"/v1/events/{found['id']}").json()
        assert not theirs.keys() & seen.keys()
        before = reviewer.get(f"/v1/events/{scene.event['id']}").json()
        assert not theirs.keys() & before.keys()

    @pytest.mark.parametrize(("what", "body"), OF_OTHERS)
    def test_nobody_judges_what_they_told(self, light: Service, what: str, body: Json) -> None:
        scene = Scene(light)
        colleague, head = light.partner("events:write", of=scene.author), light.head
        for own in (scene.author, colleague):
            answer = own.post(f"/v1/events/{scene.event['id']}/{what}", body)
            problem(answer, 409, "conflict")
        assert light.head == head

    @pytest.mark.parametrize(("what", "body"), JUDGEMENTS)
    def test_what_may_not_be_read_is_not_there(self, light: Service, what: str, body: Json) -> None:
        scene = Scene(light)
        hidden = scene.author.tell(scene.case, "wanted.removed", visibility="restricted")
        reviewer = light.partner("events:write", "review")
        head = light.head
        told = [
            reviewer.post(f"/v1/events/{name}/{what}", body)
            for name in (hidden["id"], "00000000-0000-4000-8000-000000000000", "ext:a", "nothing")
        ]
        for answer in told:
            problem(answer, 404, "not-found")
            assert answer.content == told[0].content
        assert light.head == head
        reader = light.partner("events:write", "review", "restricted:read")
        act(reader, hidden, what, body)

    @pytest.mark.parametrize(("what", "body"), JUDGEMENTS)
    def test_an_event_that_is_no_claim_is_not_judged(
        self, light: Service, what: str, body: Json
    ) -> None:
        scene = Scene(light)
        disputed = act(scene.other, scene.event, "disputes", {"reason": "no"})
        opening = items(scene.author.get("/v1/events"))[0]
        head = light.head
        for event in (opening, disputed):
            answer = scene.author.post(f"/v1/events/{event['id']}/{what}", body)
            problem(answer, 404, "not-found")
        assert light.head == head

    @pytest.mark.parametrize(("what", "body"), JUDGEMENTS)
    def test_what_was_retracted_is_not_judged_any_more(
        self, light: Service, what: str, body: Json
    ) -> None:
        scene = Scene(light)
        act(scene.author, scene.event, "retractions", {"reason": "duplicate"})
        by, head = scene.other if (what, body) in OF_OTHERS else scene.author, light.head
        problem(by.post(f"/v1/events/{scene.event['id']}/{what}", body), 409, "conflict")
        assert light.head == head


@pytest.mark.parametrize(("what", "body"), JUDGEMENTS)
class TestRepeated:
    """A phone that loses its connection makes no second event."""

    def by(self, scene: Scene, what: str) -> Partner:
        return scene.other if what in ("corroborations", "disputes") else scene.author

    def test_under_an_idempotency_key(self, shared: Service, what: str, body: Json) -> None:
        scene = Scene(shared)
        by, path = self.by(scene, what), f"/v1/events/{scene.event['id']}/{what}"
        first = by.post(path, body, **{"Idempotency-Key": "k"})
        # What came in between changes nothing about the answer.
        act(scene.other, scene.event, "corroborations") if what != "retractions" else None
        head = shared.head
        again = by.post(path, body, **{"Idempotency-Key": "k"})
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["etag"] == first.headers["etag"]
        changed = by.post(f"{path}?lang=ru", body, **{"Idempotency-Key": "k"})
        problem(changed, 422, "idempotency-key-reused")
        assert pointers(changed) == ["/headers/Idempotency-Key"]
        assert shared.head == head

    def test_under_an_own_name(self, shared: Service, what: str, body: Json) -> None:
        scene = Scene(shared)
        by, path = self.by(scene, what), f"/v1/events/{scene.event['id']}/{what}"
        named = {**body, "external_id": "j"}
        first, head = by.post(path, named), shared.head
        again = by.post(path, named)
        assert (first.status_code, again.status_code) == (201, 200)
        assert {**again.json(), "status": 0} == {**first.json(), "status": 0}
        assert by.get("/v1/events/ext:j").json()["id"] == first.json()["id"]
        assert shared.head == head

    def test_an_own_name_stands_for_one_thing(self, shared: Service, what: str, body: Json) -> None:
        scene = Scene(shared)
        by, path = self.by(scene, what), f"/v1/events/{scene.event['id']}/{what}"
        by.tell(scene.case, "wanted.removed", external_id="t")
        head = shared.head
        problem(by.post(path, {**body, "external_id": "t"}), 409, "external-id-taken")
        assert shared.head == head

    def test_on_an_old_version_it_is_refused(self, shared: Service, what: str, body: Json) -> None:
        scene = Scene(shared)
        by, path = self.by(scene, what), f"/v1/events/{scene.event['id']}/{what}"
        head = shared.head
        refused = by.post(path, body, **{"If-Match": '"1"'})
        problem(refused, 412, "version-mismatch")
        assert refused.headers["etag"] == '"2"'
        assert shared.head == head
        taken = by.post(path, body, **{"If-Match": '"2"'})
        assert (taken.status_code, taken.headers["etag"]) == (201, '"3"')


def test_names_in_a_path_are_percent_encoded(light: Service) -> None:
    scene = Scene(light, external_id="дело/1?x")
    act(scene.author, quote("ext:дело/1?x", safe=""), "retractions", {"reason": "false"})
    assert scene.author.get(f"/v1/events/{scene.event['id']}").json()["state"] == "retracted"


# -- what readers of the feed are told ------------------------------------------------------------


class TestFeeds:
    def feeds(self, scene: Scene) -> Any:
        """Yield the feed of everything and that of the case, which say the same."""
        for path in ("/feeds/all.atom", f"/feeds/cases/{scene.case['code']}.atom"):
            yield read_feed(scene.service, path)

    def test_a_correction_is_an_entry_of_its_own_that_names_the_other(
        self, service: Service
    ) -> None:
        scene = Scene(service)
        before = [feed.entries[scene.event["id"]] for feed in self.feeds(scene)]
        told = {**scene.told, "type": "expulsion.ordered", "summary": {"en": "ordered only"}}
        found = act(scene.author, scene.event, "corrections", corrected(told))
        for feed, entry in zip(self.feeds(scene), before, strict=True):
            assert list(feed.entries) == [found["id"], scene.event["id"]]
            # What was corrected stays as it was; whoever has read it can find it.
            assert feed.entries[scene.event["id"]] == entry
            assert feed.tombstones == {}
            new = feed.entries[found["id"]]
            assert new.title.startswith("Correction: ")
            assert "ordered only" in new.content
            assert new.in_reply_to == scene.event["id"]
            assert ("related", f"urn:uuid:{scene.event['id']}") in new.links
            assert ("alternate", f"https://cases.example/v1/events/{found['id']}") in new.links
            assert new.updated == feed.updated == found["recorded_at"]
            assert {"expulsion.ordered", "expulsion_ordered", "KZ"} <= new.terms

    def test_a_retraction_leaves_no_word(self, service: Service) -> None:
        scene = Scene(service, "wanted.removed")
        other = scene.author.tell(scene.case, "detention.transferred")
        assert SECRET in scene.public
        tags = [service.get(path).headers["etag"] for path in ("/feeds/all.atom", "/v1/events")]
        found = act(scene.author, scene.event, "retractions", {"reason": "unsafe"})
        for feed in self.feeds(scene):
            assert list(feed.entries) == [found["id"], other["id"]]
            assert feed.tombstones == {scene.event["id"]: found["recorded_at"]}
            entry = feed.entries[found["id"]]
            assert entry.title == f"Withdrawn: {scene.case['code']}"
            assert entry.in_reply_to == scene.event["id"]
            assert ("related", f"urn:uuid:{scene.event['id']}") in entry.links
            assert entry.terms == {"KZ"}
            assert feed.updated == found["recorded_at"]
        for path, tag in zip(("/feeds/all.atom", "/v1/events"), tags, strict=True):
            assert service.get(path, {"If-None-Match": tag}).status_code == 200
        assert SECRET not in scene.public
        for word in ("unsafe", "wanted.removed", "2025-05-02"):
            assert word not in scene.public
        problem(service.get(f"/v1/events/{scene.event['id']}"), 410, "withdrawn")
        check(service, SECRET)

    @pytest.mark.parametrize(("reason", "echoes"), [("unsafe", True), ("false", False)])
    def test_no_later_entry_tells_of_what_must_not_be_known(
        self, service: Service, reason: str, echoes: bool
    ) -> None:
        """An entry says how the case stood after it, and so of what was before it."""
        scene = Scene(service)
        other = scene.author.tell(scene.case, "detention.transferred", "2025-07")
        found = act(scene.author, scene.event, "retractions", {"reason": reason})
        for feed in self.feeds(scene):
            assert scene.event["id"] in feed.tombstones
            assert (other["id"] in feed.tombstones) == echoes
            assert ("deported" in feed.text) != echoes
            told = [e for e in feed.entries.values() if "detention.transferred" in e.terms]
            assert len(told) == 1
            assert (told[0].in_reply_to == other["id"]) == echoes
            assert found["id"] in feed.entries
        assert headline(service, scene.case) == "monitored"
        assert service.get(f"/v1/events/{other['id']}").json()["state"] == "in_force"
        check(service, SECRET)

    def test_who_was_mixed_up_leaves_no_word_in_what_was_corrected(self, service: Service) -> None:
        scene = Scene(service)
        typo = act(
            scene.author, scene.event, "corrections",
            {**scene.told, "place": f"{SECRET}, oblast", "reason": "typo"},
        )  # fmt: skip
        told = claim("expulsion.ordered", place="Elsewhere", summary={"en": "ordered only"})
        found = act(scene.author, scene.event, "corrections", corrected(told, "wrong_person"))
        for feed in self.feeds(scene):
            assert list(feed.entries) == [found["id"]]
            assert feed.tombstones.keys() == {scene.event["id"], typo["id"]}
            assert set(feed.tombstones.values()) == {found["recorded_at"]}
            assert feed.entries[found["id"]].in_reply_to == typo["id"]
            assert "ordered only" in feed.text
        assert SECRET not in scene.public
        for event in (scene.event, typo):
            problem(service.get(f"/v1/events/{event['id']}"), 410, "withdrawn")
        history = items(service.get(f"/v1/cases/{scene.case['id']}/events"))
        assert [e["state"] for e in history] == ["withdrawn", "withdrawn", "in_force"]
        assert "place" not in history[0]
        # Neither is it in what was known before.
        assert count(service, "deported", known_at=scene.event["recorded_at"]) == 0
        assert count(scene.other, "deported", known_at=scene.event["recorded_at"]) == 1
        check(service, SECRET)

    def test_every_version_goes_when_the_last_is_retracted(self, service: Service) -> None:
        scene = Scene(service)
        typo = act(scene.author, scene.event, "corrections", corrected(scene.told))
        found = act(scene.author, typo, "retractions", {"reason": "false"})
        feed = read_feed(service)
        assert list(feed.entries) == [found["id"]]
        assert feed.tombstones.keys() == {scene.event["id"], typo["id"]}
        assert feed.entries[found["id"]].in_reply_to == typo["id"]
        log = items(service.get("/v1/events"))
        assert [(e["position"], e["kind"], e["state"]) for e in log] == [
            (1, "published", "withdrawn"), (2, "corrected", "withdrawn"),
            (3, "withdrawn", "withdrawn"),
        ]  # fmt: skip
        assert SECRET not in scene.public
        check(service, SECRET)

    def test_a_tombstone_of_long_ago_is_where_its_withdrawal_is(self, light: Service) -> None:
        scene = Scene(light)
        for n in range(50):
            scene.author.tell(scene.case, "wanted.removed", f"20{n:02}")
        assert scene.event["id"] not in read_feed(light).entries
        found = act(scene.author, scene.event, "retractions", {"reason": "false"})
        feed = read_feed(light)
        assert feed.tombstones == {scene.event["id"]: found["recorded_at"]}
        assert len(feed.entries) == 50

    @pytest.mark.parametrize("language", ["ru", "kk", "en"])
    def test_it_is_told_in_each_language(self, light: Service, language: str) -> None:
        scene = Scene(light)
        typo = act(scene.author, scene.event, "corrections", corrected(scene.told))
        said = read_feed(light, language=language).entries[typo["id"]]
        gone = act(scene.author, scene.event, "retractions", {"reason": "false"})
        taken = read_feed(light, language=language).entries[gone["id"]]
        words = {
            "ru": ("Исправление", "отозвана"),
            "kk": ("Түзету", "қайтарып алынды"),
            "en": ("Correction", "withdrawn"),
        }[language]
        assert words[0] in said.title
        assert words[1] in taken.content


# -- retractions ----------------------------------------------------------------------------------

# After some reasons, what the public knew at a time stays known; after others it never was.
REMEMBERED = {
    "false": 1, "source_withdrew": 1, "duplicate": 1, "wrong_person": 0, "unsafe": 0,
}  # fmt: skip


class TestRetractions:
    @pytest.mark.parametrize("reason", sorted(REMEMBERED))
    def test_it_counts_no_more_and_is_no_more_public(self, service: Service, reason: str) -> None:
        scene = Scene(service)
        scene.author.tell(scene.case, "wanted.removed")
        note = "told by mistake"
        found = act(scene.author, scene.event, "retractions", {"reason": reason, "note": note})
        assert (found["type"], found["claim"]) == ("claim.retracted", scene.event["id"])
        assert (found["reason"], found["note"]) == (reason, note)
        assert found["status"]["headline"] == "monitored"
        told = scene.other.get(f"/v1/events/{scene.event['id']}").json()
        assert (told["state"], told["retracted_by"]) == ("retracted", found["id"])
        assert (told["retraction_reason"], told["place"]) == (reason, SECRET)
        assert (told["publication"], told["publication_reason"]) == ("withheld", "retracted")
        for asker in (service, scene.author, scene.other):
            assert headline(asker, scene.case) == "monitored"
            assert count(asker, "deported") == 0
            assert items(asker.get("/v1/cases", headline="deported")) == []
        then = {"known_at": scene.event["recorded_at"]}
        for asker in (scene.author, scene.other):
            assert headline(asker, scene.case, **then) == "deported"
            assert count(asker, "deported", **then) == 1
        assert count(service, "deported", **then) == REMEMBERED[reason]
        expected = "deported" if REMEMBERED[reason] else "monitored"
        assert headline(service, scene.case, **then) == expected
        public = scene.public
        assert SECRET not in public
        assert note not in public
        check(service, SECRET, note)

    def test_the_history_says_so_to_partners_and_to_anyone(self, service: Service) -> None:
        scene = Scene(service)
        other = scene.author.tell(scene.case, "wanted.removed")
        found = act(scene.author, scene.event, "retractions", {"reason": "false"})
        path = f"/v1/cases/{scene.case['id']}/events"
        history = items(scene.other.get(path))
        assert [e["id"] for e in history[1:]] == [scene.event["id"], other["id"], found["id"]]
        assert history[1]["retracted_by"] == found["id"]
        assert (history[3]["type"], history[3]["reason"]) == ("claim.retracted", "false")
        first, second = items(service.get(path))
        assert (first["id"], first["state"]) == (scene.event["id"], "withdrawn")
        assert {"type", "occurred", "summary", "place", "status"}.isdisjoint(first)
        assert (second["id"], second["state"]) == (other["id"], "in_force")

    def test_the_public_log_tells_each_change_once(self, service: Service) -> None:
        scene = Scene(service)
        fixed = act(scene.author, scene.event, "corrections", corrected(scene.told))
        other = scene.author.tell(scene.case, "wanted.removed")
        act(scene.author, other, "retractions", {"reason": "duplicate"})
        expected = [
            (1, "published", scene.event["id"], "corrected"),
            (2, "corrected", fixed["id"], "in_force"),
            (3, "published", other["id"], "withdrawn"),
            (4, "withdrawn", other["id"], "withdrawn"),
        ]
        for after in range(5):
            answer = service.get("/v1/events", after=after)
            log = [(e["position"], e["kind"], e["id"], e["state"]) for e in items(answer)]
            assert log == expected[after:]
            assert answer.json()["position"] == 4
        case = service.get(f"/v1/cases/{scene.case['id']}").json()
        assert (case["version"], case["position"]) == (4, 4)

    def test_a_case_whose_last_claim_goes_is_gone(self, service: Service) -> None:
        scene = Scene(service)
        act(scene.author, scene.event, "retractions", {"reason": "false"})
        for name in (scene.case["id"], scene.case["code"]):
            for more in ("", "/events"):
                problem(service.get(f"/v1/cases/{name}{more}"), 410, "withdrawn")
        assert items(service.get("/v1/cases")) == []
        assert service.get("/v1/statistics").json()["cases"] == 0
        assert scene.author.get("/v1/statistics").json()["cases"] == 0
        assert headline(scene.author, scene.case) == "monitored"
        scene.author.tell(scene.case, "person.died")
        assert headline(service, scene.case) == "died"
        check(service, SECRET)

    def test_what_never_was_public_is_answered_as_if_it_were_not_there(
        self, light: Service
    ) -> None:
        scene = Scene(light)
        hidden = scene.author.tell(scene.case, "person.died", visibility="partners")
        before = scene.public
        act(scene.author, hidden, "retractions", {"reason": "false"})
        assert scene.public == before
        problem(light.get(f"/v1/events/{hidden['id']}"), 404, "not-found")

    def test_an_appeal_against_what_was_taken_back_moves_nothing(self, service: Service) -> None:
        scene = Scene(service, "extradition.granted")
        scene.author.tell(scene.case, "appeal.filed", "2025-05-09", against=scene.event["id"])
        act(scene.author, scene.event, "retractions", {"reason": "false"})
        for asker in (service, scene.author, scene.other):
            assert headline(asker, scene.case) == "monitored"
        (shown,) = (e for e in items(service.get("/v1/events?after=1")) if e["position"] == 2)
        assert shown["type"] == "appeal.filed"


# -- what others think of it ----------------------------------------------------------------------


class TestJudgements:
    def test_a_dispute_is_listed_and_moves_nothing(self, service: Service) -> None:
        scene = Scene(service)
        found = act(scene.other, scene.event, "disputes", {"reason": f"not in {SECRET}o"})
        assert (found["type"], found["claim"]) == ("claim.disputed", scene.event["id"])
        assert found["reason"] == f"not in {SECRET}o"
        partner = scene.author.get(f"/v1/cases/{scene.case['id']}").json()["status"]
        public = service.get(f"/v1/cases/{scene.case['id']}").json()["status"]
        for status, names in (
            (partner, {str(scene.author.id), str(scene.other.id)}),
            (public, {"Open desk", "Other desk"}),
        ):
            assert status["headline"] == "deported"
            listed = [d for d in status["disputed"] if scene.event["id"] in d["events"]]
            assert listed
            assert {p for d in listed for p in d["partners"]} == names
        told = scene.author.get(f"/v1/events/{scene.event['id']}").json()
        assert (told["disputed"], told["corroborated"]) == (1, 0)
        # Why is between partners; and nothing was published by it.
        assert f"{SECRET}o" not in scene.public
        assert service.get("/v1/events").json()["position"] == 1
        then = service.get(
            f"/v1/cases/{scene.case['id']}", known_at=scene.event["recorded_at"]
        ).json()
        assert then["status"]["disputed"] == []
        check(service, f"{SECRET}o")

    def test_more_against_than_for_set_a_claim_aside(self, service: Service) -> None:
        scene = Scene(service)
        third, fourth = service.partner(*AUTHOR), service.partner(*AUTHOR)
        against = {"reason": "wrong", "rank_against": True}
        views = (service, scene.author, scene.other)
        steps: list[tuple[Partner, str, Json, str]] = [
            (scene.other, "disputes", against, "deported"),
            (third, "disputes", against, "monitored"),
            (fourth, "corroborations", {}, "deported"),
            (fourth, "disputes", {"reason": "?", "rank_against": False}, "monitored"),
            # The last word of each counts.
            (third, "corroborations", {}, "deported"),
            (scene.other, "disputes", {"reason": "perhaps"}, "deported"),
        ]
        known = [(scene.event["recorded_at"], "deported")]
        for by, what, body, expected in steps:
            found = act(by, scene.event, what, body)
            known.append((found["recorded_at"], expected))
            assert found["status"]["headline"] == expected
            for asker in views:
                assert headline(asker, scene.case) == expected
                assert count(asker, "deported") == (expected == "deported")
                listed = items(asker.get("/v1/cases", headline=expected))
                assert [c["id"] for c in listed] == [scene.case["id"]]
        for at, expected in known:
            for asker in views:
                assert headline(asker, scene.case, known_at=at) == expected
                assert count(asker, "deported", known_at=at) == (expected == "deported")
        told = scene.author.get(f"/v1/events/{scene.event['id']}").json()
        assert (told["disputed"], told["corroborated"]) == (2, 1)
        check(service)

    def test_what_a_key_without_the_right_says_is_for_partners_until_a_review(
        self, service: Service
    ) -> None:
        scene = Scene(service)
        against = {"reason": "wrong", "rank_against": True}
        doubters = [service.partner("events:write") for _ in range(2)]
        held = [act(by, scene.event, "disputes", against) for by in doubters]
        assert [e["publication"] for e in held] == ["awaiting_review"] * 2
        before = scene.public
        assert (
            headline(scene.author, scene.case) == headline(scene.other, scene.case) == ("monitored")
        )
        assert headline(service, scene.case) == "deported"
        assert count(service, "deported") == 1
        status = service.get(f"/v1/cases/{scene.case['id']}").json()["status"]
        assert status["disputed"] == []
        reviewer = service.partner("review")
        problem(
            service.partner("review", of=doubters[0]).post(
                f"/v1/reviews/{held[0]['id']}", {"decision": "approve"}
            ),
            409,
            "conflict",
        )
        assert scene.public == before
        for event in held:
            approved = review(reviewer, event)
        assert headline(service, scene.case) == "monitored"
        assert count(service, "deported") == 0
        # To the public it was said when it was approved.
        assert count(service, "deported", known_at=held[1]["recorded_at"]) == 1
        assert count(service, "deported", known_at=approved["recorded_at"]) == 0
        read = scene.author.get(f"/v1/events/{held[0]['id']}").json()
        assert read["publication"] != "awaiting_review"
        check(service)

    @pytest.mark.parametrize(("reason", "kept"), [("typo", 1), ("new_evidence", 0)])
    def test_a_correction_of_the_wording_keeps_what_others_said(
        self, light: Service, reason: str, kept: int
    ) -> None:
        scene = Scene(light)
        act(scene.other, scene.event, "corroborations")
        act(light.partner(*AUTHOR), scene.event, "disputes", {"reason": "no"})
        found = act(scene.author, scene.event, "corrections", corrected(scene.told, reason))
        assert (found["corroborated"], found["disputed"]) == (kept, kept)

    def test_who_has_no_public_name_is_told_apart_and_not_named(self, service: Service) -> None:
        scene = Scene(service)
        nameless = [service.partner(*AUTHOR) for _ in range(2)]
        against = {"reason": "wrong", "rank_against": True}
        for by in nameless:
            act(by, scene.event, "disputes", against)
        assert headline(service, scene.case) == "monitored"
        public = scene.public
        assert not any(str(by.id) in public for by in nameless)
        status = service.get(f"/v1/cases/{scene.case['id']}").json()["status"]
        assert {p for d in status["disputed"] for p in d["partners"]} == {"Open desk"}

    def test_a_corroboration_needs_no_body(self, light: Service) -> None:
        scene = Scene(light)
        answer = light.client.post(
            f"/v1/events/{scene.event['id']}/corroborations", headers=scene.other.headers
        )
        assert answer.status_code == 201
        assert answer.json()["type"] == "claim.corroborated"


# -- who may read it ------------------------------------------------------------------------------


class TestVisibility:
    def test_hidden_and_shown_again(self, service: Service) -> None:
        scene = Scene(service, "wanted.removed")
        told = {"summary": {"en": WORD}, "place": WORD}
        event = scene.author.tell(scene.case, "expulsion.executed", **told)
        hidden = act(scene.author, event, "visibility", {"visibility": "partners"})
        assert hidden["type"] == "visibility.changed"
        assert WORD not in scene.public
        problem(service.get(f"/v1/events/{event['id']}"), 410, "withdrawn")
        assert count(service, "deported") == 0
        assert count(scene.other, "deported") == 1
        # Nothing stays of what is hidden, in no time.
        assert count(service, "deported", known_at=event["recorded_at"]) == 0
        feed = read_feed(service)
        assert feed.tombstones == {event["id"]: hidden["recorded_at"]}
        assert feed.entries[hidden["id"]].in_reply_to == event["id"]
        check(service, WORD)

        shown = act(scene.author, event, "visibility", {"visibility": "public"})
        read = service.get(f"/v1/events/{event['id']}").json()
        assert (read["place"], read["kind"], read["position"]) == (WORD, "published", 4)
        feed = read_feed(service)
        # The entry of the first time is gone for good; this is another.
        assert feed.tombstones == {event["id"]: hidden["recorded_at"]}
        assert list(feed.entries)[:2] == [shown["id"], hidden["id"]]
        assert WORD in feed.entries[shown["id"]].content
        assert count(service, "deported") == 1
        assert count(service, "deported", known_at=hidden["recorded_at"]) == 0
        log = [(e["kind"], e["id"]) for e in items(service.get("/v1/events"))]
        assert [kind for kind, id in log if id == event["id"]] == [
            "published", "withdrawn", "published",
        ]  # fmt: skip
        check(service)

    def test_restricted_is_for_the_author_and_readers_of_the_restricted(
        self, service: Service
    ) -> None:
        scene = Scene(service)
        changed = act(scene.author, scene.event, "visibility", {"visibility": "restricted"})
        reader = service.partner("restricted:read")
        path = f"/v1/cases/{scene.case['id']}"
        for asker in (scene.author, reader):
            told = asker.get(f"/v1/events/{scene.event['id']}").json()
            assert told["visibility"] == "restricted"
            assert headline(asker, scene.case) == "deported"
        for event in (scene.event, changed):
            problem(scene.other.get(f"/v1/events/{event['id']}"), 404, "not-found")
            assert event["id"] not in scene.other.get(f"{path}/events").text
            assert event["id"] not in scene.other.get("/v1/events").text
        assert headline(scene.other, scene.case) == "monitored"
        assert count(scene.other, "deported") == 0
        check(service, SECRET)

    def test_a_ceiling_is_not_lifted(self, light: Service) -> None:
        scene = Scene(light, "interim.requested")
        assert scene.event["visibility"] == "restricted"
        act(scene.author, scene.event, "visibility", {"visibility": "public"})
        told = scene.author.get(f"/v1/events/{scene.event['id']}").json()
        assert (told["visibility"], told["publication_reason"]) == ("restricted", "type_ceiling")
        assert light.get("/v1/events").json()["items"] == []

    def test_a_text_that_names_the_person_does_not_become_public(self, light: Service) -> None:
        author = light.partner(*AUTHOR)
        name = {"text": "Аскар Канарейкин", "language": "ru", "kind": "primary"}
        case = author.open(subject={"names": [name]})
        told = author.tell(case, "person.died", visibility="partners", place="у Канарейкина")
        head = light.head
        answer = author.post(f"/v1/events/{told['id']}/visibility", {"visibility": "public"})
        problem(answer, 422, "text-names-person")
        assert pointers(answer) == ["/visibility"]
        body = {**claim("person.died", place="у Канарейкина"), "reason": "typo"}
        answer = author.post(f"/v1/events/{told['id']}/corrections", body)
        problem(answer, 422, "text-names-person")
        assert pointers(answer) == ["/place"]
        nested = author.post(
            f"/v1/events/{told['id']}/corrections", {"reason": "typo", "claim": body | {}}
        )
        assert nested.status_code == 422
        assert light.head == head


# -- what waits -----------------------------------------------------------------------------------


def test_a_correction_that_has_to_wait_takes_the_old_words_away_at_once(
    service: Service,
) -> None:
    scene = Scene(service)
    scene.author.tell(scene.case, "wanted.removed")
    colleague = service.partner("events:write", of=scene.author)
    told = {**scene.told, "place": "Otradnoye", "summary": {"en": "fixed"}}
    found = act(colleague, scene.event, "corrections", {**told, "reason": "typo"})
    assert (found["publication"], found["publication_reason"]) == ("awaiting_review", "review")
    assert found["status"]["headline"] == "deported"
    assert headline(service, scene.case) == "monitored"
    for word in (SECRET, "Otradnoye"):
        assert word not in scene.public
    problem(service.get(f"/v1/events/{scene.event['id']}"), 410, "withdrawn")
    problem(service.get(f"/v1/events/{found['id']}"), 404, "not-found")
    check(service, SECRET, "Otradnoye")
    approved = review(service.partner("review"), found)
    assert headline(service, scene.case) == "deported"
    shown = service.get(f"/v1/events/{found['id']}").json()
    assert (shown["place"], shown["kind"]) == ("Otradnoye", "published")
    assert shown["recorded_at"] == approved["recorded_at"]
    feed = read_feed(service)
    assert scene.event["id"] in feed.tombstones
    assert sum("Otradnoye" in entry.content for entry in feed.entries.values()) == 1
    check(service, SECRET)


def test_consent_withdrawn_after_a_correction_takes_all_versions(service: Service) -> None:
    scene = Scene(service)
    fixed = act(scene.author, scene.event, "corrections", corrected(scene.told))
    changed = change(scene.author, scene.case, "consent", {"publish": "none", "basis": "own"})
    feed = read_feed(service)
    assert list(feed.entries) == [changed["id"]]
    assert feed.tombstones.keys() == {scene.event["id"], fixed["id"]}
    for event in (scene.event, fixed):
        problem(service.get(f"/v1/events/{event['id']}"), 410, "withdrawn")
    assert count(service, "deported", known_at=fixed["recorded_at"]) == 0
    check(service, SECRET)
