"""The whole product lives on a cluster, and goes on when slots move and a primary dies."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import socketio

from careerlens.jobs.keys import feed_key
from job_requests import at, create, reaches
from stack import Product
from support import eventually
from text_jobs import BEGINNING
from topologies import Cluster, admin_of, ask, cluster

PREFIX = "{jobs}"
LETTER = ["queued", "processing", "progress 10", "progress 90", "completed"]


class Page:
    """A user's page: what it asks for over HTTP, and what its socket hears."""

    def __init__(self, product: Product, user: str, http: httpx.AsyncClient) -> None:
        self.http = http
        self.user = user
        self._product = product
        self._heard: list[dict[str, Any]] = []
        self.socket = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.2)
        self.socket.on("job:update", self._heard.append)

    async def open(self) -> None:
        def introduction() -> dict[str, str]:
            last = {"lastEventId": self._heard[-1]["id"]} if self._heard else {}
            return {"userId": self.user, **last}

        await self.socket.connect(
            self._product.socket_url, auth=introduction, transports=["websocket"]
        )

    async def hears(self, job_id: str, wanted: list[str]) -> None:
        """All of it, in this order, and nothing twice."""
        await eventually(lambda: self.told(job_id)[-1:] == wanted[-1:], within=30)
        assert self.told(job_id) == wanted
        ids = [update["id"] for update in self._heard]
        assert len(set(ids)) == len(ids)

    def told(self, job_id: str) -> list[str]:
        return [_name(update) for update in self._heard if update["jobId"] == job_id]


def _name(update: dict[str, Any]) -> str:
    if update["event"] != "progress":
        return str(update["event"])
    return f"progress {update['progress']['percent']:g}"


@asynccontextmanager
async def pages(product: Product, *users: str) -> AsyncIterator[list[Page]]:
    made = [Page(product, user, product.client(user)) for user in users]
    try:
        for page in made:
            await page.open()
        yield made
    finally:
        for page in made:
            await page.socket.disconnect()
            await page.http.aclose()


async def test_jobs_are_told_once_while_a_slot_moves_a_primary_dies_and_a_relay_too(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path, replica_of=PREFIX) as nodes:
        product = Product(
            tmp_path,
            nodes.url,
            CAREERLENS_QUEUE_PREFIX=PREFIX,
            CAREERLENS_JOBS="team_jobs,text_jobs",
            PYTHONPATH=str(Path(__file__).parents[1]),
        )
        try:
            product.start("api", "socket", "worker")
            await product.ready("api", "socket")
            async with pages(product, *_one_on_each(nodes)) as opened:
                await _live_through(product, nodes, opened)
        finally:
            product.stop()


async def _live_through(product: Product, nodes: Cluster, opened: list[Page]) -> None:
    completed = [await _complete(page) for page in opened]
    running = [await _start(page) for page in opened]
    _move(nodes, feed_key(opened[0].user))
    completed += [await _complete(page) for page in opened]
    await _fail_over(nodes)
    completed += [await _complete(page) for page in opened]
    for page, job_id in zip(opened, running, strict=True):
        await _cancel(page, job_id)
    await asyncio.gather(*(_read_what_is_written(page) for page in opened))
    await _remembers(opened[0], completed[::3])
    # It may have led: then the gateway's own relay takes over.
    product.kill("api")
    product.start("api")
    await product.ready("api")
    await asyncio.gather(*(_complete(page) for page in opened))
    for url in (product.url, product.socket_url):
        await _is_measured(url)


def _one_on_each(nodes: Cluster) -> list[str]:
    """Names of users whose feeds lie on different nodes."""
    names = [f"user-{number}" for number in range(50)]
    return [
        next(name for name in names if nodes.owner_of(feed_key(name)) is node)
        for node in nodes.primaries
    ]


async def _complete(page: Page) -> str:
    """A job with a file, asked for twice by the same key, to its end."""
    form = {"type": "cover-letter", "targetRole": "Editor"}
    key = {"Idempotency-Key": secrets.token_hex(8)}

    async def ask_for_it() -> httpx.Response | None:
        answer = await page.http.post(
            "/api/jobs", data=form, files={"resume": ("cv.txt", b"I edit.")}, headers=key
        )
        return answer if answer.status_code == 202 else None

    first = await eventually(ask_for_it, within=30)
    again = await eventually(ask_for_it, within=30)
    assert first is not None
    assert again is not None
    job_id: str = first.json()["jobId"]
    assert again.json()["jobId"] == job_id
    assert again.headers["idempotent-replayed"] == "true"
    await page.hears(job_id, LETTER)
    assert (await reaches(page.http, job_id, "completed"))["result"]["resumeSize"] == 7
    return job_id


async def _start(page: Page) -> str:
    job_id = await create(page.http, type="endless")
    await page.hears(job_id, ["queued", "processing", "progress 1"])
    return job_id


async def _cancel(page: Page, job_id: str) -> None:
    listed = (await page.http.get("/api/jobs")).json()["jobs"]
    assert [job["jobId"] for job in listed] == [job_id]
    answer = await page.http.post(at(job_id, "cancel"))
    assert answer.status_code == 200, answer.text
    await page.hears(job_id, ["queued", "processing", "progress 1", "cancelled"])


async def _read_what_is_written(page: Page) -> None:
    job_id = await create(page.http, type="story", pieces=["Once ", "upon "], times=50)
    text, offset = "", BEGINNING
    async with asyncio.timeout(30):
        while True:
            asked = {"offset": offset, "live": "long-poll"}
            answer = await page.http.get(at(job_id, "stream"), params=asked)
            assert answer.status_code in {200, 204}, answer.text
            text, offset = text + answer.text, answer.headers["stream-next-offset"]
            if answer.headers.get("stream-closed") == "true":
                break
    assert text == "Once upon " * 50


async def _remembers(page: Page, job_ids: list[str]) -> None:
    async def has_all() -> bool:
        jobs = (await page.http.get("/api/jobs/history")).json()["jobs"]
        done = {job["jobId"] for job in jobs if job["status"] == "completed"}
        return done >= set(job_ids)

    await eventually(has_all)


async def _is_measured(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"{url}/metrics")).text
    assert "careerlens_redis_up 1.0" in text
    assert 'careerlens_relay_behind_events{queue="cover-letter"} 0.0' in text
    assert 'bullmq_job_count{queue="endless",state="failed"} 3.0' in text


def _move(nodes: Cluster, key: str) -> None:
    """Let another node take over the slot of a key; returns while it still may be on its way."""
    slot, here = nodes.slot_of(key), nodes.owner_of(key)
    there = next(node for node in nodes.primaries if node is not here)
    ask(here, "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", nodes.id_of(there))


async def _fail_over(nodes: Cluster) -> None:
    """Kill the node that has the queues, once its replica has what it has."""
    primary, replica = nodes.owner_of(PREFIX), nodes.replica
    assert replica is not None
    with admin_of(primary) as admin, admin_of(replica) as copy:
        admin.wait(1, 5_000)
        primary.kill()
        await eventually(lambda: copy.info("replication")["role"] == "master", within=30)
