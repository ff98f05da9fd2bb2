"""Request bodies: what may be sent and how much of it. What it says is read in `json_input`."""

from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException

from caseflow.domain.errors import CaseflowError, UnreadableError


class TooLargeError(CaseflowError):
    """A body longer than is taken here."""


class UnsupportedMediaTypeError(CaseflowError):
    """A body in a form that is not taken here."""


def require_json(request: Request[Any, Any, Any]) -> None:
    """Refuse a body that is not said to be JSON; see `require_type`."""
    require_type(request, "application/json")


def require_type(request: Request[Any, Any, Any], wanted: str) -> None:
    """Refuse a body that is not said to be of a media type; its parameters are passed over.

    Raises UnsupportedMediaTypeError, for a compressed body too.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != wanted:
        raise UnsupportedMediaTypeError(f"send the body with Content-Type: {wanted}")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaTypeError("send the body without a Content-Encoding")


async def read_body(request: Request[Any, Any, Any], max_bytes: int) -> bytes:
    """Return the body, reading no further than it may be long.

    Raises TooLargeError, at once where the length is announced; UnreadableError where the
    connection ends before the body does.
    """
    announced = request.headers.get("content-length", "")
    # Python refuses to read thousands of digits; eighteen are more than there is to read.
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > max_bytes):
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise _too_large(max_bytes)
    except HTTPException as error:
        # The framework's own limit says 413; its other complaint is that the client went away.
        if error.status_code == 413:
            raise _too_large(max_bytes) from error
        raise UnreadableError("the body ended before its end") from error
    return bytes(body)


def _too_large(max_bytes: int) -> TooLargeError:
    return TooLargeError(f"a body may have {max_bytes} bytes at most")
