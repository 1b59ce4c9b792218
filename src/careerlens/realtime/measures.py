"""What the API and the gateway tell of themselves, and of the queues that all processes share.

What a process has done is counted where it is done. How far behind relays are, and what waits in
the queues, is asked of Redis when somebody reads it: any process tells it for all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from careerlens.auth.scraping import ScrapingRule
from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.metrics import Metric, counter, exposition, gauge
from careerlens.foundation.settings import Settings
from careerlens.jobs.pace import live_presences, live_workers
from careerlens.jobs.queues import used_queues
from careerlens.queue import Queue
from careerlens.realtime.connection import Connection
from careerlens.realtime.feed import Feed
from careerlens.realtime.ledger import position_key
from careerlens.realtime.relay import Relay
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.events import stream_position
from careerlens.wire.link import Link

COUNTED_BEHIND = 1_000
"""No more events than these are counted of what a relay has still to tell."""
_TIMEOUT_S = 2.0


class Measures:
    """Tells the metrics of one process to whom `rule` lets in.

    `registered` are queues that count although nobody has used them yet.
    """

    def __init__(
        self,
        settings: Settings,
        link: Link,
        registered: Iterable[str],
        *,
        relay: Relay | None = None,
    ) -> None:
        self.rule = ScrapingRule(settings)
        self._link = link
        self._relay = relay
        self._registered = frozenset(registered)
        self._prefix = settings.queue_prefix

    async def text(self, of_process: Sequence[Metric]) -> bytes:
        """In Prometheus's format: these, those of the relay, and what all processes share."""
        relayed = relay_metrics(self._relay) if self._relay is not None else []
        return await exposition([*of_process, *relayed, *await self._shared()])

    async def _shared(self) -> list[Metric]:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                names = sorted(self._registered | await used_queues(self._link))
                queues = [Queue(name, self._link, prefix=self._prefix) for name in names]
                metrics = [*await lag_metrics(self._link, queues), *await _queue_metrics(queues)]
                metrics += await _worker_metrics(self._link, queues)
        except (ServiceUnavailableError, CommandRejectedError, TimeoutError):
            return [_redis_up(0)]
        return [_redis_up(1), *metrics]


def relay_metrics(relay: Relay) -> list[Metric]:
    """What the relay of this process does, and has done."""
    resyncs: Counter[str] = Counter()
    events: dict[tuple[str, ...], float] = {}
    for each in relay.relays:
        resyncs.update(each.resyncs)
        events |= {(each.queue, name): count for name, count in each.events.items()}
    return [
        gauge(
            "careerlens_relay_leading",
            "Whether this process relays the queue's events to feeds",
            {(each.queue,): each.is_leading for each in relay.relays},
            "queue",
        ),
        counter(
            "careerlens_relay_events",
            "Events of the queue that this process has relayed",
            events,
            "queue",
            "event",
        ),
        counter(
            "careerlens_feed_entries",
            "Entries that this process has appended to feeds",
            {(each.queue,): each.entries for each in relay.relays},
            "queue",
        ),
        counter(
            "careerlens_feed_resyncs",
            "Users whom this process has asked to fetch their jobs anew",
            _by_label(resyncs),
            "reason",
        ),
    ]


def reader_metrics(feed: Feed) -> list[Metric]:
    """What readers of feeds have met with in this process."""
    return [
        counter(
            "careerlens_feed_positions_lost",
            "Readers whose place in a feed was gone, so that they had to ask anew",
            feed.lost_positions,
        ),
        counter(
            "careerlens_deliveries",
            "Entries of feeds that were sent to sockets and event streams",
            feed.delivered,
        ),
    ]


