"""The logs over HTTP: what an outsider needs to check them, and what witnesses say of them."""

import base64
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey

from caseflow.database import begin_read, make_engine
from caseflow.eventstore.mapper import read_record
from caseflow.eventstore.recorder import list_notifications
from caseflow.formats.checkpoint import (
    SignedCheckpoint,
    cosign_checkpoint,
    open_checkpoint,
    sign_checkpoint,
)
from caseflow.formats.merkle import hash_leaf, root_of, verify_consistency, verify_inclusion
from caseflow.formats.note import (
    COSIGNATURE_V1,
    Note,
    get_verifier_key,
    parse_verifier_key,
    render_note,
    render_verifier_key,
)
from caseflow.formats.record import parse_record, render_record
from caseflow.formats.tiles import (
    FULL_LOG_TAG,
    PUBLIC_LOG_TAG,
    leaf_data,
    list_bundles,
    list_tiles,
    parse_bundle,
    parse_tile,
    render_path,
)
from tests.proof.scenes import behind_the_back

from .conftest import AUTHOR, Partner, Service, copy_settings, pointers, problem, serve, steady

LOGS: Final = ("/v1/log", "/v1/log/full")
KEYS: Final = [Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (1, 2)]
NAMES: Final = ("witness.example/one", "witness.example/two")
WITNESSES: Final = [
    get_verifier_key(name, key, COSIGNATURE_V1) for name, key in zip(NAMES, KEYS, strict=True)
]


