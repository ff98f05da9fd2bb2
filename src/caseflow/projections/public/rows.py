"""A public change and its row in the view: how either is made from the other.

The change is what was told then, and stays; the row is what is still told of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from caseflow.domain.public_changes import PublicChange

from .values import WITHDRAWN

Row = Mapping[str, Any]


class Effects(Struct, frozen=True):
    """What a change does to earlier ones, by their sequence numbers.

    gone: they lose their words. before: they follow upon another headline than they said.
    """

    gone: Sequence[int] = ()
    before: Sequence[tuple[int, str | None]] = ()


def encode(value: Any) -> bytes:
    """Return JSON as the rows of the view hold it: equal for equal values, whatever their order."""
    return msgspec.json.encode(value, order="deterministic")


def change_of(row: Row, position: int, effects: Effects) -> PublicChange:
    """Return the change that a new row tells of; position: of the event that made it."""
    shown = row["kind"] != WITHDRAWN
    says = {"claim": msgspec.json.decode(row["fields"]), "headline": row["headline"]}
    hides = {"type": row["type"], "headline": row["headline"]}
    return PublicChange(
        sequence=row["sequence"],
        position=position,
        case_id=row["case_id"],
        entry_id=row["entry_id"],
        event_id=row["event_id"],
        kind=row["kind"],
        published_at=row["published_at"],
        public={
            "case": str(row["dossier_id"]),
            "code": row["code"],
            "version": row["version"],
            "labels": msgspec.json.decode(row["labels"]),
            "host_state": row["host_state"],
            # Empty where the deployment speaks for the partner.
            "partner": row["author"],
            "takes_back": row["takes_back"],
            **(says if shown else {}),
        },
        inner={
            "root": str(row["root_id"]),
            "consent": msgspec.json.decode(row["consent"]),
            "headline_before": row["headline_before"],
            "gone": list(effects.gone),
            "before": [list(pair) for pair in effects.before],
            **({} if shown else hides),
        },
    )


def row_of(change: PublicChange) -> dict[str, Any]:
    """Return the row that a change had when it was made; of one that was erased what is left."""
    public, inner = change.public, change.inner
    if public is None or inner is None:
        return erased_row(change)
    said = inner if change.kind == WITHDRAWN else public
    claim = public.get("claim", {})
    return {
        **_place(change),
        "root_id": UUID(inner["root"]),
        "dossier_id": UUID(public["case"]),
        "code": public["code"],
        "version": public["version"],
        "type": claim.get("type") or inner["type"],
        "host_state": public["host_state"],
        "author": public["partner"],
        "fields": encode(claim),
        "labels": encode(public["labels"]),
        "headline": said["headline"],
        "headline_before": inner["headline_before"],
        "consent": encode(inner["consent"]),
        "takes_back": public["takes_back"],
        "taken_back_by": None,
        "gone_by": None,
    }


def effects_of(change: PublicChange) -> Effects:
    """Return what a change did to earlier ones; nothing where it was erased."""
    return msgspec.convert(change.inner or {}, Effects)


def erased_row(change: PublicChange) -> dict[str, Any]:
    """Return what is left of a change whose case was erased, before the erasure is taken in."""
    return {
        **_place(change),
        "root_id": change.event_id,
        "dossier_id": change.case_id,
        "code": "",
        "version": 0,
        "type": "",
        "host_state": "",
        "author": "",
        "fields": b"{}",
        "labels": b"{}",
        "headline": "",
        "headline_before": None,
        "consent": b"{}",
        "takes_back": None,
        "taken_back_by": None,
        "gone_by": None if change.kind == WITHDRAWN else change.sequence,
    }


def _place(change: PublicChange) -> dict[str, Any]:
    return {
        "sequence": change.sequence,
        "entry_id": change.entry_id,
        "event_id": change.event_id,
        "case_id": change.case_id,
        "kind": change.kind,
        "published_at": change.published_at,
    }
