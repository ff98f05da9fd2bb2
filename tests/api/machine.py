"""Partners at random: the steps of a state machine, each compared with the model in memory."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from caseflow.domain.times import format_time
from tests.checks import check_house, dump_table, list_tables

from .model import Effect, Refused
from .model_known import BASES, LEVELS, Case, Claim, Json, Key, RecordEvent
from .outputs import Sent, find_words, words_in
from .watch import LOG, SECOND, STATIC, WRITERS, Watch, World, check_fate

TYPES: Final[dict[str, Json]] = {
    "detention.apprehended": {"basis": "wanted"},
    "detention.released": {"condition": "none"},
    "extradition.granted": {},
    "asylum.claim_made": {},
    "asylum.refused": {"stage": "first_instance"},
    "expulsion.executed": {"destination": "RU"},
    "departure.left": {"destination": "IS", "form": "visa"},
    "detention.ill_treatment_reported": {},
    "interim.requested": {},
    # These two get more where they are made.
    "appeal.filed": {},
    "prosecution.charged": {},
    "extradition.refused": {},
}
MORE: Final = ("sources", "embargo", "abroad", "name", "after")
DAYS: Final = ("2025-05", "2025-05-10", "2025-06-20", "2025-06/2025-07", "2026-01~")

numbers = st.integers(0, 23)
writers = st.sampled_from(WRITERS)
mostly_current = st.sampled_from(["current", "current", "current", "current", "stale", "none"])
visibilities = st.sampled_from(["public", "public", "public", "partners", "restricted"])
levels = st.sampled_from(LEVELS)
bases = st.sampled_from(["own", "own", *BASES])
kinds = st.sampled_from(list(TYPES))
days = st.sampled_from(DAYS)
extras = st.sets(st.sampled_from(MORE), max_size=2)


Headers = dict[str, str]


class Machine(RuleBasedStateMachine):
    """Partners at random. `open_settings`: yields the settings of an empty house."""

    open_settings: ClassVar[Callable[[Path, str], Any]]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()

    @initialize(
        review=st.sampled_from(["scope", "scope", "scope", "two_person"]),
        first=levels,
        second=st.sampled_from(["anonymous", "name", "count", "pseudonym"]),
    )
    def begin(self, review: str, first: str, second: str) -> None:
        """Open a house with two cases, and a claim about each."""
        folder = Path(self.stack.enter_context(TemporaryDirectory()))
        found = self.stack.enter_context(type(self).open_settings(folder, review))
        self.world = World(self.stack, found)
        self.model = self.world.model
        self.watch = Watch(self.world)
        # What was posted under an own name and may be posted again: key, path, body, id.
        self.posted: list[tuple[str, str, Json, dict[str, str], Sent]] = []
        self.open_case("author", first, "own", False)
        self.open_case("phone", second, "own", False)
        self.tell("author", 0, "extradition.granted", "2025-05-10", "public", set())
        self.tell("author", 1, "expulsion.executed", "2025-05", "public", set())
        self.watch.times = [self.world.now]

    def teardown(self) -> None:
        """Look at everything a last time, as each partner, and let the house go."""
        try:
            if hasattr(self, "watch"):
                self._finish()
        finally:
            self.stack.close()

    def _finish(self) -> None:
        for key in self.world.keys.values():
            for claim in self.model.claims:
                if self.model.reads(key, claim):
                    sent = self.world.asker.look([f"/v1/events/{claim.id}"], key.secret)
                    check_fate(next(iter(sent.values())).json(), self.model, claim)
        assert self.world.asker.look(STATIC) == self.watch.static
        check_house(self.world.house)
        self._check_tables()

    def _check_tables(self) -> None:
        """Assert that no public table holds a word that is not public."""
        allowed = words_in(self.model.public_words())
        # Those who are to be counted are so under a name that is public, though nobody sees it.
        allowed |= words_in(key.author for key in self.world.keys.values())
        with self.world.house.read() as connection:
            for name in list_tables(connection):
                found = find_words(dump_table(connection, name))
                assert not name.startswith("public_") or not found - allowed, (name, found)

    # -- what a step is made of -------------------------------------------------------------------

    def _key(self, who: str) -> Key:
        return self.world.keys[who]

    def _case(self, number: int) -> Case:
        cases = list(self.model.cases.values())
        return cases[number % len(cases)]

    def _claim(self, number: int) -> Claim:
        claims = list(self.model.claims)
        return claims[-1 - number % len(claims)]

    def _own(self, who: str, number: int) -> Claim:
        """Return a claim, the partner's own for most numbers."""
        own = [c for c in self.model.claims if c.owner == self._key(who).partner and c.in_force]
        return own[-1 - number % len(own)] if own and number % 4 else self._claim(number)

    def _step(
        self,
        who: str,
        path: str,
        body: Json,
        plan: Callable[[Key], Effect | None],
        *,
        key: Key | None = None,
        expects: Headers | None = None,
    ) -> Sent:
        """Post, compare the answer with what the model says of it, and look at everything."""
        self.world.tick()
        key = key or self._key(who)
        headers = {"idempotency_key": self.world.words(), **(expects or {})}
        try:
            effect, status = plan(key), 201
        except Refused as refused:
            effect, status = None, refused.status
        sent = self.world.post(key, path, body, **headers)
        assert sent.status == status, (path, body, sent)
        event_ids = []
        if status == 201:
            told = sent.json()
            event_ids = [told["id"]]
            if effect is not None:
                effect(told["id"])
            else:
                self.model.opened(key, body, told)
            self._check_answer(key, told)
            self.posted.append((who, path, body, headers, sent))
            # Its own words, even of what it may not read from now on.
            allowed = words_in([*self.model.words_for(key), body])
            assert not (found := find_words(sent.said) - allowed), (path, found, sent)
        self.watch.check(event_ids)
        return sent

    def _check_answer(self, key: Key, told: Json) -> None:
        claim = self.model.find_claim(told["id"])
        case = self.model.cases[told.get("case") or told["id"]]
        assert told["version"] == case.version
        status = self.model.status_for(key, self.model.main_of(case))
        assert told["status"]["headline"] == status.headline
        if claim is not None:
            check_fate(told, self.model, claim)
        elif "code" not in told:
            waits = told["id"] in case.waiting or any(
                j.event == told["id"] and j.held
                for c in case.claims.values()
                for j in c.judgements.values()
            )
            assert told["publication"] == ("awaiting_review" if waits else "withheld")

    def _version(self, case: Case, mode: str) -> tuple[int | None, dict[str, str]]:
        """Return the version that a request expects, and the header that says so."""
        version = {"current": case.version, "stale": case.version + 1, "none": None}[mode]
        return version, {} if version is None else {"if_match": f'"{version}"'}

    def _names(self) -> list[Json]:
        text = f"{self.world.words()} {self.world.words()}".title()
        passport = self.world.words().title()
        return [
            {"text": text, "language": "ru", "kind": "primary"},
            {"text": passport, "language": "en", "kind": "passport"},
        ]

    def _consent(self, level: str, basis: str, share: bool) -> Json:
        return {
            "publish": level,
            "basis": basis,
            "share": share,
            "pseudonym": self.world.words(),
        }

    def _said(self, case: Case, kind: str, occurred: str, visibility: str, more: set[str]) -> Json:
        """Return a claim with a word of its own in each text."""
        words, claims = self.world.words, list(case.claims)
        if kind == "appeal.filed" and not claims:
            kind = "prosecution.charged"
        said: Json = {
            "type": kind,
            "occurred": occurred,
            **TYPES[kind],
            "visibility": visibility,
            "place": words(),
            "authority": words(),
            "summary": {"en": words(), "ru": words()},
            "private_note": words(),
            "external_id": words(),
        }
        if kind == "appeal.filed":
            said |= {"against": claims[len(more) % len(claims)], "forum": words()}
        if kind == "prosecution.charged":
            said["accusation"] = words()
        if kind == "extradition.refused":
            said["ground"] = words()
        if "sources" in more:
            url = f"https://example.org/{words()}"
            said["sources"] = [{"title": words(), "publisher": words(), "url": url}]
        if "embargo" in more:
            said["publish_after"] = format_time(self.world.now + 40 * SECOND)
        if "abroad" in more:
            said["jurisdiction"] = "IS"
        if "name" in more:
            # Of the person, or of another who may come to be the same.
            persons = [case, self._case(self.world.words.count)]
            called = [name for person in persons for name in person.names]
            said["summary"]["en"] += "".join(f" {n['text'].split()[0]}" for n in called[-2:-1])
        if "after" in more and claims:
            said["after"] = claims[-1]
        return said

    # -- cases and claims -------------------------------------------------------------------------

    @rule(who=writers, level=levels, basis=bases, share=st.booleans())
    @precondition(lambda self: len(self.model.cases) < 5)
    def open_case(self, who: str, level: str, basis: str, share: bool) -> None:
        body = {
            "host_state": "KZ",
            "origin_state": "RU",
            # Of a sum of them it can be told which cases are in it.
            "persons": 1 << len(self.model.cases),
            "subject": {"names": self._names()},
            "consent": self._consent(level, basis, share),
            "external_id": self.world.words(),
        }
        self._step(who, "/v1/cases", body, lambda key: self.model.open_case(key, body))

    @rule(
        who=writers, case=numbers, kind=kinds, occurred=days, visibility=visibilities, more=extras
    )
    def tell(
        self, who: str, case: int, kind: str, occurred: str, visibility: str, more: set[str]
    ) -> None:
        about = self._case(case)
        said = self._said(about, kind, occurred, visibility, more)
        # Half of the time under the partner's own name for the case.
        named = about.external_id and about.opener == self._key(who).partner and case % 2
        name = f"ext%3A{about.external_id}" if named else about.id
        self._step(
            who, f"/v1/cases/{name}/events", said, lambda key: self.model.tell(key, about.id, said)
        )

    @rule(case=numbers, kind=kinds, occurred=days)
    def publish(self, case: int, kind: str, occurred: str) -> None:
        """Tell what is public at once, as most claims are."""
        self.tell("author", case, kind, occurred, "public", set())

    @rule(
        who=writers, claim=numbers, kind=kinds, occurred=days, visibility=visibilities, more=extras,
        reason=st.sampled_from(["typo", "new_evidence", "wrong_person", "translation"]),
    )  # fmt: skip
    def correct(
        self, who: str, claim: int, kind: str, occurred: str, visibility: str, more: set[str],
        reason: str,
    ) -> None:  # fmt: skip
        before = self._own(who, claim)
        said = self._said(
            self.model.cases[before.case], kind, occurred, visibility, more - {"after"}
        )
        self._step(
            who,
            f"/v1/events/{before.id}/corrections",
            {"reason": reason, "claim": said},
            lambda key: self.model.correct(key, before.id, said, reason),
        )

    @rule(
        who=writers,
        claim=numbers,
        reason=st.sampled_from(["false", "wrong_person", "unsafe", "source_withdrew", "duplicate"]),
    )
    def retract(self, who: str, claim: int, reason: str) -> None:
        told = self._own(who, claim)
        body = {"reason": reason, "note": self.world.words(), "external_id": self.world.words()}
        self._step(
            who,
            f"/v1/events/{told.id}/retractions",
            body,
            lambda key: self.model.retract(key, told.id, body),
        )

    @rule(who=writers, claim=numbers, disputes=st.booleans(), against=st.booleans())
    def judge(self, who: str, claim: int, disputes: bool, against: bool) -> None:
        told = self._claim(claim)
        body: Json = {"external_id": self.world.words()}
        if disputes:
            body |= {"reason": self.world.words(), "rank_against": against}
        else:
            body["note"] = self.world.words()
        self._step(
            who,
            f"/v1/events/{told.id}/{'disputes' if disputes else 'corroborations'}",
            body,
            lambda key: self.model.judge(key, told.id, body, disputes=disputes),
        )

    @rule(who=writers, claim=numbers, visibility=visibilities)
    def change_visibility(self, who: str, claim: int, visibility: str) -> None:
        told = self._own(who, claim)
        body = {"visibility": visibility, "external_id": self.world.words()}
        self._step(
            who,
            f"/v1/events/{told.id}/visibility",
            body,
            lambda key: self.model.change_visibility(key, told.id, body),
        )

    # -- the person -------------------------------------------------------------------------------

    @rule(
        who=writers, case=numbers, level=levels, basis=bases, share=st.booleans(),
        version=mostly_current, same=st.booleans(),
    )  # fmt: skip
    def change_consent(
        self, who: str, case: int, level: str, basis: str, share: bool, version: str, same: bool
    ) -> None:
        about = self._case(case)
        consent = self._consent(level, basis, share)
        if same and about.consent.get("pseudonym"):
            consent["pseudonym"] = about.consent["pseudonym"]
        expected, headers = self._version(about, version)
        body = {"consent": consent, "external_id": self.world.words()}
        self._step(
            who,
            f"/v1/cases/{about.id}/consent",
            body,
            lambda key: self.model.change_consent(key, about.id, consent, body, expected),
            expects=headers,
        )

    @rule(who=writers, case=numbers, version=mostly_current, nobody=st.booleans())
    def amend_subject(self, who: str, case: int, version: str, nobody: bool) -> None:
        about = self._case(case)
        names = [] if nobody and case % 2 else self._names()
        expected, headers = self._version(about, version)
        body = {"subject": {"names": names}, "external_id": self.world.words()}
        self._step(
            who,
            f"/v1/cases/{about.id}/subject",
            body,
            lambda key: self.model.amend_subject(key, about.id, names, body, expected),
            expects=headers,
        )

    @rule(who=writers, case=numbers, into=numbers, version=mostly_current)
    def merge(self, who: str, case: int, into: int, version: str) -> None:
        about, other = self._case(case), self._case(into)
        expected, headers = self._version(about, version)
        body = {"into": other.id, "external_id": self.world.words()}
        self._step(
            who,
            f"/v1/cases/{about.id}/merges",
            body,
            lambda key: self.model.merge(key, about.id, other.id, body, expected),
            expects=headers,
        )

    @rule(who=writers, case=numbers, other=st.one_of(st.none(), numbers))
    def unmerge(self, who: str, case: int, other: int | None) -> None:
        gone = [c for c in self.model.cases.values() if c.into is not None]
        about = gone[case % len(gone)] if gone and case % 4 else self._case(case)
        named = self._case(other).id if other is not None else None
        body: Json = {"external_id": self.world.words()}
        if named is not None:
            body["from"] = named
        self._step(
            who,
            f"/v1/cases/{about.id}/unmerges",
            body,
            lambda key: self.model.unmerge(key, about.id, named, body),
        )

    # -- reviews, embargoes, the emergency stop ---------------------------------------------------

    @rule(
        who=st.sampled_from(["reviewer", "lawyer", "lawyer", "author"]),
        number=numbers,
        decision=st.sampled_from(["approve", "approve", "decline"]),
    )
    def review(self, who: str, number: int, decision: str) -> None:
        waiting = self._waiting()
        event_id = (
            waiting[number % len(waiting)] if waiting and number % 6 else self._claim(number).id
        )
        body = {
            "decision": decision,
            "note": self.world.words(),
            "external_id": self.world.words(),
        }
        self._step(
            who,
            f"/v1/reviews/{event_id}",
            body,
            lambda key: self.model.review(key, event_id, body),
        )

    def _waiting(self) -> list[str]:
        found = [e for case in self.model.cases.values() for e in case.waiting]
        for claim in self.model.claims:
            found += [claim.id] if claim.held and claim.in_force else []
            found += [j.event for j in claim.judgements.values() if j.held]
        return found

    @rule(seconds=st.sampled_from([1, 60]))
    @precondition(lambda self: any(claim.embargoed for claim in self.model.claims))
    def wait(self, seconds: int) -> None:
        """Let time go by, and what is due become public: by an event, not by the clock."""
        self.world.tick(seconds)
        self.watch.check([])
        head = self._head()
        due = self.model.release_due()
        assert self.world.house.release_due() == len(due)
        self.watch.check([event["id"] for event in self._note_releases(head)])

    def _head(self) -> int:
        return int(self._look(f"/v1/events?after={10**9}").get("position", 0))

    def _look(self, address: str) -> Json:
        key = self._key("auditor")
        return dict(self.world.asker.look([address], key.secret)[address].json())

    def _note_releases(self, head: int) -> list[Json]:
        found = [e for e in self._look(LOG)["items"] if e["type"] == "publication.released"]
        known = {event.id for event in self.model.records}
        new = [event for event in found if event["id"] not in known]
        for event in new:
            by, about = event["partner"], event["claim"]
            self.model.records.append(RecordEvent(event["id"], event["case"], by, about, {}))
        return new

    @rule()
    def freeze_or_resume(self) -> None:
        self.world.tick()
        self.model.frozen = not self.model.frozen
        assert self.world.house.cases.freeze(self.model.frozen).result() is not None
        self.watch.check([])

    # -- keys, repetitions, refusals --------------------------------------------------------------

    @rule(who=writers, case=numbers)
    def revoke(self, who: str, case: int) -> None:
        """A key that was revoked does nothing any more; what it posted stays."""
        old = self._key(who)
        self.world.revoke(who)
        about = self._case(case)
        said = self._said(about, "extradition.granted", "2025-05", "public", set())
        path = f"/v1/cases/{about.id}/events"
        self._step(who, path, said, lambda key: self.model.tell(key, about.id, said), key=old)
        sent = self.world.asker.look([f"/v1/cases/{about.id}"], old.secret)
        assert {answer.status for answer in sent.values()} == {401}

    @rule(number=numbers)
    @precondition(lambda self: self.posted)
    def repeat(self, number: int) -> None:
        """The same again, after a lost answer, is answered as the first time and does nothing."""
        who, path, body, headers, first = self.posted[-1 - number % len(self.posted)]
        self.world.tick()
        sent = self.world.post(self._key(who), path, body, **headers)
        assert (sent.status, sent.header("idempotency-replayed")) == (first.status, "true")
        told, before = sent.json(), first.json()
        told.pop("possible_duplicates", None)
        before.pop("possible_duplicates", None)
        assert told == before
        self.watch.check([])

    @rule(number=numbers, other=st.booleans())
    @precondition(lambda self: self.posted)
    def repeat_without_key(self, number: int, other: bool) -> None:
        """Under the same own name the same is answered 200, and something else refused."""
        who, path, body, headers, first = self.posted[-1 - number % len(self.posted)]
        if "type" not in body or "external_id" not in body:
            return
        self.world.tick()
        again = {**body, "place": self.world.words()} if other else body
        sent = self.world.post(self._key(who), path, again)
        assert sent.status == (409 if other else 200)
        if not other:
            assert sent.json()["id"] == first.json()["id"]
        reused = {**body, "occurred": "1999"}
        assert self.world.post(self._key(who), path, reused, **headers).status == 422
        self.watch.check([])

    @rule(who=writers, case=numbers)
    def be_refused(self, who: str, case: int) -> None:
        """What cannot be read or accepted is refused; no word of it comes back."""
        about, key, word = self._case(case), self._key(who), self.world.words
        path = f"/v1/cases/{about.id}/events"
        good = self._said(about, "extradition.granted", "2025-05", "public", set())
        wrong: list[tuple[str, Any, int]] = [
            (path, {**good, "unheard": word()}, 422),
            (path, {**good, "occurred": word()}, 422),
            (path, {**good, "type": word()}, 422),
            (path, {**good, "visibility": word()}, 422),
            (path, {**good, "publish_after": word()}, 422),
            (path, {**good, "after": word()}, 422),
            (path, {**good, "place": f"{word()}\x00"}, 422),
            (path, {**good, "sources": [{"publisher": word()}]}, 422),
            (path, f'{{"type": "{word()}"'.encode(), 400),
            (f"/v1/cases/{word()}/events", good, 404),
            (f"/v1/cases/ext%3A{word()}/events", good, 404),
            (f"/v1/cases/{about.id}/{word()}", good, 404),
            ("/v1/cases", {"host_state": word(), "consent": {"publish": word()}}, 422),
        ]
        for where, body, status in wrong:
            sent = self.world.post(key, where, body, idempotency_key=word())
            assert sent.status == status, (where, body, sent)
        plain = self.world.post(key, path, word().encode(), content_type="text/plain")
        unknown = self.world.post(key, path, good, authorization=f"Bearer cfk_{word()}")
        stale = self.world.post(key, path, good, if_match=f'"{about.version + 5}"')
        assert (plain.status, unknown.status, stale.status) == (415, 401, 412)
        self.watch.check([])
