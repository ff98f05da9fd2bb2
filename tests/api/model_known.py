"""What there is and where it stands, as the model in memory knows it: claims, publication, folds.

Everything is worked out anew from a list of claims whenever it is asked for. Each text that is not
for everybody holds a word of its own (`Words`), so that it can be looked for.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from caseflow.domain.dates import parse_when
from caseflow.domain.facts import ClaimFacts, Frame, Stance
from caseflow.domain.status import Status, resolve

Json = dict[str, Any]

AUDIENCES: Final = ("restricted", "partners", "public")
LEVELS: Final = ("none", "count", "anonymous", "pseudonym", "initials", "name")
BASES: Final = ("representative", "own", "already_public")
LANGUAGES: Final = ("ru", "kk", "en")
NEVER_PUBLIC: Final = frozenset(
    {"detention.ill_treatment_reported", "asylum.unhcr_recorded", "interim.requested"}
)
# Corrections that leave what was told, and retractions of what was true to the best of knowledge.
SAME_WORDS: Final = frozenset({"typo", "translation"})
KEPT_IN_REPLAYS: Final = frozenset({"false", "source_withdrew", "duplicate"})

COUNTED: Final = (("published", None), ("withheld", "consent_count"))

# -- words ----------------------------------------------------------------------------------------

PREFIX: Final = "vufi"
WORD: Final = rf"(?i){PREFIX}(?:[bdfkmnrt][aiu]){{4}}t"
_SYLLABLES: Final = [c + v for c in "bdfkmnrt" for v in "aiu"]


class Words:
    """Makes words that are nowhere else.

    They stay as they are where names are brought to one spelling, and no two are near each other.
    """

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        number, syllables = self.count * 7_919, []
        for _ in range(4):
            number, digit = divmod(number, len(_SYLLABLES))
            syllables.append(_SYLLABLES[digit])
        return f"{PREFIX}{''.join(syllables)}t"


# -- what there is --------------------------------------------------------------------------------


@dataclass
class Key:
    """A key of a partner. `author`: the partner's public name."""

    partner: str
    author: str | None
    scopes: frozenset[str]
    secret: str
    id: str
    revoked: bool = False

    def may(self, scope: str) -> bool:
        return scope in self.scopes


@dataclass
class Judgement:
    """What a partner said last of another's claim. `held`: not yet to the public."""

    event: str
    disputes: bool
    against: bool
    held: bool
    author: str | None


@dataclass
class Claim:
    """A claim and what became of it. `said`: what was posted, references as ids."""

    id: str
    case: str
    root: str
    owner: str
    posted_by: str
    author: str | None
    said: Json
    held: bool
    embargoed: bool
    corrects: str | None = None
    reason: str | None = None
    declined: bool = False
    replaced_by: str | None = None
    retracted: str | None = None
    judgements: dict[str, Judgement] = field(default_factory=dict)
    visibility: str = "partners"
    # A text of it held a name of the person when that was last looked at.
    named: bool = False

    @property
    def type(self) -> str:
        return str(self.said["type"])

    @property
    def in_force(self) -> bool:
        return self.replaced_by is None and self.retracted is None


@dataclass
class Waiting:
    """What has no effect until somebody approves it."""

    kind: str
    poster: str
    value: Any
    claim: str | None = None


@dataclass
class Case:
    """A case: its person, what was agreed to, its claims by id."""

    id: str
    code: str
    opener: str
    host: str
    origin: str
    persons: int
    names: list[Json]
    consent: Json
    external_id: str | None
    version: int = 1
    claims: dict[str, Claim] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    into: str | None = None
    apart: set[str] = field(default_factory=set)

    @property
    def frame(self) -> Frame:
        return Frame(self.host, self.origin)

    @property
    def shares(self) -> bool:
        return bool(self.consent.get("share")) or self.consent["publish"] == "name"

    def latest(self, claim_id: str) -> Claim:
        """Return what stands in the place of a claim."""
        found = self.claims[claim_id]
        while found.replaced_by is not None:
            found = self.claims[found.replaced_by]
        return found


