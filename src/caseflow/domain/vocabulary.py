"""The event types: one frozen struct each, and the one table of their effects (`TYPES`).

A claim is what one partner says happened. Its struct is at once what is posted, what is sealed in
the log and what is read back; it holds values only. Codes are never reused and a struct only ever
gains optional fields: stored events outlive this file.

References (`against`, `after`) are the text of an event id; the edge resolves `ext:` names before.
"""

from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

VOCABULARY_VERSION: Final = 1

# `$` alone would let a line feed stand after it.
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$(?!\\n)")]
DateText = Annotated[str, Meta(min_length=1, max_length=64)]
Line = Annotated[str, Meta(min_length=1, max_length=500)]
Text = Annotated[str, Meta(min_length=1, max_length=20_000)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=255)]
Reference = Annotated[str, Meta(min_length=1, max_length=260)]
Url = Annotated[str, Meta(pattern="^https?://[^\\s]+$(?!\\n)", max_length=2_000)]
Days = Annotated[int, Meta(ge=1, le=36_500)]
Months = Annotated[int, Meta(ge=0, le=1_200)]

Verification = Literal["confirmed", "likely", "possible", "unlikely"]
Visibility = Literal["public", "partners", "restricted"]
Against = Reference

VERIFICATION_RANK: Final = {"unlikely": 0, "possible": 1, "likely": 2, "confirmed": 3}
VISIBILITY_RANK: Final = {"restricted": 0, "partners": 1, "public": 2}


