"""All cases of one person as one: what partners read of them, and what the public gets."""

from collections.abc import Iterable
from itertools import product
from typing import Any, get_args
from uuid import UUID

import pytest

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.commands import Command
from caseflow.domain.dossier import Dossier, Identities
from caseflow.domain.events import Consent, ConsentLevel, Subject
from tests.commands import (
    LATER,
    NOW,
    OTHER,
    PARTNER,
    THIRD,
    after,
    amending,
    consenting,
    correcting,
    disputing,
    given_case,
    numbers,
    other_case,
    recording,
    retracting,
)
from tests.strategies import numbered

LEVELS = get_args(ConsentLevel)
PUBLIC: dict[str, Any] = {"visibility": "public"}


def merged_case(*commands: Command, number: int = 200, **consent: Any) -> Case:
    """Return the case that went, of the same person, opened by OTHER."""
    agreed = Consent(**({"publish": "anonymous", "basis": "own"} | consent))
    return other_case(number, *commands, by=OTHER, consent=agreed, subject=Subject())


def found(claims: Iterable[tuple[Case, RecordedClaim]]) -> list[tuple[int, int]]:
    """Return case and claim, as tests number them."""
    return [(case.id.int, claim.event_id.int) for case, claim in claims]


# -- what partners read ---------------------------------------------------------------------------


def test_a_case_alone_is_its_own_dossier() -> None:
    case = given_case(recording(11, **PUBLIC), recording(12))
    dossier = Dossier(case)
    assert dossier.cases == (case,)
    assert dossier.status_for("partners") == case.status_for("partners")
    assert found(dossier.claims_for("partners")) == [(1, 11), (1, 12)]
    assert found(dossier.list_shown()) == found(dossier.list_counted()) == [(1, 11)]
    assert dossier.is_joined(case)


def test_a_dossier_holds_the_claims_of_all_its_cases() -> None:
    main = given_case(recording(11), recording(12, visibility="restricted"))
    merged = merged_case(recording(21), recording(22, visibility="restricted", partner_id=OTHER))
    last = merged_case(recording(31), number=300)
    dossier = Dossier(main, (merged, last))
    assert dossier.cases == (main, merged, last)
    assert found(dossier.claims_for("partners")) == [(1, 11), (200, 21), (300, 31)]
    assert found(dossier.claims_for("partners", OTHER)) == [
        (1, 11), (200, 21), (200, 22), (300, 31),
    ]  # fmt: skip
    assert len(dossier.claims_for("restricted")) == 5
    for number, case in ((12, main), (22, merged), (31, last)):
        assert dossier.find_case_of(numbered(number)) is case
    assert dossier.find_case_of(numbered(99)) is None


def test_one_status_comes_of_what_all_cases_tell() -> None:
    main = given_case(recording(11, "extradition.granted", "2025-05-01"))
    merged = merged_case(
        recording(21, "detention.apprehended", "2025-05-02"),
        recording(22, "person.died", visibility="restricted"),
        correcting(23, 21, "detention.apprehended", "2025-05-03"),
    )
    dossier = Dossier(main, (merged,))
    status = dossier.status_for("partners")
    assert set(status.tracks) == {"extradition", "liberty"}
    assert status.tracks["liberty"].events == (numbered(23),)
    assert dossier.status_for("restricted").headline == "died"
    assert dossier.status_for("partners", PARTNER).headline == "died"  # It told so itself.
    assert set(dossier.status_for("partners", as_of="2025-05-02").tracks) == {"extradition"}


def test_what_others_think_counts_in_every_case() -> None:
    merged = merged_case(
        recording(21), disputing(22, 21, partner_id=OTHER), disputing(23, 21, partner_id=THIRD)
    )
    dossier = Dossier(given_case(recording(11, "asylum.registered")), (merged,))
    assert dossier.status_for("partners").headline == "asylum_pending"


def test_the_last_change_is_one_that_the_reader_may_know_of() -> None:
    main, merged = given_case(), merged_case(recording(21))
    dossier = Dossier(main, (merged,))
    assert dossier.find_last_change("partners") == NOW
    after(merged, recording(22, visibility="restricted", partner_id=OTHER), at=LATER)
    assert [
        dossier.find_last_change("partners"),
        dossier.find_last_change("partners", PARTNER),
        dossier.find_last_change("partners", OTHER),
        dossier.find_last_change("restricted"),
    ] == [NOW, NOW, LATER, LATER]
    after(merged, retracting(23, 21), at=LATER + 1)
    after(main, consenting(12, "none"), at=LATER + 2)
    assert dossier.find_last_change("partners") == LATER + 2


