"""The worker itself: slots that take, run and finish jobs, and the services beside them.

run ── task group
       ├── slots                  take ▶ run the handler ▶ finish ▶ …
       ├── doorbell               waits for work on its own connection
       ├── stalled check          puts jobs of vanished workers back in line
       ├── cancel channel         interrupts handlers whose job is cancelled
       └── lost takes             finds jobs whose take lost its reply
    ── thread: lock keeper        renews every lock on its own connection
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from careerlens.wire.calls import QueueCalls
from careerlens.wire.keys import QueueKeys
from careerlens.wire.opening import open_link
from careerlens.wire.scripts import verify_scripts
from careerlens.worker.cancelling import Cancelling
from careerlens.worker.fetching import Fetching
from careerlens.worker.finishing import Finishing
from careerlens.worker.held import HeldJobs, Interruption
from careerlens.worker.job import Processor
from careerlens.worker.locks import LockKeeper
from careerlens.worker.options import WorkerOptions
from careerlens.worker.outcomes import DescribeFailure, describe_plainly
from careerlens.worker.places import Places
from careerlens.worker.resolving import Resolving
from careerlens.worker.scheduling import Scheduling
from careerlens.worker.slot import Slot, Tools
from careerlens.worker.stalled import rescue_stalled_jobs
from careerlens.worker.stats import WorkerStats

_LONGEST_MARGIN_S = 2.0


class Worker:
    """Runs the jobs of one queue with `processor`.

    What the processor returns becomes the result, and must be strict JSON; what it raises fails
    the attempt, in the words of `describe_failure`. `UnrecoverableError` fails the job at once.
    Cancelling, or the loss of the job, cancels the processor's task. A `Worker` runs once.
    """

    def __init__(
        self,
        queue_name: str,
        processor: Processor,
        *,
        redis_url: str,
        prefix: str = "bull",
        options: WorkerOptions | None = None,
        describe_failure: DescribeFailure = describe_plainly,
    ) -> None:
        self.queue_name = queue_name
        self.options = options or WorkerOptions()
        self.stats = WorkerStats()
        self._processor = processor
        self._describe = describe_failure
        self._url = redis_url
        self._calls = QueueCalls(QueueKeys(queue_name, prefix))
        self._held = HeldJobs()
        self._link = open_link(redis_url, name=f"careerlens:worker:{queue_name}")
        self._link.check_queue(self._calls.keys)
        self._doorbell = open_link(
            redis_url,
            name=self._calls.keys.worker_client_name(self.options.name),
            timeout_s=self.options.drain_delay_s + 10.0,
        )
        self._resolving = Resolving(self._link, self._calls, self.options)
        self._fetching = Fetching(
            self._link, self._doorbell, self._calls, self.options, self._resolving, self.stats
        )
        # Who has one job run at a time may count on the queue's order, which two takes can swap.
        takes_ahead = self.options.limiter is None and self.options.concurrency > 1
        self._places = Places(self.options.concurrency, takes_ahead=takes_ahead)
        self._finishing = Finishing(
            self._link, self._calls, self.options, self._fetching, self._places, self.stats
        )
        self._scheduling = Scheduling(self._link, self._calls.keys)
        self._cancelling = Cancelling(redis_url, queue_name, self._held)
        self._locks = LockKeeper(redis_url, self._calls, self._held, self.options)
        self._slots: list[asyncio.Task[None]] = []
        self._started = False
        self._stopped = asyncio.Event()

    @property
    def is_healthy(self) -> bool:
        """Whether the worker runs and reaches its server."""
        return self._started and not self._stopped.is_set() and self._link.is_connected

    @property
    def is_stopping(self) -> bool:
        """Whether no further job will be taken."""
        return self._fetching.is_closing

    async def ready(self) -> None:
        """Wait until the worker hears cancellations and reaches its server."""
        await self._cancelling.channel.listening.wait()
        await self._link.connect()

    async def run(self) -> None:
        """Take and run jobs until `stop`, waiting out any absence of the server.

        When cancelled, running handlers are cancelled and their jobs handed back.
        Raises `ConfigurationError` when the installed `bullmq` package does not fit.
        """
        if self._started:
            raise RuntimeError(f"the worker of queue {self.queue_name!r} has been started before")
        self._started = True
        try:
            verify_scripts()
            async with self._services():
                await self._run_slots()
        finally:
            self._close()
            await self._doorbell.close()
            await self._link.close()
            self._stopped.set()

    async def stop(self, *, grace_s: float | None = None) -> None:
        """Take nothing more, let running jobs end, hand back what is left; return when stopped.

        `grace_s` (default: the option `shutdown_s`) covers all of it: shortly before its end
        handlers that still run are cancelled and their jobs handed back. One that ignores even
        that is left behind, and another worker rescues its job.
        """
        grace_s = self.options.shutdown_s if grace_s is None else grace_s
        self._close()
        if not self._started:
            self._stopped.set()
            return
        margin_s = min(_LONGEST_MARGIN_S, grace_s / 4)
        if await self._stops_within(grace_s - margin_s):
            return
        for job in self._held.all():
            job.interrupt(Interruption.SHUTDOWN)
        if not await self._stops_within(margin_s):
            for slot in self._slots:
                slot.cancel()
            await self._stopped.wait()

    def _close(self) -> None:
        """Take nothing more."""
        self._fetching.close()
        self._places.close()

    async def _stops_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                return await self._stopped.wait()
        except TimeoutError:
            return False

    @asynccontextmanager
    async def _services(self) -> AsyncIterator[None]:
        """Run everything beside the slots; a service that dies stops the worker aloud."""
        async with asyncio.TaskGroup() as group:
            name = self.queue_name
            doorbell = group.create_task(self._fetching.watch(), name=f"doorbell {name}")
            others = [
                group.create_task(self._locks.run(), name=f"locks {name}"),
                group.create_task(self._cancelling.channel.listen(), name=f"cancels {name}"),
                group.create_task(self._resolving.watch(), name=f"lost takes {name}"),
                group.create_task(
                    rescue_stalled_jobs(self._link, self._calls, self.options, self.stats),
                    name=f"stalled check {name}",
                ),
            ]
            yield
            await self._fetching.stop_watching(doorbell)
            for task in others:
                task.cancel()

    async def _run_slots(self) -> None:
        tools = Tools(
            processor=self._processor,
            describe_failure=self._describe,
            link=self._link,
            calls=self._calls,
            lock_duration_s=self.options.lock_duration_s,
            held=self._held,
            stats=self.stats,
            places=self._places,
            fetching=self._fetching,
            finishing=self._finishing,
            cancelling=self._cancelling,
            scheduling=self._scheduling,
        )
        async with asyncio.TaskGroup() as group:
            self._slots = [
                group.create_task(Slot(tools).run(), name=f"slot {number} {self.queue_name}")
                for number in range(self._places.slots)
            ]
            try:
                await asyncio.wait(self._slots)
            except asyncio.CancelledError:
                await self._wind_up()
                raise

    async def _wind_up(self) -> None:
        """Let the slots end by themselves, so that what they have under way is not forgotten."""
        self._close()
        for job in self._held.all():
            job.interrupt(Interruption.SHUTDOWN)
        await asyncio.wait(self._slots, timeout=_LONGEST_MARGIN_S)