class Source(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Where a claim comes from; a title or a URL is required (checked when it is decided)."""

    title: Line | None = None
    publisher: Line | None = None
    url: Url | None = None
    archived: Url | None = None
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\\n)")] | None = None
    published: DateText | None = None
    language: Annotated[str, Meta(pattern="^[a-z]{2,3}$(?!\\n)")] | None = None
    connection: (
        Literal["self", "relative", "lawyer", "ngo", "official", "reporter", "other"] | None
    ) = None


class Texts(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One text in up to three languages."""

    ru: Text | None = None
    kk: Text | None = None
    en: Text | None = None


class Claim(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
):
    """What every claim may say, whatever its type."""

    occurred: DateText
    notified: DateText | None = None
    after: Reference | None = None
    jurisdiction: Country | None = None
    place: Line | None = None
    authority: Line | None = None
    summary: Texts | None = None
    private_note: Text | None = None
    sources: Annotated[list[Source], Meta(max_length=50)] = []
    verification: Verification = "likely"
    visibility: Visibility = "partners"
    publish_after: Annotated[str, Meta(max_length=40)] | None = None
    external_id: ExternalId | None = None


# -- detention ------------------------------------------------------------------------------------


class Apprehended(Claim, frozen=True, tag="detention.apprehended"):
    basis: Literal["border", "transit", "wanted", "administrative", "criminal", "other"]


class CustodyOrdered(Claim, frozen=True, tag="detention.custody_ordered"):
    basis: Literal["extradition", "administrative", "criminal", "other"]
    term_days: Days | None = None


class CustodyExtended(Claim, frozen=True, tag="detention.custody_extended"):
    basis: Literal["extradition", "administrative", "criminal", "other"] | None = None
    term_days: Days | None = None
    until: DateText | None = None


class Transferred(Claim, frozen=True, tag="detention.transferred"):
    pass


class ContactDenied(Claim, frozen=True, tag="detention.contact_denied"):
    pass


class IllTreatmentReported(Claim, frozen=True, tag="detention.ill_treatment_reported"):
    pass


class WhereaboutsUnknown(Claim, frozen=True, tag="detention.whereabouts_unknown"):
    pass


class Released(Claim, frozen=True, tag="detention.released"):
    condition: Literal["none", "bail", "house_arrest", "undertaking"]


class Entered(Claim, frozen=True, tag="person.entered"):
    pass


# -- wanted lists and extradition -----------------------------------------------------------------


class Listed(Claim, frozen=True, tag="wanted.listed"):
    list: Literal["national", "cis", "interpol", "other"]


class Removed(Claim, frozen=True, tag="wanted.removed"):
    pass


class ExtraditionRequested(Claim, frozen=True, tag="extradition.requested"):
    pass


class ExtraditionGranted(Claim, frozen=True, tag="extradition.granted"):
    pass


class ExtraditionPostponed(Claim, frozen=True, tag="extradition.postponed"):
    pass


class ExtraditionRefused(Claim, frozen=True, tag="extradition.refused"):
    ground: Line | None = None


class ExtraditionLapsed(Claim, frozen=True, tag="extradition.lapsed"):
    pass


class Surrendered(Claim, frozen=True, tag="extradition.surrendered"):
    destination: Country | None = None


# -- asylum ---------------------------------------------------------------------------------------


class ClaimMade(Claim, frozen=True, tag="asylum.claim_made"):
    pass


class ClaimRegistered(Claim, frozen=True, tag="asylum.registered"):
    pass


class Recognised(Claim, frozen=True, tag="asylum.recognised"):
    pass


class AsylumRefused(Claim, frozen=True, tag="asylum.refused"):
    stage: Literal["registration", "first_instance", "repeat"]


class AsylumClosed(Claim, frozen=True, tag="asylum.closed"):
    pass


class StatusEnded(Claim, frozen=True, tag="asylum.status_ended"):
    pass


class UnhcrRecorded(Claim, frozen=True, tag="asylum.unhcr_recorded"):
    pass


# -- expulsion ------------------------------------------------------------------------------------


class ExpulsionOrdered(Claim, frozen=True, tag="expulsion.ordered"):
    entry_ban_months: Months | None = None


class ExpulsionStayed(Claim, frozen=True, tag="expulsion.stayed"):
    pass


class EntryRefused(Claim, frozen=True, tag="expulsion.entry_refused"):
    pass


class ExpulsionExecuted(Claim, frozen=True, tag="expulsion.executed"):
    destination: Country | None = None


# -- appeals and interim measures -----------------------------------------------------------------


class AppealFiled(Claim, frozen=True, tag="appeal.filed"):
    against: Against
    forum: Line | None = None


class HearingSet(Claim, frozen=True, tag="appeal.hearing_set"):
    against: Against
    on: DateText


class AppealDecided(Claim, frozen=True, tag="appeal.decided"):
    against: Against
    outcome: Literal["upheld", "quashed", "remitted"]


class BecameFinal(Claim, frozen=True, tag="appeal.became_final"):
    against: Against


class InterimRequested(Claim, frozen=True, tag="interim.requested"):
    pass


class InterimDecided(Claim, frozen=True, tag="interim.decided"):
    outcome: Literal["granted", "refused", "lifted"]


# -- return, prosecution, departure ---------------------------------------------------------------


class Abducted(Claim, frozen=True, tag="return.abducted"):
    destination: Country | None = None


class ReturnedVoluntarily(Claim, frozen=True, tag="return.voluntary"):
    pressure: Literal["none", "pressured", "unknown"]


class ArrivalConfirmed(Claim, frozen=True, tag="return.arrival_confirmed"):
    pass


class Charged(Claim, frozen=True, tag="prosecution.charged"):
    accusation: Line


class Verdict(Claim, frozen=True, tag="prosecution.verdict"):
    outcome: Literal["convicted", "acquitted"]
    accusation: Line | None = None
    term_months: Months | None = None
    suspended: bool | None = None


class ProsecutionEnded(Claim, frozen=True, tag="prosecution.ended"):
    reason: Literal["served", "pardoned", "exchanged", "dropped", "sent_to_war", "other"]


class Left(Claim, frozen=True, tag="departure.left"):
    form: Literal["visa", "humanitarian_visa", "asylum", "residence", "other"] | None = None
    destination: Country | None = None


class Protected(Claim, frozen=True, tag="departure.protected"):
    form: Literal["visa", "humanitarian_visa", "asylum", "residence", "other"] | None = None
    destination: Country | None = None


class Died(Claim, frozen=True, tag="person.died"):
    pass


class CaseClosed(Claim, frozen=True, tag="case.closed"):
    reason: Literal["resolved", "contact_lost", "other"]


class CaseReopened(Claim, frozen=True, tag="case.reopened"):
    pass


# -- tracks, states, and the table of effects -----------------------------------------------------

# Each track's states, lowest first: of the claims left, the highest is the state of the track.
ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "liberty": (
        "at_liberty",
        "detained",
        "whereabouts_unknown",
        "in_custody",
        "released",
        "left_host_state",
    ),
    "extradition": (
        "none",
        "wanted",
        "requested",
        "postponed",
        "granted",
        "appeal_pending",
        "remitted",
        "quashed",
        "refused",
        "lapsed",
        "surrendered",
    ),
    "asylum": (
        "claimed",
        "registered",
        "refused",
        "appeal_pending",
        "remitted",
        "quashed",
        "recognised",
        "ended",
        "closed",
    ),
    "expulsion": (
        "entry_refused",
        "ordered",
        "appeal_pending",
        "stayed",
        "remitted",
        "quashed",
        "executed",
    ),
    "interim": ("requested", "granted", "refused", "lifted"),
    "movement": (
        "in_host_state",
        "left_for_third_country",
        "protected_abroad",
        "removed_elsewhere",
        "returned",
        "abducted",
        "deported",
        "extradited",
    ),
    "prosecution": ("charged", "acquitted", "convicted", "ended"),
    "life": ("died",),
    "follow_up": ("closed", "open"),
}
TRACKS: Final = tuple(ORDERS)


