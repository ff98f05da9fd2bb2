"""What a change is, in one word."""

import pytest

from caseflow.domain.change_kinds import EVENT_KINDS, LATE_DAYS, is_late, kind_of
from caseflow.domain.events import RECORD_TYPES, FigureBody, HouseBody
from caseflow.domain.times import parse_time
from caseflow.domain.vocabulary import TYPES

AT = parse_time("2026-03-31T00:00:00Z")


@pytest.mark.parametrize(
    ("latest", "late"),
    [("2026-03-01", False), ("2026-02-28", True), ("2026-04-01", False), ("0000-12-31", True)],
)
def test_late_is_more_than_thirty_days_after_the_last_day(latest: str, late: bool) -> None:
    assert LATE_DAYS == 30
    assert is_late(latest, AT) is late
    assert kind_of("person.died", latest, AT) == ("late_report" if late else "new_claim")


def test_every_event_of_a_case_is_of_some_kind() -> None:
    no_case = {
        str(struct.__struct_config__.tag)
        for bodies in (FigureBody, HouseBody)
        for struct in bodies.__args__
    }
    for code in {*TYPES, *RECORD_TYPES, "erased"} - no_case:
        assert kind_of(code, None, AT) in EVENT_KINDS
    for code in no_case:
        with pytest.raises(KeyError):
            kind_of(code, None, AT)
