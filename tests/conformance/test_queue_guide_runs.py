"""The examples of the guide to schedulers and flows run as they are written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from careerlens.queue import Queue
from careerlens.wire import Link
from support import eventually

GUIDE = Path(__file__).parents[2] / "docs/how-to/schedule-and-chain-jobs.md"
SCHEDULERS, FLOWS = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.M | re.S)
START = "asyncio.run(main())\n"


def main_of(example: str, redis_url: str) -> Callable[[], Awaitable[None]]:
    """The example's `main`, on the test's server instead of the one that it names."""
    assert example.endswith(START)
    names: dict[str, Any] = {"__name__": "example"}
    code = example.removesuffix(START).replace("redis://127.0.0.1:6379", redis_url)
    exec(code, names)
    main: Callable[[], Awaitable[None]] = names["main"]
    return main


async def test_the_example_of_schedulers(
    redis_url: str, link: Link, capsys: pytest.CaptureFixture[str]
) -> None:
    await main_of(SCHEDULERS, redis_url)()
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == ["sweeper", "nightly"]
    [left] = await Queue("reports", link).schedulers.all()
    assert (left.id, left.repeat["tz"]) == ("nightly", "Europe/Berlin")


async def test_the_example_of_flows(redis_url: str, link: Link) -> None:
    books = Queue("books", link)
    running = asyncio.ensure_future(main_of(FLOWS, redis_url)())

    async def is_read() -> bool:
        return running.done() or (await books.counts())["completed"] == 1

    try:
        await eventually(is_read)
        [job_id] = await link.call("ZRANGE", books.keys.completed, 0, -1)
        book = await books.job(job_id.decode())
        assert book is not None
        assert book.returnvalue == len("first") + len("second")
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
