"""What is found a short way is what the long way finds, whatever partners do."""

from pathlib import Path

import pytest
from hypothesis import given
from sqlalchemy import Connection, delete, select

from caseflow.database import begin_write
from caseflow.projections.public import values
from caseflow.projections.public.history import public_events
from caseflow.projections.public.members import public_members, refresh_members
from caseflow.projections.view import View
from tests.histories import Step, few, new_history, steps
from tests.houses import AUTHOR, new_partner, new_settings, run_house


@pytest.mark.parametrize("kind", ["sqlite"])
@given(taken=steps())
@few(40)
def test_feeds_of_new_claims_and_statuses_of_the_public(
    kind: str, taken: list[Step], request: pytest.FixtureRequest
) -> None:
    """The first time that a claim is told, its row says all; most statuses are those of partners.

    The long way: every row of the public log is looked at again; public claims alone are folded.
    """
    with new_history(kind, request, taken) as history, begin_write(history.house.engine) as found:
        view_set = history.house.recorder.get_head().view_set
        before = list_members(found, view_set)
        found.execute(delete(public_members[view_set]))
        view = View(found, view_set)
        refresh_members(view, list(found.scalars(select(public_events[view_set].c.sequence))))
        assert list_members(found, view_set) == before
        for case_id in history.cases:
            with history.house.reader.snapshot() as snapshot:
                dossier = history.house.reader.find_dossier(snapshot, case_id)
            assert dossier is not None
            assert values.public_status(dossier) == values._resolve_public(dossier)


def list_members(connection: Connection, view_set: str) -> list[tuple[str, int]]:
    table = public_members[view_set]
    return [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]


def test_accounts_that_differ_name_who_tells_them_as_the_public_knows_them(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Then the status is not that of partners, who know each other by other names."""
    with new_settings(database_kind, request, tmp_path) as found, run_house(found) as house:
        desk = new_partner(house, *AUTHOR, public_name="One")
        case = desk.open("anonymous")
        for told in ("extradition.granted", "extradition.refused"):
            desk.tell(case, told, "2025-06-20", visibility="public")
        with house.reader.snapshot() as snapshot:
            dossier = house.reader.find_dossier(snapshot, case)
        assert dossier is not None
        (public,) = values.public_status(dossier).disputed
        (known,) = dossier.status_for("partners").disputed
        assert (public.partners, known.partners) == (("One",), (str(desk.caller.partner_id),))
