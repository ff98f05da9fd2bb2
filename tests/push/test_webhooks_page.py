"""The examples of the page on webhooks verify what the service signs, and nothing else."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import WebhookVerificationError

from caseflow.push.delivering import sign
from caseflow.push.webhooks import ACTIVE, Config, Filters, Secret, Webhook, make_secret
from tests.test_docs_examples import ROOT, list_blocks, section

BODY = json.dumps({"type": "change.published", "data": {"position": 1}}).encode()


def read_examples() -> tuple[Any, Any]:
    """Return both ways to verify a message, as the page has them."""
    page = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
    names: dict[str, Any] = {}
    for block in list_blocks(section(page, "Verify it")):
        exec(block.text, names)
    return names["read_message"], names["verify_message"]


def signed(*secrets: str, at: float) -> dict[str, str]:
    config = Config("https://example.org/", "", Filters(), tuple(Secret(s) for s in secrets))
    webhook = Webhook(uuid4(), uuid4(), 0, ACTIVE, None, None, None, 0, config)
    return sign(webhook, "msg_1", BODY, int(at * 1_000_000))


def test_both_examples_verify_what_is_signed() -> None:
    old, new, other = (make_secret() for _ in range(3))
    headers = signed(new, old, at=time.time())
    for verify in read_examples():
        for secret in (old, new):
            assert verify(BODY, headers, secret) == json.loads(BODY)
        for body, found, secret in (
            (BODY, headers, other),
            (BODY + b" ", headers, new),
            (BODY, {**headers, "webhook-id": "msg_2"}, new),
            (BODY, signed(new, at=time.time() - 3_600), new),
        ):
            with pytest.raises((ValueError, WebhookVerificationError)):
                verify(body, found, secret)
