"""Flows: jobs that wait for other jobs, in any queues, and then run with their results.

```python
await add_flow(link, Flow(
    queue="reports",
    job=NewJob(name="report", data={}),
    children=[
        Flow(queue="pages", job=NewJob(name="page", data={"number": number}))
        for number in range(3)
    ],
))
```

A parent's handler reads what its children returned by `ActiveJob.children_values`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

import hiredis

from careerlens.foundation.clock import epoch_ms
from careerlens.queue.options import NewJob
from careerlens.wire.connection import Arg
from careerlens.wire.errors import CommandRejectedError, Refusal, ScriptRefusedError
from careerlens.wire.flowcalls import Parent, add_to_flow
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Call, Link
from careerlens.wire.packing import strict_json


class ChildFailure(StrEnum):
    """What becomes of a parent when a child has failed for good (BullMQ's option of that name).

    A parent whose child says nothing waits until that child is retried and completes.
    """

    FAILS_PARENT = "fpof"
    """`failParentOnFailure`: the parent fails at once."""
    CONTINUES_PARENT = "cpof"
    """`continueParentOnFailure`: the parent runs at once, without waiting for other children."""
    IS_IGNORED = "idof"
    """`ignoreDependencyOnFailure`: the parent runs after the others, and may see the failure."""
    IS_REMOVED = "rdof"
    """`removeDependencyOnFailure`: the parent runs after the others, as without this child."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """A job of a flow, in `queue`, with the jobs that it waits for.

    `on_failure` says what this job's failure does to its parent.
    """

    queue: str
    job: NewJob
    children: Sequence[Flow] = ()
    on_failure: ChildFailure | None = None


@dataclass(frozen=True, slots=True)
class AddedFlow:
    """A flow that was added: the id of each of its jobs, in the shape of the flow."""

    job_id: str
    children: Sequence[AddedFlow]


async def add_flow(link: Link, flow: Flow, *, prefix: str = "bull") -> AddedFlow:
    """Add all jobs of a flow in one transaction; jobs without an id of their own get a random one.

    Raises as `Queue.add` does. When a job of the flow exists already, with a parent that waits
    for it, `ScriptRefusedError` is raised although the others were added.
    """
    now_ms = epoch_ms()
    calls: list[Call] = []

    def collect(node: Flow, parent: Parent | None) -> AddedFlow:
        options = node.job.options
        options.check_at(now_ms)
        keys = QueueKeys(node.queue, prefix)
        job_id = options.job_id or uuid4().hex
        calls.append(
            add_to_flow(
                keys,
                job_id,
                node.job.name,
                strict_json(node.job.data),
                options.to_wire() | {"jobId": job_id},
                options.timestamp_ms or now_ms,
                parent=parent,
                has_children=bool(node.children),
            )
        )
        return AddedFlow(
            job_id,
            [collect(child, Parent(keys, job_id, child.on_failure)) for child in node.children],
        )

    added = collect(flow, None)
    *_, replies = await link.call_many([("MULTI",), *_evaluations(calls), ("EXEC",)])
    for call, reply in zip(calls, replies, strict=True):
        _check(call, reply)
    return added


def _evaluations(calls: Sequence[Call]) -> Iterator[tuple[Arg, ...]]:
    """Each script goes by its text first and then by its digest, so that none can be missing."""
    known = set()
    for script, keys, args in calls:
        how = ("EVALSHA", script.sha) if script in known else ("EVAL", script.source)
        known.add(script)
        yield (*how, len(keys), *keys, *args)


def _check(call: Call, reply: Any) -> None:
    if isinstance(reply, hiredis.ReplyError):
        raise CommandRejectedError(str(reply))
    if isinstance(reply, int) and reply < 0:
        raise ScriptRefusedError(call[0].name, Refusal(reply), "")
