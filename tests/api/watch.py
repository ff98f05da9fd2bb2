"""A house that partners write to, and a look at all that the public and a stranger get of it.

After every step everything that the public can get is looked through for words, ids and codes that
it may not know, and compared with the model; after a step that the public must not notice, every
byte is what it was.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random
from typing import Any, Final
from unittest import mock
from uuid import UUID, uuid4

from litestar.testing import TestClient

from caseflow import bootstrap
from caseflow.api.app import create_app
from caseflow.bootstrap import open_house
from caseflow.domain.times import format_time, parse_time
from caseflow.eventstore.partners import add_partner, issue_key, revoke_key
from caseflow.serving import make_services
from caseflow.settings import Settings
from tests.houses import Clock

from .model import Model
from .model_known import LANGUAGES, Case, Claim, Json, Key, Row, Words
from .outputs import (
    Allowed,
    Asker,
    LogKeeper,
    Sent,
    all_logged,
    bare,
    differences,
    find_words,
    words_in,
)

NAME: Final = "Test record"
BASE: Final = "https://cases.example"
SECOND: Final = 1_000_000
START: Final = "2026-03-01T09:00:00Z"

# -- the world ------------------------------------------------------------------------------------

SCOPES: Final = {
    "author": ("events:write", "events:publish"),
    "phone": ("events:write",),
    "reviewer": ("events:write", "events:publish", "review"),
    "lawyer": ("events:write", "review", "restricted:read"),
    # Looks on: reads what any key may.
    "stranger": ("events:write",),
    "auditor": ("restricted:read", "audit:read"),
}
NAMED: Final = ("author", "reviewer")
WRITERS: Final = ("author", "phone", "reviewer", "lawyer")


class World:
    """A house that partners write to over HTTP, beside the model of it."""

    def __init__(self, stack: ExitStack, settings: Settings) -> None:
        random = Random(7)
        self.clock = Clock(START)
        stack.enter_context(mock.patch.object(bootstrap, "EMBARGO_SECONDS", 1e6))
        self.logs: LogKeeper = stack.enter_context(all_logged())

        def new_id() -> UUID:
            return UUID(int=random.getrandbits(128), version=4)

        self.house = stack.enter_context(open_house(settings, clock=self.clock, new_id=new_id))
        client = stack.enter_context(TestClient(create_app(make_services(self.house))))
        self.asker = Asker(client)
        self.words = Words()
        self.now = parse_time(START)
        self.model = Model(two_person=settings.review == "two_person", now=self.now)
        self.keys = {who: self._new_partner(who) for who in SCOPES}
        self.old_keys: list[Key] = []

    # -- partners ---------------------------------------------------------------------------------

    def _new_partner(self, who: str) -> Key:
        partner_id = uuid4()
        public_name = self.words() if who in NAMED else None
        with self.house.write() as connection:
            add_partner(
                connection,
                partner_id=partner_id,
                name=self.words(),
                public_name=public_name,
                at=self.now,
            )
        return self._issue(str(partner_id), public_name, SCOPES[who])

    def _issue(self, partner: str, public_name: str | None, scopes: tuple[str, ...]) -> Key:
        key_id = uuid4()
        with self.house.write() as connection:
            secret = issue_key(
                connection,
                key_id=key_id,
                partner_id=UUID(partner),
                scopes=scopes,
                at=self.now,
            )
        return Key(partner, public_name, frozenset(scopes), secret, str(key_id))

    def revoke(self, who: str) -> None:
        """Revoke a partner's key and give it another."""
        old = self.keys[who]
        with self.house.write() as connection:
            revoke_key(connection, UUID(old.id), self.now)
        old.revoked = True
        self.old_keys.append(old)
        self.keys[who] = self._issue(old.partner, old.author, SCOPES[who])
        # What a process knows of a key is behind by a second at most.
        self.tick(2)

    def tick(self, seconds: int = 1) -> None:
        self.now += seconds * SECOND
        self.model.now = self.now
        self.clock.set(format_time(self.now))

    # -- asking -----------------------------------------------------------------------------------

    def post(self, key: Key, path: str, body: Any, **headers: str) -> Sent:
        told = {"content-type": "application/json", "authorization": f"Bearer {key.secret}"}
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = self.asker.ask("POST", path, content, told | more)
        assert sent.status < 500, (path, sent)
        if sent.status >= 400:
            assert not find_words(sent.said), (path, sent)
        return sent


