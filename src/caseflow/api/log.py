"""The logs as outsiders check them: checkpoints, tiles, proofs, and the lines of witnesses.

The public log for everyone; the full one, under `/v1/log/full`, for keys with `audit:read`.
"""

from typing import Any, Final

from anyio.to_thread import run_sync
from litestar import Response, post

from caseflow.formats.note import render_base64
from caseflow.proof.served import ServedLog
from caseflow.proof.source import LogName

from .answers import JSON
from .bodies import read_body, require_type
from .conditional import (
    IMMUTABLE,
    PRIVATE,
    PUBLIC,
    REVALIDATED,
    Document,
    etag_of,
    respond,
    respond_document,
)
from .parameters import MAX_POSITION, invalid_parameter, parse_integer, read_query
from .rendering import encode
from .routes import read
from .services import AnyRequest, services_of

TEXT: Final = "text/plain"
BYTES: Final = "application/octet-stream"
AUDIT_SCOPE: Final = "audit:read"
MAX_WITNESSES: Final = 100
# Sixteen signatures take three thousand.
MAX_NOTE_BYTES: Final = 100_000

_PATHS: Final[dict[LogName, str]] = {"public": "/v1/log/", "full": "/v1/log/full/"}


@read("/v1/log/checkpoint")
def read_checkpoint(request: AnyRequest) -> Response[bytes]:
    """Return the newest checkpoint of the public log: a note that the log and witnesses signed.

    With `witnesses`, the newest that so many have cosigned: it may be an older one.
    """
    return _read_checkpoint(request, "public")


@read("/v1/log/full/checkpoint")
def read_full_checkpoint(request: AnyRequest) -> Response[bytes]:
    """Return the newest checkpoint of the full log, with the cosignatures that it has."""
    return _read_checkpoint(request, "full")


@read("/v1/log/key")
def read_key(request: AnyRequest) -> Response[bytes]:
    """Return the verifier key of the public log (C2SP signed-note).

    What it is must be known from elsewhere too: whoever can forge the log can forge this answer.
    """
    return _read_key(request, "public")


@read("/v1/log/full/key")
def read_full_key(request: AnyRequest) -> Response[bytes]:
    """Return the verifier key of the full log (C2SP signed-note)."""
    return _read_key(request, "full")


@read("/v1/log/tile/{tile:path}")
def read_tile(request: AnyRequest) -> Response[bytes]:
    """Return a tile of the public log, or a bundle of its entries (C2SP tlog-tiles).

    Those of a tree that was signed, also partial ones that have grown since; they never change.
    """
    return _read_tile(request, "public")


@read("/v1/log/full/tile/{tile:path}")
def read_full_tile(request: AnyRequest) -> Response[bytes]:
    """Return a tile of the full log, or a bundle of its entries (C2SP tlog-tiles)."""
    return _read_tile(request, "full")


@read("/v1/log/consistency")
def read_consistency(request: AnyRequest) -> Response[bytes]:
    """Return the proof that an older tree of the public log is the start of a newer one.

    Source: RFC 6962, section 2.1.2. Hashes and roots are base64; compare the roots with those of
    checkpoints that you have.
    """
    return _read_consistency(request, "public")


@read("/v1/log/full/consistency")
def read_full_consistency(request: AnyRequest) -> Response[bytes]:
    """Return the proof that an older tree of the full log is the start of a newer one."""
    return _read_consistency(request, "full")


@post("/v1/log/cosignatures", status_code=200)
async def add_cosignatures(request: AnyRequest) -> Response[bytes]:
    """Take the lines of witnesses under a checkpoint of the public log (C2SP tlog-cosignature).

    The body is the signed note with its new lines. Those of witnesses that are known here are kept
    and served with the checkpoint; others are passed over. The answer is the note as it is now.
    """
    return await _add_cosignatures(request, "public")


@post("/v1/log/full/cosignatures", status_code=200)
async def add_full_cosignatures(request: AnyRequest) -> Response[bytes]:
    """Take the lines of witnesses under a checkpoint of the full log."""
    await services_of(request).require(request, AUDIT_SCOPE)
    return await _add_cosignatures(request, "full")


def _find_log(request: AnyRequest, name: LogName) -> ServedLog:
    services = services_of(request)
    if name == "full":
        services.require_key(request, AUDIT_SCOPE)
    return services.logs[name]


def _choose(log: ServedLog, cache_control: str) -> str:
    """Return for how long an answer may be kept: of the full log never."""
    return PRIVATE if log.name == "full" else cache_control


def _read_checkpoint(request: AnyRequest, name: LogName) -> Response[bytes]:
    log, query = _find_log(request, name), read_query(request, "witnesses")
    witnesses = parse_integer(query, "witnesses", lowest=0, highest=MAX_WITNESSES) or 0
    return respond(
        request,
        log.get_checkpoint(witnesses),
        media_type=TEXT,
        # What is newest has to be asked for again each time.
        cache_control=_choose(log, REVALIDATED),
    )


def _read_key(request: AnyRequest, name: LogName) -> Response[bytes]:
    log = _find_log(request, name)
    key = f"{log.render_key()}\n".encode()
    return respond(request, key, media_type=TEXT, cache_control=_choose(log, PUBLIC))


def _read_tile(request: AnyRequest, name: LogName) -> Response[bytes]:
    log = _find_log(request, name)
    body = log.get_tile(_path_sent(request).removeprefix(_PATHS[name]))
    # Hashes cannot be compressed.
    document = Document(plain=body, zipped=None, media_type=BYTES, etag=etag_of(body))
    return respond_document(request, document, cache_control=_choose(log, IMMUTABLE))


def _path_sent(request: AnyRequest) -> str:
    """Return the path as it was sent: the framework mends slashes, and a tile has one path."""
    sent = request.scope.get("raw_path") or request.scope["path"].encode()
    return sent.partition(b"?")[0].decode("ascii", "replace")


def _read_consistency(request: AnyRequest, name: LogName) -> Response[bytes]:
    log, query = _find_log(request, name), read_query(request, "from", "to")
    old_size = parse_integer(query, "from", lowest=0, highest=MAX_POSITION)
    new_size = parse_integer(query, "to", lowest=0, highest=MAX_POSITION)
    if old_size is None:
        raise invalid_parameter("from", "must be a size of the log")
    proof = log.prove_consistency(old_size, new_size)
    rendered: dict[str, Any] = {
        "from": proof.old.size,
        "to": proof.new.size,
        "from_root": render_base64(proof.old.root),
        "to_root": render_base64(proof.new.root),
        "proof": [render_base64(one) for one in proof.hashes],
    }
    # Between two sizes that are told nothing ever changes.
    caching = IMMUTABLE if new_size is not None else REVALIDATED
    return respond(request, encode(rendered), media_type=JSON, cache_control=_choose(log, caching))


async def _add_cosignatures(request: AnyRequest, name: LogName) -> Response[bytes]:
    require_type(request, TEXT)
    body = await read_body(request, MAX_NOTE_BYTES)
    note = await run_sync(services_of(request).logs[name].add_cosignatures, body)
    return Response(note, status_code=200, media_type=TEXT, headers={"Cache-Control": PRIVATE})
