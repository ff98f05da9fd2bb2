"""The record of a public change: its bytes, what it commits to, and what it refuses."""

import json
from contextlib import suppress

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from caseflow.formats.public_record import (
    PublicRecord,
    pack_public_record,
    parse_public_record,
    render_public_record,
    unpack_public_record,
)
from caseflow.formats.record import MAX_INTEGER, InvalidRecordError

digests = st.binary(min_size=32, max_size=32)
public_records = st.builds(
    PublicRecord,
    sequence=st.integers(1, MAX_INTEGER),
    entry_id=st.uuids(),
    event_id=st.uuids(),
    kind=st.sampled_from(("published", "corrected", "withdrawn")),
    published_at=st.integers(0, 253_402_300_799_999_999),
    commitments=st.sets(digests, max_size=4).map(lambda found: tuple(sorted(found))),
)


@given(public_records)
def test_a_public_record_is_canonical_json_and_read_back(record: PublicRecord) -> None:
    data = render_public_record(record)
    assert parse_public_record(data) == record
    assert rfc8785.dumps(json.loads(data)) == data


@given(public_records, st.binary(max_size=5))
def test_a_packed_record_needs_its_columns_alone(record: PublicRecord, behind: bytes) -> None:
    packed = pack_public_record(record)
    assert len(packed) == 36 + 32 * len(record.commitments)
    found = unpack_public_record(
        packed + behind, sequence=record.sequence, published_at=record.published_at
    )
    assert found == (record, behind)


@given(public_records, st.data())
def test_any_changed_bit_is_another_record_or_none(
    record: PublicRecord, data: st.DataObject
) -> None:
    rendered = bytearray(render_public_record(record))
    rendered[data.draw(st.integers(0, len(rendered) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(InvalidRecordError):
        assert parse_public_record(bytes(rendered)) != record


@given(public_records, st.data())
def test_packed_bytes_that_end_early_are_refused(record: PublicRecord, data: st.DataObject) -> None:
    packed = pack_public_record(record)
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
    with pytest.raises(InvalidRecordError):
        unpack_public_record(cut, sequence=1, published_at=0)


@pytest.mark.parametrize(
    ("place", "value"), [(0, 2), (1, 3), (35, 255)], ids=["format", "kind", "count"]
)
def test_bytes_of_another_format_are_refused(place: int, value: int) -> None:
    packed = bytearray(34) + bytearray(2)
    packed[0] = 1
    packed[place] = value
    with pytest.raises(InvalidRecordError):
        unpack_public_record(bytes(packed), sequence=1, published_at=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sequence": 0},
        {"sequence": MAX_INTEGER + 1},
        {"kind": "erased"},
        {"published_at": -1},
        {"commitments": (b"b" * 32, b"a" * 32)},
        {"commitments": (b"a" * 31,)},
    ],
    ids=str,
)
@given(record=public_records)
def test_what_no_record_has_is_refused(record: PublicRecord, wrong: dict[str, object]) -> None:
    fields = {name: getattr(record, name) for name in PublicRecord.__struct_fields__}
    with pytest.raises(ValueError):  # noqa: PT011 - each with its own words
        PublicRecord(**fields | wrong)


def test_other_spellings_are_refused() -> None:
    data = b'{"commitments":[],"entry":"5f1c7a52-3a0e-4c8b-9d7e-0b6f2a91c3d4"}'
    for wrong in (data, b"[]", b"", b"\xff"):
        with pytest.raises(InvalidRecordError):
            parse_public_record(wrong)