class Outsider:
    """Whoever checks the logs: with a key that may audit, since half of them need one."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.auditor = service.partner("audit:read")
        self.author = service.partner(*AUTHOR)

    def get(self, path: str, **query: Any) -> httpx.Response:
        """Ask for something of a log."""
        return self.auditor.get(path, **query)

    def fetch(self, path: str, **query: Any) -> bytes:
        """Return what is at a path, which must be there."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.content

    def open(self, log: str, **query: Any) -> SignedCheckpoint:
        """Return the newest checkpoint of a log, with what its own key and witnesses signed."""
        key = parse_verifier_key(self.fetch(f"{log}/key").decode().strip())
        note = self.fetch(f"{log}/checkpoint", **query)
        return open_checkpoint(note, log_key=key, witness_keys=WITNESSES)

    def fill(self, events: int) -> None:
        """Have some things recorded, of which all but the first are public."""
        case = self.author.open()
        for _ in range(events - 1):
            self.author.tell(case, "asylum.claim_made")

    def wait(self, log: str, size: int) -> SignedCheckpoint:
        """Return the checkpoint of a size, which must come within ten seconds."""
        deadline = time.monotonic() + 10
        while self.open(log).checkpoint.size < size:
            assert time.monotonic() < deadline, self.get("/readyz").text
            time.sleep(0.05)
        return self.open(log)


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def outsider(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outsider]:
    """A service with some cases, on either database; for tests that only read, and one witness."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("logs")
        settings = copy_settings(
            request, request.param, folder, stack,
            CASEFLOW_WITNESSES=",".join(render_verifier_key(key) for key in WITNESSES),
        )  # fmt: skip
        found = Outsider(stack.enter_context(serve(settings)))
        for events in (3, 5, 9, 260):
            found.fill(events)
            found.wait("/v1/log/full", found.service.head)
        yield found


# -- a mirror -------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", LOGS)
def test_a_mirror_that_walks_the_tiles_finds_every_entry_and_the_root(
    outsider: Outsider, log: str
) -> None:
    checkpoint = outsider.open(log).checkpoint
    assert checkpoint.size > 256
    assert checkpoint.origin == f"cases.example{log}"
    entries: list[bytes] = []
    for bundle in list_bundles(checkpoint.size):
        entries += parse_bundle(outsider.fetch(f"{log}/{render_path(bundle)}"), bundle.width)
    leaves: list[bytes] = []
    for tile in list_tiles(checkpoint.size):
        hashes = parse_tile(outsider.fetch(f"{log}/{render_path(tile)}"), tile.width)
        leaves += hashes if tile.level == 0 else ()
    assert [hash_leaf(entry) for entry in entries] == leaves
    assert root_of(leaves) == checkpoint.root
    tag = FULL_LOG_TAG if log.endswith("full") else PUBLIC_LOG_TAG
    assert all(entry.startswith(tag.encode() + b"\n") for entry in entries)


def test_the_entries_of_the_full_log_are_those_of_the_records(outsider: Outsider) -> None:
    size = outsider.open("/v1/log/full").checkpoint.size
    with begin_read(outsider.service.engine) as connection:
        stored = list_notifications(connection, 1, size)
    expected = [render_record(read_record(one)[0]) for one in stored]
    assert [parse_record(record).event_id for record in expected]
    entries: list[bytes] = []
    for bundle in list_bundles(size):
        path = f"/v1/log/full/{render_path(bundle)}"
        entries += parse_bundle(outsider.fetch(path), bundle.width)
    assert entries == [leaf_data(FULL_LOG_TAG, record) for record in expected]


@pytest.mark.parametrize("log", LOGS)
def test_others_read_our_logs(outsider: Outsider, log: str) -> None:
    """tlog-scales verifies the checkpoint and takes the tree from what is served."""

    class Served:
        """What the other program reads files through."""

        def get(self, *path: str) -> bytes | None:
            answer = outsider.get("/".join((log, *path)))
            return answer.content if answer.status_code == 200 else None

    reader = TilesReader(Served())
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(outsider.fetch(f"{log}/key").decode().strip()))
    root = reader.calculate_root_hash()
    assert root == outsider.open(log).checkpoint.root
    for index in (0, 255, 256, checkpoint.size - 1):
        proof = reader.get_inclusion_proof(index, checkpoint.size).node_hashes
        leaf = hash_leaf(reader.get_entry(index))
        whole = {"index": index, "size": checkpoint.size, "root": root}
        assert verify_inclusion(proof, leaf_hash=leaf, **whole)


@pytest.mark.parametrize("log", LOGS)
def test_random_consistency_proofs_verify(outsider: Outsider, log: str) -> None:
    chance = random.Random(7)
    checkpoint = outsider.open(log).checkpoint
    leaves: list[bytes] = []
    for tile in list_tiles(checkpoint.size):
        if tile.level == 0:
            leaves += parse_tile(outsider.fetch(f"{log}/{render_path(tile)}"), tile.width)
    sizes = [(0, 0), (0, checkpoint.size), (checkpoint.size, checkpoint.size)]
    sizes += [tuple(sorted(chance.choices(range(checkpoint.size + 1), k=2))) for _ in range(25)]  # type: ignore[misc]
    for old, new in sizes:
        told = outsider.get(f"{log}/consistency", **{"from": old, "to": new}).json()
        old_root, new_root = (base64.b64decode(told[name]) for name in ("from_root", "to_root"))
        assert (old_root, new_root) == (root_of(leaves[:old]), root_of(leaves[:new]))
        proof = [base64.b64decode(one) for one in told["proof"]]
        assert verify_consistency(
            proof, old_size=old, old_root=old_root, new_size=new, new_root=new_root
        )


# -- who may ask, and what caches may keep --------------------------------------------------------

PLACES: Final = ("checkpoint", "key", "tile/0/000", "tile/entries/000", "consistency?from=1&to=2")


@pytest.mark.parametrize("place", PLACES)
def test_the_full_log_is_for_auditors(outsider: Outsider, place: str) -> None:
    problem(outsider.service.get(f"/v1/log/full/{place}"), 401, "unauthenticated")
    problem(outsider.author.get(f"/v1/log/full/{place}"), 403, "forbidden")
    assert outsider.get(f"/v1/log/full/{place}").headers["cache-control"] == "no-store"
    assert outsider.service.get(f"/v1/log/{place}").status_code == 200


@pytest.mark.parametrize(
    ("place", "caching"),
    [
        ("checkpoint", "public, no-cache"),
        ("key", "public, max-age=60, must-revalidate"),
        ("tile/0/000", "public, max-age=31536000, immutable"),
        ("tile/0/000.p/3", "public, max-age=31536000, immutable"),
        ("tile/entries/000", "public, max-age=31536000, immutable"),
        ("consistency?from=1&to=2", "public, max-age=31536000, immutable"),
        ("consistency?from=1", "public, no-cache"),
    ],
)
def test_caches_keep_what_never_changes(outsider: Outsider, place: str, caching: str) -> None:
    service = outsider.service
    answer = service.get(f"/v1/log/{place}")
    assert answer.headers["cache-control"] == caching
    head = service.client.head(f"/v1/log/{place}")
    assert (head.status_code, head.content) == (200, b"")
    assert steady(head.headers) == steady(answer.headers)
    known = {"If-None-Match": answer.headers["etag"]}
    assert service.get(f"/v1/log/{place}", known).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/257", "tile/00/000",
        "tile/64/000", "tile/0/x000/001", "tile/0/999", "tile/9/000", "tile/entries/001.p/255",
        "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/0/000/", "tile//0/000", "tile/0//000",
        "tile/0/000%2Ep%2F3", "tile/0%2F000", "tile/-1/000", "tile/0/000.p/", "tile/", "tile/%00",
        "tile/entries", "tile/0/%D9%A1%D9%A2%D9%A3",
    ],
)  # fmt: skip
def test_what_is_no_tile_of_the_log_is_not_found(outsider: Outsider, path: str) -> None:
    request = httpx.Request("GET", "https://cases.example/")
    request.url = httpx.URL("http://testserver.local", raw_path=f"/v1/log/{path}".encode())
    problem(outsider.service.client.send(request), 404, "not-found")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("", "/query/from"),
        ("from=", "/query/from"),
        ("from=x&to=2", "/query/from"),
        ("from=-1&to=2", "/query/from"),
        ("from=3&to=2", "/query/from"),
        ("from=1&to=100000", "/query/to"),
        ("from=1&to=9223372036854775808", "/query/to"),
        ("from=9223372036854775807", "/query/from"),
        ("from=1&to=2&size=3", "/query/size"),
        ("from=1&from=1", "/query/from"),
    ],
)
def test_sizes_that_no_proof_is_between_are_refused(
    outsider: Outsider, query: str, pointer: str
) -> None:
    answer = outsider.service.get(f"/v1/log/consistency?{query}")
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == [pointer]


# -- witnesses ------------------------------------------------------------------------------------


def cosigned(signed: SignedCheckpoint, *which: int, at: int | None = None) -> bytes:
    """Return a checkpoint with the lines of some witnesses."""
    now = int(datetime.now(UTC).timestamp()) if at is None else at
    lines = [
        cosign_checkpoint(signed.checkpoint, name=NAMES[n], private_key=KEYS[n], timestamp=now)
        for n in which
    ]
    return render_note(Note(signed.note.text, (*signed.note.signatures, *lines)))


def post(partner: Partner, log: str, body: bytes, **headers: str) -> httpx.Response:
    told = {**partner.headers, "Content-Type": "text/plain; charset=utf-8", **headers}
    return partner.service.client.post(f"{log}/cosignatures", content=body, headers=told)


@pytest.mark.parametrize("log", LOGS)
def test_lines_of_witnesses_are_served_with_the_checkpoint(outsider: Outsider, log: str) -> None:
    problem(outsider.get(f"{log}/checkpoint", witnesses=1), 404, "not-found")
    # What a test before this one had recorded is signed by now: no newer one comes in between.
    outsider.wait("/v1/log/full", outsider.service.head)
    signed = outsider.open(log)
    answer = post(outsider.auditor, log, cosigned(signed, 0, at=5))
    assert answer.status_code == 200, answer.text
    assert answer.content == outsider.fetch(f"{log}/checkpoint")
    post(outsider.auditor, log, cosigned(signed, 1, at=6))
    post(outsider.auditor, log, cosigned(signed, 0, at=7))
    post(outsider.auditor, log, cosigned(signed, 0, at=4))
    found = outsider.open(log)
    assert [(c.key.name, c.timestamp) for c in found.cosignatures] == [(NAMES[0], 7), (NAMES[1], 6)]
    assert len(found.note.signatures) == 3
    problem(outsider.get(f"{log}/checkpoint", witnesses=3), 404, "not-found")
    # The log goes on; so many have cosigned an older one only.
    outsider.fill(2)
    newer = outsider.wait(log, signed.checkpoint.size + 1)
    assert newer.cosignatures == ()
    post(outsider.auditor, log, cosigned(newer, 1))
    sizes = [outsider.open(log, witnesses=n).checkpoint.size for n in (0, 1, 2)]
    assert sizes == [newer.checkpoint.size, newer.checkpoint.size, signed.checkpoint.size]


def test_lines_of_strangers_are_not_taken(outsider: Outsider) -> None:
    signed = outsider.open("/v1/log")
    before = outsider.fetch("/v1/log/checkpoint")
    stranger = Ed25519PrivateKey.generate()
    line = cosign_checkpoint(signed.checkpoint, name=NAMES[0], private_key=stranger, timestamp=1)
    note = render_note(Note(signed.note.text, (signed.note.signatures[0], line)))
    problem(post(outsider.auditor, "/v1/log", note), 422, "invalid-input")
    # Beside one that is known it is passed over.
    whole = cosigned(signed, 0).decode() + note.decode().splitlines(keepends=True)[-1]
    assert post(outsider.auditor, "/v1/log", whole.encode()).status_code == 200
    assert len(outsider.open("/v1/log").note.signatures) <= 3
    assert before.splitlines()[:3] == outsider.fetch("/v1/log/checkpoint").splitlines()[:3]


def test_notes_that_are_not_ours_are_not_taken(outsider: Outsider) -> None:
    signed = outsider.open("/v1/log")
    good = cosigned(signed, 0)
    forged = sign_checkpoint(signed.checkpoint, Ed25519PrivateKey.generate())
    full = cosigned(outsider.open("/v1/log/full"), 0)
    for body in (b"", b"\xff", b"text\n", good[:-1], good + b"\n", good.replace(b"\n", b"\r\n")):
        problem(post(outsider.auditor, "/v1/log", body), 422, "invalid-input")
    problem(post(outsider.auditor, "/v1/log", render_note(forged)), 422, "invalid-input")
    problem(post(outsider.auditor, "/v1/log", full), 422, "invalid-input")
    broken = bytearray(good)
    broken[-10] ^= 1
    problem(post(outsider.auditor, "/v1/log", bytes(broken)), 422, "invalid-input")
    problem(post(outsider.auditor, "/v1/log", b"x" * 100_001), 413, "too-large")
    wrong = {"Content-Type": "application/json"}
    problem(post(outsider.auditor, "/v1/log", good, **wrong), 415, "unsupported-media-type")
    problem(post(outsider.author, "/v1/log/full", full), 403, "forbidden")


def test_a_checkpoint_of_another_history_is_not_taken(outsider: Outsider) -> None:
    """Signed with the log's own key, as a copy of the house might have done."""
    seed = outsider.service.settings.signing_key_file.read_bytes()
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed))
    signed = outsider.open("/v1/log")
    size = signed.checkpoint.size
    for change in ({"root": bytes(32)}, {"size": size + 5}):
        other = msgspec.structs.replace(signed.checkpoint, **change)
        note = sign_checkpoint(other, key)
        fork = msgspec.structs.replace(signed, checkpoint=other, note=note)
        problem(post(outsider.auditor, "/v1/log", cosigned(fork, 0)), 409, "conflict")


