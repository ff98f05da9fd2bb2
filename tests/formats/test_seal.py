"""The sealed part of an event: it opens with its key for its event, and in no other way."""

from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from caseflow.formats.record import (
    InvalidRecordError,
    Record,
    commit_fields,
    pack_record,
    render_record,
)
from caseflow.formats.seal import UnsealError, pack_state, seal, unpack_state, unseal

KEY, SEED, NONCE = b"k" * 32, b"s" * 32, b"n" * 12
EVENT = UUID(int=7)
FIELDS = {"type": "person.died", "private_note": "Имя", "term_days": 3}
SEALED = seal(KEY, EVENT, NONCE, SEED, FIELDS)

field_maps = st.dictionaries(
    st.text(st.characters(codec="ascii"), max_size=8),
    st.none() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20).filter(str.isascii),
    max_size=6,
)


@given(field_maps, st.uuids(), st.binary(min_size=32, max_size=32))
def test_what_was_sealed_is_unsealed(fields, event_id, seed):
    assert unseal(KEY, event_id, seal(KEY, event_id, NONCE, seed, fields)) == (seed, fields)


def test_sealing_is_a_function_of_its_arguments():
    assert seal(KEY, EVENT, NONCE, SEED, dict(reversed(FIELDS.items()))) == SEALED


def test_nothing_of_the_values_shows():
    for told in (SEED, b"person.died", "Имя".encode(), b"private_note"):
        assert told not in SEALED


@pytest.mark.parametrize("bit", range(8))
def test_a_changed_bit_anywhere_is_noticed(bit):
    for place in range(len(SEALED)):
        altered = bytearray(SEALED)
        altered[place] ^= 1 << bit
        with pytest.raises(UnsealError):
            unseal(KEY, EVENT, bytes(altered))


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_a_truncated_part_is_noticed(length):
    with pytest.raises(UnsealError):
        unseal(KEY, EVENT, SEALED[:length])


def test_another_key_or_another_event_does_not_open_it():
    with pytest.raises(UnsealError):
        unseal(b"K" * 32, EVENT, SEALED)
    with pytest.raises(UnsealError):
        unseal(KEY, UUID(int=8), SEALED)


def test_what_another_sealed_under_the_key_without_fields_is_refused():
    for plain in (SEED + b"not deflate", SEED, SEED + bytes.fromhex("330400")):  # the last: "1"
        data = b"\x01" + NONCE + AESGCM(KEY).encrypt(NONCE, plain, EVENT.bytes)
        with pytest.raises(UnsealError):
            unseal(KEY, EVENT, data)


@pytest.mark.parametrize(
    "arguments",
    [
        (b"k" * 16, EVENT, NONCE, SEED, FIELDS),
        (KEY, EVENT, b"n" * 16, SEED, FIELDS),
        (KEY, EVENT, NONCE, b"s" * 16, FIELDS),
        (KEY, EVENT, NONCE, SEED, {"term": 1.5}),
        (KEY, EVENT, NONCE, SEED, {"имя": 1}),
    ],
)
def test_short_keys_and_values_without_canonical_form_are_refused(arguments):
    with pytest.raises(ValueError):  # noqa: PT011 - the reasons differ
        seal(*arguments)


def test_a_key_of_another_length_is_an_error_of_the_caller():
    with pytest.raises(ValueError, match="32 bytes"):
        unseal(b"k" * 16, EVENT, SEALED)


def test_a_state_is_the_record_and_the_sealed_part():
    columns = {"case_id": UUID(int=1), "version": 1, "recorded_at": 5}
    record = Record(
        event_id=EVENT,
        partner_id=UUID(int=2),
        commitments=commit_fields(SEED, FIELDS),
        **columns,
    )
    state = pack_state(pack_record(record), SEALED)
    assert unpack_state(state, **columns) == (record, SEALED)
    with pytest.raises(InvalidRecordError):
        unpack_state(state[:50], **columns)


def test_without_the_key_the_record_still_renders_and_only_the_values_are_gone():
    """What an erasure leaves: the state as it was, and no key."""
    columns = {"case_id": UUID(int=1), "version": 1, "recorded_at": 5}
    commitments = commit_fields(SEED, FIELDS)
    record = Record(event_id=EVENT, partner_id=UUID(int=2), commitments=commitments, **columns)
    before = render_record(record)
    found, sealed = unpack_state(pack_state(pack_record(record), SEALED), **columns)
    assert render_record(found) == before
    assert found.commitments == commitments
    with pytest.raises(UnsealError):
        unseal(bytes(32), EVENT, sealed)


def test_a_typical_event_takes_less_than_a_kilobyte():
    """A published case of those that the project ships, with its summary and a source."""
    fields = {
        "type": "expulsion.ordered",
        "external_id": "zhilin/expulsion",
        "occurred": "[2022-09..2023-03]",
        "jurisdiction": "KZ",
        "authority": "court",
        "summary": {
            "en": "Suspended six-month sentence for illegal crossing, with expulsion; "
            "no chance to contest."
        },
        "sources": [
            {
                "title": "How Kazakhstan treats Russians who ask for political asylum",
                "published": "2026-01-29",
                "language": "ru",
                "connection": "reporter",
            }
        ],
        "verification": "likely",
        "visibility": "public",
    }
    commitments = commit_fields(SEED, fields)
    record = Record(
        event_id=EVENT,
        case_id=UUID(int=1),
        version=1,
        recorded_at=5,
        partner_id=UUID(int=2),
        commitments=commitments,
    )
    state = pack_state(pack_record(record), seal(KEY, EVENT, NONCE, SEED, fields))
    assert len(state) < 700
