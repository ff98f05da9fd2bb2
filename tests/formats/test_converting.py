"""Converting gives what the library gives, and tells of faults in its words."""

from typing import Any, Final

import msgspec
import pytest

from caseflow.domain.events import Body
from caseflow.domain.vocabulary import AnyClaim
from caseflow.formats.converting import convert

CLAIM: Final = {
    "type": "asylum.registered", "occurred": "2024-01-02", "visibility": "public",
    "summary": {"ru": "Сообщили"}, "sources": [{"url": "https://example.org/"}],
}  # fmt: skip


@pytest.mark.parametrize("wanted", [AnyClaim, Body, dict[str, Any]])
def test_it_gives_what_the_library_gives(wanted: Any) -> None:
    assert convert(CLAIM, wanted) == msgspec.convert(CLAIM, wanted)


@pytest.mark.parametrize(
    "value",
    [
        5,
        None,
        [],
        {},
        {"type": "$.value"},
        CLAIM | {"occurred": 5},
        CLAIM | {"summary": {"ru": ""}},
        CLAIM | {"sources": [{"url": "https://example.org/"}, {"url": "$.value"}]},
        CLAIM | {" - at `$.value": 1},
        CLAIM | {"visibility": " - at `$.value"},
        {"type": "asylum.registered"},
    ],
)
def test_it_tells_of_faults_as_the_library_does(value: Any) -> None:
    with pytest.raises(msgspec.ValidationError) as wanted:
        msgspec.convert(value, AnyClaim)
    with pytest.raises(msgspec.ValidationError) as told:
        convert(value, AnyClaim)
    assert str(told.value) == str(wanted.value)
