"""The last use of a key: kept for every way to show it, at no cost to who shows it."""

from uuid import UUID

from sqlalchemy import text

from caseflow.database import begin_read, begin_write
from caseflow.eventstore.partners import list_keys, list_partners
from caseflow.eventstore.recorder import now_microseconds
from caseflow.settings import Settings

from .conftest import Service, problem, serve


def list_uses(service: Service) -> dict[UUID, int | None]:
    """Return when each key was last used, by its id, beside the service."""
    with begin_read(service.engine) as connection:
        found = {
            key.id: key.last_used_at
            for partner_id, *_ in list_partners(connection)
            for key in list_keys(connection, partner_id)
        }
    # The service may be closed already.
    service.engine.dispose()
    return found


def test_every_use_of_a_key_counts_and_nothing_else(house_settings: Settings) -> None:
    with serve(house_settings) as service:
        reader, follower, writer, forbidden, unused, revoked = (service.partner() for _ in range(6))
        service.revoke(revoked)
        before = now_microseconds()
        reader.get("/v1/cases")
        follower.get("/v1/events")
        writer.open()
        problem(forbidden.get("/v1/audit/reads"), 403, "forbidden")
        problem(revoked.get("/v1/cases"), 401, "unauthenticated")
        service.get("/v1/cases")
        after = now_microseconds()
    uses = list_uses(service)
    for partner in (reader, follower, writer, forbidden):
        used_at = uses.pop(partner.key_id)
        assert used_at is not None
        assert before <= used_at <= after
    assert uses == {unused.key_id: None, revoked.key_id: None}


def test_a_second_use_within_the_same_moment_of_the_cache_counts(house_settings: Settings) -> None:
    with serve(house_settings) as service:
        partner = service.partner()
        partner.get("/v1/cases")
        between = now_microseconds()
        partner.get("/v1/cases")
    used_at = list_uses(service)[partner.key_id]
    assert used_at is not None
    assert used_at >= between


def test_a_busy_database_fails_no_request(house_settings: Settings) -> None:
    with serve(house_settings) as service:
        partner = service.partner()
        # On SQLite nobody else writes meanwhile, on PostgreSQL nobody else this row.
        with begin_write(service.engine) as connection:
            connection.execute(text("UPDATE api_keys SET expires_at = NULL"))
            assert partner.get("/v1/cases").status_code == 200
            assert partner.get("/v1/events").status_code == 200
    assert list_uses(service)[partner.key_id] is not None
