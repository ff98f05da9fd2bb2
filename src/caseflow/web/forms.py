"""Forms that need neither script nor cookie, and take nothing that was not filled in here.

What protects them stands in the form itself: a token that only this service can have made, sealed
and with its time. It holds what a step must know of the one before: who shows a key (never the key)
and what was seen in the preview.
"""

import base64
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from msgspec import Struct

from caseflow.api.bodies import read_body, require_type
from caseflow.api.services import AnyRequest, Services
from caseflow.domain.errors import InvalidInputError

LASTS_SECONDS: Final = 3_600
_SECRET: Final = "web-forms"
_MOST_FIELDS: Final = 200

Purpose = Literal["objection", "claim", "preview"]
Fields = Mapping[str, str]


class FormError(InvalidInputError):
    """A form that is not taken as it was sent; nothing came of it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, [])


class ForgedFormError(FormError):
    """What was sent was not filled in on a page of this service."""


class LateFormError(FormError):
    """The page was filled in too long after it was given out."""


class Token(Struct, frozen=True, kw_only=True):
    """What a form carries from step to step.

    nonce: another one for each form that is given out; sent twice, the form is carried out once.
    key: the SHA-256 of the key that was shown, hex. fields: the SHA-256 of what was seen.
    """

    purpose: Purpose
    nonce: str
    key: str | None = None
    fields: str | None = None


def new_token(purpose: Purpose, *, key: str | None = None) -> Token:
    """Return a token that no other form has."""
    return Token(purpose=purpose, nonce=uuid4().hex, key=key)


def seal_token(services: Services, token: Token) -> str:
    """Return a token as a form carries it. Blocks once."""
    seconds = services.clock() // 1_000_000
    return _cipher(services).encrypt_at_time(msgspec.json.encode(token), seconds).decode()


def open_token(services: Services, text: str, purpose: Purpose) -> Token:
    """Return the token of a form that was given out for a purpose within the last hour. Blocks.

    Raises LateFormError for an older one, ForgedFormError for anything else.
    """
    cipher, seconds = _cipher(services), services.clock() // 1_000_000
    try:
        told = cipher.decrypt(text)
        token = msgspec.json.decode(told, type=Token)
    except (InvalidToken, UnicodeError, msgspec.MsgspecError) as error:
        raise ForgedFormError("the form has no token of this service") from error
    if token.purpose != purpose:
        raise ForgedFormError("the token is that of another form")
    if seconds - cipher.extract_timestamp(text) > LASTS_SECONDS:
        raise LateFormError("the form was given out too long ago")
    return token


def _cipher(services: Services) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(services.read_secret(_SECRET)))


def digest_fields(fields: Fields) -> str:
    """Return what tells these fields from any others."""
    return sha256(msgspec.json.encode(sorted(fields.items()))).hexdigest()


async def read_form(request: AnyRequest, services: Services) -> dict[str, str]:
    """Return the fields that were sent, without those that were left empty.

    Raises ForgedFormError for what another site sent, UnsupportedMediaTypeError and TooLargeError,
    and FormError for what cannot be read.
    """
    _refuse_other_sites(request, services)
    require_type(request, "application/x-www-form-urlencoded")
    body = await read_body(request, services.max_body_bytes)
    try:
        told = parse_qsl(
            body.decode("ascii"), strict_parsing=bool(body), max_num_fields=_MOST_FIELDS,
            errors="strict", keep_blank_values=True,
        )  # fmt: skip
    except ValueError as error:
        raise FormError("the form cannot be read") from error
    if len({name for name, _ in told}) != len(told):
        raise FormError("the form holds a field twice")
    # Lines end in a form as they do in a mail (HTML, 4.10.22.4).
    return {n: t for n, text in told if (t := text.replace("\r\n", "\n").strip())}


def _refuse_other_sites(request: AnyRequest, services: Services) -> None:
    """Refuse a form that a page of another site sends. Source: W3C Fetch Metadata, section 2.3.

    Browsers that do not tell where a request comes from are stopped by the token alone.
    """
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        raise ForgedFormError("the form comes from another site")
    # Pages that tell nobody where one came from send `null` (Fetch, section 3.2).
    origin = request.headers.get("origin", "null")
    ours = {_origin_of(services.base_url), _origin_of(str(request.base_url))}
    if site is None and origin != "null" and origin not in ours:
        raise ForgedFormError("the form comes from another site")


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
