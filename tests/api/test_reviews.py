"""What waits for a second partner's eyes, and the emergency stop of all publication."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from .conftest import (
    AUTHOR,
    Json,
    Partner,
    Service,
    copy_settings,
    items,
    pointers,
    problem,
    serve,
)
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

WORD = "Poltoratsk"
NAMES = [{"text": "Аскар Канарейкин", "language": "ru", "kind": "primary"}]
LATER = "2999-01-01T00:00:00Z"


def consent(publish: str, **fields: Any) -> Json:
    return {"publish": publish, "basis": "own", **fields}


class Scene:
    """A partner with a key that may publish and one that may not, and reviewers of two partners."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.author = service.partner(*AUTHOR, public_name="Open desk")
        self.plain = service.partner("events:write", of=self.author)
        self.own_reviewer = service.partner("review", of=self.author)
        self.reviewer = service.partner("review")

    def open(self, publish: str = "anonymous") -> Json:
        return self.author.open(publish, subject={"names": NAMES})

    def refuse(self, by: Partner, event: Json, status: int, slug: str, do: str = "approve") -> None:
        """Assert that a review is refused and leaves everything as it is."""
        head = self.service.head
        answer = by.post(f"/v1/reviews/{event['id']}", {"decision": do})
        problem(answer, status, slug)
        assert self.service.head == head

    def refuse_others(self, event: Json) -> None:
        """Assert that nobody but another partner's reviewer may decide."""
        self.refuse(self.own_reviewer, event, 409, "conflict")
        self.refuse(self.own_reviewer, event, 409, "conflict", "decline")
        self.refuse(self.author, event, 403, "forbidden")
        self.refuse(self.service.partner(*AUTHOR, "restricted:read"), event, 403, "forbidden")


@pytest.fixture
def scene(service: Service) -> Iterator[Scene]:
    """A scene where a key with events:publish publishes; all must hold of the house after it."""
    yield Scene(service)
    check(service)


