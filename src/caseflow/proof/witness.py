"""A witness: looks at a log from outside, and vouches that it only ever grew.

It knows nothing of a house. How the log is asked, where the witness remembers what it saw and what
time it is are given by whoever runs it.
"""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caseflow.domain.errors import CaseflowError
from caseflow.formats.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    cosign_checkpoint,
    open_checkpoint,
)
from caseflow.formats.merkle import verify_consistency
from caseflow.formats.note import (
    InvalidNoteError,
    Note,
    VerifierKey,
    parse_base64,
    render_note,
)

MAX_HASHES: Final = 64


class LogError(CaseflowError):
    """The log cannot be asked now, or answers what cannot be read. Trying again may help."""


class NoAnswerError(LogError):
    """The log refuses to answer what it was asked: there is no such thing, it says."""


class ForkError(CaseflowError):
    """The log shows what does not follow from what it showed before.

    seen, shown: both checkpoints as they were signed. Where they contradict each other, the two
    together prove to everyone that the log was rewritten.
    """

    def __init__(self, detail: str, seen: bytes, shown: bytes) -> None:
        super().__init__(detail)
        self.seen = seen
        self.shown = shown


class Remote(Protocol):
    """A log that is asked from outside, at addresses below its own."""

    def get(self, path: str) -> bytes:
        """Return what is at a path. Raises LogError, and NoAnswerError for a refusal."""

    def post(self, path: str, body: bytes) -> None:
        """Send a note. Raises LogError, and NoAnswerError where it is not taken."""


class Memory(Protocol):
    """Where a witness remembers the largest checkpoint that it vouched for."""

    def read(self) -> bytes | None:
        """Return it, None before the first."""

    def write(self, note: bytes) -> None:
        """Remember it, durably when this returns: nothing is vouched for before."""


class _Proof(msgspec.Struct):
    """What is read of the answer to a question for consistency; the roots are known already."""

    proof: list[str]


class Witness:
    """Cosigns the checkpoints of one log, under one name. Source: C2SP tlog-cosignature."""

    def __init__(
        self, name: str, key: Ed25519PrivateKey, log_key: VerifierKey, clock: Callable[[], int]
    ) -> None:
        """log_key: known from elsewhere. clock: seconds since the Unix epoch."""
        self._name = name
        self._key = key
        self._log_key = log_key
        self._clock = clock

    def look(self, log: Remote, memory: Memory) -> Checkpoint:
        """Cosign the newest checkpoint of the log and send the line; return what was cosigned.

        Raises LogError where it cannot be asked, InvalidNoteError where what it shows is not signed
        by it, ForkError where that does not follow from what it showed before.
        """
        data = log.get("checkpoint")
        shown = self._open(data)
        remembered = memory.read()
        if remembered is not None:
            self._require_growth(log, remembered, data, shown)
        if remembered is None or self._open(remembered).checkpoint.size < shown.checkpoint.size:
            memory.write(data)
        log.post("cosignatures", self._cosign(shown))
        return shown.checkpoint

    def _open(self, data: bytes) -> SignedCheckpoint:
        return open_checkpoint(data, log_key=self._log_key)

    def _cosign(self, shown: SignedCheckpoint) -> bytes:
        line = cosign_checkpoint(
            shown.checkpoint, name=self._name, private_key=self._key, timestamp=self._clock()
        )
        own = next(s for s in shown.note.signatures if s.name == self._log_key.name)
        return render_note(Note(shown.note.text, (own, line)))

    def _require_growth(
        self, log: Remote, remembered: bytes, data: bytes, signed: SignedCheckpoint
    ) -> None:
        seen, shown = self._open(remembered).checkpoint, signed.checkpoint
        if shown.size < seen.size:
            raise ForkError(
                f"the log shows size {shown.size}, and has shown {seen.size}", remembered, data
            )
        if shown.size == seen.size and shown.root != seen.root:
            raise ForkError(f"the log shows two roots for the size {seen.size}", remembered, data)
        if not _is_proven(log, seen, shown):
            raise ForkError(
                f"the log of size {shown.size} is not proven to begin with that of {seen.size}",
                remembered,
                data,
            )


def _is_proven(log: Remote, seen: Checkpoint, shown: Checkpoint) -> bool:
    try:
        proof = _ask_proof(log, seen.size, shown.size)
    except NoAnswerError:
        return False  # it signed both sizes, so it has to answer
    return verify_consistency(
        proof,
        old_size=seen.size,
        old_root=seen.root,
        new_size=shown.size,
        new_root=shown.root,
    )


def _ask_proof(log: Remote, old_size: int, new_size: int) -> list[bytes]:
    if old_size in (0, new_size):
        return []
    answer = log.get(f"consistency?from={old_size}&to={new_size}")
    try:
        told = msgspec.json.decode(answer, type=_Proof).proof
        return [parse_base64(one) for one in told[: MAX_HASHES + 1]]
    except (msgspec.MsgspecError, InvalidNoteError) as error:
        raise LogError("the log answers with what is no proof") from error
