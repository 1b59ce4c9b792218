"""Asking a queue for ids that are its own keys finds nothing and harms nothing."""

from __future__ import annotations

import pytest

from careerlens.queue import CancelOutcome, JobOptions, Queue, QueueState
from careerlens.wire import Link, QueueKeys, ScriptRefusedError

KEYS = QueueKeys("strange")
STRANGE_IDS = [
    *("wait", "active", "completed", "failed", "delayed", "prioritized", "meta", "events", "id"),
    *("pc", "marker", "stalled", "", "1:lock", "1:logs", "nobody", "x" * 5_000, "a\x00b"),
]


async def contents(link: Link) -> dict[bytes, bytes]:
    return {key: await link.call("DUMP", key) for key in await link.call("KEYS", "*")}


@pytest.mark.parametrize("job_id", STRANGE_IDS)
async def test_a_strange_id_is_no_job(redis_url: str, job_id: str) -> None:
    async with Link(redis_url) as link:
        queue = Queue("strange", link)
        await queue.open()
        real = await queue.add("strange", {}, JobOptions(priority=1))
        await queue.add("strange", {})
        await queue.log(real, "a line")
        before = await contents(link)
        assert await queue.job(job_id) is None
        assert await queue.state(job_id) is QueueState.UNKNOWN
        assert await queue.job_and_state(job_id) == (None, QueueState.UNKNOWN)
        assert await queue.cancel(job_id) is CancelOutcome.NOT_FOUND
        assert await queue.update_progress(job_id, 1) is False
        assert await queue.log(job_id, "x") is False
        assert await queue.logs(job_id) == []
        with pytest.raises(ScriptRefusedError):
            await queue.retry(job_id)
        assert await contents(link) == before


async def test_jobs_come_in_the_order_asked(redis_url: str) -> None:
    async with Link(redis_url) as link:
        queue = Queue("strange", link)
        first, second = await queue.add("strange", {"n": 1}), await queue.add("strange", {"n": 2})
        asked = [second, "nobody", first, "wait", second]
        records = await queue.jobs(asked)
        assert [record and record.id for record in records] == [second, None, first, None, second]
        pairs = await queue.jobs_and_states(asked)
        assert [record and record.id for record, _ in pairs] == [second, None, first, None, second]


async def test_a_second_add_under_the_same_id_changes_nothing(redis_url: str) -> None:
    async with Link(redis_url) as link:
        queue = Queue("strange", link)
        options = JobOptions(job_id="user:strange:1:AAAAAAAAAAAAAAAA", priority=1)
        assert await queue.add("strange", {"n": 1}, options) == options.job_id
        assert await queue.add("strange", {"n": 2}, options) == options.job_id
        record = await queue.job(options.job_id or "")
        assert record is not None
        assert record.data == {"n": 1}
        assert (await queue.counts())["prioritized"] == 1


async def test_only_one_link_is_needed_for_many_queues(redis_url: str) -> None:
    async with Link(redis_url) as link:
        queues = [Queue(f"queue-{number}", link) for number in range(5)]
        for queue in queues:
            await queue.add(queue.name, {})
        assert [(await queue.counts())["waiting"] for queue in queues] == [1] * 5


async def test_a_paused_queue_says_so_and_can_be_cleaned_and_destroyed(redis_url: str) -> None:
    async with Link(redis_url) as link:
        queue = Queue("strange", link)
        await queue.pause()
        assert await queue.is_paused()
        await queue.resume()
        assert not await queue.is_paused()
        job_ids = [await queue.add("strange", {}) for _ in range(3)]
        await queue.cancel(job_ids[0])
        assert await queue.clean(QueueState.FAILED) == [job_ids[0]]
        assert await queue.remove(job_ids[1])
        await queue.drain()
        assert sum((await queue.counts()).values()) == 0
        await link.call("LPUSH", KEYS.active, "1")
        with pytest.raises(ValueError, match="force"):
            await queue.obliterate()
        await queue.obliterate(force=True)
        assert await link.call("KEYS", "*") == []
