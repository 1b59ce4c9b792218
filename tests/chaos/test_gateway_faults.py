"""Gateway processes are killed and their server restarted while events flow to real clients."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import socketio

from careerlens.foundation.errors import CareerLensError
from careerlens.jobs.keys import QUEUES_KEY
from careerlens.wire.link import Link
from gateway_process import GatewayProcess
from gateways import Client
from queue_driving import Driver
from support import Valkey, eventually
from tokens import token


class Follower:
    """A user's client that comes back after every break and goes on where it was."""

    def __init__(self, url: str, user: str) -> None:
        self.url = url
        self.user = user
        self.last = "0-0"
        self.seen: list[str] = []
        self.resyncs = 0
        self._client: Client | None = None
        self._is_done = False
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Come back no more. Once the gateway is gone, this ends by itself."""
        self._is_done = True
        await self._task

    async def _follow(self) -> None:
        while not self._is_done:
            client = self._client = Client()
            try:
                auth = {"token": token(self.user), "lastEventId": self.last}
                await client.socket.connect(self.url, auth=auth, transports=["websocket"])
                await client.socket.wait()
            except socketio.exceptions.ConnectionError:
                await asyncio.sleep(0.05)
            finally:
                await client.socket.disconnect()
                self._note(client)

    def has_heard(self, message: str) -> bool:
        """Whether it has been told this, over its connection of now or an earlier one."""
        updates = self._client.updates if self._client is not None else []
        reports = [update["progress"]["message"] for update in updates if update["progress"]]
        return message in reports or any(seen.endswith(f" {message}") for seen in self.seen)

    def _note(self, client: Client) -> None:
        self.resyncs += len(client.all("resync"))
        for update in client.updates:
            self.last = update["id"]
            if update["progress"] is not None:
                self.seen.append(f"{update['jobId']} {update['progress']['message']}")


async def insist_on_reporting(driver: Driver, job_id: str, number: int) -> None:
    """Report until it is known to be stored; the server may be away for a moment."""

    async def reported() -> bool:
        try:
            return await driver.queue.update_progress(
                job_id, {"percent": 1, "message": str(number)}
            )
        except CareerLensError:
            return False

    await eventually(reported, within=20)


def expected(job_id: str, count: int) -> list[str]:
    return [f"{job_id} {number}" for number in range(count)]


async def test_killed_gateways_cost_no_client_an_event(redis_url: str, tmp_path: Path) -> None:
    users, count, kills = ["user-1", "user-12", "a:b"], 240, 4
    gateway = GatewayProcess(tmp_path, redis_url)
    async with Link(redis_url) as link:
        await link.call("SADD", QUEUES_KEY, "echo")
        driver = Driver("echo", link)
        jobs = {user: await driver.add(user) for user in users}
        followers = [Follower(gateway.url, user) for user in users for _ in range(2)]
        reported = 0
        for _ in range(kills):
            with gateway.running():
                await eventually(gateway.answers, within=20)
                for _ in range(count // kills):
                    for user in users:
                        await insist_on_reporting(driver, jobs[user], reported)
                    reported += 1
        with gateway.running() as process:
            for follower in followers:
                await eventually(lambda: follower.has_heard(str(count - 1)), within=30)  # noqa: B023
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 10) == 0
        for follower in followers:
            # A goodbye is believed at once, also by clients that would else await a ping.
            await asyncio.wait_for(follower.stop(), 10)
    for follower in followers:
        assert follower.seen == expected(jobs[follower.user], count)
        assert follower.resyncs == 0


async def test_a_restarted_server_costs_no_client_an_event(
    valkey_factory: Callable[..., Valkey], tmp_path: Path
) -> None:
    server = valkey_factory(durable=True, appendfsync="always")
    gateway = GatewayProcess(tmp_path, server.url)
    count = 120
    with gateway.running():
        async with Link(server.url) as link:
            await link.call("SADD", QUEUES_KEY, "echo")
            driver = Driver("echo", link)
            job_id = await driver.add("ada")
            await eventually(gateway.answers, within=20)
            client = Client()
            auth = {"token": token("ada"), "lastEventId": "0-0"}
            await client.socket.connect(gateway.url, auth=auth, transports=["websocket"])
            for number in range(count):
                if number in {40, 80}:
                    await asyncio.to_thread(server.restart)
                await insist_on_reporting(driver, job_id, number)

            def messages() -> list[str]:
                found = [update["progress"] for update in client.updates]
                return [progress["message"] for progress in found if progress is not None]

            await eventually(lambda: str(count - 1) in messages(), within=20)
            # A report whose reply was lost with the server is made again, so it may come twice.
            distinct = list(dict.fromkeys(messages()))
            assert distinct == [str(number) for number in range(count)]
            assert len(messages()) <= count + 2
            ids = [update["id"] for update in client.updates]
            assert len(set(ids)) == len(ids)
            assert client.all("resync") == []
            await client.socket.disconnect()
