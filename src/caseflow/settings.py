"""The environment, read once into one frozen value.

Everything a deployment can set is here, with its default and bounds; `docs/settings.md` explains
each in a table. Nothing else in caseflow looks at the environment.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import SplitResult, urlsplit

ReviewPolicy = Literal["scope", "two_person"]
Network = IPv4Network | IPv6Network

DEFAULTS: Mapping[str, str] = {
    "CASEFLOW_DATABASE_URL": "sqlite:///caseflow.db",
    "CASEFLOW_KEYS_URL": "sqlite:///caseflow-keys.db",
    "CASEFLOW_MASTER_KEY_FILE": "caseflow-master.key",
    "CASEFLOW_SIGNING_KEY_FILE": "caseflow-signing.key",
    "CASEFLOW_LEDGER_FILE": "caseflow-ledger.ndjson",
    "CASEFLOW_HOST": "127.0.0.1",
    "CASEFLOW_PORT": "8000",
    "CASEFLOW_BASE_URL": "http://HOST:PORT",
    "CASEFLOW_NAME": "caseflow",
    "CASEFLOW_CONTACT": "none",
    "CASEFLOW_REVIEW": "scope",
    "CASEFLOW_MAX_BODY_BYTES": "1000000",
    "CASEFLOW_RATE_PER_PARTNER": "60000",
    "CASEFLOW_RATE_PER_ADDRESS": "6000",
    "CASEFLOW_PROXIES": "none",
    "CASEFLOW_STREAM_SUBSCRIBERS": "2000",
    "CASEFLOW_WEBHOOK_NETWORKS": "none",
    "CASEFLOW_WEBSUB_HUB": "none",
    "CASEFLOW_LOG_ORIGIN": "none",
    "CASEFLOW_WITNESSES": "none",
}
"""Every variable that is read, and its value when unset or empty."""

_SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql+psycopg://"
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_NAME_LENGTH = 200
# With the log's own there are then 16 signatures, which every reader of notes must take.
_MOST_WITNESSES = 15


class SettingsError(Exception):
    """A variable holds what cannot be used; the message names it and does not repeat the value."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable} {problem}")
        self.variable = variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a deployment decides; each field is the variable CASEFLOW_<FIELD>.

    database_url, keys_url: SQLAlchemy URLs, `sqlite:///` or `postgresql+psycopg://`; they may hold
    passwords, so the representation leaves them out.
    base_url: where readers reach the service, without a slash at the end.
    contact: where people can write to, `mailto:` or an address of a page; None: nowhere.
    rate_per_partner, rate_per_address: requests a minute, 0 for no limit.
    proxies: the reverse proxies in front; an address is a network of one.
    stream_subscribers: how many may follow the stream of one process at a time.
    webhook_networks: those that webhooks may lead to although they are not public.
    websub_hub: the address of the hub that is told of news; None: there is none.
    log_origin: the public log's name; None: the one it has, or one drawn from base_url.
    witnesses: the verifier keys of those whose cosignatures are taken, not read yet.
    """

    database_url: str = field(repr=False)
    keys_url: str = field(repr=False)
    master_key_file: Path
    signing_key_file: Path
    ledger_file: Path
    host: str
    port: int
    base_url: str
    name: str
    contact: str | None
    review: ReviewPolicy
    max_body_bytes: int
    rate_per_partner: int
    rate_per_address: int
    proxies: tuple[Network, ...]
    stream_subscribers: int
    webhook_networks: tuple[Network, ...]
    websub_hub: str | None
    log_origin: str | None
    witnesses: tuple[str, ...]

    @property
    def embedded(self) -> bool:
        """Whether the database is a file of this process rather than a server."""
        return self.database_url.startswith(_SQLITE)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings that `environ` describes; unset and empty variables mean the default.

    Raises SettingsError for the first value that cannot be used, and where PostgreSQL holds the
    records but no key store is named.
    """
    database_url = _database_url(environ, "CASEFLOW_DATABASE_URL")
    host = _host(environ, "CASEFLOW_HOST")
    port = _integer(environ, "CASEFLOW_PORT", highest=65_535)
    return Settings(
        database_url=database_url,
        keys_url=_keys_url(environ, "CASEFLOW_KEYS_URL", database_url),
        master_key_file=Path(_text(environ, "CASEFLOW_MASTER_KEY_FILE")),
        signing_key_file=Path(_text(environ, "CASEFLOW_SIGNING_KEY_FILE")),
        ledger_file=Path(_text(environ, "CASEFLOW_LEDGER_FILE")),
        host=host,
        port=port,
        base_url=_base_url(environ, "CASEFLOW_BASE_URL", host, port),
        name=_name(environ, "CASEFLOW_NAME"),
        contact=_contact(environ, "CASEFLOW_CONTACT"),
        review=_review(environ, "CASEFLOW_REVIEW"),
        max_body_bytes=_integer(environ, "CASEFLOW_MAX_BODY_BYTES", highest=1_000_000_000),
        rate_per_partner=_rate(environ, "CASEFLOW_RATE_PER_PARTNER"),
        rate_per_address=_rate(environ, "CASEFLOW_RATE_PER_ADDRESS"),
        proxies=_networks(environ, "CASEFLOW_PROXIES"),
        stream_subscribers=_integer(environ, "CASEFLOW_STREAM_SUBSCRIBERS", highest=100_000),
        webhook_networks=_networks(environ, "CASEFLOW_WEBHOOK_NETWORKS"),
        websub_hub=_hub(environ, "CASEFLOW_WEBSUB_HUB"),
        log_origin=_origin(environ, "CASEFLOW_LOG_ORIGIN"),
        witnesses=_witnesses(environ, "CASEFLOW_WITNESSES"),
    )


