"""What a claim has told that is forgotten is told by no other public change either."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from caseflow.bootstrap import House
from caseflow.domain.commands import ChangeVisibility, RetractClaim
from caseflow.projections.public.history import Published, list_published
from tests.checks import check_house
from tests.houses import Desk, answer_of, new_partner, new_settings, render, run_house


@pytest.fixture
def house(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        settings = stack.enter_context(new_settings(database_kind, request, tmp_path))
        yield stack.enter_context(run_house(settings))


@pytest.fixture
def desk(house: House) -> Desk:
    return new_partner(house)


def list_changes(house: House) -> list[Published]:
    with house.reader.snapshot() as snapshot:
        return list_published(snapshot.connection, snapshot.view_set)


def act(house: House, desk: Desk, command: Any, case: UUID, **asked: Any) -> None:
    answer_of(house.cases.act(desk.caller, command, case, asked, render))


def told_headlines(house: House) -> list[str]:
    """Return the headlines that the entries which can be read tell, oldest first."""
    return [c.headline for c in list_changes(house) if not c.is_withdrawn]


def tell_three(desk: Desk) -> tuple[UUID, list[UUID]]:
    """Return a case and its claims: custody, recognition as a refugee, and a release."""
    case = desk.open("anonymous")
    custody = desk.tell(
        case, "detention.custody_ordered", "2025-05-01", basis="other", visibility="public"
    )
    refuge = desk.tell(case, "asylum.recognised", "2025-06-01", visibility="public")
    released = desk.tell(
        case, "detention.released", "2025-07-01", condition="none", visibility="public"
    )
    return case, [custody, refuge, released]


@pytest.mark.parametrize("reason", ["unsafe", "wrong_person"])
def test_an_entry_that_tells_of_what_is_hidden_is_told_anew(
    house: House, desk: Desk, reason: str
) -> None:
    case, (_, refuge, released) = tell_three(desk)
    assert told_headlines(house) == ["in_custody", "protected", "protected"]
    act(house, desk, RetractClaim, case, claim_id=refuge, reason=reason)
    changes = list_changes(house)
    assert "protected" not in told_headlines(house)
    assert [(c.kind, c.event_id) for c in changes[3:]] == [
        ("withdrawn", refuge),
        ("corrected", released),
    ]
    # The old entry about the release has lost its words, and the new one has them.
    assert changes[2].gone_by == changes[4].sequence
    assert changes[2].decode_fields() == {}
    assert changes[4].decode_fields()["condition"] == "none"
    assert {c.headline_before for c in changes} == {None, "in_custody", "released"}
    check_house(house)


def test_hiding_a_claim_silences_its_echoes_as_well(house: House, desk: Desk) -> None:
    case, (_, refuge, _) = tell_three(desk)
    act(house, desk, ChangeVisibility, case, claim_id=refuge, visibility="partners")
    assert told_headlines(house) == ["in_custody", "released"]
    check_house(house)


@pytest.mark.parametrize("reason", ["false", "source_withdrew", "duplicate"])
def test_what_was_only_wrong_stays_where_others_told_of_it(
    house: House, desk: Desk, reason: str
) -> None:
    """It was public in its time; the entries of that time are never edited."""
    case, (_, refuge, _) = tell_three(desk)
    act(house, desk, RetractClaim, case, claim_id=refuge, reason=reason)
    assert told_headlines(house) == ["in_custody", "protected"]
    assert [c.kind for c in list_changes(house)] == ["published"] * 3 + ["withdrawn"]
    check_house(house)


def test_entries_from_before_a_hidden_claim_are_left_alone(house: House, desk: Desk) -> None:
    case, (custody, refuge, _) = tell_three(desk)
    before = [c for c in list_changes(house) if c.event_id == custody]
    act(house, desk, RetractClaim, case, claim_id=refuge, reason="unsafe")
    assert [c for c in list_changes(house) if c.event_id == custody] == before
