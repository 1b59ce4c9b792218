"""Carries what happens in every queue to the feeds of the jobs' owners.

    for each queue:   stand by ──lease──▶ lead: read events from the stored position,
                         ▲                append to feeds + move the position (see `ledger`)
                         └──lease lost, server away, any doubt──┘

Any number of processes may run a relay; for each queue one of them leads. One that is killed
anywhere is followed by one that neither repeats nor skips an entry. The relay knows nothing of
sockets: feeds are all it writes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from careerlens.foundation.cancellation import heed_cancellation
from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.jobs.endings import ends_job
from careerlens.jobs.keys import live_member
from careerlens.jobs.queues import used_queues
from careerlens.realtime.appending import PositionMovedError, Steps
from careerlens.realtime.ledger import EraPassedError, Ledger, NodesChangedError, ledger_of
from careerlens.realtime.owners import Owners
from careerlens.realtime.resync import owners_concerned
from careerlens.realtime.translate import (
    NOTHING_KNOWN,
    JobFacts,
    describe_encoded,
    needs_facts,
    starts_job,
)
from careerlens.wire.cancel import ERROR_CODE
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.events import (
    BATCH,
    EventReader,
    EventStreams,
    Gap,
    GapKind,
    QueueEvent,
    stream_position,
)
from careerlens.wire.keys import QueueKeys
from careerlens.wire.lease import Lease, LeaseLostError
from careerlens.wire.link import Link
from careerlens.wire.opening import open_link

DISCOVERY_INTERVAL_S = 1.0
STANDBY_INTERVAL_S = 0.4
LEASE_S = 2.0
# Some 5 µs of server time for each event: the server is held for a millisecond at a time.
EVENTS_PER_STEP = 200
# A round costs much the same for one event as for many. The first one after a rest is told at once.
ROUND_S = 0.01
BUSY_ROUND_S = 0.04
BUSY_EVENTS_PER_S = 4_000
_LINK_TIMEOUT_S = 2.0
_REASONS_TO_STAND_BY = (
    LeaseLostError,
    PositionMovedError,
    NodesChangedError,
    ServiceUnavailableError,
    CommandRejectedError,
)
# Anybody may add events of names of their own, which are not counted one by one.
_NAMES_OF_EVENTS = frozenset(
    "added waiting active progress completed failed delayed stalled removed waiting-children"  # noqa: SIM905
    " retries-exhausted deduplicated debounced duplicated drained paused resumed cleaned".split()
)
_log = get_logger("careerlens.realtime.relay")


class Relay:
    """Relays `queues` and every queue that appears in the set of used ones.

    Run it for the life of the process; it waits out every failure of the server.
    """

    def __init__(self, url: str, queues: Iterable[str] = (), *, prefix: str = "bull") -> None:
        self._url = url
        self._prefix = prefix
        self._first = frozenset(queues)
        self._relays: dict[str, QueueRelay] = {}

    @property
    def leading(self) -> frozenset[str]:
        """The queues that this relay leads now."""
        return frozenset(name for name, relay in self._relays.items() if relay.is_leading)

    @property
    def relays(self) -> list[QueueRelay]:
        """Those of the single queues."""
        return list(self._relays.values())

    async def run(self) -> None:
        """Relay until cancelled. Leases are given back on the way out."""
        name = "careerlens:relay"
        link = open_link(self._url, name=name, timeout_s=_LINK_TIMEOUT_S)
        # Apart from the link, on which long batches would hold up the renewal of leases.
        streams = EventStreams(self._url, name=name, timeout_s=_LINK_TIMEOUT_S)
        try:
            async with streams, asyncio.TaskGroup() as tasks:
                while True:
                    for queue in await self._new_queues(link):
                        relay = QueueRelay(streams, link, QueueKeys(queue, self._prefix))
                        self._relays[queue] = relay
                        tasks.create_task(relay.run(), name=f"relay-{queue}")
                    await asyncio.sleep(DISCOVERY_INTERVAL_S)
        finally:
            self._relays.clear()
            await link.close()

    async def _new_queues(self, link: Link) -> list[str]:
        try:
            used = await used_queues(link)
        except (ServiceUnavailableError, CommandRejectedError):
            used = frozenset()
        return sorted((self._first | used) - self._relays.keys())


class QueueRelay:
    """Relays one queue while it holds the queue's lease."""

    def __init__(self, streams: EventStreams, link: Link, keys: QueueKeys) -> None:
        self.queue = keys.queue
        self.is_leading = False
        self.entries = 0
        """How many entries it has appended to feeds."""
        self.events: Counter[str] = Counter()
        """How many events it has told, by name."""
        self.resyncs: Counter[str] = Counter()
        """How many owners it has asked to resync, by reason."""
        self._streams = streams
        self._link = link
        self._keys = keys
        self._lease = Lease(link, f"careerlens:relay:{{{keys.queue}}}", duration_s=LEASE_S)
        self._owners = Owners(link, keys)

    async def run(self) -> None:
        """Stand by, lead, stand by again, until cancelled."""
        while True:
            try:
                if await self._lease.acquire():
                    await self._lead_until_lost()
            except (ServiceUnavailableError, CommandRejectedError) as error:
                _log.warning("relay_waits", queue=self._keys.queue, reason=str(error))
            await asyncio.sleep(STANDBY_INTERVAL_S * random.uniform(0.5, 1.0))  # noqa: S311

    async def _lead_until_lost(self) -> None:
        self.is_leading = True
        _log.info("relay_leads", queue=self._keys.queue)
        ledger = ledger_of(self._link, self._lease, self._keys)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lease.keep(), name=f"lease-{self._keys.queue}")
                tasks.create_task(ledger.watch(), name=f"watch-{self._keys.queue}")
                # Not a task as well: of a group that fails after its body has ended, Python
                # before 3.13 leaves a cancellation behind that nobody asked for.
                await self._carry(ledger)
        except* _REASONS_TO_STAND_BY as reasons:
            # Nothing is lost: whoever leads next starts where the last step ended.
            _log.warning(
                "relay_stands_by", queue=self._keys.queue, reason=str(reasons.exceptions[0])
            )
        finally:
            self.is_leading = False
            await self._lease.release()
        heed_cancellation()

    async def _carry(self, ledger: Ledger) -> None:
        position = await ledger.open()
        began = time.monotonic()
        async for item in EventReader(self._streams, self._keys, position):
            if isinstance(item, Gap):
                await self._announce_gap(item, ledger)
                continue
            before, began = began, time.monotonic()
            for events in _chunks(item):
                await self._tell(events, ledger)
            # Whatever happens meanwhile comes in one round.
            pause_s = round_s(len(item), began - before)
            await asyncio.sleep(max(0.0, began + pause_s - time.monotonic()))

    async def _tell(self, events: list[QueueEvent], ledger: Ledger) -> None:
        owners = await self._owners.resolve(event.job_id for event in events if event.job_id)
        facts = await self._facts_for(events)
        steps = Steps()
        for event in events:
            owner = owners.get(event.job_id) if event.job_id else None
            if owner is not None:
                self._add_steps(steps, owner, event, facts.get(event.id, NOTHING_KNOWN))
        try:
            self.entries += await ledger.write(steps, events[-1].id)
        except EraPassedError:
            # Our position was lost after the stream's end had been: nobody knows who was told what.
            await self._announce_gap(Gap(GapKind.REWOUND, events[0].id, events[-1].id), ledger)
            return
        self.events.update(
            event.name if event.name in _NAMES_OF_EVENTS else "other" for event in events
        )
        self.resyncs.update(steps.resyncs)

    def _add_steps(self, steps: Steps, owner: str, event: QueueEvent, facts: JobFacts) -> None:
        assert event.job_id is not None, "only events of jobs have owners"
        steps.source = event.id
        member = live_member(self._keys.queue, event.job_id)
        if starts_job(event):
            steps.index(owner, member, event.timestamp_ms)
        try:
            update = describe_encoded(event, self._keys.queue, facts)
            if update is not None:
                steps.append(owner, update)
        except (ValueError, RecursionError) as error:
            # A worker of another make may write what no JSON can carry; its owner asks again.
            _log.warning("event_unreadable", queue=self._keys.queue, id=event.id, reason=str(error))
            steps.ask_to_resync(owner, "event_unreadable")
        if ends_job(event):
            steps.drop(owner, member)

    async def _facts_for(self, events: list[QueueEvent]) -> dict[str, JobFacts]:
        asking = [event for event in events if event.job_id and needs_facts(event)]
        if not asking:
            return {}
        rows = await self._link.call_many(
            [("HMGET", self._keys.job(event.job_id or ""), "atm", ERROR_CODE) for event in asking]
        )
        return {
            event.id: JobFacts(
                attempts_made=int(attempts) if attempts and attempts.isdigit() else 0,
                error_code=code.decode(errors="replace") if code else None,
            )
            for event, (attempts, code) in zip(asking, rows, strict=True)
        }

    async def _announce_gap(self, gap: Gap, ledger: Ledger) -> None:
        steps = Steps(source=gap.resumed_at)
        since_ms = min(stream_position(gap.after), stream_position(gap.resumed_at))[0]
        concerned = await owners_concerned(self._link, self._keys, since_ms)
        for owner, foreign in concerned.items():
            for job_id in foreign:
                member = live_member(self._keys.queue, job_id)
                steps.index(owner, member, int(gap.resumed_at.partition("-")[0]))
            steps.ask_to_resync(owner, f"events_{gap.kind}")
        _log.warning(
            "events_missed", queue=self._keys.queue, after=gap.after, resumed_at=gap.resumed_at
        )
        self.entries += await ledger.begin_anew(steps, gap.resumed_at)
        self.resyncs.update(steps.resyncs)


def round_s(events: int, since_s: float) -> float:
    """How long a round takes that has read so many events, so long after the one before it.

    Where thousands come each second, fewer and larger rounds leave more of the server and of our
    process to those who cause them. A full one may have left some behind, which go at once.
    """
    is_busy = events > BUSY_EVENTS_PER_S * since_s and events < BATCH
    return BUSY_ROUND_S if is_busy else ROUND_S


def _chunks(events: list[QueueEvent]) -> Iterator[list[QueueEvent]]:
    for start in range(0, len(events), EVENTS_PER_STEP):
        yield events[start : start + EVENTS_PER_STEP]
