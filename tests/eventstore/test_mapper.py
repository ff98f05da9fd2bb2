"""Events become sealed records and come back; what is stored tells nothing without its key."""

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy import delete

from caseflow.bootstrap import House
from caseflow.database import begin_write, make_engine
from caseflow.domain.errors import NotFoundError, WithdrawnError
from caseflow.domain.events import HOUSE_ID, Body, Erased, Event
from caseflow.domain.times import parse_time
from caseflow.domain.vocabulary import TYPES, Released
from caseflow.eventstore.keys import KeyStore, case_keys
from caseflow.eventstore.mapper import (
    TIME_BYTES,
    TOPIC,
    UPCASTERS,
    VERSIONS,
    MissingCaseKeyError,
    SealedMapper,
    UnknownEventError,
    read_record,
)
from caseflow.eventstore.recorder import list_events
from caseflow.formats.record import (
    SEED_BYTES,
    Record,
    commit_fields,
    pack_body,
    render_record,
    salt_of,
    verify_field,
)
from caseflow.formats.seal import NONCE_BYTES, UnsealError, pack_state, seal, unseal
from caseflow.projections.partner.history import find_event
from tests.checks import check_absent, check_house, check_records, find_canaries
from tests.houses import (
    NOON,
    Desk,
    list_events_of,
    list_log,
    new_partner,
    new_settings,
    refusal_of,
    run_house,
)
from tests.strategies import claim

CASE, EVENT, PARTNER, KEY = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
AT = parse_time(NOON)
TEXTS: dict[str, Any] = {
    "place": "Pavlodar canary",
    "authority": "the canary court",
    "summary": {"ru": "канарейка в клетке", "kk": "торғай", "en": "a canary in a cage"},
    "private_note": "told by the canary's brother",
    "sources": [{"title": "Canary Times", "url": "https://canary.example/1", "sha256": "0" * 64}],
    "external_id": "canary/17",
    "notified": "2025-05-03",
    "visibility": "restricted",
}
WORDS = ("canary", "канарейка", "торғай", "in a cage", "2025-05", "restricted")
NAMES: dict[str, Any] = {
    "names": [{"text": "Canary", "language": "en", "kind": "primary"}],
    "birth_year": 1990,
    "nationalities": ["RU"],
    "profile": ["canary_keeper"],
}
CONSENT: dict[str, Any] = {
    "publish": "pseudonym", "basis": "representative", "share": True, "pseudonym": "a canary",
}  # fmt: skip
FIGURE: dict[str, Any] = {
    "measure": "persons_staying",
    "low": 50_000,
    "high": 80_000,
    "as_of": "2025-05-01",
    "host_state": "KZ",
    "origin_state": "RU",
    "source": TEXTS["sources"][0],
    "summary": TEXTS["summary"],
}
# What each record event says of its own; every one may have the partner's own id beside it.
RECORDED: dict[str, dict[str, Any]] = {
    "case.opened": {
        "code": "KZ-7Q3K-9F2M",
        "host_state": "KZ",
        "origin_state": "RU",
        "persons": 3,
        "subject": NAMES,
        "consent": CONSENT,
    },
    "subject.amended": {"subject": NAMES},
    "consent.changed": {"consent": CONSENT},
    "claim.corrected": {
        "claim": str(EVENT),
        "reason": "new_evidence",
        "replacement": {"type": "asylum.refused", "stage": "repeat", "occurred": "2025-05-01"}
        | TEXTS,
    },
    "claim.retracted": {"claim": str(EVENT), "reason": "unsafe", "note": "says the canary"},
    "claim.corroborated": {"claim": str(EVENT), "note": "so says the canary"},
    "claim.disputed": {"claim": str(EVENT), "reason": "no canary", "rank_against": True},
    "visibility.changed": {
        "claim": str(EVENT), "visibility": "restricted", "until_review": True,
    },
    "publication.approved": {"event": str(EVENT), "note": "let the canary sing"},
    "publication.declined": {"event": str(EVENT), "note": "no canary sings"},
    "publication.released": {"claim": str(EVENT)},
    "identity.merged": {"into": str(CASE)},
    "identity.unmerged": {"apart_from": str(CASE)},
    "objection.made": {
        "by": "lawyer", "text": "no canary agreed", "contact": "canary@example.org", "hides": True,
    },
    "figure.reported": FIGURE,
    "figure.corrected": {"figure": str(EVENT), "reason": "typo", "replacement": FIGURE},
    "figure.retracted": {"figure": str(EVENT), "reason": "false", "note": "says the canary"},
    "figure.hidden": {"figure": str(EVENT)},
    "case.erased": {
        "code": "KZ-7Q3K-9F2M",
        "reason": "the canary asked for it",
        "legal_basis": "canary law",
        "requested_by": str(PARTNER),
        "requested_with": str(KEY),
        "events": [{"id": str(EVENT), "partner": str(PARTNER), "visibility": "partners"}],
    },
    "publication.frozen": {},
    "publication.resumed": {},
}  # fmt: skip


