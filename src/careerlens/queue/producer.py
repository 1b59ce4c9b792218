"""A queue as its producers and readers see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal
from uuid import uuid4

import careerlens
from careerlens.foundation.clock import epoch_ms
from careerlens.queue.options import MAX_PRIORITY, PLAIN, JobOptions, NewJob
from careerlens.queue.record import NOWHERE, JobRecord, QueueState, Standing
from careerlens.queue.schedulers import Schedulers
from careerlens.wire.calls import LOG_LINES_KEPT, Adding, QueueCalls
from careerlens.wire.cancel import CANCEL_MARK, ERROR_CODE
from careerlens.wire.connection import Arg
from careerlens.wire.errors import Refusal, ScriptRefusedError
from careerlens.wire.keys import QueueKeys, can_name_a_job
from careerlens.wire.link import Call, Link
from careerlens.wire.packing import pack, strict_json

# Entries of a queue's event stream: ten minutes of absence at some forty jobs a second.
EVENTS_KEPT = 100_000
_COUNTED = ("active", "completed", "delayed", "failed", "paused", "prioritized", "wait")
_OBLITERATED_PER_CALL = 1_000
_DIGITS_OF_A_TIME = 15


_HOLE = "\0"


class CancelOutcome(StrEnum):
    """What a cancellation led to."""

    CANCELLED = "cancelled"
    """The job did not run, and never will."""
    REQUESTED = "requested"
    """The job runs; its worker was told, and will end it."""
    ALREADY_FINAL = "final"
    """The job had completed or failed before."""
    NOT_FOUND = "missing"
    """There is no such job."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """What many jobs have in common, encoded once: all but id, data and time. `Queue.kind`."""

    name: str
    options: JobOptions
    adding: Adding
    packed: tuple[bytes, bytes]
    """The options as they are stored, before and after the id that stands in them."""


class Queue:
    """Adds jobs to one queue, reads them and changes them.

    The link is the caller's: one link serves many queues, and closing it is not done here.
    Every method raises `ServiceUnavailableError` when the server cannot be reached, and
    `OutcomeUnknownError` when it may have acted: adding again under the same `job_id` is safe,
    since an id that exists is never added twice.

    Raises `ConfigurationError` when `link` leads to a cluster and `prefix` has no hash tag.
    """

    def __init__(self, name: str, link: Link, *, prefix: str = "bull") -> None:
        self.name = name
        self.keys = QueueKeys(name, prefix)
        link.check_queue(self.keys)
        self.schedulers = Schedulers(link, self.keys)
        self._link = link
        self._calls = QueueCalls(self.keys)
        self._last: tuple[JobOptions, Adding] | None = None

    async def open(self) -> None:
        """Tell the queue how much history to keep and who we are. Harmless to repeat."""
        ours = f"careerlens:{careerlens.__version__}"
        await self._link.call(
            "HSET", self.keys.meta, "opts.maxLenEvents", EVENTS_KEPT, "version", ours
        )

    # Adding

    async def add(
        self,
        name: str,
        data: Mapping[str, Any],
        options: JobOptions | None = None,
        *,
        ahead: Sequence[Sequence[Arg]] = (),
    ) -> str:
        """Add a job and return its id; with a `job_id` that exists nothing changes.

        `ahead` are commands that are carried out just before it; see `Link.run_behind`.
        Raises `ValueError` for an id that would damage the queue, a due time past 2039, or
        data that is not strict JSON.
        """
        options = options or PLAIN
        call = self._adding(name, data, options, self._stored_by(options))
        reply = await (self._link.run_behind(ahead, call) if ahead else self._link.run(*call))
        return self._added(reply, call)

    def kind(self, name: str, options: JobOptions) -> JobKind:
        """What jobs of this name have in common whose options are these but for `job_id`."""
        adding = self._calls.adding(replace(options, job_id=_HOLE).to_wire())
        before, after = adding.options.split(pack(_HOLE))
        return JobKind(name, options, adding, (before, after))

    async def add_of(
        self,
        kind: JobKind,
        job_id: str,
        data: str | bytes,
        timestamp_ms: int,
        *,
        ahead: Sequence[Sequence[Arg]] = (),
    ) -> str:
        """As `add`, in a third of our time. `data` is JSON that is as strict as `strict_json`'s."""
        kind.options.check_at(timestamp_ms, job_id)
        before, after = kind.packed
        script, keys, _ = kind.adding
        adding = Adding(script, keys, before + pack(job_id) + after)
        call = self._calls.add(job_id, kind.name, data, adding, timestamp_ms)
        reply = await (self._link.run_behind(ahead, call) if ahead else self._link.run(*call))
        return self._added(reply, call)

    async def add_bulk(self, jobs: Sequence[NewJob]) -> list[str]:
        """Add many jobs in one round trip; each stands or falls on its own, as by `add`."""
        options = {id(job.options): job.options for job in jobs}
        known = {key: self._stored_by(one) for key, one in options.items()}
        calls = [
            self._adding(job.name, job.data, job.options, known[id(job.options)]) for job in jobs
        ]
        replies = await self._link.run_many(calls)
        return [self._added(reply, call) for reply, call in zip(replies, calls, strict=True)]

    def _adding(
        self, name: str, data: Mapping[str, Any], options: JobOptions, adding: Adding
    ) -> Call:
        now_ms = epoch_ms() if options.timestamp_ms is None else options.timestamp_ms
        options.check_at(now_ms)
        return self._calls.add(options.job_id or "", name, strict_json(data), adding, now_ms)

    def _stored_by(self, options: JobOptions) -> Adding:
        """As jobs with these options are stored: of many in a row, they are encoded once."""
        if self._last is not None and self._last[0] is options:
            return self._last[1]
        adding = self._calls.adding(options.to_wire())
        self._last = (options, adding) if options.is_constant else None
        return adding

    def _added(self, reply: Any, call: Call) -> str:
        if isinstance(reply, int) and reply < 0:
            raise ScriptRefusedError(call[0].name, Refusal(reply), "")
        return _text(reply)

    # Reading

    async def job(self, job_id: str) -> JobRecord | None:
        """The job as stored, or None."""
        return (await self.jobs([job_id]))[0]

    async def jobs(self, job_ids: Sequence[str]) -> list[JobRecord | None]:
        """Many jobs in one round trip, in the order asked; None where there is none."""
        known = [job_id for job_id in dict.fromkeys(job_ids) if can_name_a_job(job_id)]
        replies = await self._link.call_many([("HGETALL", self.keys.job(id_)) for id_ in known])
        found = {
            job_id: JobRecord.from_fields(job_id, flat)
            for job_id, flat in zip(known, replies, strict=True)
            if flat
        }
        return [found.get(job_id) for job_id in job_ids]

    async def state(self, job_id: str) -> QueueState:
        """Where the job is; `unknown` when the queue does not know it."""
        if not can_name_a_job(job_id):
            return QueueState.UNKNOWN
        return QueueState(_text(await self._link.run(*self._calls.state(job_id))))

    async def job_and_state(self, job_id: str) -> tuple[JobRecord | None, QueueState]:
        """The job and where it is, read at one moment."""
        return (await self.jobs_and_states([job_id]))[0]

    async def jobs_and_states(
        self, job_ids: Sequence[str]
    ) -> list[tuple[JobRecord | None, QueueState]]:
        """As `job_and_state` for many jobs in one round trip, in the order asked."""
        return [(found.record, found.state) for found in await self.standings(job_ids)]

    async def standings(self, job_ids: Sequence[str]) -> list[Standing]:
        """As `jobs_and_states`, with the places in line of those that wait."""
        known = [job_id for job_id in dict.fromkeys(job_ids) if can_name_a_job(job_id)]
        replies = await self._link.run_many([self._calls.snapshot(id_) for id_ in known])
        found = {
            job_id: Standing.read(job_id, reply)
            for job_id, reply in zip(known, replies, strict=True)
        }
        return [found.get(job_id, NOWHERE) for job_id in job_ids]

    async def run_times_ms(self, count: int) -> list[int]:
        """How long the last attempts of the `count` jobs took that ended last, latest first.

        Jobs that ended without having run, or whose producer wanted nothing kept, are left out.
        """
        ended: list[tuple[float, str]] = []
        for key in (self.keys.completed, self.keys.failed):
            found = await self._link.call("ZREVRANGE", key, 0, count - 1, "WITHSCORES")
            ended += [
                (float(score), job_id.decode())
                for job_id, score in zip(found[::2], found[1::2], strict=True)
            ]
        latest = [job_id for _, job_id in sorted(ended, reverse=True)[:count]]
        times = await self._link.call_many(
            [("HMGET", self.keys.job(job_id), "processedOn", "finishedOn") for job_id in latest]
        )
        return [
            max(0, int(finished) - int(processed))
            for processed, finished in times
            if _is_number(processed) and _is_number(finished)
        ]

    async def next_in_line(self) -> JobRecord | None:
        """The waiting job that is taken next; None when none waits."""
        first = await self._first_in_line()
        return await self.job(first) if first is not None else None

    async def waiting_since_ms(self) -> int | None:
        """When the waiting job that is taken next was made; None when none waits."""
        first = await self._first_in_line()
        if first is None:
            return None
        made = await self._link.call("HGET", self.keys.job(first), "timestamp")
        return int(made) if _is_number(made) else None

    async def _first_in_line(self) -> str | None:
        first = await self._link.call("LINDEX", self.keys.wait, -1)
        if first is None:
            first = next(iter(await self._link.call("ZRANGE", self.keys.prioritized, 0, 0)), None)
        return _text(first) if first is not None else None

    async def counts(self) -> dict[str, int]:
        """How many jobs are in each state, by the names of `QueueState`."""
        states = (*_COUNTED, "waiting-children")
        found = await self._link.run(*self._calls.counts(states))
        names = ("waiting" if state == "wait" else state for state in states)
        return dict(zip(names, map(int, found), strict=True))

    async def is_paused(self) -> bool:
        """Whether workers are told to take nothing."""
        return bool(await self._link.call("HEXISTS", self.keys.meta, "paused"))

    async def logs(self, job_id: str, *, limit: int = LOG_LINES_KEPT) -> list[str]:
        """The last lines of a job's log, oldest first."""
        if not can_name_a_job(job_id):
            return []
        lines = await self._link.call("LRANGE", self.keys.logs(job_id), -limit, -1)
        return [_text(line) for line in lines]

    # Changing

    async def cancel(self, job_id: str) -> CancelOutcome:
        """Cancel a job in whatever state it is; the server decides a race with its worker."""
        if not can_name_a_job(job_id):
            return CancelOutcome.NOT_FOUND
        if job_id.startswith("repeat:"):
            await self._keep_scheduler_going(job_id)
        token = f"cancel:{uuid4().hex}"
        reply = await self._link.run(*self._calls.cancel(job_id, epoch_ms(), token))
        return CancelOutcome(_text(reply))

    async def _keep_scheduler_going(self, job_id: str) -> None:
        """Only the worker that takes a scheduler's job would add the next one."""
        record = await self.job(job_id)
        if record is not None and record.scheduler_id is not None:
            await self.schedulers.go_on_after(record, record.scheduler_id)

    async def update_progress(self, job_id: str, value: Any) -> bool:
        """Store and announce progress; False when there is no such job."""
        if not can_name_a_job(job_id):
            return False
        text = strict_json(value)
        return int(await self._link.run(*self._calls.progress(job_id, text))) == 0

    async def log(self, job_id: str, line: str) -> bool:
        """Append a line to the job's log; False when there is no such job."""
        if not can_name_a_job(job_id):
            return False
        return int(await self._link.run(*self._calls.log(job_id, line))) >= 0

    async def retry(
        self, job_id: str, state: Literal["failed", "completed"] = "failed", *, reset: bool = True
    ) -> None:
        """Put a finished job back in line; `reset` lets it begin at attempt one.

        Raises `ScriptRefusedError` when it is not in that state.
        """
        record, found = await self.job_and_state(job_id)
        if record is None:
            raise ScriptRefusedError("reprocessJob", Refusal.JOB_MISSING, job_id)
        if found.value != state:
            raise ScriptRefusedError("reprocessJob", Refusal.NOT_IN_STATE, job_id)
        lifo = bool(record.opts.get("lifo"))
        # A mark of an earlier cancellation would end the new run at once.
        await self._link.call("HDEL", self.keys.job(job_id), CANCEL_MARK, ERROR_CODE)
        call = self._calls.reprocess(job_id, state, lifo=lifo, reset=reset)
        self._refuse(await self._link.run(*call), call, job_id)

    async def promote(self, job_id: str) -> None:
        """Put a delayed job in line now. Raises `ScriptRefusedError` when it is not delayed."""
        await self._change(job_id, self._calls.promote(job_id))

    async def change_priority(self, job_id: str, priority: int, *, lifo: bool = False) -> None:
        """Give a job another priority; where it is in line, it moves at once.

        `lifo` puts it before others of its priority 0. Raises `ValueError` for a priority that
        cannot be, and `ScriptRefusedError` when there is no such job.
        """
        if not 0 <= priority <= MAX_PRIORITY:
            raise ValueError(f"priority must be from 0 to {MAX_PRIORITY}, got {priority}")
        await self._change(job_id, self._calls.change_priority(job_id, priority, lifo=lifo))

    async def update_data(self, job_id: str, data: Mapping[str, Any]) -> None:
        """Replace a job's data, for its next attempt. Raises `ScriptRefusedError` when missing."""
        await self._change(job_id, self._calls.update_data(job_id, strict_json(data)))

    async def _change(self, job_id: str, call: Call) -> None:
        if not can_name_a_job(job_id):
            raise ScriptRefusedError(call[0].name, Refusal.JOB_MISSING, job_id)
        self._refuse(await self._link.run(*call), call, job_id)

    async def remove(self, job_id: str) -> bool:
        """Remove a job and all its traces; False while a worker runs it."""
        if not can_name_a_job(job_id):
            raise ScriptRefusedError("removeJob", Refusal.JOB_MISSING, job_id)
        call = self._calls.remove(job_id)
        return self._refuse(await self._link.run(*call), call, job_id) == 1

    async def pause(self) -> None:
        """Let workers take nothing more; running jobs go on."""
        await self._link.run(*self._calls.pause(paused=True))

    async def resume(self) -> None:
        """Let workers take jobs again."""
        while int(await self._link.run(*self._calls.pause(paused=False))) > 0:
            pass  # jobs that BullMQ 5 had set aside are moved back some thousand at a time

    async def clean(
        self, state: QueueState, *, older_than_ms: int = 0, limit: int = 1_000
    ) -> list[str]:
        """Remove up to `limit` jobs of a state that ended (or were made) so long ago."""
        suffix = "wait" if state is QueueState.WAITING else state.value
        removed = await self._link.run(
            *self._calls.clean(suffix, epoch_ms() - older_than_ms, limit)
        )
        return [_text(job_id) for job_id in removed]

    async def drain(self, *, delayed: bool = False) -> None:
        """Remove everything that waits; nothing is announced for the single jobs."""
        await self._link.run(*self._calls.drain(delayed=delayed))

    async def obliterate(self, *, force: bool = False) -> None:
        """Destroy the queue with all its jobs. Raises `ValueError` while jobs run.

        `force` destroys it even then.
        """
        await self.pause()
        call = self._calls.obliterate(_OBLITERATED_PER_CALL, force=force)
        while (left := int(await self._link.run(*call))) > 0:
            pass
        if left < 0:
            raise ValueError(f"queue {self.name!r} still runs jobs; pass force=True to destroy it")

    def _refuse(self, reply: Any, call: Call, job_id: str) -> int:
        code = int(reply)
        if code < 0:
            raise ScriptRefusedError(call[0].name, Refusal(code), job_id)
        return code


def _is_number(value: bytes | None) -> bool:
    return value is not None and value.isdigit() and len(value) <= _DIGITS_OF_A_TIME


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
