"""A witness vouches for a log that only grew, and for no other."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caseflow.formats.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from caseflow.formats.merkle import hash_leaf, nodes_over, prove_consistency, root_of
from caseflow.formats.note import (
    COSIGNATURE_V1,
    InvalidNoteError,
    get_verifier_key,
    render_base64,
    render_note,
)
from caseflow.proof.witness import ForkError, LogError, NoAnswerError, Witness

ORIGIN = "cases.example/v1/log"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEY = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))
NAME = "witness.example/w1"
NOW = 1_770_000_000


class Log:
    """A log that shows whatever entries it is given, in memory."""

    def __init__(self, *entries: str) -> None:
        self.leaves = [hash_leaf(entry.encode()) for entry in entries]
        self.posted: list[bytes] = []
        self.refuses_proofs = False
        self.key = LOG_KEY

    def get(self, path: str) -> bytes:
        if path == "checkpoint":
            checkpoint = Checkpoint(ORIGIN, len(self.leaves), root_of(self.leaves))
            return render_note(sign_checkpoint(checkpoint, self.key))
        if self.refuses_proofs:
            raise NoAnswerError("422")
        old, new = (int(part.partition("=")[2]) for part in path.partition("?")[2].split("&"))
        proof = prove_consistency(old, new, nodes_over(self.leaves))
        told: dict[str, Any] = {"from": old, "to": new, "proof": [render_base64(p) for p in proof]}
        return json.dumps(told).encode()

    def post(self, path: str, body: bytes) -> None:
        assert path == "cosignatures"
        self.posted.append(body)


class Memory:
    """What a witness remembers, in memory."""

    def __init__(self) -> None:
        self.note: bytes | None = None

    def read(self) -> bytes | None:
        return self.note

    def write(self, note: bytes) -> None:
        self.note = note


@pytest.fixture
def witness() -> Witness:
    return Witness(NAME, KEY, get_verifier_key(ORIGIN, LOG_KEY), lambda: NOW)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def test_what_grew_is_cosigned(witness: Witness, memory: Memory) -> None:
    log = Log()
    key = get_verifier_key(NAME, KEY, COSIGNATURE_V1)
    for size in (0, 0, 1, 3, 3, 8, 300):
        log.leaves += [hash_leaf(bytes([n % 256])) for n in range(len(log.leaves), size)]
        assert witness.look(log, memory).size == size
        signed = open_checkpoint(
            log.posted[-1], log_key=get_verifier_key(ORIGIN, LOG_KEY), witness_keys=[key]
        )
        assert [(c.key, c.timestamp) for c in signed.cosignatures] == [(key, NOW)]
        assert memory.note == log.get("checkpoint")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (("a", "x", "c"), "two roots for the size 3"),
        (("a", "x", "c", "d"), "not proven to begin with that of 3"),
        (("a", "b"), "shows size 2, and has shown 3"),
        ((), "shows size 0, and has shown 3"),
    ],
)
def test_a_fork_is_refused_with_both_checkpoints_and_forgotten_by_nobody(
    witness: Witness, memory: Memory, entries: tuple[str, ...], words: str
) -> None:
    honest, forked = Log("a", "b", "c"), Log(*entries)
    witness.look(honest, memory)
    with pytest.raises(ForkError, match=words) as fork:
        witness.look(forked, memory)
    assert (fork.value.seen, fork.value.shown) == (
        honest.get("checkpoint"),
        forked.get("checkpoint"),
    )
    assert forked.posted == []
    assert memory.note == honest.get("checkpoint")


def test_a_log_that_gives_no_proof_is_not_vouched_for(witness: Witness, memory: Memory) -> None:
    log = Log("a", "b")
    witness.look(log, memory)
    log.leaves.append(hash_leaf(b"c"))
    log.refuses_proofs = True
    with pytest.raises(ForkError, match="not proven"):
        witness.look(log, memory)
    assert len(log.posted) == 1


def test_what_the_log_did_not_sign_is_not_cosigned(witness: Witness, memory: Memory) -> None:
    log = Log("a")
    log.key = KEY
    with pytest.raises(InvalidNoteError):
        witness.look(log, memory)
    assert (log.posted, memory.note) == ([], None)


def test_it_remembers_before_it_vouches(witness: Witness, memory: Memory) -> None:
    """Whoever loses the memory of what he vouched for could vouch for something else."""
    log = Log("a")

    def fail(*_: object) -> None:
        raise OSError

    memory.write = fail  # type: ignore[method-assign]
    with pytest.raises(OSError):  # noqa: PT011 - any
        witness.look(log, memory)
    assert log.posted == []


def test_an_answer_that_is_no_proof_says_nothing(witness: Witness, memory: Memory) -> None:
    log = Log("a", "b")
    witness.look(log, memory)
    log.leaves.append(hash_leaf(b"c"))
    get = log.get
    for body in (b"", b"{}", b'{"proof": ["?"]}', b'{"proof": [1]}'):
        log.get = lambda path, b=body: get(path) if path == "checkpoint" else b  # type: ignore[method-assign,misc]
        with pytest.raises(LogError):
            witness.look(log, memory)
