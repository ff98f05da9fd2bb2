"""The key that signs the checkpoints of a deployment: one, pinned in the key store for good."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caseflow.domain.errors import CaseflowError
from caseflow.formats.bundle import Statement, sign_statement
from caseflow.formats.checkpoint import Checkpoint, sign_checkpoint
from caseflow.formats.note import Note, VerifierKey, get_verifier_key, render_note

from .checkpoints import Open, pin_key


class WrongSigningKeyError(CaseflowError):
    """The signing key is not the one that this log was signed with: readers know the other."""


class Signer:
    """Signs checkpoints with the deployment's key, under each log's origin as its name."""

    def __init__(self, seed: bytes) -> None:
        """seed: the private key, 32 bytes (RFC 8032, section 5.1.5)."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> bytes:
        """The public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def get_key(self, origin: str) -> VerifierKey:
        """Return what readers need to verify the checkpoints of a log."""
        return get_verifier_key(origin, self._key)

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """Return the checkpoint as a signed note; the same one gives the same bytes."""
        return render_note(sign_checkpoint(checkpoint, self._key))

    def sign_statement(self, statement: Statement) -> Note:
        """Return what a log says of a case, signed: no checkpoint, and never taken for one."""
        return sign_statement(statement, self._key)


def make_signer(seed: bytes, write: Open) -> Signer:
    """Return the signer of this key store, which keeps to the first key that it was used with.

    Raises WrongSigningKeyError for any other.
    """
    signer = Signer(seed)
    if pin_key(write, signer.public_key) != signer.public_key:
        raise WrongSigningKeyError(
            "the signing key (CASEFLOW_SIGNING_KEY_FILE) is not the one that signed this log: put "
            "the right file back; readers would take what another key signs for a forgery"
        )
    return signer
