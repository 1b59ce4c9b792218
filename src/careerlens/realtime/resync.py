"""Whom to tell when events of a queue are missing: everyone with a job that may have changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote

from careerlens.jobs.ids import parse_job_id
from careerlens.jobs.keys import live_member
from careerlens.realtime.owners import Owners
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Link

_LOOKED_AT = 10_000
_SCAN_STEP = 1_000
_LIVE_KEYS = "careerlens:{*}:live"


async def owners_concerned(link: Link, keys: QueueKeys, since_ms: int) -> dict[str, list[str]]:
    """Owners of jobs that may have changed since, with the live foreign ones among these jobs.

    Live indexes hold every job whose end was not relayed, so also those that ended unseen. Jobs
    added unseen may stand in the queue alone, where the first ten thousand of each state are
    looked at; of those that have ended as well, the last ten thousand.
    """
    owners: dict[str, list[str]] = {}
    async for owner in _owners_with_members(link, keys.queue):
        owners[owner] = []
    standing = await _standing_jobs(link, keys)
    ended = await _jobs_ended_since(link, keys, since_ms)
    is_standing = frozenset(standing)
    for job_id, found in (await Owners(link, keys).resolve([*standing, *ended])).items():
        if found is not None:
            jobs = owners.setdefault(found, [])
            if job_id in is_standing and parse_job_id(job_id) is None:
                jobs.append(job_id)
    return owners


async def _owners_with_members(link: Link, queue: str) -> AsyncIterator[str]:
    belongs_to_queue = live_member(queue, "").encode()
    for part in await link.parts():
        cursor = b"0"
        while True:
            scan = ("SCAN", cursor, "MATCH", _LIVE_KEYS, "COUNT", _SCAN_STEP)
            cursor, found = await part.call(*scan)
            # Asked of the whole: a key may have moved since.
            indexes = await link.call_each([("ZRANGE", key, 0, -1) for key in found])
            for key, members in zip(found, indexes, strict=True):
                if any(member.startswith(belongs_to_queue) for member in members):
                    yield unquote(key.decode().partition("{")[2].rpartition("}")[0])
            if cursor == b"0":
                break


async def _standing_jobs(link: Link, keys: QueueKeys) -> list[str]:
    lists = [("LRANGE", key, 0, _LOOKED_AT - 1) for key in (keys.active, keys.wait, keys.paused)]
    sets = [
        ("ZRANGE", key, 0, _LOOKED_AT - 1)
        for key in (keys.prioritized, keys.delayed, keys.waiting_children)
    ]
    found = await link.call_many([*lists, *sets])
    return [job_id.decode(errors="replace") for job_ids in found for job_id in job_ids]


async def _jobs_ended_since(link: Link, keys: QueueKeys, since_ms: int) -> list[str]:
    found = await link.call_many(
        [
            ("ZRANGE", key, "+inf", since_ms, "BYSCORE", "REV", "LIMIT", 0, _LOOKED_AT)
            for key in (keys.completed, keys.failed)
        ]
    )
    return [job_id.decode(errors="replace") for job_ids in found for job_id in job_ids]
