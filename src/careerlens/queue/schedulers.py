"""Job schedulers: jobs that come again, by an interval or a cron pattern.

    upsert ──▶ the scheduler's record, and its first iteration as a delayed job
                                          │ a worker takes it
                                          ▼
               the next iteration ◀── `worker.scheduling`, or any worker of BullMQ

Each scheduler has one iteration in the queue, and the worker that takes it adds the next one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.foreignjson import parse_foreign
from careerlens.queue.cron import parse_cron
from careerlens.queue.options import MAX_DUE_MS, NewJob
from careerlens.queue.record import JobRecord
from careerlens.queue.wallclock import zone_offset
from careerlens.wire.errors import Refusal, ScriptRefusedError
from careerlens.wire.keys import QueueKeys, can_name_a_job
from careerlens.wire.link import Call, Link
from careerlens.wire.packing import strict_json
from careerlens.wire.schedulercalls import SchedulerCalls

# The record of a scheduler with such an id would stand where another one's iteration does.
_LIKE_AN_ITERATION = re.compile(r".*:[0-9]+", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """When a scheduler's iterations are due: `every_ms`, or by `cron`.

    The first iteration of `every_ms` is due at once, or at `start_ms`. `cron` may have a field
    for seconds in front (see `queue.cron`) and is read in the time zone `tz`. No more than
    `limit` iterations are made, and none is made after `end_ms` (epoch ms).

    Raises `ValueError` for what contradicts itself or could never be due.
    """

    every_ms: int | None = None
    cron: str | None = None
    tz: str = "UTC"
    limit: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None

    def __post_init__(self) -> None:
        if (self.every_ms is None) == (self.cron is None):
            raise ValueError("a schedule needs either every_ms or cron")
        if self.every_ms is not None and self.every_ms < 1:
            raise ValueError(f"every_ms must be at least 1, got {self.every_ms}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit must be at least 1, got {self.limit}")
        zone_offset(self.tz)
        if self.cron is not None:
            parse_cron(self.cron)

    def to_wire(self) -> dict[str, Any]:
        """The schedule as a job's option `repeat`, by BullMQ's names."""
        named = {
            "every": self.every_ms,
            "pattern": self.cron,
            "tz": self.tz if self.cron is not None else None,
            "limit": self.limit,
            "startDate": self.start_ms,
            "endDate": self.end_ms,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheduler:
    """A scheduler as the queue knows it, whoever made it.

    `next_ms` is when its next iteration is due (epoch ms), `iterations` how many were made.
    `repeat` holds its schedule and `options` those of its jobs, both by BullMQ's names.
    """

    id: str
    name: str
    next_ms: int
    iterations: int
    repeat: Mapping[str, Any]
    data: Any
    options: Mapping[str, Any]


class Schedulers:
    """The schedulers of one queue; its methods raise as those of `Queue` do."""

    def __init__(self, link: Link, keys: QueueKeys) -> None:
        self._link = link
        self._calls = SchedulerCalls(keys)

    async def upsert(self, scheduler_id: str, schedule: Schedule, job: NewJob) -> str:
        """Make a scheduler, or change the one of that id; returns the next iteration's job id.

        `job` is what each iteration is made from; its delay, id and time are the schedule's
        affair. An iteration that waits already is replaced, one that runs is not. Repeating it is
        safe.

        Raises `ValueError` for an id that would damage the queue and a schedule that has ended,
        and `ScriptRefusedError` when a job with the next iteration's id is there already.
        """
        if not _is_safe(scheduler_id):
            raise ValueError(f"a scheduler cannot have the id {scheduler_id!r}")
        now_ms = epoch_ms()
        due_ms = next_due_ms(schedule.to_wire(), now_ms)
        if due_ms is None or due_ms > MAX_DUE_MS:
            raise ValueError(f"nothing of this schedule is due any more: {schedule}")
        plain = replace(job.options, job_id=None, delay_ms=0, timestamp_ms=None)
        template = plain.to_wire()
        call = self._calls.upsert(
            scheduler_id,
            {"name": job.name, **schedule.to_wire()},
            due_ms,
            strict_json(job.data),
            template,
            iteration_options(template, schedule.to_wire(), scheduler_id, due_ms, now_ms, count=1),
            now_ms,
        )
        reply = await self._link.run(*call)
        if isinstance(reply, int):
            raise ScriptRefusedError(call[0].name, Refusal(reply), scheduler_id)
        return _text(reply[0])

    async def get(self, scheduler_id: str) -> Scheduler | None:
        """The scheduler of that id, or None."""
        found = await self._link.run(*self._calls.get(scheduler_id))
        return _read(scheduler_id, *found) if found and found[0] else None

    async def all(self) -> list[Scheduler]:
        """Every scheduler, the one that is due next first."""
        found = await self._link.call("ZRANGE", self._calls.repeat, 0, -1, "WITHSCORES")
        due = {_text(id_): score for id_, score in zip(found[::2], found[1::2], strict=True)}
        replies = await self._link.call_many(
            [("HGETALL", self._calls.repeat_of(id_)) for id_ in due]
        )
        return [_read(id_, flat, due[id_]) for id_, flat in zip(due, replies, strict=True) if flat]

    async def go_on_after(self, record: JobRecord, scheduler_id: str) -> None:
        """Add the iteration after a job that will not run; nothing if there is one already."""
        try:
            call = next_iteration(self._calls, record, scheduler_id)
        except ValueError:
            return  # no worker could make the next one either
        if call is not None:
            await self._link.run(*call)

    async def remove(self, scheduler_id: str) -> bool:
        """Remove a scheduler and its iteration that waits; False where there is none.

        An iteration that runs, or is in line, still ends.
        """
        return int(await self._link.run(*self._calls.remove(scheduler_id))) == 0


def next_iteration(calls: SchedulerCalls, record: JobRecord, scheduler_id: str) -> Call | None:
    """The call that adds the iteration after a job's; None when it was the last one.

    Raises `ValueError` when the job's options do not say when it comes again.
    """
    options, repeat = record.opts, record.opts.get("repeat")
    if not isinstance(repeat, Mapping):
        raise ValueError("the job does not say when it comes again")
    try:
        count = (_whole(repeat.get("count")) or 0) + 1
        limit = _whole(repeat.get("limit"))
        if limit is not None and count > limit:
            return None
        now_ms = epoch_ms()
        due_ms = next_due_ms(repeat, max(now_ms, _whole(options.get("prevMillis")) or 0))
        if due_ms is None:
            return None
        following = iteration_options(options, repeat, scheduler_id, due_ms, now_ms, count=count)
        return calls.make_next(scheduler_id, due_ms, following, now_ms, record.id)
    except (OverflowError, OSError) as error:  # numbers that no clock or script can hold
        raise ValueError(f"the job's options cannot be: {error}") from None


def next_due_ms(repeat: Mapping[str, Any], after_ms: int) -> int | None:
    """When the next iteration of a job's option `repeat` is due; None when there is none.

    For an interval this is only where BullMQ's scripts begin to count. Raises `ValueError` for
    a pattern or time zone that cannot be read.
    """
    start_ms, end_ms = _whole(repeat.get("startDate")), _whole(repeat.get("endDate"))
    pattern = repeat.get("pattern")
    if end_ms is not None and after_ms > end_ms:
        return None
    if not pattern:
        return after_ms
    seed = repeat.get("hashSeed")
    cron = parse_cron(str(pattern), seed=str(seed) if seed else None)
    zone = repeat.get("tz")
    due_ms = cron.next_ms(max(after_ms, start_ms or 0), zone_offset(str(zone) if zone else None))
    return None if due_ms is None or (end_ms is not None and due_ms > end_ms) else due_ms


def iteration_options(
    options: Mapping[str, Any],
    repeat: Mapping[str, Any],
    scheduler_id: str,
    due_ms: int,
    now_ms: int,
    *,
    count: int,
) -> dict[str, Any]:
    """The options of an iteration's job (BullMQ 6.x `JobScheduler.getNextJobOpts`).

    `count` is how many iterations were made with this one. The scripts set delay and id of an
    interval's iterations themselves.
    """
    kept = {name: value for name, value in options.items() if name != "prevMillis"}
    of_cron = {"prevMillis": due_ms} if repeat.get("pattern") else {}
    return {
        **kept,
        **of_cron,
        "jobId": f"repeat:{scheduler_id}:{due_ms}",
        "delay": max(due_ms - now_ms, 0),
        "timestamp": now_ms,
        "repeatJobKey": scheduler_id,
        "repeat": {**repeat, "count": count},
    }


def _is_safe(scheduler_id: str) -> bool:
    return (
        scheduler_id.isprintable()
        and can_name_a_job(scheduler_id)
        and not _LIKE_AN_ITERATION.fullmatch(scheduler_id)
    )


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _read(scheduler_id: str, flat: list[bytes], score: bytes) -> Scheduler:
    texts = [part.decode(errors="replace") for part in flat]
    fields = dict(zip(texts[::2], texts[1::2], strict=True))
    repeat: dict[str, Any] = {
        name: int(float(fields[name]))
        for name in ("every", "limit", "startDate", "endDate", "offset")
        if name in fields
    }
    repeat.update({name: fields[name] for name in ("pattern", "tz") if name in fields})
    return Scheduler(
        id=scheduler_id,
        name=fields.get("name", scheduler_id),
        next_ms=int(float(score)),
        iterations=int(fields.get("ic", 0)),
        repeat=repeat,
        data=_parsed(fields.get("data")),
        options=_parsed(fields.get("opts")),
    )


def _parsed(text: str | None) -> Any:
    """A template's JSON; what does not parse counts as absent, as with a job's."""
    try:
        return parse_foreign(text or "{}")
    except (ValueError, RecursionError):
        return {}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
