"""Where a webhook may lead: to the public internet, in whatever form the address is written."""

from ipaddress import ip_address, ip_network

import pytest

from caseflow.push.addresses import (
    InvalidTargetError,
    RefusedError,
    find_address,
    is_public,
    parse_target,
)

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "0.0.0.0", "0.1.2.3", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "100::1",
        "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001::1", "2001:2::1", "3fff::1",
    ],
)  # fmt: skip
def test_what_is_not_public_is_not_reached(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e",
        "::ffff:8.8.8.8", "2002:808:808::1", "64:ff9b::808:808",
    ],
)  # fmt: skip
def test_what_is_public_is_reached(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "url",
    [
        "", "https://", "http://example.org/", "ftp://example.org/", "https:example.org",
        "//example.org/", "https://user@example.org/", "https://user:word@example.org/",
        "https://example.org/#part", "https://example.org:0/", "https://example.org:65536/",
        "https://example.org:x/", "https://exa mple.org/", "https://example.org/\r\nX: y",
        "https://example.org/\u00e4", "https://\u0435xample.org/", "https://[::1]/", "https://[::1",
        "https://127.0.0.1/", "https://127.1/", "https://0x7f.1/", "https://2130706433/",
        "https://017700000001/", "https://0/", "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:7f00:1]/", "https://[fe80::1%25eth0]/", "https://%31%32%37.0.0.1/",
        "https://exa%6dple.org/", "https://localhost\\@example.org/", "HTTPS://example.org/",
        f"https://example.org/{'x' * 2_000}",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(InvalidTargetError) as refusal:
        parse_target(url)
    assert not url or url not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.org/hook?token=x", "example.org", 443),
        ("https://example.org:8443", "example.org", 8443),
        ("https://xn--80ak6aa92e.com/", "xn--80ak6aa92e.com", 443),
        ("https://8.8.8.8/", "8.8.8.8", 443),
        ("https://[2606:4700:4700::1111]/", "2606:4700:4700::1111", 443),
    ],
)
def test_what_an_address_says(url: str, host: str, port: int) -> None:
    target = parse_target(url)
    assert (target.host, target.port, target.url, target.is_https) == (host, port, url, True)


def test_networks_of_ones_own_are_reached_where_they_are_named() -> None:
    target = parse_target("http://127.0.0.1:8000/", LOOPBACK)
    assert (target.port, target.is_https) == (8000, False)
    assert find_address(target, LOOPBACK) == "127.0.0.1"
    for url in ("http://10.0.0.1/", "https://10.0.0.1/", "http://8.8.8.8/"):
        with pytest.raises(InvalidTargetError):
            parse_target(url, LOOPBACK)
    plain = parse_target("http://example.org/", LOOPBACK)
    with pytest.raises(RefusedError):
        find_address(plain, LOOPBACK, resolve=lambda host, port: ["8.8.8.8"])


def test_one_bad_address_among_good_ones_is_enough() -> None:
    target = parse_target("https://example.org/")
    good = ["8.8.8.8", "2606:4700:4700::1111"]
    assert find_address(target, resolve=lambda host, port: good) == "8.8.8.8"
    for bad in ("127.0.0.1", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"):
        for found in ([*good, bad], [bad, *good], [bad]):
            with pytest.raises(RefusedError):
                find_address(target, resolve=lambda host, port, found=found: found)


def test_a_name_without_an_address_leads_nowhere() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    target = parse_target("https://example.org/")
    for resolver in (resolve, lambda host, port: []):
        with pytest.raises(RefusedError):
            find_address(target, resolve=resolver)