class Rule(NamedTuple):
    """What a claim of one type does.

    effects: track -> state; a state in braces is the value of that field.
    elsewhere: the movement instead, where the destination is not the origin state.
    appeal: the claim moves the track of what `against` leads to (see status.py).
    ceiling: the widest audience such a claim may ever have.
    """

    struct: type[Claim]
    effects: dict[str, str]
    elsewhere: str | None = None
    appeal: bool = False
    ceiling: Visibility = "public"


def _rule(struct: type[Claim], **effects: str) -> Rule:
    return Rule(struct, effects)


def _restricted(struct: type[Claim], **effects: str) -> Rule:
    return Rule(struct, effects, ceiling="restricted")


def _removal(struct: type[Claim], **effects: str) -> Rule:
    return Rule(struct, effects | {"liberty": "left_host_state"}, elsewhere="removed_elsewhere")


def _gone(struct: type[Claim], movement: str) -> Rule:
    return Rule(struct, {"movement": movement, "liberty": "left_host_state"})


def _appeal(struct: type[Claim]) -> Rule:
    return Rule(struct, {}, appeal=True)


TYPES: Final[dict[str, Rule]] = {
    "detention.apprehended": _rule(Apprehended, liberty="detained"),
    "detention.custody_ordered": _rule(CustodyOrdered, liberty="in_custody"),
    "detention.custody_extended": _rule(CustodyExtended, liberty="in_custody"),
    "detention.transferred": _rule(Transferred),
    "detention.contact_denied": _rule(ContactDenied),
    "detention.ill_treatment_reported": _restricted(IllTreatmentReported),
    "detention.whereabouts_unknown": _rule(WhereaboutsUnknown, liberty="whereabouts_unknown"),
    "detention.released": _rule(Released, liberty="released"),
    "person.entered": _rule(Entered, movement="in_host_state", liberty="at_liberty"),
    "wanted.listed": _rule(Listed, extradition="wanted"),
    "wanted.removed": _rule(Removed, extradition="none"),
    "extradition.requested": _rule(ExtraditionRequested, extradition="requested"),
    "extradition.granted": _rule(ExtraditionGranted, extradition="granted"),
    "extradition.postponed": _rule(ExtraditionPostponed, extradition="postponed"),
    "extradition.refused": _rule(ExtraditionRefused, extradition="refused"),
    "extradition.lapsed": _rule(ExtraditionLapsed, extradition="lapsed"),
    "extradition.surrendered": _removal(
        Surrendered, extradition="surrendered", movement="extradited"
    ),
    "asylum.claim_made": _rule(ClaimMade, asylum="claimed"),
    "asylum.registered": _rule(ClaimRegistered, asylum="registered"),
    "asylum.recognised": _rule(Recognised, asylum="recognised"),
    "asylum.refused": _rule(AsylumRefused, asylum="refused"),
    "asylum.closed": _rule(AsylumClosed, asylum="closed"),
    "asylum.status_ended": _rule(StatusEnded, asylum="ended"),
    "asylum.unhcr_recorded": _restricted(UnhcrRecorded),
    "expulsion.ordered": _rule(ExpulsionOrdered, expulsion="ordered"),
    "expulsion.stayed": _rule(ExpulsionStayed, expulsion="stayed"),
    "expulsion.entry_refused": _rule(EntryRefused, expulsion="entry_refused"),
    "expulsion.executed": _removal(ExpulsionExecuted, expulsion="executed", movement="deported"),
    "appeal.filed": _appeal(AppealFiled),
    "appeal.hearing_set": _rule(HearingSet),
    "appeal.decided": _appeal(AppealDecided),
    "appeal.became_final": _appeal(BecameFinal),
    "interim.requested": _restricted(InterimRequested, interim="requested"),
    "interim.decided": _rule(InterimDecided, interim="{outcome}"),
    "return.abducted": _gone(Abducted, "abducted"),
    "return.voluntary": _gone(ReturnedVoluntarily, "returned"),
    "return.arrival_confirmed": _rule(ArrivalConfirmed),
    "prosecution.charged": _rule(Charged, prosecution="charged"),
    "prosecution.verdict": _rule(Verdict, prosecution="{outcome}"),
    "prosecution.ended": _rule(ProsecutionEnded, prosecution="ended"),
    "departure.left": _gone(Left, "left_for_third_country"),
    "departure.protected": _gone(Protected, "protected_abroad"),
    "person.died": _rule(Died, life="died"),
    "case.closed": _rule(CaseClosed, follow_up="closed"),
    "case.reopened": _rule(CaseReopened, follow_up="open"),
}

