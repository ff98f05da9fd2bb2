"""Who a case is about: what was agreed to, who it is, and which cases are of one person."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import httpx
import pytest

from .conftest import AUTHOR, Json, Partner, Service, items, path_name, pointers, problem
from .scenes import (
    act,
    change,
    check,
    claim,
    count,
    headline,
    read_feed,
    read_public,
    review,
)

NAMES = [
    {"text": "Аскар Канарейкин", "language": "ru", "kind": "primary"},
    {"text": "Askar Kanareykin", "language": "en", "kind": "transliteration"},
]
PSEUDONYM = "Vostok seventeen"
LEVELS = ["none", "count", "anonymous", "pseudonym", "initials", "name"]


def consent(publish: str, **fields: Any) -> Json:
    return {"publish": publish, "basis": "own", "pseudonym": PSEUDONYM, **fields}


def subject(*names: str) -> Json:
    """Return a subject of these Russian names, the first the primary one."""
    kinds = ["primary", *["variant"] * len(names)]
    told = zip(names, kinds, strict=False)
    return {"names": [{"text": text, "language": "ru", "kind": kind} for text, kind in told]}


# -- consent --------------------------------------------------------------------------------------


def walk() -> list[str]:
    """Return levels so that each is followed by each other once at least."""
    steps: list[str] = []
    for n, level in enumerate(LEVELS):
        steps += [level, *(s for other in LEVELS[n + 1 :] for s in (other, level))]
    return [s for s, before in zip(steps, [None, *steps], strict=False) if s != before]


def words_of(level: str, code: str) -> dict[str, str]:
    """Return how the public names the person at a level, by language."""
    return {
        "pseudonym": {"ru": PSEUDONYM, "en": PSEUDONYM},
        "initials": {"ru": "А. К.", "en": "A. K."},
        "name": {"ru": "Аскар Канарейкин", "en": "Askar Kanareykin"},
    }.get(level, {"ru": code, "en": code})


class Person(NamedTuple):
    """A person's case with one claim that could be public."""

    service: Service
    author: Partner
    case: Json
    event: Json

    @property
    def public(self) -> str:
        return read_public(self.service, self.case, events=(self.event,))

    def expect(self, level: str, *, was_public: bool) -> None:
        """Assert what every public output says at a level of consent."""
        service, case_id, code = self.service, self.case["id"], self.case["code"]
        shown, gone = LEVELS.index(level) >= 2, 410 if was_public else 404
        for path in (f"/v1/cases/{case_id}", f"/v1/cases/{code}", f"/v1/cases/{case_id}/events",
                     f"/v1/events/{self.event['id']}"):  # fmt: skip
            assert service.get(path).status_code == (200 if shown else gone), path
        # Whoever follows the case is told that it was withdrawn, where they heard of it.
        feed = service.get(f"/feeds/cases/{code}.atom").status_code
        assert feed == (200 if shown or was_public else 404)
        words = words_of(level, code)
        for language, word in words.items():
            listed = items(service.get("/v1/cases", lang=language))
            assert [c["label"] for c in listed] == ([word] if shown else [])
            feed = read_feed(service, language=language)
            told = [e for e in feed.entries.values() if "expulsion.executed" in e.terms]
            assert len(told) == shown
            assert all(word in e.title and word in e.content for e in told)
        for word in ("Канарейкин", PSEUDONYM, "Kanareykin"):
            found = items(service.get("/v1/cases", q=word))
            assert bool(found) == (shown and any(word in label for label in words.values()))
        assert count(service, "deported") == (level != "none")
        assert self.author.get("/v1/statistics").json()["cases"] == (level != "none")
        log = items(service.get("/v1/events", limit=500))
        assert sum(e["state"] == "in_force" for e in log) == shown
        self.expect_no_more_words(level)

    def expect_no_more_words(self, level: str) -> None:
        """Assert that what a level does not agree to stands nowhere."""
        public = self.public
        for word, levels in (
            ("Канарейкин", {"name"}), ("Kanareykin", {"name"}), (PSEUDONYM, {"pseudonym"}),
            ("А. К.", {"initials"}), ("A. K.", {"initials"}), ("The source", {"name"}),
            ("of summer", {"anonymous", "pseudonym", "initials", "name"}),
        ):  # fmt: skip
            assert (word in public) == (level in levels), word


def person(service: Service, publish: str = "name", **fields: Any) -> Person:
    """Return a new person whose claim has a text and a source."""
    author = service.partner(*AUTHOR)
    case = author.open(consent=consent(publish), subject={"names": NAMES}, **fields)
    told = {"summary": {"en": "of summer"}, "sources": [{"title": "The source"}]}
    return Person(service, author, case, author.tell(case, "expulsion.executed", **told))