# -- readiness ------------------------------------------------------------------------------------


@pytest.fixture
def fresh(service: Service, monkeypatch: pytest.MonkeyPatch) -> Outsider:
    """A service of one's own to harm, which looks at everything all the time."""
    monkeypatch.setattr("caseflow.proof.audit.REST", 0)
    monkeypatch.setattr("caseflow.proof.audit.IDLE_SECONDS", 0)
    return Outsider(service)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_readiness_tells_how_far_the_logs_are_signed(fresh: Outsider) -> None:
    fresh.fill(4)
    fresh.wait("/v1/log/full", 4)
    fresh.wait("/v1/log", 3)
    public, keyed = fresh.service.get("/readyz").json(), fresh.author.get("/readyz").json()
    assert public["log"]["size"] == 3
    assert "full_log" not in public
    assert keyed["log"] == public["log"]
    assert keyed["full_log"]["size"] == 4
    # What is not public moves nothing that is.
    before = fresh.service.get("/v1/log/checkpoint").content
    case = fresh.author.open(publish="none")
    fresh.author.tell(case, "asylum.claim_made", visibility="restricted")
    fresh.wait("/v1/log/full", 6)
    assert fresh.service.get("/readyz").json() == public
    assert fresh.service.get("/v1/log/checkpoint").content == before