AnyClaim = (
    Apprehended | CustodyOrdered | CustodyExtended | Transferred | ContactDenied
    | IllTreatmentReported | WhereaboutsUnknown | Released | Entered | Listed | Removed
    | ExtraditionRequested | ExtraditionGranted | ExtraditionPostponed | ExtraditionRefused
    | ExtraditionLapsed | Surrendered | ClaimMade | ClaimRegistered | Recognised | AsylumRefused
    | AsylumClosed | StatusEnded | UnhcrRecorded | ExpulsionOrdered | ExpulsionStayed
    | EntryRefused | ExpulsionExecuted | AppealFiled | HearingSet | AppealDecided | BecameFinal
    | InterimRequested | InterimDecided | Abducted | ReturnedVoluntarily | ArrivalConfirmed
    | Charged | Verdict | ProsecutionEnded | Left | Protected | Died | CaseClosed | CaseReopened
)  # fmt: skip


def type_of(claim: Claim) -> str:
    """Return the type code of a claim, such as `extradition.granted`."""
    return str(claim.__struct_config__.tag)


def values_of(struct: type[Claim], field: str) -> tuple[str, ...]:
    """Return the values that a field of a type may have; empty where it is not an enumeration."""
    return _choices(msgspec.json.schema(struct)["$defs"][struct.__name__]["properties"][field])


def _choices(schema: dict[str, Any]) -> tuple[str, ...]:
    if "enum" in schema:
        return tuple(schema["enum"])
    return tuple(value for part in schema.get("anyOf", ()) for value in _choices(part))
