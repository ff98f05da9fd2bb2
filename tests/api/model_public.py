"""What the public sees, as the model in memory has it: the changes it was shown, and all words.

What is public is what is shown after a step and was not before.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final
from uuid import UUID, uuid5

from caseflow.domain.dates import is_certainly_after, parse_when
from caseflow.domain.status import resolve
from caseflow.domain.times import format_time, parse_time

from .model_known import (
    BASES,
    KEPT_IN_REPLAYS,
    LANGUAGES,
    LEVELS,
    Case,
    Claim,
    Json,
    Key,
    Known,
    Row,
    preferred_name,
    shows_sources,
)

# They tell where the person was taken, which is no refuge.
REMOVALS: Final = ("extradition.surrendered", "expulsion.executed")


class Public(Known):
    """What anyone may know of it, and what a partner may read."""

    # -- what the public sees ---------------------------------------------------------------------

    def is_public(self, case: Case) -> bool:
        """Return whether anyone may read a case that stays."""
        return case.into is None and any(
            self.is_shown(claim) for part in self.of_person(case) for claim in part.claims.values()
        )

    def shown_under(self, case: Case) -> Case:
        """Return the case under which the public finds what a case tells."""
        main = self.main_of(case)
        # Where nothing is shown, that case may never have been public.
        return main if self._is_joined(case) and self.is_public(main) else case

    def public_answer(self, case: Case) -> tuple[int, Case | None]:
        """Return the status that anyone gets who asks for a case, and the case they get to."""
        if self.is_public(case):
            return 200, case
        if not any(row.claim.case == case.id for row in self.rows):
            return 404, None
        other = self.shown_under(case)
        return (307, other) if other is not case and self.is_public(other) else (410, None)

    def label(self, case: Case, language: str) -> str:
        """Return what anyone calls a case."""
        level, consent = case.consent["publish"], case.consent
        name = preferred_name(case.names, language)
        if level == "pseudonym" and consent.get("pseudonym"):
            return str(consent["pseudonym"])
        if level == "name" and name:
            return name
        if level == "initials" and name:
            return " ".join(f"{part[0].upper()}." for part in name.split())
        return case.code

    def labels(self, case: Case) -> dict[str, str]:
        return {language: self.label(case, language) for language in LANGUAGES}

    def _tells_refuge(self, claim: Claim) -> bool:
        """Return whether a claim would tell where the person found refuge."""
        case = self.cases[claim.case]
        jurisdiction = claim.said.get("jurisdiction", case.host)
        if claim.type.startswith("departure."):
            return True
        if jurisdiction != case.host and self._is_about_asylum(claim):
            return True
        if jurisdiction in (case.host, case.origin) or claim.type in REMOVALS:
            return False
        occurred = parse_when(claim.said["occurred"])
        return any(
            other.type.startswith("departure.")
            and not is_certainly_after(parse_when(other.said["occurred"]), occurred)
            for other in self._list_told_before(claim)
        )

    def _list_told_before(self, claim: Claim) -> list[Claim]:
        """Return what the case had been told before; of several cases of one person, all."""
        case = self.cases[claim.case]
        together = self.of_person(self.main_of(case))
        if len(together) > 1:
            return [other for one in together for other in one.claims.values()]
        told = list(case.claims.values())
        return told[: told.index(claim)]

    def public_fields(self, claim: Claim) -> Json:
        """Return what anyone may read of a claim."""
        case = self.cases[claim.case]
        fields = {"jurisdiction": case.host, **claim.said}
        hidden = {"private_note", "external_id", "visibility", "publish_after"}
        if not shows_sources(case.consent):
            hidden |= {"sources"}
        if case.consent["basis"] == "representative":
            hidden |= {"form"}
        if self._tells_refuge(claim):
            hidden |= {"destination", "place", "authority"}
            fields["jurisdiction"] = None
        for reference in ("against", "after"):
            if reference in fields and not self.is_shown(case.claims[fields[reference]]):
                hidden |= {reference}
        return {
            name: value
            for name, value in fields.items()
            if name not in hidden and (name, value) != ("verification", "likely")
        }

    def settle(self, event_ids: Sequence[str] = ()) -> list[Row]:
        """Note what the public saw of a step; return its public changes."""
        self.step += 1
        self.last_events = tuple(event_ids)
        before = len(self.rows)
        self._compare()
        self.counted_at[self.now] = self.counted()
        self._forget()
        changes = self.rows[before:]
        if changes:
            self.public_events.update(event_ids)
            for row in changes:
                self._note_entry(row)
        for row in changes:
            self.known_authors.update([row.claim.author] if row.claim.author else [])
        for claim in self.claims:
            if self.is_counted(claim):
                told = [j.author for j in claim.judgements.values() if not j.held and j.author]
                self.known_authors.update(told)
        return changes

    def _compare(self) -> None:
        shown = {claim.id: claim for claim in self.claims if self.is_shown(claim)}
        roots = {claim.root for claim in shown.values()}
        live = [row for row in self.rows if row.kind != "withdrawn" and row.taken_back_by is None]
        self.forgot = any(
            row.claim.id not in shown and self._must_be_forgotten(row.claim) for row in live
        )
        for row in live:
            if row.claim.id not in shown and row.claim.root not in roots:
                self._take_back(row, self._put_row(row.claim, "withdrawn", row), gone=True)
        by_root = {row.claim.root: row for row in live}
        for claim in shown.values():
            told = by_root.get(claim.root)
            if told is None:
                self._put_row(claim, "published")
            elif told.claim is not claim:
                new = self._put_row(claim, "corrected", told)
                self._take_back(told, new, gone=claim.reason == "wrong_person")
            elif self._says_too_much(told):
                self._take_back(told, self._put_row(claim, "corrected", told), gone=True)
            elif told.labels != self._called(claim):
                self._take_back(told, self._put_row(claim, "corrected", told), gone=False)

    def _called(self, claim: Claim) -> dict[str, str]:
        """Return what the public calls the person of a claim that it can read."""
        case = self.cases[claim.case]
        main = self.shown_under(case)
        joined = self.main_of(case) is main and self.is_public(main)
        return self.labels(main) if joined else dict.fromkeys(LANGUAGES, case.code)

    def _put_row(self, claim: Claim, kind: str, takes_back: Row | None = None) -> Row:
        case = self.cases[claim.case]
        # A withdrawal calls nobody by name: the consent to that may go later.
        by_code = dict.fromkeys(LANGUAGES, case.code)
        row = Row(
            claim=claim,
            kind=kind,
            at=format_time(self.now),
            fields={} if kind == "withdrawn" else self.public_fields(claim),
            labels=by_code if kind == "withdrawn" else self._called(claim),
            level=case.consent["publish"],
            basis=case.consent["basis"],
            step=self.step,
            takes_back=takes_back,
        )
        self.rows.append(row)
        return row

    def _take_back(self, row: Row, by: Row, *, gone: bool) -> None:
        row.taken_back_by = by
        if not gone:
            return
        for told in self.rows:
            if told.claim.root == row.claim.root and told is not by and not told.withdrawn:
                told.gone, told.fields = True, {}
                told.labels = dict.fromkeys(LANGUAGES, self.cases[row.claim.case].code)

    def _must_be_forgotten(self, claim: Claim) -> bool:
        return self.publication(claim)[1] == "merged" or self._is_forgotten(claim)

    # Where a claim is hidden, others may have to be told anew: each entry says where the case stood
    # after it. Which these are is up to the service; that they say nothing of it is checked.

    def _note_entry(self, row: Row) -> None:
        """Note the ids that an entry may have where one event makes several changes."""
        self.public_events.update(str(uuid5(UUID(e), row.claim.id)) for e in self.last_events)

    def tell_again(self, claim_id: str) -> Row | None:
        """Note that a claim is told anew, for the sake of one that must be forgotten."""
        for row in self.rows:
            if row.claim.id == claim_id and not row.withdrawn and row.taken_back_by is None:
                new = self._put_row(row.claim, "corrected", row)
                self._take_back(row, new, gone=True)
                self._note_entry(new)
                return new
        return None

    def silence(self, row: Row) -> None:
        """Note that nothing is left of a change, for the sake of a claim that must be forgotten."""
        row.gone, row.fields = True, {}
        row.labels = dict.fromkeys(LANGUAGES, self.cases[row.claim.case].code)

    def headline_then(self, row: Row) -> str:
        """Return where a case stood after a change, as may be told now."""
        then = self.counted_at[parse_time(row.at)]
        main = then[row.claim.id][0]
        told = [
            (facts, stances)
            for claim_id, (found, facts, stances) in then.items()
            if found == main and not self._is_merged(claim_id)
        ]
        stances = [stance for _, some in told for stance in some]
        return resolve(self.cases[main].frame, [f for f, _ in told], stances=stances).headline

    def _is_merged(self, claim_id: str) -> bool:
        claim = self.find_claim(claim_id)
        return claim is not None and self.publication(claim)[1] == "merged"

    def _says_too_much(self, row: Row) -> bool:
        case = self.cases[row.claim.case]
        level, basis = case.consent["publish"], case.consent["basis"]
        if LEVELS.index(row.level) > LEVELS.index(level) or BASES.index(row.basis) > BASES.index(
            basis
        ):
            return True
        return row.labels not in [self.labels(case), self.labels(self.main_of(case))]

    def _forget(self) -> None:
        """Leave nothing of what must not be known, in the numbers of any time."""
        gone = [claim.id for claim in self.claims if self._is_forgotten(claim)]
        for counted in self.counted_at.values():
            for claim_id in gone:
                counted.pop(claim_id, None)

    def _is_forgotten(self, claim: Claim) -> bool:
        case = self.cases[claim.case]
        latest = case.latest(claim.id)
        if latest.retracted is not None:
            hidden = case.consent["publish"] == "none" or latest.visibility != "public"
            return hidden or latest.retracted not in KEPT_IN_REPLAYS
        if latest is not claim:
            return latest.reason == "wrong_person" or self._is_forgotten(latest)
        state, reason = self.publication(claim)
        return state == "withheld" and reason not in ("consent_count", "merged")

    def render_row(self, row: Row, deployment: str) -> Json:
        """Return a public change as anyone reads it; `version` is of the claim's own case."""
        case = self.cases[row.claim.case]
        found: Json = {
            "id": row.claim.id,
            "case": self.shown_under(case).id,
            "code": case.code,
            "version": sum(
                1
                for other in self.rows
                if other.claim.case == case.id and other.position <= row.position
            ),
            "position": row.position,
            "recorded_at": row.at,
            "partner": row.claim.author or deployment,
            "kind": row.kind,
        }
        if row.withdrawn:
            return found | {
                "state": "withdrawn",
                "publication": "withdrawn",
                "publication_reason": None,
            }
        found |= row.fields
        found |= {"state": "in_force", "visibility": "public", "publication": "published"}
        found["publication_reason"] = None
        if row.takes_back is not None and row.takes_back.claim is not row.claim:
            found["corrects"] = row.takes_back.claim.id
        if row.taken_back_by is not None and row.taken_back_by.claim is not row.claim:
            found |= {"state": "corrected", "corrected_by": row.taken_back_by.claim.id}
        return found

    def public_view(self) -> str:
        """Return all that the public may know, now and of any time before, as one text."""
        rows = [(self.render_row(row, ""), row.labels) for row in self.rows]
        cases = [
            (case.id, self.public_answer(case)[0], self.labels(case), case.persons)
            for case in self.cases.values()
            if self.public_answer(case)[0] != 404
        ]
        then = [counted for counted, _ in groupby(self._list_counted())]
        return repr((rows, cases, sorted(self.counted().items()), then))

    def _list_counted(self) -> Iterator[list[Any]]:
        """Yield what moved public numbers after each step, in order."""
        return (sorted(counted.items()) for _, counted in sorted(self.counted_at.items()))

    # -- who may read which words -----------------------------------------------------------------

    def public_words(self) -> Iterator[Any]:
        """Yield all that anyone may read, as values that hold texts."""
        for row in self.rows:
            yield from (row.fields, row.labels)
        yield from (self.labels(case) for case in self.cases.values() if self.is_public(case))
        yield sorted(self.known_authors)

    def words_for(self, key: Key) -> Iterator[Any]:
        """Yield all that a partner may read, as values that hold texts."""
        yield from self.public_words()
        for case in self.cases.values():
            yield from self._words_of(key, case)
            yield [claim.author for claim in case.claims.values()]
            yield [j.author for claim in case.claims.values() for j in claim.judgements.values()]
        for event in self.records:
            if self.reads_record(key, event):
                yield event.words
                yield event.external_id if event.by == key.partner else None
                yield event.subject if self.sees_subject(key, self.cases[event.case]) else None

    def _words_of(self, key: Key, case: Case) -> Iterator[Any]:
        yield self.labels(case)
        yield case.external_id if case.opener == key.partner else None
        if self.sees_subject(key, case):
            yield from (case.names, case.consent)
        for claim in case.claims.values():
            if self.reads(key, claim):
                # Of whoever wrote it: a reviewer's are not the author's.
                own = claim.posted_by == key.partner
                hidden = set() if own else {"external_id"}
                if not own and not key.may("restricted:read"):
                    hidden.add("private_note")
                yield {name: v for name, v in claim.said.items() if name not in hidden}
