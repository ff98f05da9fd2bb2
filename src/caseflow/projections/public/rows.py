"""A public change and its row in the view: how either is made from the other.

The change is what was told then, and stays; the row is what is still told of it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct

from caseflow.domain.public_changes import PublicChange
from caseflow.formats.public_record import CALLED, INNER

from .values import WITHDRAWN, code_labels

Row = Mapping[str, Any]


class Effects(Struct):
    """What a change does to earlier ones of one case, by their sequence numbers.

    gone: they lose their words. before: they follow upon another headline than they said.
    """

    gone: list[int] = msgspec.field(default_factory=list)
    before: list[tuple[int, str | None]] = msgspec.field(default_factory=list)


EffectsByCase: TypeAlias = Mapping[UUID, Effects]


def encode(value: Any) -> bytes:
    """Return JSON as the rows of the view hold it: equal for equal values, whatever their order."""
    return msgspec.json.encode(value, order="deterministic")


def change_of(row: Row, position: int, effects: EffectsByCase) -> PublicChange:
    """Return the change that a new row tells of; position: of the event that made it."""
    shown = row["kind"] != WITHDRAWN
    own, told_under = row["case_id"], row["dossier_id"]
    called = msgspec.json.decode(row["labels"])
    says = {"claim": msgspec.json.decode(row["fields"]), "headline": row["headline"]}
    hides = {"type": row["type"], "headline": row["headline"]}
    return PublicChange(
        sequence=row["sequence"],
        position=position,
        case_id=own,
        entry_id=row["entry_id"],
        event_id=row["event_id"],
        kind=row["kind"],
        published_at=row["published_at"],
        public={
            "case": str(own),
            "code": row["code"],
            "version": row["version"],
            "labels": called if told_under == own else code_labels(row["code"]),
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
            **_render_effects(effects.get(own, Effects())),
            **({} if shown else hides),
        },
        beside=_list_beside(row, effects),
    )


def _list_beside(row: Row, effects: EffectsByCase) -> dict[UUID, dict[str, Any]]:
    """Return what a change says of other cases, by case: each is told under that case's key."""
    own, told_under = row["case_id"], row["dossier_id"]
    beside: dict[UUID, dict[str, Any]] = {
        case_id: {INNER: _render_effects(found)}
        for case_id, found in effects.items()
        if case_id != own
    }
    if told_under != own:
        called = {"case": str(told_under), "labels": msgspec.json.decode(row["labels"])}
        beside[told_under] = {**beside.get(told_under, {}), CALLED: called}
    return beside


def _render_effects(effects: Effects) -> dict[str, Any]:
    return {"gone": effects.gone, "before": [list(pair) for pair in effects.before]}


def row_of(change: PublicChange) -> dict[str, Any]:
    """Return the row that a change had when it was made; of one that was erased what is left."""
    public, inner = change.public, change.inner
    if public is None or inner is None:
        return erased_row(change)
    said = inner if change.kind == WITHDRAWN else public
    claim = public.get("claim", {})
    # Of the case that it was told under, or once that was erased, of its own.
    called = _find_called(change) or public
    return {
        **_place(change),
        "root_id": UUID(inner["root"]),
        "dossier_id": UUID(called["case"]),
        "code": public["code"],
        "version": public["version"],
        "type": claim.get("type") or inner["type"],
        "host_state": public["host_state"],
        "author": public["partner"],
        "fields": encode(claim),
        "labels": encode(called["labels"]),
        "headline": said["headline"],
        "headline_before": inner["headline_before"],
        "consent": encode(inner["consent"]),
        "takes_back": public["takes_back"],
        "taken_back_by": None,
        "gone_by": None,
    }


def _find_called(change: PublicChange) -> dict[str, Any] | None:
    return next((said[CALLED] for said in change.beside.values() if CALLED in said), None)


def list_effects(change: PublicChange) -> Iterable[Effects]:
    """Yield what a change did to earlier ones, case by case; nothing of what was erased."""
    for inner in change.list_hidden():
        yield msgspec.convert(inner, Effects)


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
