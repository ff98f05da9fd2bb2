"""One request: to the address that was checked, under the name that was asked for, and bounded."""

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from caseflow.push.addresses import Network, parse_target
from caseflow.push.sending import FailedError, Reach, post

from .receivers import Receiver, say

HERE: Final[tuple[Network, ...]] = (ip_network("127.0.0.0/8"),)
BODY: Final = b'{"type":"change.published","data":{}}'
HEADERS: Final = {"webhook-id": "msg_1", "webhook-signature": "v1,x"}
NAME: Final = "receiver.example"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def send(url: str, **more: Any) -> int:
    reach = Reach(HERE, **more)
    return post(parse_target(url, HERE), BODY, HEADERS, reach)


@pytest.mark.parametrize("status", [200, 204, 400, 410, 500, 503])
def test_the_status_is_what_comes_back(receiver: Receiver, status: int) -> None:
    receiver.answer = say(status)
    assert send(receiver.url) == status
    (message,) = receiver.messages
    assert (message.id, message.path) == ("msg_1", "/hook")


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answer = say(307, Location=f"{receiver.url}/elsewhere")
    assert send(receiver.url) == 307
    assert len(receiver.messages) == 1


def test_no_proxy_of_the_environment_is_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(receiver.url) == 204


def drip(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(400):
        handler.wfile.write(b"X: y\r\n")
        handler.wfile.flush()
        time.sleep(0.02)


def flood(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(100):
        handler.wfile.write(b"x" * 1_000_000)


def endless_head(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(10_000):
        handler.wfile.write(b"X: " + b"y" * 1_000 + b"\r\n")


def nonsense(handler: Any) -> None:
    handler.wfile.write(b"\x00\x01 nothing that is HTTP\r\n\r\n")


def silence(handler: Any) -> None:
    time.sleep(1)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [(drip, "timeout"), (silence, "timeout"), (endless_head, "protocol"), (nonsense, "protocol")],
)
def test_a_hostile_answer_ends(receiver: Receiver, answer: Any, failure: str) -> None:
    receiver.answer = answer
    with pytest.raises(FailedError, match=f"^{failure}$"):
        send(receiver.url, whole_seconds=0.5)


def test_of_a_huge_answer_the_status_is_read(receiver: Receiver) -> None:
    receiver.answer = flood
    assert send(receiver.url) == 200


def test_nobody_there() -> None:
    with Receiver() as receiver:
        url = receiver.url
    with pytest.raises(FailedError, match=r"^connect$"):
        send(url)


def test_a_name_is_resolved_once_and_refused_where_it_leads_inside() -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        # What it leads to the second time is nobody's business any more.
        return ["10.0.0.1"] if len(asked) == 1 else ["127.0.0.1"]

    target = parse_target("https://receiver.example/")
    with pytest.raises(FailedError, match=r"^address$"):
        post(target, BODY, HEADERS, Reach(resolve=resolve))
    assert asked == ["receiver.example"]


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a key and a certificate that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "key.pem", folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    paths[0].write_bytes(private)
    paths[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return paths


def test_the_name_is_verified_and_the_checked_address_is_connected_to(tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path, NAME)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    believed = ssl.create_default_context(cafile=str(certificate))
    with Receiver(server) as receiver:
        # There is no such name anywhere: it is reached at the address that was checked.
        reach = Reach(HERE, resolve=lambda host, port: ["127.0.0.1"], tls=believed)
        url = f"https://{NAME}:{receiver.port}/hook"
        assert post(parse_target(url, HERE), BODY, HEADERS, reach) == 204
        other = f"https://other.example:{receiver.port}/hook"
        with pytest.raises(FailedError, match=r"^tls$"):
            post(parse_target(other, HERE), BODY, HEADERS, reach)
        # And whoever nobody vouches for is not told anything.
        with pytest.raises(FailedError, match=r"^tls$"):
            post(parse_target(url, HERE), BODY, HEADERS, reach._replace(tls=None))
        assert len(receiver.messages) == 1
