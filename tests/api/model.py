"""The service as a model in memory: what it answers and what the public sees, by the contract.

Written from `docs/` and the contract, not from the code: of `caseflow` only the vocabulary, dates
and the fold of claims to a status are used. It is slow and plain.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from caseflow.domain.dates import is_certainly_after, parse_when
from caseflow.domain.times import format_time, parse_time

from .model_known import (
    BASES,
    COUNTED,
    LEVELS,
    SAME_WORDS,
    Case,
    Claim,
    Json,
    Judgement,
    Key,
    RecordEvent,
    Waiting,
    common_consent,
    may_be_one,
    rank,
)
from .model_public import Public


class Refused(Exception):  # noqa: N818 - as the contract says it
    """A request is refused; `status`: with which status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


Effect = Callable[[str], None]
"""What a request does once it was answered: given the id of the event."""


class Model(Public):
    """All that is known, and what each may know of it.

    A command is asked for with a method that raises `Refused` or returns its effect; after each
    step, `settle` notes what the public saw of it.
    """

    # -- commands: cases and claims ---------------------------------------------------------------

    def open_case(self, key: Key, body: Json) -> None:
        self.admit(key, "events:write")
        names = body.get("subject", {}).get("names", [])
        self._check_consent(body["consent"], names)

    def opened(self, key: Key, body: Json, answer: Json) -> None:
        """Note a case that was opened, and the id and code that it was given."""
        self.cases[answer["id"]] = Case(
            id=answer["id"],
            code=answer["code"],
            opener=key.partner,
            host=body["host_state"],
            origin=body["origin_state"],
            persons=body["persons"],
            names=body.get("subject", {}).get("names", []),
            consent=body["consent"],
            external_id=body.get("external_id"),
        )

    def _check_consent(self, consent: Json, names: list[Json]) -> None:
        pseudonym = consent.get("pseudonym")
        if consent["publish"] == "pseudonym" and pseudonym is None:
            raise Refused(422)
        if consent["publish"] in ("initials", "name") and not names:
            raise Refused(422)
        words = [word for name in names for word in name["text"].split()]
        if pseudonym is not None and any(word in pseudonym for word in words):
            raise Refused(422)

    def admit(self, key: Key, scope: str) -> None:
        if key.revoked:
            raise Refused(401)
        if not key.may(scope):
            raise Refused(403)

    def tell(self, key: Key, case_id: str, said: Json, version: int | None = None) -> Effect:
        self.admit(key, "events:write")
        case = self._get_case(case_id)
        self._check_version(case, version)
        self._check_claim(key, case, said)
        held = self._is_held(key, case, said)

        def effect(event_id: str) -> None:
            case.version += 1
            self._put_claim(key, case, said, event_id, held=held)

        return effect

    def _put_claim(self, key: Key, case: Case, said: Json, event_id: str, *, held: bool) -> Claim:
        later = "publish_after" in said and parse_time(said["publish_after"]) > self.now
        claim = Claim(
            id=event_id,
            case=case.id,
            root=event_id,
            owner=key.partner,
            posted_by=key.partner,
            author=key.author,
            said=said,
            held=held,
            embargoed=later or self.frozen,
            visibility=said.get("visibility", "partners"),
        )
        case.claims[event_id] = claim
        return claim

    def _get_case(self, case_id: str) -> Case:
        if case_id not in self.cases:
            raise Refused(404)
        return self.cases[case_id]

    def _check_version(self, case: Case, version: int | None) -> None:
        if version not in (None, case.version):
            raise Refused(412)

    def _check_claim(
        self, key: Key, case: Case, said: Json, corrected: Claim | None = None
    ) -> None:
        for reference in ("against", "after"):
            if (named := said.get(reference)) is None:
                continue
            found = case.claims.get(named)
            if found is None or not self.reads(key, found):
                raise Refused(422)
            if corrected is not None and found.root == corrected.root:
                raise Refused(422)
        if "after" in said:
            before = parse_when(case.latest(said["after"]).said["occurred"])
            if is_certainly_after(before, parse_when(said["occurred"])):
                raise Refused(422)
        if said.get("visibility") == "public" and self._names_person(case, said):
            raise Refused(422)

    def _is_held(self, key: Key, case: Case, said: Json, before: Claim | None = None) -> bool:
        """Return whether a claim waits for somebody else's eyes."""
        could = Claim("", case.id, "", "", "", None, said, held=False, embargoed=False)
        could.visibility = said.get("visibility", "partners")
        if could.visibility != "public":
            return False
        if not key.may("events:publish"):
            return True
        if self._ceiling(could) != "public" or case.consent["publish"] == "none":
            return False
        first = not any(self._alone(c) in COUNTED for c in case.claims.values())
        raised = before is not None and self._alone(before) not in COUNTED
        return self.two_person and (first or raised)

    # -- commands: what becomes of a claim ---------------------------------------------------------

    def _get_target(self, key: Key, claim_id: str) -> tuple[Case, Claim]:
        """Return what stands in the place of a claim that a path names."""
        told = self.find_claim(claim_id)
        if told is None or not self.reads(key, told):
            raise Refused(404)
        case = self.cases[told.case]
        found = case.latest(claim_id)
        if not self.reads(key, found):
            raise Refused(404)
        if found.retracted is not None:
            raise Refused(409)
        return case, found

    def _get_own(self, key: Key, claim_id: str) -> tuple[Case, Claim]:
        case, found = self._get_target(key, claim_id)
        if found.owner != key.partner and not key.may("review"):
            raise Refused(403)
        return case, found

    def _note(
        self, key: Key, case: Case, event_id: str, about: str | None, body: Json, **more: Any
    ) -> None:
        case.version += 1
        words = {name: value for name, value in body.items() if name in ("note", "reason")}
        name = body.get("external_id")
        self.records.append(
            RecordEvent(event_id, case.id, key.partner, about, words, external_id=name, **more)
        )

    def correct(self, key: Key, claim_id: str, said: Json, reason: str) -> Effect:
        self.admit(key, "events:write")
        case, before = self._get_own(key, claim_id)
        self._check_claim(key, case, said, corrected=before)
        held = self._is_held(key, case, said, before)

        def effect(event_id: str) -> None:
            case.version += 1
            claim = self._put_claim(key, case, said, event_id, held=held)
            claim.owner, claim.author, claim.root = before.owner, before.author, before.root
            claim.corrects, claim.reason = before.id, reason
            if reason in SAME_WORDS:
                claim.judgements = before.judgements
            before.replaced_by = event_id
            self._narrow_versions(case, claim)
            self._supersede(case, "visibility", claim.root)

        return effect

    def retract(self, key: Key, claim_id: str, body: Json) -> Effect:
        self.admit(key, "events:write")
        case, claim = self._get_own(key, claim_id)

        def effect(event_id: str) -> None:
            self._note(key, case, event_id, claim.id, body)
            claim.retracted = body["reason"]

        return effect

    def judge(self, key: Key, claim_id: str, body: Json, *, disputes: bool) -> Effect:
        self.admit(key, "events:write")
        case, claim = self._get_target(key, claim_id)
        if claim.owner == key.partner:
            raise Refused(409)
        against = bool(body.get("rank_against"))
        held = self.frozen or not key.may("events:publish")

        def effect(event_id: str) -> None:
            self._note(key, case, event_id, claim.id, body)
            claim.judgements[key.partner] = Judgement(event_id, disputes, against, held, key.author)

        return effect

    def change_visibility(self, key: Key, claim_id: str, body: Json) -> Effect:
        self.admit(key, "events:write")
        case, claim = self._get_own(key, claim_id)
        wanted = body["visibility"]
        raised = rank(wanted) > rank(claim.visibility)
        if raised and wanted == "public":
            if self._names_person(case, claim.said):
                raise Refused(422)
            if self.frozen:
                raise Refused(409)
        alone = wanted == "public" and not key.may("events:publish")
        held = raised and (alone or self.two_person)

        def effect(event_id: str) -> None:
            self._note(key, case, event_id, claim.id, body)
            self._supersede(case, "visibility", claim.root)
            if held:
                waiting = Waiting("visibility", key.partner, wanted, claim.root)
                case.waiting[event_id] = waiting
            else:
                self._set_visibility(case, claim, wanted)

        return effect

    def _set_visibility(self, case: Case, claim: Claim, wanted: str) -> None:
        claim.visibility = wanted
        self._narrow_versions(case, claim)

    def _narrow_versions(self, case: Case, claim: Claim) -> None:
        """Hide what a claim said before from whom it is hidden now."""
        for earlier in case.claims.values():
            if earlier.root == claim.root:
                earlier.visibility = min(earlier.visibility, claim.visibility, key=rank)

    def _supersede(self, case: Case, kind: str, claim: str | None = None) -> None:
        """Forget what waits and would be undone by a later word on the same."""
        for event_id, waiting in list(case.waiting.items()):
            if (waiting.kind, waiting.claim) == (kind, claim):
                del case.waiting[event_id]

    # -- commands: the person ---------------------------------------------------------------------

    def _get_own_case(self, key: Key, case_id: str, version: int | None) -> Case:
        self.admit(key, "events:write")
        if version is None:
            raise Refused(428)
        case = self._get_case(case_id)
        self._check_version(case, version)
        return case

    def _require(self, key: Key, *cases: Case) -> None:
        if key.partner not in [case.opener for case in cases] and not key.may("review"):
            raise Refused(403)

    def change_consent(
        self, key: Key, case_id: str, consent: Json, body: Json, version: int | None
    ) -> Effect:
        case = self._get_own_case(key, case_id, version)
        self._require(key, case)
        self._check_consent(consent, case.names)
        old = case.consent
        wider = (
            LEVELS.index(consent["publish"]) > LEVELS.index(old["publish"])
            or BASES.index(consent["basis"]) > BASES.index(old["basis"])
            or (
                consent["publish"] == "pseudonym"
                and consent.get("pseudonym") != old.get("pseudonym")
            )
        )
        if wider and self.frozen:
            raise Refused(409)
        held = wider and (self.two_person or not key.may("events:publish"))

        def effect(event_id: str) -> None:
            self._note(key, case, event_id, None, body, subject=consent.get("pseudonym"))
            self._supersede(case, "consent")
            if held:
                case.waiting[event_id] = Waiting("consent", key.partner, consent)
                case.consent = common_consent(consent, old)
            else:
                case.consent = consent
            self._look_for_names(case)

        return effect

    def _look_for_names(self, case: Case) -> None:
        for claim in case.claims.values():
            claim.named = self._names_person(case, claim.said)

    def amend_subject(
        self, key: Key, case_id: str, names: list[Json], body: Json, version: int | None
    ) -> Effect:
        case = self._get_own_case(key, case_id, version)
        self._require(key, case)
        self._check_consent(case.consent, names)
        shown = case.consent["publish"] in ("initials", "name") and names != case.names
        after = replace(case, names=names)
        unnamed = any(
            c.named and not self._names_person(after, c.said) for c in case.claims.values()
        )
        if (shown or unnamed) and self.frozen:
            raise Refused(409)
        held = shown and (self.two_person or not key.may("events:publish"))

        def effect(event_id: str) -> None:
            self._note(key, case, event_id, None, body, subject=names)
            self._supersede(case, "subject")
            if held:
                case.waiting[event_id] = Waiting("subject", key.partner, names)
            else:
                case.names = names
                self._look_for_names(case)

        return effect

    def merge(
        self, key: Key, case_id: str, into_id: str, body: Json, version: int | None
    ) -> Effect:
        case = self._get_own_case(key, case_id, version)
        into = self.main_of(self.cases[into_id])
        self._require(key, case, into)
        if case.into is not None or into is case or into.frame != case.frame or self.frozen:
            raise Refused(409)
        held = into.id in case.apart or case.id in into.apart

        def effect(event_id: str) -> None:
            self._note(key, case, event_id, None, body)
            self._supersede(case, "merge")
            if held:
                case.waiting[event_id] = Waiting("merge", key.partner, into.id)
            else:
                case.into = into.id

        return effect

    def unmerge(self, key: Key, case_id: str, other_id: str | None, body: Json) -> Effect:
        self.admit(key, "events:write")
        case = self._get_case(case_id)
        apart = other_id or case.into
        if apart is None:
            raise Refused(409)
        if apart == case.id:
            raise Refused(422)
        if case.into not in (None, apart):
            raise Refused(409)
        other = self.cases[apart]
        self._require(key, case, other)
        same = other.into is None and may_be_one(case, other)
        if case.into is not None and not same and self.frozen:
            # What was withheld for the sake of the other case would be out.
            raise Refused(409)

        def effect(event_id: str) -> None:
            self._note(key, case, event_id, None, body)
            self._supersede(case, "merge")
            case.apart.add(apart)
            if case.into == apart:
                case.into = None

        return effect

    # -- commands: reviews, embargoes -------------------------------------------------------------

    def review(self, key: Key, event_id: str, body: Json) -> Effect:
        self.admit(key, "review")
        case, about = self._find_reviewed(event_id)
        if case is None or (about is not None and not self.reads(key, about)):
            raise Refused(404)
        poster = self._find_poster(case, event_id, body["decision"])
        if poster is None or poster == key.partner:
            raise Refused(409)
        approves = body["decision"] == "approve"
        if approves and self.frozen:
            raise Refused(409)
        if approves and self._would_go_round(case, event_id):
            raise Refused(409)

        def effect(review_id: str) -> None:
            self._note(key, case, review_id, about.id if about else None, body)
            waiting = case.waiting.pop(event_id, None)
            if approves:
                self._approve(case, event_id, waiting)
            elif waiting is None and event_id in case.claims:
                case.claims[event_id].declined = True

        return effect

    def _find_reviewed(self, event_id: str) -> tuple[Case | None, Claim | None]:
        """Return the case of an event, and the claim that it is or is about."""
        claim = self.find_claim(event_id)
        if claim is not None:
            return self.cases[claim.case], claim
        record = next((r for r in self.records if r.id == event_id), None)
        if record is None:
            return (next((c for c in self.cases.values() if c.id == event_id), None), None)
        about = self.find_claim(record.about) if record.about else None
        return self.cases[record.case], about

    def _find_poster(self, case: Case, event_id: str, decision: str) -> str | None:
        if event_id in case.waiting:
            return case.waiting[event_id].poster
        claim = case.claims.get(event_id)
        if claim is not None:
            again = claim.declined and decision == "decline"
            return claim.posted_by if claim.in_force and claim.held and not again else None
        for told in case.claims.values():
            for partner, judgement in told.judgements.items():
                if judgement.event == event_id and judgement.held:
                    return partner
        return None

    def _would_go_round(self, case: Case, event_id: str) -> bool:
        waiting = case.waiting.get(event_id)
        if waiting is None or waiting.kind != "merge":
            return False
        return self.main_of(self.cases[waiting.value]) is case

    def _approve(self, case: Case, event_id: str, waiting: Waiting | None) -> None:
        if waiting is None:
            if event_id in case.claims:
                case.claims[event_id].held = case.claims[event_id].declined = False
            for claim in case.claims.values():
                for judgement in claim.judgements.values():
                    judgement.held &= judgement.event != event_id
        elif waiting.kind == "consent":
            case.consent = waiting.value
            self._look_for_names(case)
        elif waiting.kind == "subject":
            case.names = waiting.value
            self._look_for_names(case)
        elif waiting.kind == "merge":
            case.into = waiting.value
        elif waiting.claim is not None:
            self._set_visibility(case, case.latest(waiting.claim), waiting.value)

    def release_due(self) -> list[Claim]:
        """End the embargoes whose time has come; return the claims."""
        if self.frozen:
            return []
        due = [
            claim
            for claim in self.claims
            if self._alone(claim)[0] == "embargoed"
            and parse_time(claim.said.get("publish_after", format_time(0))) <= self.now
        ]
        for claim in due:
            claim.embargoed = False
            self.cases[claim.case].version += 1
        return due
