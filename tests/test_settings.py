"""The environment becomes settings, or a refusal that names the variable."""

from pathlib import Path

import pytest

from caseflow.settings import SettingsError, read_settings

POSTGRESQL = "postgresql://caseflow:hush@db/caseflow"


def test_an_empty_environment_is_an_embedded_deployment_on_this_machine() -> None:
    settings = read_settings({})
    assert settings.embedded
    assert settings.database_url == "sqlite:///caseflow.db"
    assert settings.master_key_file == Path("caseflow-master.key")
    assert settings.base_url == "http://127.0.0.1:8000"
    assert (settings.review, settings.max_body_bytes) == ("scope", 1_000_000)
    assert (settings.rate_per_partner, settings.rate_per_address) == (60_000, 6_000)
    assert settings.proxies == ()


def test_an_empty_variable_counts_as_unset() -> None:
    assert read_settings({"CASEFLOW_PORT": "", "CASEFLOW_BASE_URL": ""}) == read_settings({})


@pytest.mark.parametrize("scheme", ["postgresql://", "postgresql+psycopg://"])
def test_both_names_of_postgresql_mean_the_same_driver(scheme: str) -> None:
    settings = read_settings(
        {
            "CASEFLOW_DATABASE_URL": f"{scheme}u@h/records",
            "CASEFLOW_KEYS_URL": f"{scheme}u@h/keys",
        }
    )
    assert settings.database_url == "postgresql+psycopg://u@h/records"
    assert settings.keys_url == "postgresql+psycopg://u@h/keys"
    assert not settings.embedded


def test_postgresql_requires_a_key_store_to_be_named() -> None:
    with pytest.raises(SettingsError, match="CASEFLOW_KEYS_URL must be set"):
        read_settings({"CASEFLOW_DATABASE_URL": POSTGRESQL})


def test_keys_are_never_kept_with_the_records() -> None:
    with pytest.raises(SettingsError, match="CASEFLOW_KEYS_URL must not be"):
        read_settings({"CASEFLOW_DATABASE_URL": POSTGRESQL, "CASEFLOW_KEYS_URL": POSTGRESQL})


def test_the_base_url_follows_host_and_port_and_loses_its_last_slash() -> None:
    served = read_settings({"CASEFLOW_HOST": "::1", "CASEFLOW_PORT": "81"})
    assert served.base_url == "http://[::1]:81"
    public = read_settings({"CASEFLOW_BASE_URL": "https://cases.example/kz/"})
    assert public.base_url == "https://cases.example/kz"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CASEFLOW_DATABASE_URL", "mysql://h/db"),
        ("CASEFLOW_DATABASE_URL", "postgresql+asyncpg://h/db"),
        ("CASEFLOW_DATABASE_URL", "sqlite://"),
        ("CASEFLOW_DATABASE_URL", "sqlite:///:memory:"),
        ("CASEFLOW_KEYS_URL", "keys.db"),
        ("CASEFLOW_HOST", "not a host"),
        ("CASEFLOW_LOG_ORIGIN", "https://cases.example/v1/log"),
        ("CASEFLOW_LOG_ORIGIN", "cases.example/v1 log"),
        ("CASEFLOW_LOG_ORIGIN", "cases.example/v1+log"),
        ("CASEFLOW_WITNESSES", ",".join(["w+0+k"] * 16)),
        ("CASEFLOW_PORT", "0"),
        ("CASEFLOW_PORT", "65536"),
        ("CASEFLOW_PORT", "8_000"),
        ("CASEFLOW_PORT", "٨"),
        ("CASEFLOW_BASE_URL", "cases.example"),
        ("CASEFLOW_BASE_URL", "ftp://cases.example"),
        ("CASEFLOW_BASE_URL", "http://cases.example:http"),
        ("CASEFLOW_BASE_URL", "http://cases.example/?a=1"),
        ("CASEFLOW_BASE_URL", "http://user:hush@cases.example"),
        ("CASEFLOW_BASE_URL", "http://cases.example/\n"),
        ("CASEFLOW_NAME", " "),
        ("CASEFLOW_NAME", "a\x0bb"),
        ("CASEFLOW_NAME", "\udcff"),
        ("CASEFLOW_REVIEW", "none"),
        ("CASEFLOW_MAX_BODY_BYTES", "1e6"),
        ("CASEFLOW_MAX_BODY_BYTES", "0"),
        ("CASEFLOW_RATE_PER_PARTNER", "-1"),
        ("CASEFLOW_RATE_PER_ADDRESS", "1000000001"),
        ("CASEFLOW_PROXIES", "proxy.example"),
        ("CASEFLOW_PROXIES", "10.0.0.1/8"),
        ("CASEFLOW_PROXIES", "10.0.0.1,"),
        ("CASEFLOW_PROXIES", "none,10.0.0.1"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} must") as refusal:
        read_settings({variable: value})
    assert refusal.value.variable == variable


def test_proxies_are_addresses_and_networks() -> None:
    found = read_settings({"CASEFLOW_PROXIES": "127.0.0.1, 10.0.0.0/8,fd00::/8"}).proxies
    assert [str(network) for network in found] == ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]


def test_a_rate_of_nothing_is_no_limit() -> None:
    settings = read_settings({"CASEFLOW_RATE_PER_PARTNER": "0", "CASEFLOW_RATE_PER_ADDRESS": "0"})
    assert (settings.rate_per_partner, settings.rate_per_address) == (0, 0)


def test_passwords_stay_out_of_messages_and_representations() -> None:
    with pytest.raises(SettingsError) as refusal:
        read_settings({"CASEFLOW_DATABASE_URL": "mysql://u:hush@h/db"})
    settings = read_settings(
        {"CASEFLOW_DATABASE_URL": POSTGRESQL, "CASEFLOW_KEYS_URL": f"{POSTGRESQL}-keys"}
    )
    assert "hush" not in f"{refusal.value} {settings!r}"
