"""Texts that nobody should send, in every field that takes one: whole and harmless, or refused."""

from collections.abc import Iterator
from typing import Any, Final, get_args

import msgspec.inspect
import pytest
from lxml import etree

from caseflow.domain.vocabulary import AnyClaim

from .conftest import AUTHOR, Json, Partner, Service, pointers, problem
from .test_feeds import LANGUAGES, parse

# The ends and the middle of each plane, without what no XML carries.
PLANES: Final = [
    "".join(
        chr(plane << 16 | low)
        for low in (0x40, 0xA0, 0x0627, 0x1F64, 0x202E, 0x2067, 0xD7FF, 0xE000, 0xFDD0, 0xFFFD)
    )
    for plane in range(17)
]
BEYOND: Final = "x" * 200_000
_SHORT: Final = 400
"""Places that take a line take 500 characters."""


def list_texts(info: Any, at: str = "") -> Iterator[str]:
    """Yield the pointers of all texts that a type takes: those without a pattern or short limit."""
    match info:
        case msgspec.inspect.Metadata():
            yield from list_texts(info.type, at)
        case msgspec.inspect.StrType() if info.pattern is None and (info.max_length or 0) > _SHORT:
            yield at
        case msgspec.inspect.UnionType():
            for one in info.types:
                yield from list_texts(one, at)
        case msgspec.inspect.StructType():
            for field in info.fields:
                yield from list_texts(field.type, f"{at}/{field.encode_name}")
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            yield from list_texts(info.item_type, f"{at}/0")


def put(body: Json, pointer: str, value: str) -> Json:
    """Put a value where a pointer says, and what has to be around it."""
    here: Any = body
    *path, last = pointer.lstrip("/").split("/")
    for place, name in enumerate(path, start=1):
        if name == "0":
            here.extend([] if here else [{}])
            here = here[0]
        else:
            here = here.setdefault(name, [] if [*path, last][place] == "0" else {})
    here[last] = value
    return body


def list_claims() -> Iterator[tuple[str, Json, list[str]]]:
    """Yield each type of claim: its least body, and its texts."""
    for claim in get_args(AnyClaim):
        info = msgspec.inspect.type_info(claim)
        assert isinstance(info, msgspec.inspect.StructType)
        body: Json = {"type": str(info.tag), "occurred": "2025-05-01"}
        needed = [field for field in info.fields if field.required and field.name != "occurred"]
        for field in needed:
            kind = getattr(field.type, "type", field.type)
            values = getattr(kind, "values", None)
            body[field.encode_name] = values[0] if values else "x"
        yield str(info.tag), body, list(list_texts(info))


CLAIMS: Final = list(list_claims())
COMMON: Final = set(CLAIMS[0][2]).intersection(*(texts for _, _, texts in CLAIMS))
# Once the texts that all have, and then those that are of some types alone.
PLACES: Final = [(CLAIMS[0][0], CLAIMS[0][1], at) for at in sorted(COMMON)] + [
    (name, body, at) for name, body, texts in CLAIMS for at in texts if at not in COMMON
]


def test_texts_are_found() -> None:
    assert {"/place", "/authority", "/summary/ru", "/private_note", "/sources/0/title"} <= COMMON
    own = {at for _, _, at in PLACES} - COMMON
    assert {"/accusation", "/ground", "/forum"} <= own


def begin(author: Partner, body: Json, **opening: Any) -> tuple[Json, Json]:
    """Return a new case, and the least body of a public claim of it."""
    case = author.open(**opening)
    # A source has a title or an address.
    told = {**body, "visibility": "public", "sources": [{"url": "https://example.org/"}]}
    if "against" in told:
        told["against"] = author.tell(case, "extradition.granted", "2025-04-01")["id"]
    return case, told


@pytest.fixture
def author(shared: Service) -> Partner:
    return shared.partner(*AUTHOR)


@pytest.mark.parametrize(("name", "body", "at"), PLACES, ids=lambda v: v if v else None)
def test_200_kilobytes_are_refused_where_they_stand(
    author: Partner, name: str, body: Json, at: str
) -> None:
    case, told = begin(author, body)
    before = author.service.head
    put(told, at, BEYOND)
    answer = author.post(f"/v1/cases/{case['id']}/events", told)
    assert pointers(answer) == [at]
    assert len(answer.content) < 2_000
    assert author.service.head == before


@pytest.mark.parametrize("plane", range(17))
def test_every_plane_is_carried_by_every_text(author: Partner, plane: int) -> None:
    text = PLANES[plane]
    consent = {"publish": "pseudonym", "basis": "already_public", "pseudonym": f"P{text}"}
    for name, body in {name: body for name, body, _ in PLACES}.items():
        case, told = begin(author, body, consent=consent)
        for at in (at for other, _, at in PLACES if other == name):
            put(told, at, f"T{text}{at.rpartition('/')[2]}")
        answer = author.post(f"/v1/cases/{case['id']}/events", told)
        assert answer.status_code == 201, answer.text
        check_documents(author.service, case, text)


def check_documents(service: Service, case: Json, text: str) -> None:
    """Assert that a text is whole in what is told of a case in every language."""
    for language in LANGUAGES:
        path = f"/feeds/cases/{case['code']}"
        answer = service.get(f"{path}.atom", lang=language)
        assert parse(answer).entries
        said = "".join(etree.fromstring(answer.content).itertext())
        assert text in said
        assert service.get(f"{path}.json", lang=language).json()["items"]
        shown = service.get(f"/v1/cases/{case['id']}", lang=language)
        assert f"P{text}" in shown.json()["label"]


@pytest.mark.parametrize(("name", "body", "at"), PLACES, ids=lambda v: v if v else None)
def test_what_no_document_carries_is_refused_where_it_stands(
    author: Partner, name: str, body: Json, at: str
) -> None:
    case, told = begin(author, body)
    before = author.service.head
    answer = author.post(f"/v1/cases/{case['id']}/events", put(told, at, "seen\x0bunseen"))
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == [at]
    assert "unseen" not in answer.text
    assert author.service.head == before
