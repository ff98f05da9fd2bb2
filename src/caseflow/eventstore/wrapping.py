"""What is done with keys: wrapping them under the master key, and hashing under one of them."""

import hmac
import secrets
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caseflow.domain.errors import CaseflowError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class WrongMasterKeyError(CaseflowError):
    """The master key does not open this key store, or what it holds was altered."""


class Wrapper:
    """Wraps keys under the master key: nonce, then AES-256-GCM with the name as additional data.

    A random nonce of 96 bits is good for 2^32 wrappings under one master key.
    """

    def __init__(self, master_key: bytes) -> None:
        require_key("a master key", master_key)
        self._cipher = AESGCM(master_key)

    def wrap(self, name: bytes, key: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, name)

    def unwrap(self, name: bytes, wrapped: bytes) -> bytes:
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], name)
        except (InvalidTag, ValueError):
            message = "the master key does not open the key store: is it the right file?"
            raise WrongMasterKeyError(message) from None

    def opens(self, name: bytes, wrapped: bytes) -> bool:
        """Return whether this master key is the one that something was wrapped under."""
        try:
            self.unwrap(name, wrapped)
        except WrongMasterKeyError:
            return False
        return True

    def unwrap_key(self, case_id: UUID, wrapped: bytes | None) -> bytes | None:
        """Return the key of a case, None where it was destroyed."""
        return None if wrapped is None else self.unwrap(name_case(case_id), wrapped)


def name_case(case_id: UUID) -> bytes:
    """Return what the key of a case is wrapped for."""
    return b"case" + case_id.bytes


def name_secret(name: str) -> bytes:
    """Return what a secret is wrapped for."""
    return b"secret" + name.encode()


def require_key(what: str, key: bytes) -> None:
    """Raise ValueError for what is not 32 bytes."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{what} has {KEY_BYTES} bytes")


class KeyedHash:
    """Hashes that only this deployment can make: guessing a name does not find its hash."""

    def __init__(self, secret: bytes) -> None:
        """Keep the secret: 32 bytes, as from `KeyStore.get_secret`. Raises ValueError."""
        require_key("the secret of a keyed hash", secret)
        self._secret = secret

    def digest(self, *parts: str) -> bytes:
        """Return HMAC-SHA-256 over the parts, 32 bytes.

        Each part is its length in bytes (four bytes, big-endian) and its UTF-8, so that no two
        lists of parts make one message. Raises ValueError for lone surrogates.
        """
        encoded = (part.encode() for part in parts)
        message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        return hmac.new(self._secret, message, "sha256").digest()
