"""However a reader's connections are cut, it has every character of a job's text exactly once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import httpx
import pytest

from apis import running_api
from careerlens.jobs.streams import JobText
from careerlens.realtime.relay import Relay
from careerlens.wire import Link
from job_requests import at, create
from text_jobs import BEGINNING, REGISTRY, read

PIECES = 60
ALPHABET = "ab \n\u2028\ufeffä€🦉:{}"


class Reader:
    """Reads on from where it stands, by any means, until the text is closed."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        job_id: str,
        random: Random,
        on_news: Callable[[], None],
    ) -> None:
        self._client = client
        self._job_id = job_id
        self._random = random
        self._on_news = on_news
        self._offset = BEGINNING
        self.text = ""
        self.is_closed = False
        self.cuts = 0

    async def step(self) -> None:
        """One request, which may be cut anywhere. It may wait for more than there is now."""
        self._on_news()
        match self._random.choice(["catch up", "long-poll", "sse", "sse", "sse"]):
            case "sse":
                await self._listen(cut_after=self._random.randrange(400))
            case "long-poll":
                await self._ask(live="long-poll")
            case _:
                await self._ask()

    async def _ask(self, **query: str) -> None:
        answer = await read(self._client, self._job_id, self._offset, **query)
        assert answer.status_code in (200, 204), answer.text
        self._take(answer.content.decode(), answer.headers["stream-next-offset"])
        self.is_closed = "stream-closed" in answer.headers

    async def _listen(self, *, cut_after: int) -> None:
        received = b""
        query = {"offset": self._offset, "live": "sse"}
        path = at(self._job_id, "stream")
        async with self._client.stream("GET", path, params=query) as response:
            assert response.status_code == 200
            async for chunk in response.aiter_bytes():
                received += chunk
                self._on_news()
                if len(received) > cut_after:
                    self.cuts += 1
                    break
        *blocks, _ = received[: cut_after + 1].split(b"\n\n")
        data = ""
        for block in blocks:
            name, *lines = block.decode().split("\n")
            content = "\n".join(line.removeprefix("data:").removeprefix(" ") for line in lines)
            if name == "event: data":
                data = content
            elif name == "event: control":
                control = json.loads(content)
                self._take(data, control["streamNextOffset"])
                self.is_closed = control.get("streamClosed", False)
                data = ""

    def _take(self, text: str, offset: str) -> None:
        assert offset >= self._offset, "offsets sort as the places they stand for"
        self.text += text
        self._offset = offset


@pytest.mark.parametrize("seed", range(4))
async def test_every_reader_has_every_character_once(
    redis_url: str, link: Link, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    pieces = [
        "".join(random.choices(ALPHABET, k=random.choice([1, 3, 40, 9000]))) for _ in range(PIECES)
    ]
    turns = asyncio.Semaphore(0)
    relaying = asyncio.create_task(Relay(redis_url, REGISTRY).run())
    async with (
        running_api(redis_url, tmp_path, registry=REGISTRY) as api,
        api.client("user-1") as client,
    ):
        job_id = await create(client, type="story", pieces=[])
        text = JobText(lambda call: link.run(*call), "user-1", job_id)

        async def write() -> None:
            for piece in pieces:
                await turns.acquire()
                await text.write(piece)
            await text.close()
            cancelled = await client.post(at(job_id, "cancel"))
            assert cancelled.json()["outcome"] == "cancelled"

        async def follow(reader: Reader) -> None:
            while not reader.is_closed:
                await reader.step()

        readers = [Reader(client, job_id, Random(random.random()), turns.release) for _ in range(3)]
        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            for reader in readers:
                group.create_task(follow(reader))
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)
    for reader in readers:
        assert reader.text == "".join(pieces)
    assert sum(reader.cuts for reader in readers) > 0