# -- what the public gets -------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), list(product(LEVELS, LEVELS)))
def test_the_public_learns_of_one_person_where_both_were_agreed_to_alike(
    first: Any, second: Any
) -> None:
    agreed = {"pseudonym": "Swallow"}
    main = given_case(recording(11, **PUBLIC), publish=first, **agreed)
    merged = merged_case(recording(21, **PUBLIC), publish=second, **agreed)
    dossier = Dossier(main, (merged,))
    joined = first == second
    assert dossier.is_joined(main)
    assert dossier.is_joined(merged) is joined
    counted, shown = {"none": ([], []), "count": ([(1, 11)], [])}.get(first, ([(1, 11)],) * 2)
    if joined and counted:
        counted = [*counted, (200, 21)]
        shown = [*shown, (200, 21)] if shown else []
    assert found(dossier.list_counted()) == counted
    assert found(dossier.list_shown()) == shown
    got = dossier.publication_of(merged, merged.get_claim(numbered(21)))
    if second != "none" and not joined:
        assert got == ("withheld", "merged", False)
    else:
        assert got == merged.get_claim(numbered(21)).publication


def test_what_the_public_does_not_get_anyway_is_withheld_for_its_own_reason() -> None:
    merged = merged_case(
        recording(21), recording(22, **PUBLIC, may_publish=False), publish="initials"
    )
    dossier = Dossier(given_case(), (merged,))
    assert [dossier.publication_of(merged, c).reason for c in merged.claims.values()] == [
        "visibility", "review",
    ]  # fmt: skip


def test_a_consent_that_comes_to_be_alike_joins() -> None:
    main, merged = given_case(publish="initials"), merged_case(recording(21, **PUBLIC))
    dossier = Dossier(main, (merged,))
    assert found(dossier.list_shown()) == []
    after(main, consenting(12, "anonymous"))
    assert found(dossier.list_shown()) == [(200, 21)]
    after(merged, consenting(22, "none", partner_id=OTHER))
    assert found(dossier.list_shown()) == []


def test_a_text_does_not_name_the_person_by_what_another_case_knows() -> None:
    """Neither the name that only the one that stays knows, nor that of one that went."""
    naming = {"place": "дом Петрова", **PUBLIC}
    main, merged = given_case(recording(11, **naming)), merged_case(recording(21, **naming))
    dossier = Dossier(main, (merged,))
    assert found(dossier.list_shown()) == [(1, 11), (200, 21)]
    after(merged, amending(22, "Пётр Петров", partner_id=OTHER))
    assert found(dossier.list_shown()) == []
    for case, number in ((main, 11), (merged, 21)):
        got = dossier.publication_of(case, case.get_claim(numbered(number)))
        assert got == ("withheld", "names_person", False)
    after(main, consenting(12, "name"))
    # Not the text of the case in which no name was agreed to.
    assert found(dossier.list_shown()) == [(1, 11)]


def test_where_a_person_went_is_hidden_by_what_any_case_tells() -> None:
    abroad = {"jurisdiction": "DE", **PUBLIC}
    main = given_case(recording(11, "person.died", "2025-05", **abroad))
    merged = merged_case(recording(21, "departure.left", "2024-05", **PUBLIC))
    died, left = main.get_claim(numbered(11)), merged.get_claim(numbered(21))
    assert not Dossier(main).tells_refuge(died)
    assert Dossier(main, (merged,)).tells_refuge(died)
    assert Dossier(merged).tells_refuge(left)
    before = given_case(recording(11, "person.died", "2024-01", **abroad))
    assert not Dossier(before, (merged,)).tells_refuge(before.get_claim(numbered(11)))


# -- which case went into which -------------------------------------------------------------------


def listed(identities: Identities, case_id: UUID) -> list[int]:
    """Return the cases that went into one, as tests number them."""
    return numbers(identities.list_merged(case_id))


def test_cases_stay_or_go_also_through_others() -> None:
    a, b, c, d = (numbered(n) for n in range(1, 5))
    identities = Identities({a: b, b: c, d: c})
    assert [identities.find_root(case).int for case in (a, b, c, d)] == [3, 3, 3, 3]
    assert listed(identities, c) == [2, 1, 4]
    assert (listed(identities, b), listed(identities, a)) == ([1], [])


def test_what_stands_by_itself_again_takes_with_it_what_went_there() -> None:
    a, b, c = (numbered(n) for n in range(1, 4))
    identities = Identities({a: b, b: c})
    identities.note(b, None)
    assert [identities.find_root(case).int for case in (a, b, c)] == [2, 2, 3]
    assert (listed(identities, c), listed(identities, b)) == ([], [1])
    identities.note(b, None)  # Again, and nothing happens.
    identities.note(a, c)
    assert (listed(identities, b), listed(identities, c)) == ([], [1])


def test_a_case_that_was_ever_one_of_several_is_known_as_such() -> None:
    a, b, c = (numbered(n) for n in range(1, 4))
    identities = Identities({a: b})
    assert [identities.find_related(case) for case in (a, b, c)] == [True, True, False]
    identities.note(a, None)
    assert identities.find_related(b)
