"""What a user's feed holds: entries, their ids, and how both stand in Redis.

An entry is a stream entry with one field: `update` holds a `JobUpdate` without its id (the id is
the stream's own), `resync` the reason why the client must ask for its jobs again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import PrivateAttr

from careerlens.jobs.model import JobUpdate

Position = tuple[int, int]
"""A place in a feed, as it is compared: as strings, `9-0` would come after `10-0`."""

START = "0-0"
"""The position before the first entry of any feed."""

UPDATE_FIELD = "update"
RESYNC_FIELD = "resync"
_POSITION = re.compile(r"[0-9]{1,20}-[0-9]{1,20}\Z", re.ASCII)
_MAX_PART = 2**64 - 1


class MalformedPositionError(ValueError):
    """A position in a feed is two decimal numbers with a dash between, each below 2^64."""

    def __init__(self, text: object) -> None:
        super().__init__(f"Expected a feed position such as `1700000000000-0`, got {text!r:.60}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resync:
    """Entries are missing before this one: ask for the jobs again, then go on from `id`."""

    id: str
    reason: str

    def as_wire(self) -> dict[str, str]:
        """The payload of the `resync` event."""
        return {"id": self.id, "reason": self.reason}


class KeptUpdate(JobUpdate):
    """An update that was read from a feed, with the text that it was read from."""

    _json: str = PrivateAttr()

    @classmethod
    def of_json(cls, text: str) -> Self:
        """Read an update with its id. Raises `ValueError`."""
        update = cls.model_validate_json(text)
        update._json = text
        return update

    @property
    def json_text(self) -> str:
        """The payload of the `job:update` event: read once, sent to any number of sockets."""
        return self._json


Entry = KeptUpdate | Resync


def parse_position(text: object) -> Position:
    """The two numbers of an id, which order it.

    Raises `MalformedPositionError` for anything that Redis would not have made.
    """
    if not isinstance(text, str) or not _POSITION.match(text):
        raise MalformedPositionError(text)
    milliseconds, _, sequence = text.partition("-")
    position = int(milliseconds), int(sequence)
    if max(position) > _MAX_PART:
        raise MalformedPositionError(text)
    return position


def position_text(position: Position) -> str:
    """The id that stands there."""
    return f"{position[0]}-{position[1]}"


def is_position(text: object) -> bool:
    """Whether this can be a position."""
    try:
        parse_position(text)
    except MalformedPositionError:
        return False
    return True


def encode_update(update: JobUpdate) -> str:
    """The value of an entry's `update` field. The id is left out: Redis makes it."""
    return update.model_dump_json(by_alias=True, exclude={"id"})


def decode_entry(entry_id: str, fields: Mapping[str, str]) -> Entry:
    """The entry that stands in a feed under `entry_id`.

    Raises `ValueError` when it was not written by `encode_update` or as a resync.
    """
    reason = fields.get(RESYNC_FIELD)
    if reason is not None:
        return Resync(id=entry_id, reason=reason)
    body = fields.get(UPDATE_FIELD, "")
    if not body.startswith("{"):
        raise ValueError(f"feed entry {entry_id} holds no update: fields {sorted(fields)}")
    return KeptUpdate.of_json(f'{{"id":"{entry_id}",{body[1:]}')