def socket_metrics(
    connections: Iterable[Connection], *, opened: int, closed: Counter[str]
) -> list[Metric]:
    """What the sockets of this process are, and have been."""
    carried: dict[tuple[str, ...], float] = {("websocket",): 0, ("polling",): 0}
    buffered = backlogged = 0
    for connection in connections:
        if connection.closed_because is None:
            carried["websocket" if connection.is_websocket else "polling",] += 1
        buffered += connection.buffered_bytes
        backlogged += connection.has_backlog
    return [
        gauge("careerlens_sockets", "Sockets that are open", carried, "transport"),
        gauge(
            "careerlens_sockets_buffered_bytes",
            "Bytes that wait for their clients to read them",
            buffered,
        ),
        gauge(
            "careerlens_sockets_backlogged",
            "Sockets whose clients read more slowly than they are told",
            backlogged,
        ),
        counter("careerlens_sockets_opened", "Sockets that were opened", opened),
        counter(
            "careerlens_sockets_closed",
            "Sockets that were closed; slow_consumer: the client did not keep up",
            _by_label(closed),
            "reason",
        ),
    ]


async def lag_metrics(link: Link, queues: Sequence[Queue]) -> list[Metric]:
    """How far behind the relays of these queues are, whoever runs them. Raises as `Link.call`."""
    stored = await link.call_each([("GET", position_key(queue.name)) for queue in queues])
    unread = [
        ("XRANGE", queue.keys.events, _after(position), "+", "COUNT", COUNTED_BEHIND)
        for queue, position in zip(queues, stored, strict=True)
    ]
    found = await link.call_each(unread)
    seconds, microseconds = await link.call("TIME") if queues else (0, 0)
    now_ms = int(seconds) * 1000 + int(microseconds) // 1000
    behind: dict[tuple[str, ...], float] = {}
    late: dict[tuple[str, ...], float] = {}
    for queue, entries in zip(queues, found, strict=True):
        behind[queue.name,] = len(entries)
        first_ms = stream_position(entries[0][0].decode())[0] if entries else now_ms
        late[queue.name,] = max(now_ms - first_ms, 0) / 1000
    return [
        gauge(
            "careerlens_relay_behind_events",
            f"Events of the queue that are not relayed yet, counted up to {COUNTED_BEHIND}",
            behind,
            "queue",
        ),
        gauge(
            "careerlens_relay_behind_seconds",
            "Age of the oldest event of the queue that is not relayed yet",
            late,
            "queue",
        ),
    ]


async def _queue_metrics(queues: Sequence[Queue]) -> list[Metric]:
    counts = await asyncio.gather(*(queue.counts() for queue in queues))
    since = await asyncio.gather(*(queue.waiting_since_ms() for queue in queues))
    now_ms = epoch_ms()
    return [
        gauge(
            "bullmq_job_count",
            "Jobs of the queue by state",
            {
                (queue.name, state): count
                for queue, states in zip(queues, counts, strict=True)
                for state, count in states.items()
            },
            "queue",
            "state",
        ),
        gauge(
            "careerlens_queue_waiting_seconds",
            "How long the job has waited that is taken next; 0 when none waits",
            {
                (queue.name,): max(now_ms - at_ms, 0) / 1000 if at_ms is not None else 0
                for queue, at_ms in zip(queues, since, strict=True)
            },
            "queue",
        ),
    ]


async def _worker_metrics(link: Link, queues: Sequence[Queue]) -> list[Metric]:
    present = await asyncio.gather(*(live_presences(link, queue.name) for queue in queues))
    return [
        gauge("careerlens_workers", "Worker processes that live", await live_workers(link)),
        gauge(
            "careerlens_worker_slots",
            "Jobs of the queue that all its workers run at a time",
            {
                (queue.name,): sum(worker.slots for worker in workers)
                for queue, workers in zip(queues, present, strict=True)
            },
            "queue",
        ),
    ]


def _redis_up(value: int) -> Metric:
    return gauge("careerlens_redis_up", "Whether Redis answered", value)


def _after(position: bytes | None) -> str:
    """Where the range begins; on a cluster more than the id is stored."""
    return f"({position.decode().partition(' ')[0]}" if position else "-"


def _by_label(counts: Mapping[str, int]) -> dict[tuple[str, ...], float]:
    return {(label,): count for label, count in counts.items()}