@pytest.fixture
def strict(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[Scene]:
    """A scene where nobody publishes alone."""
    with ExitStack() as stack:
        settings = copy_settings(
            request, database_kind, tmp_path, stack, CASEFLOW_REVIEW="two_person"
        )
        service = stack.enter_context(serve(settings))
        yield Scene(service)
        check(service)


class TestClaims:
    def test_it_is_public_once_another_partner_approves(self, scene: Scene) -> None:
        service, case = scene.service, scene.open()
        told = scene.plain.tell(case, "expulsion.executed", place=WORD)
        assert (told["publication"], told["publication_reason"]) == ("awaiting_review", "review")
        assert told["status"]["headline"] == "deported"
        problem(service.get(f"/v1/events/{told['id']}"), 404, "not-found")
        assert WORD not in read_public(service, case, events=(told,))
        assert (count(service, "deported"), count(scene.author, "deported")) == (0, 1)
        scene.refuse_others(told)
        answer = scene.reviewer.post(
            f"/v1/reviews/{told['id']}", {"decision": "approve", "note": "seen the ruling"},
            **{"If-Match": '"2"'},
        )  # fmt: skip
        assert answer.status_code == 201
        approved = answer.json()
        assert (approved["type"], approved["event"]) == ("publication.approved", told["id"])
        assert (approved["note"], approved["version"]) == ("seen the ruling", 3)
        assert answer.headers["etag"] == '"3"'
        location = f"https://cases.example/v1/events/{approved['id']}"
        assert answer.headers["location"] == location
        assert scene.author.get(f"/v1/events/{told['id']}").json()["publication"] == "published"
        shown = service.get(f"/v1/events/{told['id']}").json()
        assert (shown["place"], shown["kind"], shown["position"]) == (WORD, "published", 1)
        # To the public it came when it was approved; what the reviewer said is for partners.
        assert shown["recorded_at"] == approved["recorded_at"] > told["recorded_at"]
        assert list(read_feed(service).entries) == [told["id"]]
        public = read_public(service, case, events=(told, approved))
        assert "seen the ruling" not in public
        assert str(scene.reviewer.id) not in public
        assert count(service, "deported", known_at=told["recorded_at"]) == 0
        assert count(service, "deported") == 1
        for decision in ("approve", "decline"):
            scene.refuse(scene.reviewer, told, 409, "conflict", decision)

    def test_declined_it_stays_with_partners(self, scene: Scene) -> None:
        service, case = scene.service, scene.open()
        told = scene.plain.tell(case, "expulsion.executed")
        declined = review(scene.reviewer, told, "decline")
        assert declined["type"] == "publication.declined"
        read = scene.author.get(f"/v1/events/{told['id']}").json()
        assert (read["publication"], read["publication_reason"]) == ("withheld", "declined")
        problem(service.get(f"/v1/events/{told['id']}"), 404, "not-found")
        assert count(service, "deported") == 0
        scene.refuse(scene.reviewer, told, 409, "conflict", "decline")
        scene.refuse(scene.own_reviewer, told, 409, "conflict")
        # Who has learned better may still approve.
        review(service.partner("review"), told)
        assert headline(service, case) == "deported"

    def test_what_does_not_wait_is_not_reviewed(self, scene: Scene) -> None:
        case = scene.open()
        published = scene.author.tell(case, "wanted.removed")
        partners = scene.plain.tell(case, "wanted.removed", visibility="partners")
        opening = items(scene.author.get("/v1/events"))[0]
        for event in (published, partners, opening):
            for decision in ("approve", "decline"):
                scene.refuse(scene.reviewer, event, 409, "conflict", decision)
        for name in ("00000000-0000-4000-8000-000000000000", "nothing", "ext%3Aa", case["id"]):
            scene.refuse(scene.reviewer, {"id": name}, 404, "not-found")

    def test_what_may_not_be_read_is_not_reviewed(self, scene: Scene) -> None:
        told = scene.plain.tell(scene.open(), "interim.requested")
        scene.refuse(scene.reviewer, told, 404, "not-found")
        told = scene.plain.tell(scene.open(), "expulsion.executed")
        act(scene.author, told, "visibility", {"visibility": "restricted"})
        scene.refuse(scene.reviewer, told, 404, "not-found")
        reader = scene.service.partner("review", "restricted:read")
        review(reader, told)
        problem(scene.service.get(f"/v1/events/{told['id']}"), 404, "not-found")

    def test_what_was_retracted_or_corrected_waits_no_more(self, scene: Scene) -> None:
        case = scene.open()
        first, second = (scene.plain.tell(case, "expulsion.executed") for _ in range(2))
        act(scene.author, first, "retractions", {"reason": "false"})
        fixed = act(scene.plain, second, "corrections", corrected(claim("person.died")))
        for event in (first, second):
            scene.refuse(scene.reviewer, event, 409, "conflict")
        assert fixed["publication"] == "awaiting_review"
        review(scene.reviewer, fixed)
        assert headline(scene.service, case) == "died"

    def test_after_a_review_an_embargo_still_holds(self, scene: Scene) -> None:
        told = scene.plain.tell(scene.open(), "expulsion.executed", publish_after=LATER)
        assert told["publication"] == "awaiting_review"
        review(scene.reviewer, told)
        read = scene.author.get(f"/v1/events/{told['id']}").json()
        assert (read["publication"], read["publication_reason"]) == ("embargoed", "embargo")
        problem(scene.service.get(f"/v1/events/{told['id']}"), 404, "not-found")

    def test_what_is_approved_at_consent_none_comes_with_consent(self, scene: Scene) -> None:
        case = scene.open("none")
        told = scene.plain.tell(case, "expulsion.executed")
        change(scene.author, case, "consent", consent("anonymous"))
        problem(scene.service.get(f"/v1/events/{told['id']}"), 404, "not-found")
        review(scene.reviewer, told)
        assert headline(scene.service, case) == "deported"

    def test_a_review_is_made_once(self, scene: Scene) -> None:
        told = [scene.plain.tell(scene.open(), "expulsion.executed") for _ in range(2)]
        key = {"Idempotency-Key": "k"}
        path = f"/v1/reviews/{told[0]['id']}"
        first = scene.reviewer.post(path, {"decision": "approve"}, **key)
        head = scene.service.head
        again = scene.reviewer.post(path, {"decision": "approve"}, **key)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        other = scene.reviewer.post(path, {"decision": "decline"}, **key)
        problem(other, 422, "idempotency-key-reused")
        assert scene.service.head == head
        path, body = f"/v1/reviews/{told[1]['id']}", {"decision": "decline", "external_id": "r"}
        refused = scene.reviewer.post(path, body, **{"If-Match": '"1"'})
        problem(refused, 412, "version-mismatch")
        first, head = scene.reviewer.post(path, body), scene.service.head
        again = scene.reviewer.post(path, body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        taken = scene.reviewer.post(path, {**body, "decision": "approve"})
        problem(taken, 409, "external-id-taken")
        assert scene.service.head == head


class TestPersons:
    def test_wider_consent_waits_and_what_is_narrower_does_not(self, scene: Scene) -> None:
        service, case = scene.service, scene.open("anonymous")
        scene.author.tell(case, "expulsion.executed", sources=[{"title": WORD}])
        before = read_public(service, case)
        raised = change(scene.plain, case, "consent", consent("name"))
        assert raised["publication"] == "awaiting_review"
        assert read_public(service, case) == before
        told = scene.author.get(f"/v1/cases/{case['id']}").json()
        assert told["consent"]["publish"] == "anonymous"
        scene.refuse_others(raised)
        approved = review(scene.reviewer, raised)
        (listed,) = items(service.get("/v1/cases", lang="ru"))
        assert listed["label"] == "Аскар Канарейкин"
        assert listed["updated_at"] == approved["recorded_at"]
        assert WORD in read_public(service, case)
        scene.refuse(scene.reviewer, raised, 409, "conflict")
        # Wider in one, narrower in another: what both agree to holds at once.
        mixed = {"publish": "anonymous", "basis": "already_public"}
        change(scene.plain, case, "consent", mixed)
        public = read_public(service, case)
        assert WORD not in public
        assert "Канарейкин" not in public
        assert headline(service, case) == "deported"

    def test_a_declined_raise_is_forgotten(self, scene: Scene) -> None:
        service, case = scene.service, scene.open("anonymous")
        scene.author.tell(case, "expulsion.executed")
        before = read_public(service, case)
        raised = change(scene.plain, case, "consent", consent("name"))
        review(scene.reviewer, raised, "decline")
        assert read_public(service, case) == before
        scene.refuse(scene.reviewer, raised, 409, "conflict")

    @pytest.mark.parametrize("level", ["none", "count", "anonymous"])
    def test_a_later_word_ends_the_waiting_of_an_earlier_one(
        self, scene: Scene, level: str
    ) -> None:
        case = scene.open("anonymous")
        scene.author.tell(case, "expulsion.executed")
        raised = change(scene.plain, case, "consent", consent("name"))
        change(scene.plain, case, "consent", consent(level))
        scene.refuse(scene.reviewer, raised, 409, "conflict")
        assert "Канарейкин" not in read_public(scene.service, case)

    def test_another_name_waits_where_names_are_shown(self, scene: Scene) -> None:
        service, case = scene.service, scene.open("name")
        scene.author.tell(case, "expulsion.executed")
        before = read_public(service, case)
        other = {"names": [{**NAMES[0], "text": "Борис Снегирев"}]}
        amended = change(scene.plain, case, "subject", other)
        assert amended["publication"] == "awaiting_review"
        assert read_public(service, case) == before
        scene.refuse_others(amended)
        review(scene.reviewer, amended)
        public = read_public(service, case)
        assert "Борис Снегирев" in public
        assert "Канарейкин" not in public

    def test_another_pseudonym_waits(self, scene: Scene) -> None:
        service, first = scene.service, consent("pseudonym", pseudonym="Vostok")
        case = scene.author.open(consent=first)
        scene.author.tell(case, "expulsion.executed")
        raised = change(scene.plain, case, "consent", {**first, "pseudonym": "Zapad"})
        assert raised["publication"] == "awaiting_review"
        # What is not agreed to any more is not shown meanwhile, nor is what nobody has looked at.
        public = read_public(service, case)
        assert "Vostok" not in public
        assert "Zapad" not in public
        assert headline(service, case) == "deported"
        review(scene.reviewer, raised)
        assert "Zapad" in read_public(service, case)

    def test_names_that_are_not_shown_do_not_wait(self, scene: Scene) -> None:
        case = scene.open("anonymous")
        other = {"names": [{**NAMES[0], "text": "Борис Снегирев"}]}
        amended = change(scene.plain, case, "subject", other)
        assert amended["publication"] != "awaiting_review"
        found = scene.author.get(f"/v1/cases/{case['id']}").json()["subject"]
        assert found == other


class TestVisibility:
    def test_a_raise_waits(self, scene: Scene) -> None:
        service, case = scene.service, scene.open()
        told = scene.author.tell(case, "expulsion.executed", visibility="restricted", place=WORD)
        raised = act(scene.plain, told, "visibility", {"visibility": "partners"})
        assert raised["publication"] != "awaiting_review"
        raised = act(scene.plain, told, "visibility", {"visibility": "public"})
        assert raised["publication"] == "awaiting_review"
        assert WORD not in read_public(service, case, events=(told,))
        read = scene.author.get(f"/v1/events/{told['id']}").json()
        assert (read["visibility"], read["publication_reason"]) == ("partners", "visibility")
        scene.refuse_others(raised)
        review(scene.reviewer, raised)
        assert service.get(f"/v1/events/{told['id']}").json()["place"] == WORD

    @pytest.mark.parametrize("wanted", ["partners", "restricted"])
    def test_hiding_ends_the_waiting(self, scene: Scene, wanted: str) -> None:
        told = scene.author.tell(scene.open(), "expulsion.executed", visibility="partners")
        raised = act(scene.plain, told, "visibility", {"visibility": "public"})
        act(scene.plain, told, "visibility", {"visibility": wanted})
        reader = scene.service.partner("review", "restricted:read")
        scene.refuse(reader, raised, 409, "conflict")
        problem(scene.service.get(f"/v1/events/{told['id']}"), 404, "not-found")

    def test_what_was_approved_is_what_was_seen(self, scene: Scene) -> None:
        """A claim that was corrected meanwhile is not made public by an approval of the old one."""
        case = scene.open()
        told = scene.author.tell(case, "expulsion.executed", visibility="partners")
        raised = act(scene.plain, told, "visibility", {"visibility": "public"})
        body = claim("expulsion.executed", place=WORD, visibility="partners")
        fixed = act(scene.plain, told, "corrections", corrected(body))
        scene.reviewer.post(f"/v1/reviews/{raised['id']}", {"decision": "approve"})
        assert WORD not in read_public(scene.service, case, events=(told, fixed))

    def test_what_was_retracted_is_not_raised(self, scene: Scene) -> None:
        case = scene.open()
        told = scene.author.tell(case, "expulsion.executed", visibility="partners")
        raised = act(scene.plain, told, "visibility", {"visibility": "public"})
        act(scene.author, told, "retractions", {"reason": "false"})
        scene.reviewer.post(f"/v1/reviews/{raised['id']}", {"decision": "approve"})
        problem(scene.service.get(f"/v1/events/{told['id']}"), 404, "not-found")


class TestTwoPersons:
    """Where nobody publishes alone, a key with events:publish waits as well."""

    @pytest.mark.parametrize("publish", ["count", "anonymous", "name"])
    def test_the_first_publication_of_a_case(self, strict: Scene, publish: str) -> None:
        service, case = strict.service, strict.open(publish)
        told = [strict.author.tell(case, "expulsion.executed") for _ in range(2)]
        assert [e["publication"] for e in told] == ["awaiting_review"] * 2
        assert count(service, "deported") == 0
        strict.refuse_others(told[0])
        review(strict.reviewer, told[0])
        assert count(service, "deported") == 1
        shown = service.get(f"/v1/events/{told[0]['id']}")
        assert shown.status_code == (404 if publish == "count" else 200)
        # The next goes out at once; what waited goes on waiting.
        later = strict.author.tell(case, "person.died")
        expected = "withheld" if publish == "count" else "published"
        assert later["publication"] == expected
        read = strict.author.get(f"/v1/events/{told[1]['id']}").json()
        assert read["publication"] == "awaiting_review"
        assert count(service, "died") == 1
        assert strict.plain.tell(case, "person.died")["publication"] == "awaiting_review"

    def test_corrections_wait_where_they_are_the_first(self, strict: Scene) -> None:
        case = strict.open()
        hidden = strict.author.tell(case, "expulsion.executed", visibility="partners")
        body = corrected(claim("expulsion.executed", place=WORD))
        fixed = act(strict.author, hidden, "corrections", body)
        assert fixed["publication"] == "awaiting_review"
        assert WORD not in read_public(strict.service, case)
        review(strict.reviewer, fixed)
        again = act(strict.author, fixed, "corrections", corrected(claim("person.died")))
        assert again["publication"] == "published"
        other = strict.author.tell(case, "wanted.removed", visibility="partners")
        raised = act(strict.author, other, "corrections", corrected(claim("wanted.removed")))
        assert raised["publication"] == "awaiting_review"

    def test_every_raise_of_visibility(self, strict: Scene) -> None:
        service, case = strict.service, strict.open()
        review(strict.reviewer, strict.author.tell(case, "wanted.removed"))
        told = strict.author.tell(case, "person.died", visibility="restricted")
        for wanted in ("partners", "public"):
            raised = act(strict.author, told, "visibility", {"visibility": wanted})
            assert raised["publication"] == "awaiting_review"
            reader = service.partner("review", "restricted:read")
            strict.refuse(strict.own_reviewer, raised, 409, "conflict")
            review(reader, raised)
            read = strict.author.get(f"/v1/events/{told['id']}").json()
            assert read["visibility"] == wanted
        assert headline(service, case) == "died"
        act(strict.author, told, "visibility", {"visibility": "partners"})
        assert headline(service, case) == "monitored"

    @pytest.mark.parametrize(
        ("before", "after"),
        [("none", "count"), ("none", "name"), ("count", "anonymous"), ("anonymous", "pseudonym"),
         ("anonymous", "initials"), ("pseudonym", "name"), ("initials", "name")],
    )  # fmt: skip
    def test_every_raise_of_consent(self, strict: Scene, before: str, after: str) -> None:
        service = strict.service
        case = strict.author.open(
            consent=consent(before, pseudonym="Vostok"), subject={"names": NAMES}
        )
        told = strict.author.tell(case, "expulsion.executed")
        if before != "none":
            review(strict.reviewer, told)
        seen = read_public(service, case, events=(told,))
        raised = change(strict.author, case, "consent", consent(after, pseudonym="Vostok"))
        assert raised["publication"] == "awaiting_review"
        assert read_public(service, case, events=(told,)) == seen
        strict.refuse_others(raised)
        review(strict.reviewer, raised)
        if before == "none":
            # What nobody has looked at is looked at before it is seen.
            assert strict.author.get(f"/v1/events/{told['id']}").json()["publication"] in (
                "awaiting_review", "published", "withheld",
            )  # fmt: skip
        else:
            assert read_public(service, case, events=(told,)) != seen
        # The way back needs nobody.
        change(strict.author, case, "consent", consent("none"))
        assert service.get("/v1/statistics").json()["cases"] == 0
        check(service, "Канарейкин", "Vostok")

    def test_every_name(self, strict: Scene) -> None:
        case = strict.open("name")
        review(strict.reviewer, strict.author.tell(case, "wanted.removed"))
        before = read_public(strict.service, case)
        other = {"names": [{**NAMES[0], "text": "Борис Снегирев"}]}
        amended = change(strict.author, case, "subject", other)
        assert amended["publication"] == "awaiting_review"
        assert read_public(strict.service, case) == before
        strict.refuse_others(amended)
        review(strict.reviewer, amended)
        assert "Борис Снегирев" in read_public(strict.service, case)

    def test_what_hides_waits_for_nobody(self, strict: Scene) -> None:
        service, case = strict.service, strict.open()
        told = strict.author.tell(case, "expulsion.executed", place=WORD)
        review(strict.reviewer, told)
        assert WORD in read_public(service, case)
        act(strict.author, told, "retractions", {"reason": "unsafe"})
        assert WORD not in read_public(service, case, events=(told,))


class TestFreeze:
    """Halted, nothing new becomes public; what hides still hides."""

    def freeze(self, scene: Scene, frozen: bool) -> None:
        scene.service.client.app.state.services.cases.freeze(frozen).result()

    def test_what_comes_meanwhile_comes_afterwards(self, scene: Scene) -> None:
        service, case = scene.service, scene.open()
        before_it = scene.author.tell(case, "wanted.removed")
        self.freeze(scene, True)
        before = read_public(service, case)
        told = scene.author.tell(case, "expulsion.executed", place=WORD)
        assert (told["publication"], told["publication_reason"]) == ("embargoed", "frozen")
        waiting = scene.plain.tell(case, "person.died")
        assert waiting["publication"] == "awaiting_review"
        counted = scene.author.tell(scene.author.open("count"), "expulsion.executed")
        assert counted["publication"] == "embargoed"
        assert read_public(service, case) == before
        fixed = act(scene.author, before_it, "corrections", corrected(claim("wanted.removed")))
        assert fixed["publication"] == "embargoed"
        # The old words are gone at once, the new ones wait.
        problem(service.get(f"/v1/events/{before_it['id']}"), 410, "withdrawn")
        position = service.get("/v1/events").json()["position"]
        assert position == 2
        self.freeze(scene, False)
        shown: set[str] = set()
        while len(shown) < 2:
            answer = service.get(f"/v1/events?after={position}&wait=30")
            shown |= {e["id"] for e in items(answer)}
            assert shown, "nothing was released"
        assert shown == {told["id"], fixed["id"]}
        assert headline(service, case) == "deported"
        assert WORD in read_public(service, case)
        problem(service.get(f"/v1/events/{waiting['id']}"), 404, "not-found")

    def test_nothing_is_raised_or_approved_meanwhile(self, scene: Scene) -> None:
        service, case = scene.service, scene.open("anonymous")
        told = scene.author.tell(case, "expulsion.executed", visibility="partners")
        held = scene.plain.tell(case, "wanted.removed")
        scene.author.tell(case, "wanted.removed")
        raised = change(scene.plain, case, "consent", consent("name"))
        self.freeze(scene, True)
        before, head = read_public(service, case), service.head
        for path, body in (
            (f"/v1/events/{told['id']}/visibility", {"visibility": "public"}),
            (f"/v1/cases/{case['id']}/consent", consent("name")),
        ):
            answer = scene.author.post(path, body, **{"If-Match": "*"})
            problem(answer, 409, "conflict")
        for event in (held, raised):
            scene.refuse(scene.reviewer, event, 409, "conflict")
        assert (read_public(service, case), service.head) == (before, head)
        review(scene.reviewer, held, "decline")
        assert read_public(service, case) == before
        self.freeze(scene, False)
        review(scene.reviewer, held)
        assert service.get(f"/v1/events/{held['id']}").status_code == 200

    def test_what_hides_hides_at_once(self, scene: Scene) -> None:
        service, case = scene.service, scene.open("name")
        told = [scene.author.tell(case, "expulsion.executed", place=WORD) for _ in range(3)]
        scene.author.tell(case, "wanted.removed")
        self.freeze(scene, True)
        act(scene.author, told[0], "retractions", {"reason": "false"})
        act(scene.author, told[1], "visibility", {"visibility": "partners"})
        act(scene.plain, told[2], "visibility", {"visibility": "restricted"})
        assert WORD not in read_public(service, case, events=tuple(told))
        change(scene.plain, case, "consent", consent("anonymous"))
        assert "Канарейкин" not in read_public(service, case)
        assert headline(service, case) == "monitored"
        change(scene.plain, case, "consent", consent("none"))
        problem(service.get(f"/v1/cases/{case['id']}"), 410, "withdrawn")
        self.freeze(scene, False)
        problem(service.get(f"/v1/cases/{case['id']}"), 410, "withdrawn")

    def test_what_others_think_is_not_heard_meanwhile(self, scene: Scene) -> None:
        service, case = scene.service, scene.open()
        told = scene.author.tell(case, "expulsion.executed")
        self.freeze(scene, True)
        before = read_public(service, case)
        against = {"reason": "wrong", "rank_against": True}
        doubters = [service.partner(*AUTHOR) for _ in range(2)]
        held = [act(by, told, "disputes", against) for by in doubters]
        assert {e["publication"] for e in held} == {"awaiting_review"}
        assert read_public(service, case) == before
        assert headline(scene.author, case) == "monitored"
        self.freeze(scene, False)
        for event in held:
            review(scene.reviewer, event)
        assert headline(service, case) == "monitored"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ["/decision"]),
        ({"decision": "publish"}, ["/decision"]),
        ({"decision": None}, ["/decision"]),
        ({"decision": "approve", "note": ""}, ["/note"]),
        ({"decision": "approve", "note": "a\u0000"}, ["/note"]),
        ({"decision": "approve", "reason": "x"}, ["/reason"]),
        ([], [""]),
    ],
)
def test_a_decision_that_is_none_is_refused(shared: Service, body: Any, where: list[str]) -> None:
    scene = Scene(shared)
    told = scene.plain.tell(scene.open(), "wanted.removed")
    head = shared.head
    answer = scene.reviewer.post(f"/v1/reviews/{told['id']}", body)
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == where
    assert shared.head == head
