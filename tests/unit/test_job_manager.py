"""The manager's promises, as the product's description states them."""

from __future__ import annotations

import asyncio
import time

import pytest
import redis

from careerlens.foundation.errors import (
    InvalidInputError,
    JobNotFoundError,
    UnauthorizedJobError,
)
from careerlens.jobs.ids import new_job_id
from careerlens.jobs.keys import QUEUES_KEY
from careerlens.jobs.manager import JobManager
from careerlens.jobs.model import JobStatus
from careerlens.queue import JobOptions, Queue, QueueState
from careerlens.wire.link import Link
from team_jobs import REGISTRY

DATA = {"targetRole": "Developer", "resumeText": "test"}


@pytest.fixture
def manager(link: Link) -> JobManager:
    return JobManager(link, REGISTRY)


async def test_it_creates_a_job(manager: JobManager) -> None:
    created = await manager.create_job(
        "cover-letter",
        {
            "type": "cover-letter",
            "userId": "user-123",
            "createdAt": int(time.time() * 1000),
            **DATA,
        },
        "user-123",
    )
    assert created.job_id
    assert created.status == "queued"
    assert (await manager.get_job_status(created.job_id, "user-123")).created_at == (
        created.created_at
    )


async def test_it_validates_ownership(manager: JobManager) -> None:
    with pytest.raises(UnauthorizedJobError, match="Unauthorized"):
        await manager.get_job_status("user-123:type:123:abcdefghijkl", "wrong-user")


async def test_the_queue_sees_an_ordinary_prioritised_job(manager: JobManager, link: Link) -> None:
    created = await manager.create_job("cover-letter", DATA, "user-123")
    record, state = await Queue("cover-letter", link).job_and_state(created.job_id)
    assert record is not None
    assert state is QueueState.PRIORITIZED
    assert record.name == "cover-letter"
    assert record.opts["attempts"] == 2
    assert record.opts["backoff"] == {"type": "exponential", "delay": 50, "jitter": 0.5}
    assert record.data == DATA | {
        "copies": 1,
        "resumeFile": None,
        "type": "cover-letter",
        "userId": "user-123",
        "createdAt": created.created_at,
    }


@pytest.mark.parametrize("wrong", [{"type": "endless"}, {"userId": "somebody-else"}])
async def test_an_envelope_that_contradicts_the_call_is_refused(
    manager: JobManager, wrong: dict[str, str]
) -> None:
    with pytest.raises(InvalidInputError):
        await manager.create_job("cover-letter", DATA | wrong, "user-123")


async def test_the_same_id_makes_the_same_job(manager: JobManager, link: Link) -> None:
    job_id = new_job_id("user-123", "cover-letter")
    answers = await asyncio.gather(
        *(manager.create_job("cover-letter", DATA, "user-123", job_id=job_id) for _ in range(5))
    )
    assert len(set(answers)) == 1
    assert (await Queue("cover-letter", link).counts())["prioritized"] == 1


async def test_a_delayed_job_says_until_when(manager: JobManager, link: Link) -> None:
    queue = Queue("cover-letter", link)
    job_id = str(new_job_id("user-123", "cover-letter"))
    before = int(time.time() * 1000)
    await queue.add("cover-letter", DATA, JobOptions(job_id=job_id, delay_ms=60_000))
    status = await manager.get_job_status(job_id, "user-123")
    assert status.status is JobStatus.QUEUED
    assert status.delayed_until is not None
    assert 60_000 <= status.delayed_until - before < 65_000
    assert not status.retrying


async def test_what_left_redis_is_looked_for_in_the_past(link: Link) -> None:
    creating = JobManager(link, REGISTRY)
    created = await creating.create_job("cover-letter", DATA, "user-123")
    remembered = await creating.get_job_status(created.job_id, "user-123")

    async def find_past_job(job_id: str, user_id: str) -> object:
        return remembered if (job_id, user_id) == (created.job_id, "user-123") else None

    manager = JobManager(link, REGISTRY, find_past_job=find_past_job)  # type: ignore[arg-type]
    assert await Queue("cover-letter", link).remove(created.job_id)
    assert await manager.get_job_status(created.job_id, "user-123") == remembered
    cancelled = await manager.cancel_job(created.job_id, "user-123")
    assert cancelled.outcome == "already_final"
    with pytest.raises(JobNotFoundError):
        await manager.get_job_status(str(new_job_id("user-123", "cover-letter")), "user-123")


async def test_the_list_forgets_what_is_gone_but_not_what_is_just_coming(
    manager: JobManager, link: Link, redis_url: str
) -> None:
    now_ms = int(time.time() * 1000)
    with redis.Redis.from_url(redis_url) as server:
        live = "careerlens:{user-123}:live"
        coming = new_job_id("user-123", "cover-letter", now_ms=now_ms)
        gone = new_job_id("user-123", "cover-letter", now_ms=now_ms - 3_600_000)
        for job_id in (coming, gone):
            server.zadd(live, {f"cover-letter/{job_id}": job_id.created_at_ms})
        assert await manager.list_active_jobs("user-123") == []
        assert server.zrange(live, 0, -1) == [f"cover-letter/{coming}".encode()]


async def test_the_list_trusts_no_index_about_owners(
    manager: JobManager, link: Link, redis_url: str
) -> None:
    created = await manager.create_job("cover-letter", DATA, "user-1")
    with redis.Redis.from_url(redis_url) as server:
        server.zadd("careerlens:{user-2}:live", {f"cover-letter/{created.job_id}": 1})
    assert await manager.list_active_jobs("user-2") == []


async def test_clean_up_removes_what_ended_long_ago(manager: JobManager) -> None:
    ended = await manager.create_job("cover-letter", DATA, "user-1")
    waiting = await manager.create_job("cover-letter", DATA, "user-1")
    await manager.cancel_job(ended.job_id, "user-1")
    assert await manager.clean_up() == 0
    assert await manager.clean_up(older_than_s=0) == 1
    assert [job.job_id for job in await manager.list_active_jobs("user-1")] == [waiting.job_id]


@pytest.mark.parametrize("name", ["not:a:queue", "", "{x}", b"\xff\xfe"])
async def test_what_no_queue_can_be_called_is_passed_over(
    manager: JobManager, link: Link, name: str | bytes
) -> None:
    """Any producer may enter a name in the set of used queues."""
    await link.call("SADD", QUEUES_KEY, name, "theirs")
    job_id = await Queue("theirs", link).add("theirs", {"userId": "user-1"})
    assert (await manager.get_job_status(job_id, "user-1")).type == "theirs"