@pytest.fixture
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyStore]:
    """A key store without keys."""
    with new_settings("sqlite", request, tmp_path) as settings:
        engine = make_engine(settings.keys_url)
        yield KeyStore(engine, bytes(32))
        engine.dispose()


@pytest.fixture
def mapper(keys: KeyStore) -> SealedMapper:
    """A mapper as in a house."""
    keys.create_keys([HOUSE_ID])
    return SealedMapper(keys)


def event_of(body: Any, **more: Any) -> Event:
    """Return an event of the one case of these tests."""
    return Event(
        originator_id=CASE,
        originator_version=1,
        id=EVENT,
        partner_id=PARTNER,
        recorded_at=AT,
        body=body,
        **more,
    )


def body_of(code: str) -> Any:
    """Return a body of a type that says all that it can."""
    if code in TYPES:
        return claim(code, "2025-05-01", **TEXTS)
    return msgspec.convert({"type": code, "external_id": "canary", **RECORDED[code]}, Body)


# -- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("code", VERSIONS)
def test_every_event_comes_back_as_it_was(mapper: SealedMapper, code: str) -> None:
    event = event_of(
        body_of(code), hold="review", author="The canary desk", embargoed=True, key_id=KEY
    )
    stored = mapper.to_stored_event(event)
    assert mapper.to_domain_event(stored) == event
    plain = event_of(body_of(code))
    assert mapper.to_domain_event(mapper.to_stored_event(plain)) == plain
    assert (stored.originator_id, stored.originator_version) == (CASE, 1)


@pytest.mark.parametrize("code", RECORDED)
def test_the_examples_say_all_that_can_be_said(code: str) -> None:
    """What an example leaves out would be neither stored nor searched for in these tests."""
    body = body_of(code)
    told = msgspec.to_builtins(body).keys() - {"type"}
    assert told == set(body.__struct_fields__)


def test_there_is_a_name_for_every_body_and_an_upcaster_for_every_old_version() -> None:
    codes = {struct.__struct_config__.tag for struct in Body.__args__}
    assert codes == set(VERSIONS)
    old = {(code, v) for code, current in VERSIONS.items() for v in range(1, current)}
    assert set(UPCASTERS) == old


@pytest.mark.parametrize("code", VERSIONS)
def test_what_is_stored_tells_neither_type_nor_text(mapper: SealedMapper, code: str) -> None:
    told = event_of(body_of(code), author="The canary desk", key_id=KEY)
    stored = mapper.to_stored_event(told)
    assert stored.topic == ("erased/1" if code == "case.erased" else TOPIC)
    check_absent(stored.state, [*WORDS, code], code)
    check_absent(render_record(read_record(stored)[0]), [*WORDS, code], code)
    # Nor which key it was posted with: a partner's keys are its staff.
    assert KEY.bytes not in stored.state
    assert str(KEY).encode() not in stored.state