def _text(environ: Mapping[str, str], variable: str) -> str:
    return environ.get(variable) or DEFAULTS[variable]


def _database_url(environ: Mapping[str, str], variable: str) -> str:
    url = _text(environ, variable)
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", _POSTGRESQL, 1)
    if url.startswith(_POSTGRESQL):
        return url
    if url.startswith(_SQLITE) and url not in (_SQLITE, f"{_SQLITE}:memory:"):
        return url
    raise SettingsError(variable, "must be sqlite:///FILE or postgresql://USER@HOST/DATABASE")


def _keys_url(environ: Mapping[str, str], variable: str, database_url: str) -> str:
    # Beside a server, keys in a working directory would be lost with the container they are in.
    if database_url.startswith(_POSTGRESQL) and not environ.get(variable):
        raise SettingsError(variable, "must be set when CASEFLOW_DATABASE_URL is PostgreSQL")
    url = _database_url(environ, variable)
    # Erasing a case destroys its key; kept with the records, it would return with their backup.
    if url == database_url:
        raise SettingsError(variable, "must not be the database of the records")
    return url


def _host(environ: Mapping[str, str], variable: str) -> str:
    host = _text(environ, variable)
    if not _HOST.fullmatch(host):
        raise SettingsError(variable, "must be a host name or an IP address")
    return host


def _integer(environ: Mapping[str, str], variable: str, *, highest: int, lowest: int = 1) -> int:
    text = _text(environ, variable)
    if re.fullmatch(r"[0-9]{1,12}", text) and lowest <= int(text) <= highest:
        return int(text)
    raise SettingsError(variable, f"must be a whole number from {lowest} to {highest}")


def _rate(environ: Mapping[str, str], variable: str) -> int:
    return _integer(environ, variable, highest=1_000_000_000, lowest=0)


def _networks(environ: Mapping[str, str], variable: str) -> tuple[Network, ...]:
    text = _text(environ, variable)
    if text == DEFAULTS[variable]:
        return ()
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        # The library's message repeats the value.
        problem = "must be IP addresses, or networks such as 10.0.0.0/8, separated by commas"
        raise SettingsError(variable, problem) from None


def _origin(environ: Mapping[str, str], variable: str) -> str | None:
    origin = _text(environ, variable)
    if origin == DEFAULTS[variable]:
        return None
    # It is the name of a key: a plus would end it.
    if re.fullmatch(r"[!-*,-~]+", origin) and len(origin) <= _NAME_LENGTH and "://" not in origin:
        return origin
    problem = "must be a name such as cases.example/v1/log: no scheme, no space, no plus"
    raise SettingsError(variable, problem)


def _witnesses(environ: Mapping[str, str], variable: str) -> tuple[str, ...]:
    text = _text(environ, variable)
    if text == DEFAULTS[variable]:
        return ()
    keys = tuple(part.strip() for part in text.split(","))
    if len(keys) > _MOST_WITNESSES:
        raise SettingsError(variable, f"must be {_MOST_WITNESSES} keys at most")
    return keys


def _base_url(environ: Mapping[str, str], variable: str, host: str, port: int) -> str:
    url = environ.get(variable) or f"http://{f'[{host}]' if ':' in host else host}:{port}"
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(variable, "must be an http or https address")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise SettingsError(variable, "must not hold a query, a fragment or a password")
    return url.rstrip("/")


def _hub(environ: Mapping[str, str], variable: str) -> str | None:
    url = _text(environ, variable)
    if url == "none":
        return None
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(variable, "must be the http or https address of a hub, or none")
    if parts.fragment or "@" in parts.netloc:
        raise SettingsError(variable, "must not hold a fragment or a password")
    return url


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read late by the library: a port that is no number shows only here
    except ValueError:
        return None
    # The address goes into feeds and headers as it stands.
    return parts if re.fullmatch(r"[!-~]+", url) else None


def _name(environ: Mapping[str, str], variable: str) -> str:
    name = _text(environ, variable).strip()
    # It titles the feeds, and XML cannot carry control characters or lone surrogates.
    if not name or not name.isprintable() or len(name) > _NAME_LENGTH:
        raise SettingsError(variable, f"must be 1 to {_NAME_LENGTH} printable characters")
    return name


def _contact(environ: Mapping[str, str], variable: str) -> str | None:
    contact = _text(environ, variable)
    if contact == DEFAULTS[variable]:
        return None
    # It stands in pages and in security.txt as it is.
    if re.fullmatch(r"(mailto:[!-~]+@[!-~]+|https?://[!-~]+)", contact):
        return contact
    raise SettingsError(variable, "must be mailto: and an address, or the address of a page")


def _review(environ: Mapping[str, str], variable: str) -> ReviewPolicy:
    text = _text(environ, variable)
    for policy in get_args(ReviewPolicy):
        if text == policy:
            return text  # type: ignore[return-value]  # one of the literals, as just compared
    raise SettingsError(variable, f"must be one of: {', '.join(get_args(ReviewPolicy))}")