# -- what is looked at ----------------------------------------------------------------------------

UNKNOWN: Final = str(UUID(int=1))
STATIC: Final = (
    "/v1", "/", "/cases", "/statistics", "/healthz", "/v1/vocabulary", "/schema/openapi.json",
    "/schema", "/problems/not-found",
    "/v1/audit/reads", f"/v1/events/{UNKNOWN}/preview", "/nothing",
)  # fmt: skip
LOG: Final = "/v1/events?after=0&limit=500"
CHANGES: Final = "/v1/statistics/changes?limit=500"
AS_OF: Final = "2025-06-15"


class Watch:
    """Looks at all that the public and a stranger can get, and compares it with the model."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.model = world.model
        # Replays are of these times.
        self.times: list[int] = []
        self.before: dict[str, Sent] = {}
        self.view = ""
        self.static = world.asker.look(STATIC)
        Allowed(set(), None, None).check(self.static, "public")

    def check(self, event_ids: list[str]) -> None:
        """Compare everything after a step; event_ids: of the events that it recorded."""
        self.model.settle(event_ids)
        seen = self.world.asker.look(self._addresses())
        self._check_log(seen[LOG])
        self._check_words(seen)
        self._check_cases(seen)
        self._check_events(seen)
        self._check_numbers(seen)
        self._check_feeds(seen)
        self._check_unchanged(seen)
        self._check_probes()
        self._check_stranger()
        allowed = words_in(self.model.public_words())
        assert not (found := find_words(self.world.logs.said)), found & allowed or found
        self.world.logs.lines.clear()

    # -- the public -------------------------------------------------------------------------------

    def _addresses(self) -> list[str]:
        # Signatures come a moment after what they sign, and `/readyz` tells of them.
        found = [LOG, CHANGES, "/v1/statistics", "/v1/statistics?host_state=KZ"]
        found += [f"/v1/statistics?as_of={AS_OF}", f"/v1/cases?as_of={AS_OF}"]
        found += [f"/v1/cases/{UNKNOWN}", f"/v1/events/{UNKNOWN}", f"/v1/cases/{UNKNOWN}/events"]
        found += ["/feeds/cases/KZ-0000-0000.atom", "/v1/cases/KZ-0000-0000"]
        for language in LANGUAGES:
            found += [f"/v1/cases?lang={language}", f"/feeds/all.atom?lang={language}"]
        found += ["/feeds/all.json", f"/feeds/all.json?as_of={AS_OF}"]
        for feed in ("recalls", "states/KZ", "types/extradition.granted", "headlines/monitored"):
            found += [f"/feeds/{feed}.atom", f"/feeds/{feed}.json", f"/feeds/{feed}/archive/1.json"]
        for at in self.times:
            found += [f"/v1/statistics?known_at={format_time(at)}"]
            found += [f"/v1/cases?known_at={format_time(at)}"]
            found += [f"/feeds/all.json?known_at={format_time(at)}"]
        for number, case in enumerate(self.model.cases.values()):
            found += self._addresses_of(case, LANGUAGES[number % 3])
        found += [f"/v1/events/{claim.id}" for claim in self.model.claims]
        return found + [f"/v1/events/{event.id}" for event in self.model.records]

    def _addresses_of(self, case: Case, language: str) -> Iterator[str]:
        yield f"/cases/{case.code}?lang={language}"
        yield f"/feeds/cases/{case.code}.atom?lang={language}"
        yield f"/feeds/cases/{case.code}.json?lang={language}"
        for name in (case.id, case.code):
            yield f"/v1/cases/{name}?lang={language}"
        yield f"/v1/cases/{case.id}/events?limit=500"
        for at in self.times:
            yield f"/v1/cases/{case.id}?known_at={format_time(at)}"
            yield f"/v1/cases/{case.id}/events?known_at={format_time(at)}"

    def _check_log(self, sent: Sent) -> None:
        """Assert that the public changes are those of the model, word for word."""
        items, rows = sent.json()["items"], self.model.rows
        placed = [row.position for row in rows if row.position]
        new = {(row.claim.id, row.kind): row for row in rows if not row.position}
        for item in items[len(placed) :]:
            row = new.pop((item["id"], item["kind"]), None)
            if row is None and item["kind"] == "corrected" and self.model.forgot:
                row = self.model.tell_again(item["id"])
            assert row is not None, f"the public sees {item}"
            row.position = item["position"]
        assert not new, f"the public does not see {list(new)}"
        by_position = sorted(rows, key=lambda row: row.position)
        for item, row in zip(items, by_position, strict=True):
            if self.model.forgot and item["state"] == "withdrawn" and not row.withdrawn:
                self.model.silence(row)
            assert item == self.model.render_row(row, NAME)
        assert [item["position"] for item in items] == list(range(1, len(rows) + 1))

    def _check_words(self, seen: dict[str, Sent]) -> None:
        ids = {UNKNOWN, *self.model.public_events}
        codes = {"KZ-0000-0000"}
        for row in self.model.rows:
            ids |= {row.claim.id, row.claim.case}
        for case in self.model.cases.values():
            if self.model.public_answer(case)[0] != 404:
                ids.add(case.id)
                codes.add(case.code)
        words = words_in(self.model.public_words())
        Allowed(words, bare(ids), codes).check(seen, "public")

    def _check_cases(self, seen: dict[str, Sent]) -> None:
        model = self.model
        public = {case.id: case for case in model.cases.values() if model.is_public(case)}
        for language in LANGUAGES:
            items = seen[f"/v1/cases?lang={language}"].json()["items"]
            assert {item["id"] for item in items} == set(public)
            for item in items:
                self._check_case(item, public[item["id"]], language)
        for number, case in enumerate(model.cases.values()):
            self._check_addresses(seen, case, LANGUAGES[number % 3])

    def _check_case(self, item: Json, case: Case, language: str) -> None:
        model = self.model
        rows = [r for r in model.rows if model.shown_under(model.cases[r.claim.case]) is case]
        status = model.public_status(case)
        assert item == {
            **item,
            "code": case.code,
            "label": model.label(case, language),
            "host_state": case.host,
            "origin_state": case.origin,
            "persons": case.persons,
            "version": len(rows),
            "position": max(row.position for row in rows),
            "updated_at": max(row.at for row in rows),
        }
        assert item["status"]["headline"] == status.headline
        assert item["status"]["at_risk"] == status.at_risk
        states = {track: found["state"] for track, found in item["status"]["tracks"].items()}
        assert states == {track: found.state for track, found in status.tracks.items()}
        disputed = [found["track"] for found in item["status"]["disputed"]]
        assert disputed == [found.track for found in status.disputed]

    def _check_addresses(self, seen: dict[str, Sent], case: Case, language: str) -> None:
        status, other = self.model.public_answer(case)
        unknown = {
            f"/v1/cases/{case.id}?lang={language}": (f"/v1/cases/{UNKNOWN}", "/v1/cases/{}"),
            f"/v1/cases/{case.code}?lang={language}": (f"/v1/cases/{UNKNOWN}", "/v1/cases/{}"),
            f"/v1/cases/{case.id}/events?limit=500": (
                f"/v1/cases/{UNKNOWN}/events",
                "/v1/cases/{}/events",
            ),
            f"/feeds/cases/{case.code}.atom?lang={language}": (
                "/feeds/cases/KZ-0000-0000.atom",
                "/feeds/cases/{}.atom",
            ),
        }
        for address, (absent, elsewhere) in unknown.items():
            sent = seen[address]
            # Whoever follows a case is told there that it was withdrawn.
            wanted = 200 if status == 410 and address.startswith("/feeds") else status
            assert sent.status == wanted, (address, status, sent)
            if sent.status == 404:
                assert sent == seen[absent], address
            if status == 307 and other is not None:
                name = other.code if address.startswith("/feeds") else other.id
                query = address.partition("?")[2]
                assert sent.header("location") == f"{BASE}{elsewhere.format(name)}?{query}"
        if status == 200:
            self._check_history(seen[f"/v1/cases/{case.id}/events?limit=500"], case)

    def _check_history(self, sent: Sent, case: Case) -> None:
        model = self.model
        told = [
            model.render_row(row, NAME)
            for row in sorted(model.rows, key=lambda row: row.position)
            if row.kind != "withdrawn" and model.shown_under(model.cases[row.claim.case]) is case
        ]
        assert sent.json()["items"] == told

    def _check_events(self, seen: dict[str, Sent]) -> None:
        last = {row.claim.id: row for row in sorted(self.model.rows, key=lambda r: r.position)}
        absent = seen[f"/v1/events/{UNKNOWN}"]
        assert absent.status == 404
        ids = [claim.id for claim in self.model.claims] + [r.id for r in self.model.records]
        for event_id in ids:
            sent, row = seen[f"/v1/events/{event_id}"], last.get(event_id)
            if row is None:
                assert sent == absent, event_id
            elif row.withdrawn:
                assert sent.status == 410
            else:
                assert sent.json() == self.model.render_row(row, NAME)

    def _check_numbers(self, seen: dict[str, Sent]) -> None:
        model = self.model
        now = model.counted().values()
        self._check_tally(seen["/v1/statistics"], model.tally(now))
        self._check_tally(seen["/v1/statistics?host_state=KZ"], model.tally(now))
        self._check_tally(seen[f"/v1/statistics?as_of={AS_OF}"], model.tally(now, AS_OF))
        for at in self.times:
            then = model.counted_at[at].values()
            self._check_tally(seen[f"/v1/statistics?known_at={format_time(at)}"], model.tally(then))

        check_movements(seen)

    def _check_tally(self, sent: Sent, expected: tuple[int, dict[str, int], int]) -> None:
        persons, headlines, at_risk = expected
        found = sent.json()
        assert (found["persons"], found["at_risk"]) == (persons, at_risk)
        assert {h: n for h, n in found["headline"].items() if n} == headlines

    def _check_feeds(self, seen: dict[str, Sent]) -> None:
        newest = sorted(self.model.rows, key=lambda row: row.position)[-50:]
        entries = sum(1 for row in newest if not row.gone)
        for language in LANGUAGES:
            body = seen[f"/feeds/all.atom?lang={language}"].body
            assert body.count(b"</entry>") == entries
            assert body.count(b"deleted-entry ") >= sum(1 for row in newest if row.gone)
        told = seen["/feeds/all.json"].json()
        assert len(told["items"]) == entries
        assert len(told["_caseflow"]["withdrawn"]) == body.count(b"deleted-entry ")
        self._check_headlines(body, [row for row in newest if not row.withdrawn])

    def _check_headlines(self, body: bytes, rows: list[Row]) -> None:
        """Assert that no entry tells of what is hidden by where the case stood after it."""
        shown = re.findall(rb'term="([a-z_]+)" scheme="[^"]*#headline"', body)
        expected = [self.model.headline_then(row) for row in reversed(rows)]
        assert [found.decode() for found in shown] == expected

    def _check_unchanged(self, seen: dict[str, Sent]) -> None:
        """Assert that after a step which the public must not notice, no byte differs."""
        view = self.model.public_view()
        if view == self.view:
            changed = list(differences(self.before, seen))
            assert not changed, changed
        self.before, self.view = seen, view

    def _check_probes(self) -> None:
        """Assert that no error repeats what it was asked, nor tells of what is there."""
        names = [w for case in self.model.cases.values() for w in sorted(words_in(case.names))]
        own = [case.external_id for case in self.model.cases.values() if case.external_id]
        name, ext = names[-1] if names else "x", own[-1] if own else "x"
        probes = [
            f"/v1/cases/ext%3A{ext}", f"/v1/cases/{name}", f"/v1/events/ext%3A{ext}",
            f"/v1/cases?headline={name}", f"/v1/cases?unheard={name}", f"/v1/cases?cursor={name}",
            f"/v1/events?after={name}", f"/v1/statistics?known_at={name}",
            f"/v1/statistics?host_state={name}", f"/feeds/cases/{name}.atom",
        ]  # fmt: skip
        seen = self.world.asker.look(probes)
        assert {sent.status for sent in seen.values()} <= {400, 404, 422}
        Allowed(set(), set(), None).check(seen, "errors")
        found = self.world.asker.look([f"/v1/cases?q={name}"])
        items = next(iter(found.values())).json()["items"]
        called = [item["label"].lower() for item in items]
        assert all(name in label for label in called), (name, called)

    # -- a partner who only looks on --------------------------------------------------------------

    def _check_stranger(self) -> None:
        key, model = self.world.keys["stranger"], self.model
        seen = self.world.asker.look(self._stranger_addresses(), key.secret)
        hidden = {claim.id for claim in model.claims if not model.reads(key, claim)}
        hidden |= {event.id for event in model.records if not model.reads_record(key, event)}
        hidden |= {known.id for known in self.world.keys.values()}
        Allowed(words_in(model.words_for(key)), None, None).check(seen, "a stranger")
        for address, sent in seen.items():
            for event_id in hidden:
                assert event_id.encode() not in sent.said, (address, event_id)
        for case in model.cases.values():
            sent = seen[f"/v1/cases/{case.id}"]
            assert sent.status == (200 if case.into is None else 307)
            if case.into is None:
                status = model.status_for(key, case)
                assert sent.json()["status"]["headline"] == status.headline
                assert sent.json()["version"] == case.version
        for claim in model.claims:
            self._check_claim(seen[f"/v1/events/{claim.id}"], claim, seen)
        self._check_tally(seen["/v1/statistics"], model.tally(model.told_to(key)))
        check_movements(seen)

    def _stranger_addresses(self) -> list[str]:
        found = ["/v1/cases?limit=500", LOG, CHANGES, "/v1/statistics", f"/v1/events/{UNKNOWN}"]
        found += [f"/v1/statistics?known_at={format_time(at)}" for at in self.times]
        for case in self.model.cases.values():
            found += [f"/v1/cases/{case.id}", f"/v1/cases/{case.id}/events?limit=500"]
        for claim in self.model.claims:
            found += [f"/v1/events/{claim.id}", f"/v1/events/{claim.id}/preview"]
        return found

    def _check_claim(self, sent: Sent, claim: Claim, seen: dict[str, Sent]) -> None:
        model = self.model
        if not model.reads(self.world.keys["stranger"], claim):
            assert sent == seen[f"/v1/events/{UNKNOWN}"]
            assert seen[f"/v1/events/{claim.id}/preview"].status == 404
            return
        check_fate(sent.json(), model, claim)
        preview = seen[f"/v1/events/{claim.id}/preview"].json()
        assert (preview["publication"], preview["publication_reason"]) == model.publication(claim)


def check_movements(seen: dict[str, Sent]) -> None:
    """Assert that what every change moved adds up to the numbers."""
    told, numbers = seen[CHANGES].json(), seen["/v1/statistics"].json()
    moved = [told["beside"], *(item[of] for item in told["items"] for of in ("moved", "beside"))]
    for name in ("cases", "persons", "at_risk"):
        assert sum(found.get(f"/{name}", 0) for found in moved) == numbers[name]
    for headline, persons in numbers["headline"].items():
        assert sum(found.get(f"/headline/{headline}", 0) for found in moved) == persons


def check_fate(told: Json, model: Model, claim: Claim) -> None:
    """Assert that a partner is told what became of a claim."""
    state = "in_force"
    if not claim.in_force:
        state = "corrected" if claim.replaced_by else "retracted"
    assert (told["publication"], told["publication_reason"]) == model.publication(claim)
    assert (told["state"], told["visibility"]) == (state, model.audience(claim))
    disputes = [judgement.disputes for judgement in claim.judgements.values()]
    assert (told["disputed"], told["corroborated"]) == (sum(disputes), disputes.count(False))
