"""A preview is what the public sees then, field by field, and nothing that it never sees."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import AUTHOR, Json, Partner, Service, items, path_name, pointers, problem
from .scenes import act, change, claim, corrected, read_feed, read_public, review

NAMES = [
    {"text": "Аскар Канарейкин", "language": "ru", "kind": "primary"},
    {"text": "Askar Kanareykin", "language": "en", "kind": "transliteration"},
]
LEVELS = ["anonymous", "pseudonym", "initials", "name"]
LANGUAGES = ("ru", "kk", "en")
# What a preview cannot know, and what it tells beside the event.
OF_THE_PLACE = {"version", "position", "recorded_at"}
BESIDE = {"label", "entry"}
PRIVATE = "Poltoratsk"
FIELDS: Json = {
    "notified": "2025-06",
    "place": "Алматы <b>",
    "authority": "court & court",
    "summary": {"ru": "выслан", "en": "deported ]]>"},
    "sources": [{"title": "A report", "url": "https://example.org/a?b=c&d", "language": "ru"}],
    "verification": "confirmed",
    "private_note": PRIVATE,
}


class Scene:
    """A partner with a key that may publish and one that may not."""

    def __init__(self, service: Service, publish: str = "anonymous", **fields: Any) -> None:
        self.service = service
        self.author = service.partner(*AUTHOR, public_name="Open desk")
        self.plain = service.partner("events:write", of=self.author)
        consent = {"publish": publish, "basis": "own", "pseudonym": "Vostok", **fields}
        self.case = self.author.open(consent=consent, subject={"names": NAMES})


def preview(by: Partner, event: Json, language: str = "en") -> Json:
    answer = by.get(f"/v1/events/{event['id']}/preview", lang=language)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-language"] == language
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


def expect_seen(service: Service, event: Json, previews: dict[str, Json]) -> None:
    """Assert that what is public now is what was foretold, in the API and in the feeds."""
    shown = service.get(f"/v1/events/{event['id']}").json()
    case = shown["case"]
    for language, told in previews.items():
        expected = {**shown, **dict.fromkeys(OF_THE_PLACE)}
        assert {k: v for k, v in told.items() if k not in BESIDE} == {
            **expected,
            "publication": told["publication"],
            "publication_reason": told["publication_reason"],
        }
        label = service.get(f"/v1/cases/{case}", lang=language).json()["label"]
        assert told["label"] == label
        entry = read_feed(service, language=language).entries[event["id"]]
        assert told["entry"] == {"title": entry.title, "content": entry.content}


def previews_of(by: Partner, event: Json) -> dict[str, Json]:
    return {language: preview(by, event, language) for language in LANGUAGES}


class TestWhatTheyWillSee:
    @pytest.mark.parametrize("publish", LEVELS)
    @pytest.mark.parametrize("basis", ["own", "already_public"])
    def test_of_what_awaits_a_review(self, shared: Service, publish: str, basis: str) -> None:
        scene = Scene(shared, publish, basis=basis)
        told = scene.plain.tell(scene.case, "expulsion.executed", **FIELDS, destination="RU")
        before = previews_of(scene.author, told)
        state = {(p["publication"], p["publication_reason"]) for p in before.values()}
        assert state == {("awaiting_review", "review")}
        assert ("sources" in before["en"]) == (publish == "name" or basis == "already_public")
        assert "Алматы" in before["en"]["entry"]["content"]
        review(shared.partner("review"), told)
        expect_seen(shared, told, before)

    def test_of_what_is_embargoed(self, service: Service) -> None:
        scene = Scene(service, "name")
        soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat().replace("+00:00", "Z")
        told = scene.author.tell(scene.case, "expulsion.executed", **FIELDS, publish_after=soon)
        before = previews_of(scene.author, told)
        state = {(p["publication"], p["publication_reason"]) for p in before.values()}
        assert state == {("embargoed", "embargo")}
        assert len(items(service.get("/v1/events?after=0&wait=30"))) == 1
        expect_seen(service, told, before)

    def test_of_what_is_public(self, shared: Service) -> None:
        scene = Scene(shared, "initials")
        told = scene.author.tell(scene.case, "expulsion.executed", **FIELDS)
        expect_seen(shared, told, previews_of(scene.author, told))

    def test_it_changes_nothing_and_shows_nobody_else_anything(self, shared: Service) -> None:
        scene = Scene(shared, "name")
        told = scene.plain.tell(scene.case, "expulsion.executed", **FIELDS)
        before, head = read_public(shared, scene.case, events=(told,)), shared.head
        previews_of(scene.author, told)
        assert (read_public(shared, scene.case, events=(told,)), shared.head) == (before, head)

    @pytest.mark.parametrize(
        ("type", "fields"),
        [
            ("departure.left", {"destination": "DE", "form": "asylum"}),
            ("departure.protected", {"destination": "DE", "jurisdiction": "DE"}),
            ("asylum.recognised", {"jurisdiction": "DE"}),
            ("wanted.listed", {"list": "interpol"}),
            ("prosecution.charged", {"accusation": "desertion", "jurisdiction": "RU"}),
        ],
    )
    def test_of_what_tells_where_somebody_went(
        self, shared: Service, type: str, fields: Json
    ) -> None:
        scene = Scene(shared, "name")
        told = scene.plain.tell(scene.case, type, **{**FIELDS, **fields})
        before = previews_of(scene.author, told)
        if fields.get("jurisdiction") != "RU" and type != "wanted.listed":
            assert before["en"]["jurisdiction"] is None
            assert not {"destination", "place", "authority"} & before["en"].keys()
            assert "German" not in str(before)
        review(shared.partner("review"), told)
        expect_seen(shared, told, before)

    def test_of_what_names_something_that_is_hidden(self, shared: Service) -> None:
        scene = Scene(shared)
        for visibility in ("public", "partners"):
            granted = scene.author.tell(scene.case, "extradition.granted", visibility=visibility)
            fields = {"against": granted["id"], "after": granted["id"]}
            told = scene.plain.tell(scene.case, "appeal.filed", "2025-05-09", **fields)
            before = previews_of(scene.author, told)
            assert ("against" in before["en"]) == (visibility == "public")
            review(shared.partner("review"), told)
            expect_seen(shared, told, before)

    def test_of_a_correction_that_waits(self, shared: Service) -> None:
        scene = Scene(shared)
        told = scene.author.tell(scene.case, "expulsion.executed")
        body = corrected(claim("expulsion.ordered", **FIELDS))
        fixed = act(scene.plain, told, "corrections", body)
        before = {language: preview(scene.author, fixed, language) for language in LANGUAGES}
        assert before["en"]["publication"] == "awaiting_review"
        review(shared.partner("review"), fixed)
        shown = shared.get(f"/v1/events/{fixed['id']}").json()
        for name in shown.keys() - OF_THE_PLACE:
            if name not in ("publication", "publication_reason"):
                assert before["en"][name] == shown[name]

    def test_of_a_case_that_went_into_another(self, shared: Service) -> None:
        scene = Scene(shared)
        stays = scene.author.open("anonymous")
        scene.author.tell(stays, "wanted.removed")
        change(scene.author, scene.case, "merges", {"into": stays["id"]})
        told = scene.plain.tell(scene.case, "expulsion.executed", **FIELDS)
        before = previews_of(scene.author, told)
        review(shared.partner("review"), told)
        expect_seen(shared, told, before)


class TestWhatTheyWillNot:
    @pytest.mark.parametrize(
        ("publish", "fields", "reason"),
        [
            ("none", {}, "consent_none"),
            ("count", {}, "consent_count"),
            ("name", {"visibility": "partners"}, "visibility"),
            ("name", {"visibility": "restricted"}, "visibility"),
            ("name", {"type": "interim.requested"}, "type_ceiling"),
        ],
    )
    def test_of_what_is_withheld_only_the_reason_is_told(
        self, shared: Service, publish: str, fields: Json, reason: str
    ) -> None:
        scene = Scene(shared, publish)
        said = {"type": "expulsion.executed", **FIELDS, **fields}
        told = scene.author.tell(scene.case, **said)
        assert preview(scene.author, told) == {
            "id": told["id"],
            "case": scene.case["id"],
            "publication": "withheld",
            "publication_reason": reason,
        }

    @pytest.mark.parametrize("reason", ["retracted", "corrected", "declined", "merged"])
    def test_nor_of_what_came_to_be(self, shared: Service, reason: str) -> None:
        scene = Scene(shared)
        by = scene.plain if reason == "declined" else scene.author
        told = by.tell(scene.case, "expulsion.executed", **FIELDS)
        match reason:
            case "retracted":
                act(scene.author, told, "retractions", {"reason": "false"})
            case "corrected":
                act(scene.author, told, "corrections", corrected(claim("person.died")))
            case "declined":
                review(shared.partner("review"), told, "decline")
            case _:
                other = scene.author.open("none")
                change(scene.author, scene.case, "merges", {"into": other["id"]})
        found = preview(scene.author, told)
        assert found.keys() == {"id", "case", "publication", "publication_reason"}
        assert (found["publication"], found["publication_reason"]) == ("withheld", reason)

    @pytest.mark.parametrize("publish", ["none", "count", *LEVELS])
    def test_what_is_private_is_in_no_preview(self, shared: Service, publish: str) -> None:
        scene = Scene(shared, publish)
        told = scene.plain.tell(
            scene.case, "departure.left", destination="DE", external_id=f"{PRIVATE}/{publish}",
            publish_after="2020-01-01T00:00:00Z", private_note=PRIVATE,
        )  # fmt: skip
        for language in LANGUAGES:
            answer = scene.author.get(f"/v1/events/{told['id']}/preview", lang=language)
            assert PRIVATE not in answer.text
            assert not {"private_note", "external_id", "publish_after", "destination",
                        "subject"} & answer.json().keys()  # fmt: skip
            assert str(scene.author.id) not in answer.text
            assert ("Канарейкин" in answer.text or "Kanareykin" in answer.text) == (
                publish == "name"
            )


class TestWhoMay:
    def test_it_needs_a_key(self, shared: Service) -> None:
        scene = Scene(shared)
        told = scene.author.tell(scene.case, "expulsion.executed")
        for headers in ({}, {"Authorization": "Bearer x"}):
            answer = shared.get(f"/v1/events/{told['id']}/preview", headers)
            problem(answer, 401, "unauthenticated")
        # Whether it is there or not.
        problem(shared.get("/v1/events/nothing/preview"), 401, "unauthenticated")

    def test_what_may_not_be_read_is_not_there(self, shared: Service) -> None:
        scene = Scene(shared)
        told = scene.author.tell(scene.case, "expulsion.executed", visibility="restricted")
        stranger = shared.partner()
        refused = stranger.get(f"/v1/events/{told['id']}/preview")
        absent = stranger.get("/v1/events/00000000-0000-4000-8000-000000000000/preview")
        for answer in (refused, absent, stranger.get("/v1/events/ext%3Aa/preview")):
            problem(answer, 404, "not-found")
            assert answer.content == refused.content
        assert preview(shared.partner("restricted:read"), told)["publication"] == "withheld"

    def test_any_partner_who_may_read_it(self, shared: Service) -> None:
        scene = Scene(shared)
        told = scene.plain.tell(scene.case, "expulsion.executed", external_id="t", **FIELDS)
        seen = preview(scene.author, told)
        assert preview(shared.partner(), told) == seen
        named = scene.author.get(f"/v1/events/{path_name('ext:t')}/preview", lang="en")
        assert named.json() == seen

    def test_an_event_that_is_no_claim_has_none(self, shared: Service) -> None:
        scene = Scene(shared)
        told = scene.author.tell(scene.case, "expulsion.executed")
        gone = act(scene.author, told, "retractions", {"reason": "false"})
        history = items(scene.author.get(f"/v1/cases/{scene.case['id']}/events"))
        for event in (history[0], gone):
            problem(scene.author.get(f"/v1/events/{event['id']}/preview"), 404, "not-found")

    def test_a_parameter_that_is_not_known_is_refused(self, shared: Service) -> None:
        scene = Scene(shared)
        told = scene.author.tell(scene.case, "expulsion.executed")
        answer = scene.author.get(f"/v1/events/{told['id']}/preview", as_of="2025-01-01")
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == ["/query/as_of"]
