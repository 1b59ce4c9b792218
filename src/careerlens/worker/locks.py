"""Renews the locks of running jobs, and sees there whether any was cancelled.

In a thread with a connection of its own, so that a handler that blocks the event loop does not
lose its job. All locks are renewed by one call. An id that comes back as refused belongs to
another worker now: its handler is stopped and writes nothing more.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.wire.calls import QueueCalls
from careerlens.wire.cancel import CANCEL_MARK
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.link import Link
from careerlens.wire.opening import open_link
from careerlens.worker.held import HeldJob, HeldJobs, Interruption
from careerlens.worker.options import WorkerOptions

_TIMEOUT_S = 2.5
_RETRY_S = 0.5
_log = get_logger("careerlens.worker")


class LockKeeper:
    """The thread that keeps this worker's locks alive, on an event loop of its own.

    `run` it once, from the event loop whose handlers it is to stop.
    """

    def __init__(
        self,
        url: str,
        calls: QueueCalls,
        held: HeldJobs,
        options: WorkerOptions,
    ) -> None:
        self._url = url
        self._calls = calls
        self._held = held
        self._options = options
        self._handlers_loop: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: BaseException | None = None

    async def run(self) -> None:
        """Renew until cancelled, and return once the thread has ended. Raises what broke it."""
        self._handlers_loop = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        name = f"locks of {self._calls.keys.queue}"
        threading.Thread(target=self._in_thread, args=[self._loop], name=name, daemon=True).start()
        try:
            await self._ended.wait()
        except asyncio.CancelledError:
            with suppress(RuntimeError):  # its loop is closed: the thread has just ended
                self._loop.call_soon_threadsafe(self._stopping.set)
            await self._ended.wait()
            raise
        if self._error is not None:
            raise self._error

    def _in_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._handlers_loop is not None
        try:
            loop.run_until_complete(self._keep())
        except BaseException as error:  # noqa: BLE001 (raised again where somebody hears it)
            self._error = error
        finally:
            loop.close()
            self._handlers_loop.call_soon_threadsafe(self._ended.set)

    async def _keep(self) -> None:
        pause_s = self._options.lock_renew_ms / 1000
        due_at = time.monotonic() + pause_s
        name = f"careerlens:locks:{self._calls.keys.queue}"
        link = open_link(self._url, name=name, timeout_s=_TIMEOUT_S)
        try:
            while not await self._stops_within(due_at - time.monotonic()):
                due_at = time.monotonic() + (pause_s if await self._renew_all(link) else _RETRY_S)
        finally:
            await link.close()

    async def _stops_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    async def _renew_all(self, link: Link) -> bool:
        """Renew once; False when the server could not be asked."""
        held = {
            job.record.id: job
            for job in self._held.all()
            if job.interruption is not Interruption.LOST
        }
        if not held:
            return True
        asked_at = time.monotonic()
        try:
            lost = await self._extend(link, held)
            marked = await self._cancelled(link, held)
        except (ServiceUnavailableError, CommandRejectedError) as error:
            _log.warning("lock renewal failed", jobs=len(held), problem=str(error))
            return False
        for job_id, job in held.items():
            if job_id not in lost:
                job.lease_until = asked_at + self._options.lock_duration_s
        assert self._handlers_loop is not None
        self._handlers_loop.call_soon_threadsafe(self._tell, held, lost, marked)
        return True

    async def _extend(self, link: Link, held: dict[str, HeldJob]) -> set[str]:
        tokens = {job_id: job.token for job_id, job in held.items()}
        call = self._calls.extend_locks(tokens, self._options.lock_duration_ms)
        return {job_id.decode() for job_id in await link.run(*call)}

    async def _cancelled(self, link: Link, held: dict[str, HeldJob]) -> set[str]:
        key_of = self._calls.keys.job
        marks = await link.call_many([("HGET", key_of(job_id), CANCEL_MARK) for job_id in held])
        return {job_id for job_id, mark in zip(held, marks, strict=True) if mark and mark != b"0"}

    def _tell(self, held: dict[str, HeldJob], lost: set[str], marked: set[str]) -> None:
        for job_id in lost:
            held[job_id].interrupt(Interruption.LOST)
        for job_id in marked - lost:
            held[job_id].interrupt(Interruption.CANCELLED)