def test_the_search_for_words_would_find_them(
    mapper: SealedMapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sealed does hold the words: without the sealing each of them is found."""
    monkeypatch.setattr(
        "caseflow.eventstore.mapper.seal_values",
        lambda key, event_id, nonce, seed, values: b" ".join(values.values()),
    )
    state = mapper.to_stored_event(event_of(body_of("asylum.refused"))).state
    assert {word for word, _ in find_canaries(state, WORDS)} == set(WORDS)


def test_equal_events_are_stored_in_unequal_bytes(mapper: SealedMapper) -> None:
    event = event_of(body_of("person.died"))
    one, other = (mapper.to_stored_event(event) for _ in range(2))
    assert not set(read_record(one)[0].commitments) & set(read_record(other)[0].commitments)
    assert read_record(one)[1] != read_record(other)[1]


def test_the_record_commits_to_the_name_and_to_every_field(
    keys: KeyStore, mapper: SealedMapper
) -> None:
    event = event_of(body_of("asylum.refused"), hold="review", author="Desk", key_id=KEY)
    record, sealed = read_record(mapper.to_stored_event(event))
    assert record == Record(
        event_id=EVENT,
        case_id=CASE,
        version=1,
        recorded_at=AT,
        partner_id=PARTNER,
        commitments=record.commitments,
    )
    seed, fields = unseal(keys.get_keys([CASE])[CASE] or b"", EVENT, sealed)
    assert fields["type"] == "asylum.refused/1"
    assert fields.keys() == {"type", "occurred", "stage", "hold", "author", "key", *TEXTS}
    paths = [(name,) for name in fields]
    for name, value in fields.items():
        salt = salt_of(seed, paths, (name,))
        assert verify_field(record, (name,), value, salt)
        assert not verify_field(record, (name,), [value], salt)
    assert len(record.commitments) == len(fields)


def test_a_sealed_part_opens_for_no_other_event(mapper: SealedMapper) -> None:
    one = mapper.to_stored_event(event_of(body_of("person.died")))
    other = mapper.to_stored_event(
        msgspec.structs.replace(event_of(body_of("person.entered")), id=uuid4())
    )
    record, _ = read_record(one)
    _, stolen = read_record(other)
    packed = pack_body(record.event_id, record.partner_id, record.commitments)
    state = one.state[:TIME_BYTES] + pack_state(packed, stolen)
    with pytest.raises(UnsealError):
        mapper.to_domain_event(StoredEvent(CASE, 1, TOPIC, state))


# -- names and versions ---------------------------------------------------------------------------


def store_fields(keys: KeyStore, fields: dict[str, Any]) -> StoredEvent:
    """Return an event whose fields are stored just so, as another release would have."""
    key, seed = keys.create_keys([CASE])[CASE], bytes(SEED_BYTES)
    packed = pack_body(EVENT, PARTNER, commit_fields(seed, fields))
    sealed = seal(key, EVENT, bytes(NONCE_BYTES), seed, fields)
    return StoredEvent(CASE, 1, TOPIC, AT.to_bytes(TIME_BYTES, "big") + pack_state(packed, sealed))


def test_an_upcaster_makes_an_old_version_new(keys: KeyStore) -> None:
    """Version 1 of this example told the condition in a flag, version 2 in words; 3 is today's."""
    steps = {
        ("detention.released", 1): lambda fields: {
            **{name: value for name, value in fields.items() if name != "on_bail"},
            "terms": "on bail" if fields["on_bail"] else "free",
        },
        ("detention.released", 2): lambda fields: {
            **{name: value for name, value in fields.items() if name != "terms"},
            "condition": {"on bail": "bail", "free": "none"}[fields["terms"]],
        },
    }
    mapper = SealedMapper(keys, versions={**VERSIONS, "detention.released": 3}, upcasters=steps)
    wanted = event_of(Released(occurred="2025-05-01", condition="bail"), author="Desk")
    told = {"occurred": "2025-05-01", "author": "Desk"}
    for version, fields in (
        (1, {"on_bail": True}),
        (2, {"terms": "on bail"}),
        (3, {"condition": "bail"}),
    ):
        name = {"type": f"detention.released/{version}"}
        assert mapper.to_domain_event(store_fields(keys, {**name, **told, **fields})) == wanted
    # What is stored from now on carries the new version.
    _, sealed = read_record(mapper.to_stored_event(wanted))
    _, sealed_fields = unseal(keys.create_keys([CASE])[CASE], EVENT, sealed)
    assert sealed_fields["type"] == "detention.released/3"
    # An upcaster changes what is read, never what is recorded.
    old = store_fields(keys, {"type": "detention.released/1", **told, "on_bail": True})
    before = old.state
    mapper.to_domain_event(old)
    assert old.state == before


@pytest.mark.parametrize("name", ["person.died/2", "person.reborn/1"])
def test_an_event_of_a_newer_release_is_not_guessed_at(
    keys: KeyStore, mapper: SealedMapper, name: str
) -> None:
    with pytest.raises(UnknownEventError, match=name):
        mapper.to_domain_event(store_fields(keys, {"type": name, "occurred": "2025-05-01"}))


def test_a_field_of_a_newer_release_is_refused_without_quoting_it(
    keys: KeyStore, mapper: SealedMapper
) -> None:
    fields = {"type": "person.died/1", "occurred": "2025-05-01", "verification": "canary"}
    with pytest.raises(UnknownEventError) as refused:
        mapper.to_domain_event(store_fields(keys, fields))
    assert "canary" not in "".join(traceback.format_exception(refused.value))


GOLDEN_STATE = (
    "00064a76feb2f00001000000000000000000000000000000020000000000000000000000000000000300083b"
    "319667c9f3e2ec0736daaab79cdd75be7f4ea4763d6351d7c09d6311fe1f2b4022e0dd3d079a36782f51fcf8"
    "ed453b30f0d046dac7dfd876760fea5c380f674cc2d4be17f1918ba45fcfd2a16f2420542ffd046478e6c253"
    "89682102e77a1a4e47fe2ac4c005c9ac809616fc7a8bbe19545c41560dc2fdb77d5d9a3e75a000937aabbbd0"
    "961d4e9f7698ebcb42a1793ab696abdfde9f46a213864a3a770f6d99e7b3aac1bf8cb98c0b8cc6c59228211b"
    "841a0ff664e025650a062adec0e629a91713629e02c6af25fabd3fe84f36de68c3516a3ebe5c87d5093daaa4"
    "cf8eaeb9d9e203ba0bdc5d38bbcb363d96a7187fab227b39d0cba092ab90aaf24ca99a010000000000000000"
    "00000000e06ff2aac3aa123d271718fbbdc87d0eaea00eda5777845eec2b6e445ab12f22ab91fc5d5aeec183"
    "09625fe46883fc374acfb7f31e9fcb54a246a9f4f7083bd8f7e6c5d3f142c9d55fb70cd7361c50185a4e3309"
    "71675ef444f7bbe42b09c632fe68392d6402bbea147523a363695309ec098301943936c1d6817e924b4376bd"
    "449c544192e73db8620dba4bf2f52e2e3046c2309df01ed7df645b4758978534d45a57c15e991fb77d048029"
    "574ddd99383106702c1ab656cb80cbea2f347ea911b6aa5d6303b8341f4097"
)


def test_an_event_stored_by_the_first_release_is_read(
    mapper: SealedMapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These bytes are in logs out there: no change of the code may make them unreadable."""
    monkeypatch.setattr(KeyStore, "get_keys", lambda self, ids: dict.fromkeys(ids, b"k" * 32))
    stored = StoredEvent(CASE, 1, "sealed/1", bytes.fromhex(GOLDEN_STATE))
    event = mapper.to_domain_event(stored)
    body = claim(
        "detention.released",
        "2025-05-01",
        condition="bail",
        place="Павлодар",
        visibility="public",
        sources=[{"title": "Times"}],
    )
    assert event == event_of(body, hold="review", author="Desk")


# -- destroyed and missing keys -------------------------------------------------------------------


@pytest.fixture
def house(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A running house without cases, on either database."""
    with (
        new_settings(database_kind, request, tmp_path, keys=database_kind) as settings,
        run_house(settings) as house,
    ):
        yield house


def list_stored(house: House, case_id: UUID) -> list[StoredEvent]:
    """Return the stored events of a case."""
    with house.read() as connection:
        return list_events(connection, case_id)


def test_a_destroyed_key_leaves_every_record_and_no_value(house: House) -> None:
    desk = new_partner(house)
    case, other = desk.open("anonymous"), desk.open("anonymous")
    for n in range(3):
        desk.tell(case, "asylum.claim_made", f"2025-05-0{n + 1}", **TEXTS | {"external_id": str(n)})
        desk.tell(other, "person.entered", visibility="public")
    before = list_stored(house, case)
    records = [render_record(read_record(stored)[0]) for stored in before]
    events = list_events_of(house, case)

    assert house.keys.destroy_key(case, AT)

    after = list_stored(house, case)
    assert after == before
    assert [render_record(read_record(stored)[0]) for stored in after] == records
    erased = list_events_of(house, case)
    assert [event.body for event in erased] == [Erased()] * 4
    assert {event.key_id for event in events} == {desk.caller.key_id}
    # What a record says itself stays: which event, when, of whom. What was sealed does not.
    for was, now in zip(events, erased, strict=True):
        unsealed = {"hold": None, "author": None, "embargoed": False, "key_id": None}
        assert now == msgspec.structs.replace(was, body=Erased(), **unsealed)
    with begin_write(house.engine) as connection:
        check_records(house, connection)


def test_after_a_destroyed_key_a_rebuild_runs_and_forgets_the_case(house: House) -> None:
    desk = new_partner(house)
    case, other = desk.open("anonymous"), desk.open("anonymous")
    gone = desk.tell(case, "person.entered", visibility="public")
    kept = desk.tell(other, "person.entered", visibility="public")
    house.keys.destroy_key(case, AT)
    assert house.rebuild() == 4
    with house.reader.snapshot() as snapshot:
        placed = find_event(snapshot.connection, snapshot.view_set, gone)
        assert placed is not None
        assert (placed.type, placed.visibility) == ("erased", "restricted")
        found = find_event(snapshot.connection, snapshot.view_set, kept)
    assert found is not None
    assert found.position == 4
    assert len(list_log(house)) == 4
    check_house(house)


def test_nothing_is_told_about_an_erased_case(house: House) -> None:
    desk = new_partner(house)
    case = desk.open(external_id="a")
    house.keys.destroy_key(case, AT)
    # The house that still has the case in memory, and one that has to read it.
    assert isinstance(refusal_of(desk.submit_claim(case)), WithdrawnError)
    assert isinstance(refusal_of(desk.submit_claim(case)), NotFoundError | WithdrawnError)
    # An old import does not bring anyone back.
    assert isinstance(refusal_of(desk.submit_case(external_id="a")), WithdrawnError)
    assert isinstance(refusal_of(Desk(desk.cases, desk.caller).submit_claim("ext:a")), Exception)
    assert len(list_log(house)) == 1


def test_a_log_without_its_key_store_is_not_taken_for_erased(house: House) -> None:
    """A rebuild would otherwise empty every view of a house that was given the wrong keys."""
    desk = new_partner(house)
    case = desk.open("anonymous")
    event = desk.tell(case, "person.entered", visibility="public")
    with begin_write(house.keys_engine) as connection:
        connection.execute(delete(case_keys))
    house.keys.forget(case)
    with pytest.raises(MissingCaseKeyError):
        list_events_of(house, case)
    with pytest.raises(MissingCaseKeyError):
        house.rebuild()
    with house.reader.snapshot() as snapshot:
        assert find_event(snapshot.connection, snapshot.view_set, event) is not None