@dataclass
class RecordEvent:
    """An event about the record: which claim it is about, and the words that stand in it.

    subject: words of names and pseudonyms, for those who may know who the person is.
    """

    id: str
    case: str
    by: str
    about: str | None
    words: Json
    subject: Any = None
    external_id: str | None = None


@dataclass
class Row:
    """One public change. `fields` and `labels` are as they were told then; gone: told no more."""

    claim: Claim
    kind: str
    at: str
    fields: Json
    labels: dict[str, str]
    level: str
    basis: str
    step: int
    position: int = 0
    takes_back: "Row | None" = None
    taken_back_by: "Row | None" = None
    gone: bool = False

    @property
    def withdrawn(self) -> bool:
        return self.gone or self.kind == "withdrawn"


def rank(audience: str) -> int:
    return AUDIENCES.index(audience)


# -- what is known --------------------------------------------------------------------------------


class Known:
    """The cases, what becomes of their claims, and where they stand for whom."""

    def __init__(self, *, two_person: bool, now: int) -> None:
        self.two_person = two_person
        self.now = now
        self.frozen = False
        self.cases: dict[str, Case] = {}
        self.records: list[RecordEvent] = []
        self.rows: list[Row] = []
        # What moved public numbers after each step, by its time.
        self.counted_at: dict[int, dict[str, tuple[str, ClaimFacts, tuple[Stance, ...]]]] = {}
        self.step = 0
        # Authors that the public has read, and ids of events that made public changes.
        self.known_authors: set[str] = set()
        # Whether the last step hid something for the person's sake.
        self.forgot = False
        self.public_events: set[str] = set()
        # The events of the last step.
        self.last_events: tuple[str, ...] = ()

    # -- finding ----------------------------------------------------------------------------------

    @property
    def claims(self) -> Iterator[Claim]:
        return (claim for case in self.cases.values() for claim in case.claims.values())

    def find_claim(self, claim_id: str) -> Claim | None:
        return next((c for c in self.claims if c.id == claim_id), None)

    def main_of(self, case: Case) -> Case:
        """Return the case that stays of all about one person."""
        while case.into is not None:
            case = self.cases[case.into]
        return case

    def of_person(self, main: Case) -> list[Case]:
        return [case for case in self.cases.values() if self.main_of(case) is main]

    def audience(self, claim: Claim) -> str:
        """Return who may read a claim: the partner's choice, no wider than its ceiling."""
        return min(claim.visibility, self._ceiling(claim), key=rank)

    def _ceiling(self, claim: Claim) -> str:
        if claim.type in NEVER_PUBLIC:
            return "restricted"
        consent = self.cases[claim.case].consent
        if consent["basis"] == "representative" and self._is_about_asylum(claim):
            return "partners"
        return "public"

    def _is_about_asylum(self, claim: Claim) -> bool:
        case, seen = self.cases[claim.case], set()
        while not claim.type.startswith("asylum."):
            against = claim.said.get("against")
            if against is None or against in seen:
                return False
            seen.add(against)
            claim = case.latest(against)
        return True

    def reads(self, key: Key, claim: Claim) -> bool:
        floor = "restricted" if key.may("restricted:read") else "partners"
        return claim.owner == key.partner or rank(self.audience(claim)) >= rank(floor)

    def sees_subject(self, key: Key, case: Case) -> bool:
        return case.opener == key.partner or key.may("restricted:read") or case.shares

    def reads_record(self, key: Key, event: RecordEvent) -> bool:
        about = self.find_claim(event.about) if event.about else None
        return about is None or self.reads(key, about)

    # -- what becomes of a claim ------------------------------------------------------------------

    def publication(self, claim: Claim) -> tuple[str, str | None]:
        """Return what the public gets of a claim, and why it is no more."""
        state, reason = self._alone(claim)
        if (state, reason) not in COUNTED:
            return state, reason
        case = self.cases[claim.case]
        if not self._is_joined(case):
            return "withheld", "merged"
        # By any name that the person is known under, in whichever case.
        others = self.of_person(self.main_of(case))
        called = replace(case, names=[name for other in others for name in other.names])
        if self._names_person(called, claim.said):
            return "withheld", "names_person"
        return state, reason

    def _alone(self, claim: Claim) -> tuple[str, str | None]:
        """Return the same as if its case were of nobody else."""
        case = self.cases[claim.case]
        withheld = {
            "retracted": claim.retracted is not None,
            "corrected": claim.replaced_by is not None,
            "consent_none": case.consent["publish"] == "none",
            "visibility": claim.visibility != "public",
            "type_ceiling": self._ceiling(claim) == "restricted",
            "asylum_consent": self._ceiling(claim) == "partners",
            "declined": claim.declined,
            "names_person": self._names_person(case, claim.said),
        }
        for reason, holds in withheld.items():
            if holds:
                return "withheld", reason
        if claim.held:
            return "awaiting_review", "review"
        if claim.embargoed:
            return "embargoed", "embargo" if "publish_after" in claim.said else "frozen"
        if case.consent["publish"] == "count":
            return "withheld", "consent_count"
        return "published", None

    def _is_joined(self, case: Case) -> bool:
        return may_be_one(case, self.main_of(case))

    def is_shown(self, claim: Claim) -> bool:
        return self.publication(claim)[0] == "published"

    def is_counted(self, claim: Claim) -> bool:
        return self.publication(claim) in COUNTED

    def _names_person(self, case: Case, said: Json) -> bool:
        if case.consent["publish"] == "name":
            return False
        words = [word.lower() for name in case.names for word in name["text"].split()]
        texts = public_texts(said, sources=shows_sources(case.consent))
        return any(word in text.lower() for text in texts for word in words)

    # -- folds ------------------------------------------------------------------------------------

    def status_for(self, key: Key, case: Case) -> Status:
        """Return where a case stands, for a partner."""
        claims = [
            claim
            for part in self.of_person(case)
            for claim in part.claims.values()
            if claim.in_force and self.reads(key, claim)
        ]
        facts = [self._facts(c, lambda _: True) for c in claims]
        stances = [s for c in claims for s in self._stances(c, held=True)]
        return resolve(case.frame, facts, stances=stances)

    def _facts(self, claim: Claim, may_name: Callable[[Claim], bool]) -> ClaimFacts:
        case, said = self.cases[claim.case], claim.said
        named: dict[str, UUID] = {}
        for reference in ("against", "after"):
            if reference in said and may_name(found := case.latest(said[reference])):
                named[reference] = UUID(found.id)
        when = parse_when(said["occurred"])
        return ClaimFacts(
            id=UUID(claim.id),
            type=claim.type,
            partner=claim.owner,
            jurisdiction=said.get("jurisdiction", case.host),
            earliest=when.earliest,
            latest=when.latest,
            verification=said.get("verification", "likely"),
            basis=said.get("basis"),
            outcome=said.get("outcome"),
            destination=said.get("destination"),
            **named,  # type: ignore[arg-type]  # of references alone
        )

    def _stances(self, claim: Claim, *, held: bool) -> Iterator[Stance]:
        for partner, judgement in claim.judgements.items():
            if held or not judgement.held:
                yield Stance(
                    claim=UUID(claim.id),
                    partner=partner,
                    disputes=judgement.disputes,
                    rank_against=judgement.against,
                )

    def counted(self) -> dict[str, tuple[str, ClaimFacts, tuple[Stance, ...]]]:
        """Return what moves public numbers: by claim, the case that stays and what folds read."""
        return {
            claim.id: (
                self.main_of(self.cases[claim.case]).id,
                self._facts(claim, self.is_counted),
                tuple(self._stances(claim, held=False)),
            )
            for claim in self.claims
            if self.is_counted(claim)
        }

    def public_status(self, main: Case, as_of: str | None = None) -> Status:
        """Return where a case stands for anyone."""
        told = [(f, s) for found, f, s in self.counted().values() if found == main.id]
        stances = [stance for _, some in told for stance in some]
        return resolve(main.frame, [f for f, _ in told], stances=stances, as_of=as_of)

    def tally(
        self,
        told: Iterable[tuple[str, ClaimFacts, tuple[Stance, ...]]],
        as_of: str | None = None,
    ) -> tuple[int, dict[str, int], int]:
        """Return persons, persons by headline, and persons at risk."""
        people: dict[str, list[tuple[ClaimFacts, tuple[Stance, ...]]]] = {}
        for main_id, facts, stances in told:
            people.setdefault(main_id, []).append((facts, stances))
        persons, headlines, at_risk = 0, dict[str, int](), 0
        for main_id, found in people.items():
            main = self.cases[main_id]
            if not any(_holds(facts, stances, as_of) for facts, stances in found):
                continue
            every = [stance for _, some in found for stance in some]
            status = resolve(main.frame, [f for f, _ in found], stances=every, as_of=as_of)
            persons += main.persons
            headlines[status.headline] = headlines.get(status.headline, 0) + main.persons
            at_risk += main.persons if status.at_risk else 0
        return persons, headlines, at_risk

    def told_to(self, key: Key) -> Iterator[tuple[str, ClaimFacts, tuple[Stance, ...]]]:
        """Yield what moves a partner's numbers."""
        for claim in self.claims:
            case = self.cases[claim.case]
            if case.consent["publish"] != "none" and claim.in_force and self.reads(key, claim):
                facts = self._facts(claim, lambda _: True)
                yield self.main_of(case).id, facts, tuple(self._stances(claim, held=True))


