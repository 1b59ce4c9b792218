"""Renews the locks of running jobs, and sees there whether any was cancelled.

In a thread with a connection of its own, so that a handler that blocks the event loop does not
lose its job. All locks are renewed by one call. An id that comes back as refused belongs to
another worker now: its handler is stopped and writes nothing more.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import redis
from redis.exceptions import NoScriptError, RedisError

from careerlens.foundation.logging import get_logger
from careerlens.foundation.redis import connect_in_thread
from careerlens.wire.calls import QueueCalls
from careerlens.wire.cancel import CANCEL_MARK
from careerlens.wire.link import Call
from careerlens.worker.held import HeldJob, HeldJobs, Interruption
from careerlens.worker.options import WorkerOptions

_TIMEOUT_S = 2.5
_RETRY_S = 0.5
_log = get_logger("careerlens.worker")


class LockKeeper:
    """The thread that keeps this worker's locks alive. `start` it once, and `stop` it."""

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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._keep, name=f"locks of {calls.keys.queue}", daemon=True
        )

    def start(self) -> None:
        """Begin renewing; call from the event loop's thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Stop renewing and wait for the thread to end."""
        self._stopping.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _keep(self) -> None:
        name = f"careerlens:locks:{self._calls.keys.queue}"
        client = connect_in_thread(self._url, timeout_s=_TIMEOUT_S, name=name)
        pause_s = self._options.lock_renew_ms / 1000
        due_at = time.monotonic() + pause_s
        with client:
            while not self._stopping.wait(max(due_at - time.monotonic(), 0.0)):
                due_at = time.monotonic() + (pause_s if self._renew_all(client) else _RETRY_S)

    def _renew_all(self, client: redis.Redis) -> bool:
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
            lost = self._extend(client, held)
            marked = self._cancelled(client, held)
        except (RedisError, OSError) as error:
            _log.warning("lock renewal failed", jobs=len(held), problem=str(error))
            return False
        for job_id, job in held.items():
            if job_id not in lost:
                job.lease_until = asked_at + self._options.lock_duration_s
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._tell, held, lost, marked)
        return True

    def _extend(self, client: redis.Redis, held: dict[str, HeldJob]) -> set[str]:
        tokens = {job_id: job.token for job_id, job in held.items()}
        call = self._calls.extend_locks(tokens, self._options.lock_duration_ms)
        return {job_id.decode() for job_id in _run(client, call)}

    def _cancelled(self, client: redis.Redis, held: dict[str, HeldJob]) -> set[str]:
        with client.pipeline(transaction=False) as pipeline:
            for job_id in held:
                pipeline.hget(self._calls.keys.job(job_id), CANCEL_MARK)
            marks = pipeline.execute()
        return {job_id for job_id, mark in zip(held, marks, strict=True) if mark and mark != b"0"}

    def _tell(self, held: dict[str, HeldJob], lost: set[str], marked: set[str]) -> None:
        for job_id in lost:
            held[job_id].interrupt(Interruption.LOST)
        for job_id in marked - lost:
            held[job_id].interrupt(Interruption.CANCELLED)


def _run(client: redis.Redis, call: Call) -> Any:
    script, keys, args = call
    try:
        return client.evalsha(script.sha.decode(), len(keys), *keys, *args)
    except NoScriptError:
        return client.eval(script.source.decode(), len(keys), *keys, *args)