class TestConsent:
    def test_every_step_takes_effect_on_every_output_at_once(self, service: Service) -> None:
        steps = walk()
        pairs = set(pairwise(steps))
        assert len(pairs) == len(LEVELS) * (len(LEVELS) - 1)
        found = person(service, steps[0])
        was_public = False
        found.expect(steps[0], was_public=False)
        for level in steps[1:]:
            change(found.author, found.case, "consent", consent(level))
            was_public |= LEVELS.index(level) >= 2
            found.expect(level, was_public=was_public)
        check(service)

    @pytest.mark.parametrize("level", LEVELS[:-1])
    def test_what_is_narrowed_is_in_no_table_any_more(self, service: Service, level: str) -> None:
        found = person(service, "name")
        entry = read_feed(service).entries[found.event["id"]]
        assert "Askar Kanareykin" in entry.content
        changed = change(found.author, found.case, "consent", consent(level))
        feed = read_feed(service)
        assert feed.tombstones == {found.event["id"]: changed["recorded_at"]}
        assert list(feed.entries) == [changed["id"]]
        assert feed.entries[changed["id"]].in_reply_to == found.event["id"]
        expected = "corrected" if LEVELS.index(level) >= 2 else "withdrawn"
        (log,) = items(service.get("/v1/events?after=1"))
        assert (log["kind"], log["id"]) == (expected, found.event["id"])
        then = {"known_at": found.event["recorded_at"]}
        assert count(service, "deported", **then) == (level != "none")
        # What it was called is not called back by asking about the past.
        answer = service.get(f"/v1/cases/{found.case['id']}", **then)
        assert "Kanareykin" not in answer.text
        history = service.get(f"/v1/cases/{found.case['id']}/events", **then)
        assert "The source" not in history.text
        check(service, "Канарейкин", "Kanareykin", "The source")

    def test_partners_are_told_what_was_agreed_to(self, service: Service) -> None:
        found, other = person(service, "name"), service.partner()
        path = f"/v1/cases/{found.case['id']}"
        assert other.get(path).json()["subject"]["names"] == NAMES
        answer = found.author.post(f"{path}/consent", consent("anonymous"), **{"If-Match": '"2"'})
        assert answer.status_code == 201
        changed = answer.json()
        assert (changed["type"], changed["version"], answer.headers["etag"]) == (
            "consent.changed", 3, '"3"',
        )  # fmt: skip
        assert answer.headers["location"] == f"https://cases.example/v1/events/{changed['id']}"
        assert changed["consent"] == {**consent("anonymous"), "share": False}
        told = other.get(path).json()
        assert "subject" not in told
        assert told["consent"] == {"publish": "anonymous", "basis": "own", "share": False}
        assert told["label"] == found.case["code"]
        # Neither is the pseudonym anybody's who may not see the person.
        assert PSEUDONYM not in other.get(f"/v1/events/{changed['id']}").text
        assert PSEUDONYM not in other.get(f"{path}/events").text
        assert items(other.get("/v1/cases", q="Канарейкин")) == []
        change(found.author, found.case, "consent", consent("anonymous", share=True))
        assert other.get(path).json()["subject"]["names"] == NAMES
        assert len(items(other.get("/v1/cases", q="Канарейкин"))) == 1

    def test_it_may_be_wrapped_to_have_a_name(self, light: Service) -> None:
        found = person(light, external_id="p")
        path = f"/v1/cases/{path_name('ext:p')}/consent"
        body = {"consent": consent("none"), "external_id": "c"}
        first = found.author.post(path, body, **{"If-Match": "*"})
        head = light.head
        again = found.author.post(path, body, **{"If-Match": "*"})
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["external_id"] == "c"
        assert again.json() == first.json()
        taken = found.author.post(path, {**body, "consent": consent("count")}, **{"If-Match": "*"})
        problem(taken, 409, "external-id-taken")
        assert light.head == head
        assert found.author.get("/v1/events/ext:c").json()["id"] == first.json()["id"]

    def test_the_basis_decides_about_asylum_and_sources(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open(consent=consent("anonymous", basis="representative"))
        told = {"stage": "repeat", "sources": [{"title": "The source"}]}
        asked = author.tell(case, "asylum.refused", **told)
        assert (asked["publication"], asked["publication_reason"]) == ("withheld", "asylum_consent")
        problem(service.get(f"/v1/events/{asked['id']}"), 404, "not-found")
        for basis, shown, sources in (
            ("already_public", True, True), ("own", True, False), ("representative", False, False),
        ):  # fmt: skip
            change(author, case, "consent", consent("anonymous", basis=basis))
            answer = service.get(f"/v1/events/{asked['id']}")
            assert answer.status_code == (200 if shown else 410)
            assert ("The source" in read_public(service, case, events=(asked,))) == sources
        check(service, "The source")

    def test_what_the_person_is_called_may_change(self, service: Service) -> None:
        found = person(service, "pseudonym")
        changed = change(
            found.author, found.case, "consent", consent("pseudonym", pseudonym="Zapad eight")
        )
        feed = read_feed(service)
        assert feed.tombstones.keys() == {found.event["id"]}
        assert "Zapad eight" in feed.entries[changed["id"]].title
        assert PSEUDONYM not in found.public
        check(service, PSEUDONYM)

    def test_the_same_again_changes_nothing_public(self, light: Service) -> None:
        for level in LEVELS:
            found = person(light, level)
            before = found.public
            change(found.author, found.case, "consent", consent(level))
            assert found.public == before

    @pytest.mark.parametrize(
        ("asked", "where"),
        [
            (consent("name"), ["/publish"]),
            (consent("initials"), ["/publish"]),
            ({"publish": "pseudonym", "basis": "own"}, ["/pseudonym"]),
            (consent("pseudonym", pseudonym=" "), ["/pseudonym"]),
            (consent("everything"), ["/publish"]),
            ({"publish": "none"}, ["/basis"]),
            ({"basis": "own"}, ["/publish"]),
            (consent("none", share="yes"), ["/share"]),
            (consent("none", code="x"), ["/code"]),
            (consent("none", pseudonym="a\u0000b"), ["/pseudonym"]),
        ],
    )
    def test_what_nobody_can_agree_to_is_refused_where_it_stands(
        self, shared: Service, asked: Json, where: list[str]
    ) -> None:
        author = shared.partner(*AUTHOR)
        case, head = author.open(), shared.head
        path = f"/v1/cases/{case['id']}/consent"
        for body, pointer in (
            (asked, where),
            ({"consent": asked}, [f"/consent{p}" for p in where]),
        ):
            answer = author.post(path, body, **{"If-Match": "*"})
            problem(answer, 422, "invalid-input")
            assert pointers(answer) == pointer
        assert shared.head == head

    @pytest.mark.parametrize("wrapped", [False, True])
    def test_a_pseudonym_that_holds_the_name_is_refused(
        self, light: Service, wrapped: bool
    ) -> None:
        found = person(light)
        asked = consent("pseudonym", pseudonym="Канарейкина дочь")
        body = {"consent": asked} if wrapped else asked
        path = f"/v1/cases/{found.case['id']}/consent"
        answer = found.author.post(path, body, **{"If-Match": "*"})
        problem(answer, 422, "text-names-person")
        assert pointers(answer) == ["/consent/pseudonym" if wrapped else "/pseudonym"]
        assert "Канарейкин" not in answer.text


# -- the version that was seen --------------------------------------------------------------------

BODIES: list[tuple[str, Json]] = [
    ("consent", consent("count")),
    ("subject", subject("Другой Человек")),
    ("merges", {"into": "ext:into"}),
]


@pytest.mark.parametrize(("what", "body"), BODIES)
class TestVersions:
    def test_the_version_is_required(self, shared: Service, what: str, body: Json) -> None:
        author = shared.partner(*AUTHOR)
        case, _ = author.open(), author.open(external_id="into")
        head = shared.head
        path = f"/v1/cases/{case['id']}/{what}"
        problem(author.post(path, body), 428, "version-required")
        for old in ('"0"', '"2"', '"9"'):
            refused = author.post(path, body, **{"If-Match": old})
            problem(refused, 412, "version-mismatch")
            assert refused.headers["etag"] == '"1"'
        for nonsense in ("1", 'W/"1"', '"x"', ""):
            answer = author.post(path, body, **{"If-Match": nonsense})
            assert answer.status_code in (422, 428)
        assert shared.head == head
        for tag, version in (('"1"', '"2"'), ("*", '"3"')):
            if (what, tag) != ("merges", "*"):
                answer = author.post(path, body, **{"If-Match": tag})
                assert (answer.status_code, answer.headers["etag"]) == (201, version)

    def test_the_same_request_is_carried_out_once(
        self, shared: Service, what: str, body: Json
    ) -> None:
        author = shared.partner(*AUTHOR)
        case, _ = author.open(), author.open(external_id="into")
        path = f"/v1/cases/{case['id']}/{what}"
        headers = {"If-Match": '"1"', "Idempotency-Key": "k"}
        first, head = author.post(path, body, **headers), shared.head
        again = author.post(path, body, **headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert again.headers["idempotency-replayed"] == "true"
        assert shared.head == head

    def test_only_who_opened_it_or_a_reviewer(self, shared: Service, what: str, body: Json) -> None:
        author, other = shared.partner(*AUTHOR), shared.partner(*AUTHOR)
        case, into = author.open(), author.open()
        asked = {**body, "into": into["id"]} if "into" in body else body
        path, head = f"/v1/cases/{case['id']}/{what}", shared.head
        any_version = {"If-Match": "*"}
        problem(other.post(path, asked, **any_version), 403, "forbidden")
        problem(shared.partner("review").post(path, asked, **any_version), 403, "forbidden")
        absent = other.post(f"/v1/cases/{other.id}/{what}", asked, **any_version)
        problem(absent, 404, "not-found")
        assert shared.head == head
        change(shared.partner("events:write", "review"), case, what, asked)


# -- the subject ----------------------------------------------------------------------------------


class TestSubject:
    def test_it_is_told_anew_as_a_whole(self, service: Service) -> None:
        author, other = service.partner(*AUTHOR), service.partner()
        case = author.open(subject={"names": NAMES, "birth_year": 1990}, external_id="p")
        path = f"/v1/cases/{case['id']}"
        told = {**subject("Борис Снегирев"), "nationalities": ["RU"], "profile": ["activist"]}
        answer = author.post(f"{path}/subject", told, **{"If-Match": case and '"1"'})
        amended = answer.json()
        assert answer.status_code == 201
        assert (amended["type"], amended["subject"]) == ("subject.amended", told)
        read = author.get(path).json()
        assert (read["subject"], read["label"], read["version"]) == (told, "Борис Снегирев", 2)
        assert [c["id"] for c in items(author.get("/v1/cases", q="Snegirev"))] == [case["id"]]
        assert items(author.get("/v1/cases", q="Канарейкин")) == []
        # Others learn that something was told, and not what.
        assert "subject" not in other.get(f"/v1/events/{amended['id']}").json()
        for asked in (path, f"{path}/events", "/v1/events"):
            assert "Снегирев" not in other.get(asked).text
        wrapped = {"subject": subject("Вера Ласточкина"), "external_id": "s"}
        named = author.post("/v1/cases/ext:p/subject", wrapped, **{"If-Match": '"2"'})
        assert named.status_code == 201
        assert author.get("/v1/events/ext:s").json()["subject"] == wrapped["subject"]

    def test_duplicates_are_found_by_what_it_says_now(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open(subject=subject("Базуков Муслим"))

        def near(name: str) -> list[str]:
            found = author.open(subject=subject(name))["possible_duplicates"]
            return [d["id"] if isinstance(d, dict) else d for d in found]

        assert case["id"] in near("Бажуков Муслим")
        change(author, case, "subject", subject("Тимур Соколовский"))
        assert case["id"] in near("Timur Sokolovski")
        assert case["id"] not in near("Bazhukov Muslim")

    def test_a_public_name_is_amended_everywhere(self, service: Service) -> None:
        found = person(service, "name")
        changed = change(found.author, found.case, "subject", subject("Борис Снегирев"))
        feed = read_feed(service, language="ru")
        assert feed.tombstones.keys() == {found.event["id"]}
        assert list(feed.entries) == [changed["id"]]
        assert "Борис Снегирев" in feed.entries[changed["id"]].title
        (listed,) = items(service.get("/v1/cases"))
        assert listed["label"] == "Борис Снегирев"
        assert len(items(service.get("/v1/cases", q="снегирев"))) == 1
        assert "Канарейкин" not in found.public
        assert "Kanareykin" not in found.public
        check(service, "Канарейкин", "Kanareykin")

    @pytest.mark.parametrize("level", ["none", "count", "anonymous", "pseudonym"])
    def test_who_is_not_named_is_amended_unseen(self, service: Service, level: str) -> None:
        found = person(service, level)
        before = found.public
        change(found.author, found.case, "subject", subject("Борис Снегирев"))
        assert found.public == before
        check(service, "Снегирев", "Канарейкин")

    def test_a_text_that_names_the_person_as_known_now_is_taken_away(
        self, service: Service
    ) -> None:
        author = service.partner(*AUTHOR)
        case = author.open()
        author.tell(case, "wanted.removed")
        told = author.tell(case, "expulsion.executed", summary={"en": "Kanareykin was deported"})
        changed = change(author, case, "subject", {"names": NAMES})
        read = author.get(f"/v1/events/{told['id']}").json()
        assert (read["publication"], read["publication_reason"]) == ("withheld", "names_person")
        problem(service.get(f"/v1/events/{told['id']}"), 410, "withdrawn")
        assert "Kanareykin" not in read_public(service, case, events=(told,))
        assert read_feed(service).tombstones == {told["id"]: changed["recorded_at"]}
        assert headline(service, case) == "monitored"
        assert headline(author, case) == "deported"
        check(service, "Kanareykin")
        # Whoever agrees to be named is not hurt by it.
        change(author, case, "consent", consent("name"))
        assert headline(service, case) == "deported"
        change(author, case, "consent", consent("anonymous"))
        assert headline(service, case) == "monitored"
        check(service, "Kanareykin")
        change(author, case, "subject", subject("Борис Снегирев"))
        assert headline(service, case) == "deported"
        check(service, "Снегирев")

    @pytest.mark.parametrize(
        ("asked", "where"),
        [
            ({"names": [{"text": "x"}]}, ["/names/0/language"]),
            ({"names": [{"text": " ", "language": "ru", "kind": "primary"}]}, ["/names/0/text"]),
            ({"names": [{"text": "a\u0000", "language": "ru", "kind": "primary"}]},
             ["/names/0/text"]),
            ({"birth_year": 90}, ["/birth_year"]),
            ({"nationalities": ["RU", "XX"]}, ["/nationalities/1"]),
            ({"profile": ["Not a code"]}, ["/profile/0"]),
            ({"name": "x"}, ["/name"]),
        ],
    )  # fmt: skip
    def test_what_nobody_is_is_refused_where_it_stands(
        self, shared: Service, asked: Json, where: list[str]
    ) -> None:
        author = shared.partner(*AUTHOR)
        case, head = author.open(), shared.head
        path = f"/v1/cases/{case['id']}/subject"
        for body, expected in (
            (asked, where),
            ({"subject": asked}, [f"/subject{p}" for p in where]),
        ):
            answer = author.post(path, body, **{"If-Match": "*"})
            problem(answer, 422, "invalid-input")
            assert pointers(answer) == expected
        assert shared.head == head

    @pytest.mark.parametrize("wrapped", [False, True])
    def test_who_is_to_be_named_has_a_name(self, light: Service, wrapped: bool) -> None:
        author = light.partner(*AUTHOR)
        within = "/subject" if wrapped else ""
        for level, told, slug in (
            ("name", {"birth_year": 1990}, "invalid-input"),
            ("initials", {"names": []}, "invalid-input"),
            ("pseudonym", subject("Vostok Petrov"), "text-names-person"),
        ):
            case = author.open(consent=consent(level), subject={"names": NAMES})
            body = {"subject": told} if wrapped else told
            path = f"/v1/cases/{case['id']}/subject"
            answer = author.post(path, body, **{"If-Match": "*"})
            problem(answer, 422, slug)
            assert pointers(answer) == [f"{within}/names"]


# -- one person, several cases --------------------------------------------------------------------


class Pair:
    """Two cases of one person: `stays`, opened by one partner, and `goes`, opened by another."""

    def __init__(self, service: Service, *levels: str, **fields: Any) -> None:
        self.service = service
        self.first = service.partner(*AUTHOR, public_name="First desk")
        self.second = service.partner(*AUTHOR, public_name="Second desk")
        kept, gone = levels or ("anonymous", "anonymous")
        stays, goes = consent(kept), consent(gone)
        if kept == gone == "pseudonym":
            # Two, of one person: nothing may tell that they are.
            goes = consent(gone, pseudonym="Zapad eight")
        self.stays = self.first.open(consent=stays, external_id="a", persons=2, **fields)
        self.goes = self.second.open(consent=goes, external_id="b", persons=3, **fields)
        self.granted = self.first.tell(self.stays, "extradition.granted", "2025-05-01")
        self.removed = self.second.tell(self.goes, "expulsion.executed", "2025-06-01")

    @property
    def views(self) -> list[Service | Partner]:
        return [self.service, self.first, self.second]

    def merge(self, into: str | None = None) -> Json:
        return change(self.second, self.goes, "merges", {"into": into or self.stays["id"]})

    def unmerge(self, **body: str) -> Json:
        return change(self.second, self.goes, "unmerges", body)

    @property
    def public(self) -> str:
        events = (self.granted, self.removed)
        return read_public(self.service, self.stays, self.goes, events=events)


def go(asker: Service | Partner, path: str) -> httpx.Response:
    """Ask, and go nowhere else."""
    headers = asker.headers if isinstance(asker, Partner) else {}
    client = asker.service.client if isinstance(asker, Partner) else asker.client
    return client.get(path, headers=headers, follow_redirects=False)


class TestMerges:
    def test_the_case_that_went_leads_to_the_one_that_stays(self, service: Service) -> None:
        pair = Pair(service)
        merged = pair.merge()
        assert (merged["type"], merged["into"]) == ("identity.merged", pair.stays["id"])
        assert merged["case"] == pair.goes["id"]
        stays = f"https://cases.example/v1/cases/{pair.stays['id']}"
        feed = f"https://cases.example/feeds/cases/{pair.stays['code']}.atom"
        for asker in pair.views:
            names = [pair.goes["id"], pair.goes["code"]]
            names += [path_name("ext:b")] if asker is pair.second else []
            for name in names:
                for more in ("", "?lang=ru&as_of=2026-01-01", "/events", "/events?limit=1"):
                    answer = go(asker, f"/v1/cases/{name}{more}")
                    assert answer.status_code == 307, answer.text
                    assert answer.headers["location"] == stays + more
                    assert answer.headers["cache-control"] == "no-store"
                    assert "Authorization" in answer.headers["vary"]
                    assert answer.content == b""
            for wrong in ("limit=0", "cursor=!"):
                answer = go(asker, f"/v1/cases/{pair.goes['id']}/events?{wrong}")
                problem(answer, 422, "invalid-input")
            for more in ("", "?lang=kk"):
                answer = go(asker, f"/feeds/cases/{pair.goes['code']}.atom{more}")
                assert (answer.status_code, answer.headers["location"]) == (307, feed + more)
                assert answer.headers["cache-control"] == "no-store"
        answer = service.client.head(f"/v1/cases/{pair.goes['id']}", follow_redirects=False)
        assert answer.status_code == 307
        check(service)

    def test_it_is_one_person_from_now_on(self, service: Service) -> None:
        pair = Pair(service)
        for asker in pair.views:
            assert asker.get("/v1/statistics").json()["persons"] == 5
            assert len(items(asker.get("/v1/cases"))) == 2
        merged = pair.merge()
        for asker in pair.views:
            found = asker.get(f"/v1/cases/{pair.stays['id']}").json()
            assert found["status"]["headline"] == merged["status"]["headline"] == "deported"
            tracks = {name: track["state"] for name, track in found["status"]["tracks"].items()}
            assert tracks["extradition"] == "granted"
            assert tracks["movement"] == "deported"
            assert found["persons"] == 2
            numbers = asker.get("/v1/statistics").json()
            assert (numbers["cases"], numbers["persons"]) == (1, 2)
            assert (numbers["headline"]["deported"], numbers["returned"]["total"]) == (2, 2)
            then = asker.get("/v1/statistics", known_at=pair.removed["recorded_at"]).json()
            assert (then["cases"], then["persons"]) == (2, 5)
            listed = items(asker.get("/v1/cases"))
            assert [c["id"] for c in listed] == [pair.stays["id"]]
            assert items(asker.get("/v1/cases", headline="extradition_granted")) == []
            ids = [e["id"] for e in items(asker.get(f"/v1/cases/{pair.stays['id']}/events"))]
            told = [pair.granted["id"], pair.removed["id"]]
            # What was told of the case that went is told anew, and has an event of its own.
            assert list(dict.fromkeys(id for id in ids if id in told)) == told
            assert ids.count(pair.removed["id"]) == (2 if asker is service else 1)
            assert (merged["id"] in ids) == (asker is not service)
        assert pair.first.get(f"/v1/cases/{pair.stays['id']}").json()["merged"] == [
            {"id": pair.goes["id"], "code": pair.goes["code"]}
        ]
        shown = service.get(f"/v1/events/{pair.removed['id']}").json()
        assert shown["case"] == pair.stays["id"]
        assert pair.first.get(f"/v1/events/{pair.removed['id']}").json()["case"] == pair.goes["id"]
        feed = read_feed(service, f"/feeds/cases/{pair.stays['code']}.atom")
        assert feed.entries.keys() == {pair.granted["id"], pair.removed["id"], merged["id"]}
        # What was told of the case that went is told anew, of the one that stays.
        again = feed.entries[merged["id"]]
        assert again.in_reply_to == pair.removed["id"]
        assert again.title.startswith("Correction: ")
        assert pair.stays["code"] in again.title
        assert pair.goes["code"] in feed.entries[pair.removed["id"]].title
        recalls = read_feed(service, "/feeds/recalls.atom")
        assert (recalls.entries.keys(), recalls.tombstones) == ({merged["id"]}, {})
        assert service.get("/v1/events").json()["position"] == 3
        check(service)

    def test_what_is_posted_to_the_case_that_went_is_told_of_the_person(
        self, service: Service
    ) -> None:
        pair = Pair(service)
        merged = pair.merge()
        answer = pair.second.post(
            "/v1/cases/ext:b/events", claim("person.died", "2025-07"),
            **{"If-Match": f'"{merged["version"]}"'},
        )  # fmt: skip
        assert answer.status_code == 201
        told = answer.json()
        assert (told["case"], told["version"]) == (pair.goes["id"], merged["version"] + 1)
        assert told["status"]["headline"] == "died"
        appeal = claim("appeal.filed", against=pair.removed["id"])
        assert pair.second.tell(pair.goes, **appeal)["against"] == pair.removed["id"]
        fixed = act(pair.second, pair.removed, "retractions", {"reason": "false"})
        assert fixed["status"]["headline"] == "died"
        for asker in pair.views:
            assert headline(asker, pair.stays) == "died"
            tracks = asker.get(f"/v1/cases/{pair.stays['id']}").json()["status"]["tracks"]
            assert "movement" not in tracks
        assert service.get(f"/v1/events/{told['id']}").json()["case"] == pair.stays["id"]
        change(pair.second, pair.goes, "subject", subject("Борис Снегирев"))
        check(service)

    def test_a_merge_is_undone(self, service: Service) -> None:
        pair = Pair(service)
        before = pair.public
        merged = pair.merge()
        between = pair.second.tell(pair.goes, "wanted.removed", "2025-07")
        undone = pair.unmerge()
        assert (undone["type"], undone["apart_from"]) == ("identity.unmerged", pair.stays["id"])
        assert undone["status"]["headline"] == "deported"
        for asker in pair.views:
            assert headline(asker, pair.stays) == "extradition_granted"
            assert headline(asker, pair.goes) == "deported"
            assert asker.get("/v1/statistics").json()["persons"] == 5
            assert len(items(asker.get("/v1/cases"))) == 2
            known = {"known_at": merged["recorded_at"]}
            assert asker.get("/v1/statistics", **known).json()["persons"] == 2
        for case, ids in (
            (pair.stays, {pair.granted["id"]}), (pair.goes, {pair.removed["id"], between["id"]}),
        ):  # fmt: skip
            history = items(service.get(f"/v1/cases/{case['id']}/events"))
            assert {e["id"] for e in history} == ids
            assert all(e["case"] == case["id"] for e in history)
        feed = read_feed(service, f"/feeds/cases/{pair.stays['code']}.atom")
        assert (feed.entries.keys(), feed.tombstones) == ({pair.granted["id"]}, {})
        # What was told under the other's code was told of the wrong person.
        feed = read_feed(service, f"/feeds/cases/{pair.goes['code']}.atom")
        assert {e.in_reply_to for e in feed.entries.values()} == {merged["id"], between["id"]}
        assert feed.tombstones.keys() == {pair.removed["id"], merged["id"], between["id"]}
        assert pair.stays["code"] not in feed.text
        history = items(pair.first.get(f"/v1/cases/{pair.goes['id']}/events"))
        types = [e["type"] for e in history]
        assert types[2:] == ["identity.merged", "wanted.removed", "identity.unmerged"]
        act(pair.second, between, "retractions", {"reason": "false"})
        assert "identity." not in pair.public
        assert "identity." not in before
        check(service)

    def test_what_was_judged_before_is_replayed(self, service: Service) -> None:
        pair = Pair(service)
        merged = pair.merge()
        undone = pair.unmerge()
        for asker in (pair.first, pair.second):
            then = {"known_at": pair.removed["recorded_at"]}
            assert headline(asker, pair.stays, **then) == "extradition_granted"
            assert headline(asker, pair.goes, **then) == "deported"
            then = {"known_at": merged["recorded_at"]}
            assert headline(asker, pair.stays, **then) == "deported"
            answer = go(asker, f"/v1/cases/{pair.goes['id']}?known_at={merged['recorded_at']}")
            assert answer.status_code == 307
            then = {"known_at": undone["recorded_at"]}
            assert headline(asker, pair.goes, **then) == "deported"

    def test_lists_of_before_a_merge_hold_both_for_partners(self, service: Service) -> None:
        pair = Pair(service)
        then = {"known_at": pair.removed["recorded_at"]}
        askers = (pair.first, pair.second)
        before = [items(asker.get("/v1/cases", **then)) for asker in askers]
        pair.merge()
        assert [items(asker.get("/v1/cases", **then)) for asker in askers] == before
        assert [[c["id"] for c in listed] for listed in before] == [
            [pair.stays["id"], pair.goes["id"]]
        ] * 2
        pages = pair.first.get("/v1/cases", limit=1, **then)
        following = pair.first.get(pages.headers["link"].partition(">")[0][1:])
        assert [*items(pages), *items(following)] == before[0]
        assert items(pair.first.get("/v1/cases", host_state="KG", **then)) == []

    def test_for_the_public_the_past_stands_under_the_case_that_stays(
        self, service: Service
    ) -> None:
        """What was told of either is in its history, and in where it stood."""
        pair = Pair(service)
        pair.merge()
        then = {"known_at": pair.removed["recorded_at"]}
        events = items(service.get(f"/v1/cases/{pair.stays['id']}/events", **then))
        assert {e["id"] for e in events} == {pair.granted["id"], pair.removed["id"]}
        assert headline(service, pair.stays, **then) == "deported"
        listed = items(service.get("/v1/cases", **then))
        assert [c["status"]["headline"] for c in listed] == ["deported"]
        pair.unmerge()
        assert headline(service, pair.stays, **then) == "extradition_granted"
        assert headline(service, pair.goes, **then) == "deported"

    def test_several_cases_of_one_person_go_into_one(self, service: Service) -> None:
        pair = Pair(service)
        third = pair.first.open()
        died = pair.first.tell(third, "person.died", "2025-09")
        pair.merge()
        # Into a case that went is into the one that stays.
        into = change(pair.first, third, "merges", {"into": pair.goes["id"]})
        assert into["into"] == pair.stays["id"]
        for asker in pair.views:
            assert headline(asker, pair.stays) == "died"
            assert asker.get("/v1/statistics").json()["cases"] == 1
        fourth = pair.first.open()
        pair.first.tell(fourth, "wanted.removed")
        change(pair.first, pair.stays, "merges", {"into": fourth["id"]})
        for case in (pair.stays, pair.goes, third):
            for asker in pair.views:
                answer = go(asker, f"/v1/cases/{case['id']}")
                assert answer.status_code == 307
                assert answer.headers["location"].endswith(fourth["id"])
        assert headline(service, fourth) == "died"
        assert service.get(f"/v1/events/{died['id']}").json()["case"] == fourth["id"]
        change(pair.first, pair.stays, "unmerges", {})
        for asker in pair.views:
            assert headline(asker, fourth) == "monitored"
            assert headline(asker, pair.stays) == "died"
        check(service)

    def test_another_name_for_the_case_that_stays(self, light: Service) -> None:
        for name in ("id", "code", "external_id"):
            pair = Pair(light)
            change(pair.first, pair.goes, "merges", {
                "into": f"ext:{pair.stays[name]}" if name == "external_id" else pair.stays[name],
                "external_id": name,
            })  # fmt: skip
            assert pair.first.get(f"/v1/events/ext:{name}").json()["into"] == pair.stays["id"]

    def test_what_cannot_be_merged(self, light: Service) -> None:
        pair = Pair(light)
        third = pair.first.open()
        elsewhere = pair.first.open(host_state="KG")
        first, second = pair.first, pair.second
        stranger = light.partner(*AUTHOR)

        def refuse(
            by: Partner, case: Json, what: str, body: Json, status: int, slug: str, *where: str
        ) -> None:
            head = light.head
            answer = by.post(f"/v1/cases/{case['id']}/{what}", body, **{"If-Match": "*"})
            problem(answer, status, slug)
            assert pointers(answer) == list(where)
            assert light.head == head

        into = {"into": pair.stays["id"]}
        for name in (light.head, first.id, "ext:nothing", "ext:a", "KZ-0000-0000", "nothing"):
            refuse(second, pair.goes, "merges", {"into": str(name)}, 422, "invalid-input", "/into")
            away = {"from": str(name)}
            refuse(second, pair.goes, "unmerges", away, 422, "invalid-input", "/from")
        refuse(second, pair.goes, "merges", {}, 422, "invalid-input", "/into")
        refuse(second, pair.goes, "merges", {"into": pair.goes["id"]}, 409, "conflict")
        refuse(first, pair.stays, "merges", {"into": elsewhere["id"]}, 409, "conflict")
        refuse(stranger, pair.goes, "merges", into, 403, "forbidden")
        refuse(second, pair.goes, "unmerges", {}, 409, "conflict")
        refuse(
            second, pair.goes, "unmerges", {"from": pair.goes["id"]}, 422, "invalid-input", "/from"
        )
        pair.merge()
        refuse(second, pair.goes, "merges", {"into": third["id"]}, 409, "conflict")
        # Neither in a circle.
        refuse(first, pair.stays, "merges", {"into": pair.goes["id"]}, 409, "conflict")
        refuse(second, pair.goes, "unmerges", {"from": third["id"]}, 409, "conflict")
        refuse(stranger, pair.goes, "unmerges", {}, 403, "forbidden")
        change(light.partner("events:write", "review"), pair.goes, "unmerges", {})


class TestUnequalConsent:
    """The public does not learn under one name what was agreed to under another."""

    @pytest.mark.parametrize(
        "levels",
        [
            ("name", "anonymous"),
            ("anonymous", "name"),
            ("pseudonym", "initials"),
            ("pseudonym", "pseudonym"),
        ],
    )
    def test_the_case_that_went_is_gone_and_leads_nowhere(
        self, service: Service, levels: tuple[str, str]
    ) -> None:
        pair = Pair(service, *levels, subject={"names": NAMES})
        shown = service.get(f"/v1/cases/{pair.stays['id']}").json()
        merged = pair.merge()
        for name in (pair.goes["id"], pair.goes["code"]):
            for more in ("", "/events", "?lang=ru"):
                answer = go(service, f"/v1/cases/{name}{more}")
                problem(answer, 410, "withdrawn")
                assert "location" not in answer.headers
        # Whoever follows its feed learns that what they have was withdrawn, and no more.
        feed = read_feed(service, f"/feeds/cases/{pair.goes['code']}.atom")
        assert pair.removed["id"] in feed.tombstones
        assert pair.stays["code"] not in feed.text
        problem(service.get(f"/v1/events/{pair.removed['id']}"), 410, "withdrawn")
        read = pair.second.get(f"/v1/events/{pair.removed['id']}").json()
        assert (read["publication"], read["publication_reason"]) == ("withheld", "merged")
        # What stays is as if nothing had been.
        assert service.get(f"/v1/cases/{pair.stays['id']}").json() == shown
        for path in (f"/v1/cases/{pair.stays['id']}", f"/v1/cases/{pair.stays['id']}/events",
                     f"/feeds/cases/{pair.stays['code']}.atom"):  # fmt: skip
            said = service.get(path).text
            for id in (pair.goes["id"], pair.goes["code"], pair.removed["id"], merged["id"]):
                assert id not in said
        for path in (f"/v1/events/{pair.removed['id']}", "/v1/events?after=2"):
            assert pair.stays["id"] not in service.get(path).text
        feed = read_feed(service)
        assert feed.tombstones == {pair.removed["id"]: merged["recorded_at"]}
        gone = feed.entries[merged["id"]]
        assert gone.title == f"Withdrawn: {pair.goes['code']}"
        assert pair.stays["id"] not in str(gone.links)
        assert pair.stays["code"] not in str(gone)
        # Partners see one person, and the public counts one.
        for asker in (pair.first, pair.second):
            assert headline(asker, pair.stays) == "deported"
            assert go(asker, f"/v1/cases/{pair.goes['id']}").status_code == 307
            assert asker.get("/v1/statistics").json()["persons"] == 2
        assert service.get("/v1/statistics").json()["persons"] == 2
        assert count(service, "extradition_granted") == 2
        check(service)

    def test_once_it_is_equal_they_are_one(self, service: Service) -> None:
        pair = Pair(service, "anonymous", "pseudonym")
        merged = pair.merge()
        changed = change(pair.second, pair.goes, "consent", consent("anonymous"))
        assert changed["status"]["headline"] == "deported"
        assert headline(service, pair.stays) == "deported"
        answer = go(service, f"/v1/cases/{pair.goes['id']}")
        assert answer.status_code == 307
        assert answer.headers["location"].endswith(pair.stays["id"])
        feed = read_feed(service, f"/feeds/cases/{pair.stays['code']}.atom")
        assert changed["id"] in feed.entries
        assert pair.removed["id"] in feed.tombstones
        check(service)
        # And apart again, by the other's consent.
        change(pair.first, pair.stays, "consent", consent("count"))
        for case in (pair.stays, pair.goes):
            answer = go(service, f"/v1/cases/{case['id']}")
            problem(answer, 410, "withdrawn")
        assert count(service, "extradition_granted") == 2
        assert service.get("/v1/statistics").json()["cases"] == 1
        problem(service.get(f"/v1/events/{pair.granted['id']}"), 410, "withdrawn")
        assert merged["id"] not in service.get(f"/v1/cases/{pair.stays['id']}").text
        check(service, PSEUDONYM)

    def test_undone_it_is_shown_again(self, service: Service) -> None:
        pair = Pair(service, "anonymous", "name", subject={"names": NAMES})
        pair.merge()
        undone = pair.unmerge()
        assert headline(service, pair.goes) == "deported"
        assert headline(service, pair.stays) == "extradition_granted"
        feed = read_feed(service, f"/feeds/cases/{pair.goes['code']}.atom")
        assert undone["id"] in feed.entries
        assert service.get("/v1/statistics").json()["persons"] == 5
        check(service)

    def test_who_never_was_public_leads_nowhere_either(self, service: Service) -> None:
        for levels in (("anonymous", "none"), ("anonymous", "count"), ("none", "none")):
            pair = Pair(service, *levels)
            before = pair.public
            pair.merge()
            answer = go(service, f"/v1/cases/{pair.goes['id']}")
            problem(answer, 404, "not-found")
            assert pair.goes["id"] not in pair.public
            if levels[1] != "count":
                assert pair.public == before
        check(service)


class TestContradiction:
    """Somebody has said that it is another person: a second partner has to agree."""

    @pytest.fixture
    def pair(self, service: Service) -> Iterator[Pair]:
        pair = Pair(service)
        change(pair.first, pair.stays, "unmerges", {"from": pair.goes["id"]})
        yield pair
        check(service)

    def apart(self, pair: Pair) -> None:
        for asker in pair.views:
            assert headline(asker, pair.stays) == "extradition_granted"
            assert headline(asker, pair.goes) == "deported"
            assert asker.get("/v1/statistics").json()["persons"] == 5

    def test_it_waits_until_a_second_partner_approves(self, pair: Pair) -> None:
        before = pair.public
        merged = pair.merge()
        assert merged["publication"] == "awaiting_review"
        assert merged["status"]["headline"] == "deported"
        self.apart(pair)
        assert pair.public == before
        own = pair.service.partner("review", of=pair.second)
        head = pair.service.head
        refused = own.post(f"/v1/reviews/{merged['id']}", {"decision": "approve"})
        problem(refused, 409, "conflict")
        plain = pair.first.post(f"/v1/reviews/{merged['id']}", {"decision": "approve"})
        problem(plain, 403, "forbidden")
        assert pair.service.head == head
        self.apart(pair)
        approved = review(pair.service.partner("review"), merged)
        assert (approved["type"], approved["event"]) == ("publication.approved", merged["id"])
        for asker in pair.views:
            assert headline(asker, pair.stays) == "deported"
            assert asker.get("/v1/statistics").json()["persons"] == 2
            assert go(asker, f"/v1/cases/{pair.goes['id']}").status_code == 307
        answer = pair.second.post(f"/v1/cases/{pair.goes['id']}/merges", {
            "into": pair.stays["id"]}, **{"If-Match": "*"})  # fmt: skip
        problem(answer, 409, "conflict")

    def test_declined_it_stays_undone(self, pair: Pair) -> None:
        merged = pair.merge()
        reviewer = pair.service.partner("review")
        declined = review(reviewer, merged, "decline")
        assert (declined["type"], declined["event"]) == ("publication.declined", merged["id"])
        self.apart(pair)
        again = reviewer.post(f"/v1/reviews/{merged['id']}", {"decision": "approve"})
        problem(again, 409, "conflict")
        # It may be asked again.
        assert pair.merge()["publication"] == "awaiting_review"

    def test_not_the_same_said_again_ends_the_waiting(self, pair: Pair) -> None:
        merged = pair.merge()
        change(pair.first, pair.goes, "unmerges", {"from": pair.stays["id"]})
        answer = pair.service.partner("review").post(
            f"/v1/reviews/{merged['id']}", {"decision": "approve"}
        )
        problem(answer, 409, "conflict")
        self.apart(pair)

    def test_it_does_not_matter_in_which_of_the_two_it_was_said(self, pair: Pair) -> None:
        answer = change(pair.first, pair.stays, "merges", {"into": pair.goes["id"]})
        assert answer["publication"] == "awaiting_review"
        self.apart(pair)

    def test_an_undone_merge_is_remembered(self, service: Service) -> None:
        pair = Pair(service)
        pair.merge()
        pair.unmerge()
        assert pair.merge()["publication"] == "awaiting_review"
        self.apart(pair)

    def test_what_happened_while_it_waited_stands(self, pair: Pair) -> None:
        """Approved late, it is decided as things are then."""
        merged = pair.merge()
        third = pair.first.open()
        change(pair.first, pair.stays, "merges", {"into": third["id"]})
        review(pair.service.partner("review"), merged)
        for asker in (pair.first, pair.second):
            assert headline(asker, third) == "deported"
            for case in (pair.stays, pair.goes):
                answer = go(asker, f"/v1/cases/{case['id']}")
                assert answer.headers["location"].endswith(third["id"])

    def test_two_that_wait_make_no_circle(self, pair: Pair) -> None:
        one = pair.merge()
        other = change(pair.first, pair.stays, "merges", {"into": pair.goes["id"]})
        reviewer = pair.service.partner("review")
        review(reviewer, one)
        answer = reviewer.post(f"/v1/reviews/{other['id']}", {"decision": "approve"})
        assert answer.status_code in (201, 409)
        for asker in pair.views:
            assert headline(asker, pair.stays) == "deported"
            assert asker.get("/v1/statistics").json()["persons"] == 2