def _holds(facts: ClaimFacts, stances: Iterable[Stance], as_of: str | None) -> bool:
    """Return whether a claim counts: not dated later, nor outvoted."""
    if as_of is not None and (facts.earliest or "") > as_of:
        return False
    last = {stance.partner: stance for stance in stances}
    against = sum(1 for s in last.values() if s.disputes and s.rank_against)
    behind: set[str] = {facts.partner} - set(last) | {p for p, s in last.items() if not s.disputes}
    return against <= len(behind)


def shows_sources(consent: Json) -> bool:
    return bool(consent["publish"] == "name" or consent["basis"] == "already_public")


def public_texts(said: Json, *, sources: bool) -> Iterator[str]:
    """Yield the texts of a claim that anyone could read."""
    for name in ("place", "authority", "accusation", "forum", "ground"):
        if name in said:
            yield said[name]
    yield from said.get("summary", {}).values()
    for source in said.get("sources", ()) if sources else ():
        yield from (source[n] for n in ("title", "publisher", "url", "archived") if n in source)


def common_consent(new: Json, old: Json) -> Json:
    """Return what a person has agreed to both times."""
    found = {
        "publish": min(new["publish"], old["publish"], key=LEVELS.index),
        "basis": min(new["basis"], old["basis"], key=BASES.index),
        "share": all(c.get("share") or c["publish"] == "name" for c in (new, old)),
    }
    if new.get("pseudonym") == old.get("pseudonym"):
        found["pseudonym"] = new.get("pseudonym")
    if found["publish"] == "pseudonym" and found.get("pseudonym") is None:
        # Without its pseudonym a case has its code alone.
        found["publish"] = "anonymous"
    return found


def preferred_name(names: list[Json], language: str) -> str | None:
    """Return the name to show in a language; one of a passport alone is shown to nobody."""
    wanted = {"ru": ("ru",), "kk": ("kk", "ru"), "en": ("en",)}[language]
    for spoken in wanted:
        for kind in ("primary", "transliteration", "variant"):
            for name in names:
                if (name["language"], name["kind"]) == (spoken, kind):
                    return str(name["text"])
    for kind in ("primary", "variant", "transliteration"):
        for name in names:
            if name["kind"] == kind:
                return str(name["text"])
    return None


def may_be_one(case: Case, other: Case) -> bool:
    """Return whether anyone may learn that two cases are of one person."""
    one, two = case.consent, other.consent
    if one["publish"] != two["publish"]:
        return False
    return one["publish"] != "pseudonym" or one.get("pseudonym") == two.get("pseudonym")
