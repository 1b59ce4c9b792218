"""The calls of the protocol that add a tree of jobs (BullMQ 3.4.4 in Python, 6.x on Node)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from careerlens.wire.connection import Arg
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Call
from careerlens.wire.packing import pack
from careerlens.wire.scripts import bullmq_script

_KEYS = {
    "addParentJob": "meta id delayed waiting-children completed events",
    "addDelayedJob": "marker meta id delayed completed events",
    "addPrioritizedJob": "marker meta id prioritized delayed completed active events pc",
    "addStandardJob": "wait paused meta id completed delayed active events marker",
}


@dataclass(frozen=True, slots=True)
class Parent:
    """The job that waits for another; `on_failure` is what that one's failure does to it.

    `on_failure` is the short name of one of BullMQ's options, such as `fpof`.
    """

    keys: QueueKeys
    job_id: str
    on_failure: str | None


def add_to_flow(
    keys: QueueKeys,
    job_id: str,
    name: str,
    data: str,
    options: Mapping[str, Any],
    timestamp_ms: int,
    *,
    parent: Parent | None,
    has_children: bool,
) -> Call:
    """Store a job of a flow, a parent before its children.

    `data` is JSON text, `options` those of `JobOptions.to_wire`. The reply is the id, also of a
    job that exists already, or a negative refusal.
    """
    stored = dict(options)
    above: list[Any] = [None, None, None]
    if parent is not None:
        queue_key, key = parent.keys.base[:-1], parent.keys.job(parent.job_id)
        policy = {parent.on_failure: True} if parent.on_failure else {}
        stored |= policy | {"parent": {"id": parent.job_id, "queue": queue_key}}
        link = {"id": parent.job_id, "queueKey": queue_key} | policy
        above = [key, f"{key}:dependencies", link]
    if has_children:
        script = "addParentJob"
    elif options.get("delay"):
        script = "addDelayedJob"
    else:
        script = "addPrioritizedJob" if options.get("priority") else "addStandardJob"
    head = [keys.base, job_id, name, timestamp_ms, *above, None, None]
    args: tuple[Arg, ...] = (pack(head), data, pack(stored), timestamp_ms)
    return bullmq_script(script), [keys.base + suffix for suffix in _KEYS[script].split()], args