def test_a_halted_log_is_told_by_every_process_until_it_is_put_right(fresh: Outsider) -> None:
    fresh.fill(4)
    fresh.wait("/v1/log/full", 4)
    engine = make_engine(fresh.service.settings.database_url)
    with begin_read(engine) as connection:
        times = connection.scalar(text("SELECT recorded_at FROM events WHERE position = 2"))
    try:
        with behind_the_back(engine) as connection:
            connection.execute(text("UPDATE events SET recorded_at = 1 WHERE position = 2"))
        wait_until(lambda: fresh.service.get("/readyz").status_code == 503)
        told = problem(fresh.service.get("/readyz"), 503, "unavailable")
        assert told["detail"] == "a log is not signed any more"
        keyed = problem(fresh.author.get("/readyz"), 503, "unavailable")
        assert "position 2 has another time than its record" in keyed["detail"]
        with serve(fresh.service.settings) as other:
            problem(other.get("/readyz"), 503, "unavailable")
        with behind_the_back(engine) as connection:
            connection.execute(text(f"UPDATE events SET recorded_at = {times} WHERE position = 2"))
        wait_until(lambda: fresh.service.get("/readyz").status_code == 200)
    finally:
        engine.dispose()


def test_a_log_that_stays_unsigned_is_told(
    fresh: Outsider, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.fill(2)
    fresh.wait("/v1/log/full", 2)
    monkeypatch.setattr("caseflow.proof.checkpoints.Checkpoints.advance", lambda *_: False)
    fresh.fill(2)
    assert fresh.service.get("/readyz").status_code == 200
    monkeypatch.setattr("caseflow.api.health.UNSIGNED_SECONDS", 0.3)
    wait_until(lambda: fresh.service.get("/readyz").status_code == 503)
    assert "stays behind" in fresh.service.get("/readyz").json()["detail"]
    monkeypatch.undo()
    wait_until(lambda: fresh.service.get("/readyz").status_code == 200)
