"""A service that runs in this process, on the databases that the commands of a test work on."""

import time
from typing import Final
from uuid import UUID, uuid4

from litestar import Litestar
from litestar.testing import TestClient

from caseflow.cli.house import current_settings
from caseflow.database import begin_write, make_engine
from caseflow.eventstore.partners import add_partner, issue_key, list_partners

SCOPES: Final = ("events:write", "events:publish")
OPENING: Final = {
    "host_state": "KZ", "origin_state": "RU",
    "consent": {"publish": "anonymous", "basis": "own"},
}  # fmt: skip
CLAIM: Final = {"type": "wanted.removed", "occurred": "2025-05-01", "visibility": "public"}


class Service:
    """A running service, and the key of a partner."""

    def __init__(self, client: TestClient[Litestar]) -> None:
        self.client = client
        self.key_id = uuid4()
        self.partner_id = uuid4()
        self.headers = self.issue(*SCOPES, key_id=self.key_id)
        self.case = self.post("/v1/cases", OPENING)["id"]

    def issue(self, *scopes: str, key_id: UUID | None = None) -> dict[str, str]:
        """Return the headers that show a new key of the partner."""
        engine = make_engine(current_settings().database_url)
        with begin_write(engine) as connection:
            if not list_partners(connection):
                add_partner(
                    connection, partner_id=self.partner_id, name="a", public_name=None, at=0
                )
            key = issue_key(
                connection,
                key_id=key_id or uuid4(),
                partner_id=self.partner_id,
                scopes=scopes,
                at=0,
            )
        engine.dispose()
        return {"Authorization": f"Bearer {key}"}

    def post(self, path: str, body: object) -> dict[str, str]:
        answer = self.client.post(path, json=body, headers=self.headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def tell(self) -> dict[str, str]:
        return self.post(f"/v1/cases/{self.case}/events", CLAIM)

    def list_public(self, *, after: int = 0, wait: int = 0) -> list[str]:
        found = self.client.get(f"/v1/events?after={after}&wait={wait}").json()
        return [event["id"] for event in found["items"]]

    def settle(self) -> None:
        """Wait until all that is public is signed, which takes a moment."""
        deadline = time.monotonic() + 10
        ready = self.client.get("/readyz").json()
        while ready["log"]["signed_at"] is None or ready["log"]["size"] < ready["position"]:
            assert time.monotonic() < deadline, ready
            time.sleep(0.02)
            ready = self.client.get("/readyz").json()

    def readiness(self, *, keyed: bool) -> str | None:
        found = self.client.get("/readyz", headers=self.headers if keyed else {})
        assert found.status_code == 200
        return dict(found.json()).get("publication")
