"""Identifiers as they come in: texts that may spell one."""

from uuid import UUID


def as_uuid(text: str) -> UUID | None:
    """Return the id that a text spells, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None
