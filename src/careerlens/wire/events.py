"""Reads a queue's event stream from a position of the reader's own, and tells when it missed any.

The stream is trimmed by the queue, and a server can lose its tail in a power cut, so a position
is only good while the entry at it still exists:

    the entry at the position exists            nothing was missed
    it is gone, the stream goes on behind it    trimmed past us      Gap(TRIMMED)
    the stream ends before it                   the server lost data Gap(REWOUND)

Ids are compared as pairs of integers: as strings, `…-9` would come after `…-10`.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self, TypeAlias

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Link
from careerlens.wire.opening import open_link
from careerlens.wire.waiting import StreamWaits

START = "0-0"
BATCH = 500
_PAUSE_S = 0.5


class QueueEvent(NamedTuple):
    """One entry of the stream. `fields` holds what the event carries besides name and job."""

    id: str
    name: str
    job_id: str | None
    fields: dict[str, str]

    @property
    def timestamp_ms(self) -> int:
        """When it happened, by the server's clock, in epoch milliseconds."""
        return stream_position(self.id)[0]


class GapKind(StrEnum):
    """Why entries are missing."""

    TRIMMED = "trimmed"
    REWOUND = "rewound"


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries between `after` and `resumed_at` may be missing: read the state of things again."""

    kind: GapKind
    after: str
    resumed_at: str


Item: TypeAlias = "list[QueueEvent] | Gap"


def stream_position(entry_id: str) -> tuple[int, int]:
    """A stream id as a comparable pair. Raises `ValueError` when it is none."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)


async def last_position(link: Link, keys: QueueKeys) -> str:
    """The position of the newest entry: a reader that starts there sees only what comes after."""
    newest = await link.call("XREVRANGE", keys.events, "+", "-", "COUNT", 1)
    return str(newest[0][0].decode()) if newest else START


class EventStreams:
    """What readers of any number of queues' streams share: two connections, one of which blocks.

    `name` is what CLIENT LIST shows, `timeout_s` is as of `Link`. Use as a context manager.
    """

    def __init__(self, url: str, *, name: str = "careerlens", timeout_s: float = 5.0) -> None:
        self.link = open_link(url, name=f"{name}:events", timeout_s=timeout_s)
        self.waits = StreamWaits(url, self.link, name=f"{name}:waits", timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.waits.close()
        await self.link.close()


class EventReader:
    """An endless iterator over batches of events, and over gaps, from `position` on.

    Yields a non-empty list of `QueueEvent`, at most `batch`, or a `Gap`. `position` moves on when
    the next item is asked for, so an item that was not worked off is what a new reader from the
    stored position sees again. Connection failures are waited out. `stalled` is true while the
    server cannot be reached.

    ```python
    async with EventStreams(url) as streams:
        reader = EventReader(streams, QueueKeys("resume-optimization"), position=stored)
        async for item in reader:
            ...
            store(reader.position_after(item))
    ```
    """

    def __init__(
        self,
        streams: EventStreams,
        keys: QueueKeys,
        position: str = START,
        *,
        batch: int = BATCH,
    ) -> None:
        stream_position(position)
        self.keys = keys
        self.position = position
        self.stalled = False
        self._streams = streams
        self._batch = batch
        self._ready: deque[Item] = deque()
        self._handed_out: Item | None = None
        # Look before waiting, at the start and after a reconnection: a gap must not wait.
        self._busy = True

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        if self._handed_out is not None:
            self.position = self.position_after(self._handed_out)
            self._handed_out = None
        while not self._ready:
            await self._read()
        self._handed_out = self._ready.popleft()
        return self._handed_out

    @staticmethod
    def position_after(item: Item) -> str:
        """The position to store once `item` is worked off."""
        return item.resumed_at if isinstance(item, Gap) else item[-1].id

    async def _read(self) -> None:
        try:
            if not self._busy:
                await self._streams.waits.wait(self.keys.events, self.position)
            gap, events = await self._read_at_once()
        except ServiceUnavailableError:
            self.stalled = True
            self._busy = True
            await asyncio.sleep(random.uniform(_PAUSE_S / 2, _PAUSE_S))  # noqa: S311 (jitter)
            return
        self.stalled = False
        self._busy = bool(events)
        self._ready.extend(item for item in (gap, events) if item)

    async def _read_at_once(self) -> tuple[Gap | None, list[QueueEvent]]:
        """What stands after our position, and whether anything before it was missed.

        Read in one transaction, so that a trim cannot fall between the look and the check.
        """
        stream, position = self.keys.events, self.position
        *_, (at_position, following, info) = await self._streams.link.call_many(
            [
                ("MULTI",),
                ("XRANGE", stream, position, position),
                ("XRANGE", stream, f"({position}", "+", "COUNT", self._batch),
                ("XINFO", "STREAM", stream),
                ("EXEC",),
            ]
        )
        if isinstance(following, Exception):
            raise CommandRejectedError(str(following))  # something else has the stream's name
        events = [_event(entry) for entry in following]
        if at_position:
            return None, events
        if isinstance(info, Exception):
            # There is no stream: new, or lost with everything in it.
            lost = position != START
            return (Gap(GapKind.REWOUND, position, START) if lost else None), []
        facts = dict(zip(info[::2], info[1::2], strict=True))
        return self._gap(facts, events), events

    def _gap(self, facts: dict[bytes, Any], events: list[QueueEvent]) -> Gap | None:
        """What was missed, given that no entry stands at our position."""
        position, last = self.position, facts[b"last-generated-id"].decode()
        if position == START and facts.get(b"entries-added") == facts[b"length"]:
            return None
        if stream_position(last) <= stream_position(position):
            rewound = stream_position(last) < stream_position(position)
            return Gap(GapKind.REWOUND, position, last) if rewound else None
        resumed_at = _just_before(events[0].id) if events else last
        return Gap(GapKind.TRIMMED, position, resumed_at)


def _just_before(entry_id: str) -> str:
    milliseconds, sequence = stream_position(entry_id)
    return f"{milliseconds}-{sequence - 1}" if sequence else f"{milliseconds - 1}-{2**63 - 1}"


def _event(entry: Any) -> QueueEvent:
    entry_id, flat = entry
    name, job_id, fields = "", None, {}
    for at in range(0, len(flat), 2):
        key, value = flat[at], str(flat[at + 1], "utf-8", "replace")
        if key == b"event":
            name = value
        elif key == b"jobId":
            job_id = value
        else:
            fields[str(key, "utf-8", "replace")] = value
    return QueueEvent(entry_id.decode(), name, job_id, fields)
