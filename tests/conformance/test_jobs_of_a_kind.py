"""A job that is added as one of a kind is stored as any other, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from careerlens.jobs.manager import _as_json
from careerlens.queue import Backoff, JobOptions, Queue
from careerlens.wire.link import Link
from careerlens.wire.packing import strict_json

NOW_MS = 1_764_000_000_000
KINDS = [
    JobOptions(),
    JobOptions(attempts=3, priority=1, backoff=Backoff(jitter=0.5)),
    JobOptions(priority=7, remove_on_complete={"age": 86_400, "count": 10_000}, remove_on_fail=5),
    JobOptions(delay_ms=60_000, lifo=True, remove_on_complete=True),
]
IDS = ["user-1:words:1764000000000:AAAAAAAAAAAAAAAA", "zoë", "x" * 400]


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("job_id", IDS)
async def test_it_is_stored_as_any_other(
    redis_url: str, redis: Redis, options: JobOptions, job_id: str
) -> None:
    stored: list[Any] = []
    async with Link(redis_url) as link:
        queue = Queue("words", link)
        for is_of_a_kind in (False, True):
            await redis.flushdb()
            data = {"text": "Zoë", "count": 3}
            if is_of_a_kind:
                kind = queue.kind("words", options)
                assert await queue.add_of(kind, job_id, strict_json(data), NOW_MS) == job_id
            else:
                named = JobOptions(
                    **{
                        name: getattr(options, name)
                        for name in JobOptions.__dataclass_fields__
                        if name not in {"job_id", "timestamp_ms"}
                    },
                    job_id=job_id,
                    timestamp_ms=NOW_MS,
                )
                await queue.add("words", data, named)
            stored.append(
                (await redis.hgetall(queue.keys.job(job_id)), sorted(await redis.keys("*")))
            )
    assert stored[0] == stored[1]
    assert json.loads(stored[0][0]["opts"])["jobId"] == job_id


async def test_an_id_that_would_damage_the_queue_is_refused(redis_url: str, redis: Redis) -> None:
    async with Link(redis_url) as link:
        queue = Queue("words", link)
        kind = queue.kind("words", JobOptions())
        for job_id in ("wait", "12", "", "0:1"):
            with pytest.raises(ValueError, match="cannot have the id"):
                await queue.add_of(kind, job_id, "{}", NOW_MS)
    assert await redis.keys("*") == []


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["\x7f", "\x00\x1f\n\t\b\f\r", "\\\"/", "\ud800", "é", "\u2028"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=6) | st.just("\x7f"), _values, max_size=6))
def test_data_is_written_the_same_by_the_quick_way(payload: dict[str, Any]) -> None:
    written = _as_json(payload)
    text = written.decode() if isinstance(written, bytes) else written
    assert text == strict_json(payload)
