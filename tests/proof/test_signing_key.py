"""The signing key: made once, with the key store, and never exchanged."""

import base64
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from caseflow.bootstrap import open_house
from caseflow.database import make_engine
from caseflow.eventstore.key_files import KeyFileError, MissingKeyError
from caseflow.formats.note import get_verifier_key, parse_verifier_key
from caseflow.proof.signing import Signer, WrongSigningKeyError
from caseflow.settings import Settings
from tests.houses import new_settings, run_house
from tests.proof.scenes import signed


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a house without cases."""
    with new_settings("sqlite", request, tmp_path) as settings:
        yield settings


def check_refused(settings: Settings, error: type[Exception], words: str | None = None) -> None:
    with pytest.raises(error, match=words), open_house(settings):
        pass


def test_it_is_made_with_the_key_store_for_its_owner_alone(settings: Settings) -> None:
    with run_house(settings) as house:
        house.publish()
        key = parse_verifier_key(house.served_logs["full"].render_key())
    mode = stat.S_IMODE(settings.signing_key_file.stat().st_mode)
    seed = base64.b64decode(settings.signing_key_file.read_bytes())
    assert mode == 0o600
    assert key == get_verifier_key(key.name, Ed25519PrivateKey.from_private_bytes(seed))
    assert seed != base64.b64decode(settings.master_key_file.read_bytes())


def test_without_it_the_house_does_not_start_and_makes_no_other(settings: Settings) -> None:
    with run_house(settings):
        pass
    kept = settings.signing_key_file.read_bytes()
    settings.signing_key_file.unlink()
    check_refused(settings, MissingKeyError, r"signing key file .* is missing.*forgery")
    assert not settings.signing_key_file.exists()
    settings.signing_key_file.write_bytes(kept)
    settings.signing_key_file.chmod(0o600)
    with run_house(settings):
        pass


def test_another_key_is_refused(settings: Settings) -> None:
    with run_house(settings) as house:
        house.publish()
        before = signed(house)
    settings.signing_key_file.write_bytes(base64.b64encode(b"k" * 32))
    check_refused(settings, WrongSigningKeyError, "CASEFLOW_SIGNING_KEY_FILE")
    assert before.size == 0


def test_a_file_open_to_others_is_refused(settings: Settings) -> None:
    with run_house(settings):
        pass
    settings.signing_key_file.chmod(0o640)
    check_refused(settings, KeyFileError, "chmod 600")


def test_both_files_are_there_before_the_store_is_bound(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails in between, the next start finds an empty store and the same files."""

    def fail(*_: object) -> None:
        raise KeyError

    with monkeypatch.context() as patch:
        patch.setattr("caseflow.eventstore.keys.KeyStore.check", fail)
        check_refused(settings, KeyError)
    kept = settings.master_key_file.read_bytes(), settings.signing_key_file.read_bytes()
    with run_house(settings):
        found = settings.master_key_file.read_bytes(), settings.signing_key_file.read_bytes()
    assert found == kept


def test_a_key_store_of_an_older_release_gets_one(settings: Settings) -> None:
    with run_house(settings):
        pass
    settings.signing_key_file.unlink()
    engine = make_engine(settings.keys_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM signing_key"))
    engine.dispose()
    with run_house(settings):
        pass
    with run_house(settings) as house:
        house.publish()
        assert signed(house).size == 0


def test_a_signer_signs_under_the_name_of_each_log() -> None:
    signer = Signer(bytes(32))
    assert signer.get_key("a").public_key == signer.get_key("b").public_key == signer.public_key
    assert signer.get_key("a").key_id != signer.get_key("b").key_id
