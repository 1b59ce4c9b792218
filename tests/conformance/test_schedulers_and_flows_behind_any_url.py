"""Schedulers and flows work on a cluster, and for a user with the documented rights alone."""

from __future__ import annotations

from pathlib import Path

from careerlens.queue import Flow, NewJob, Queue, Schedule, add_flow
from careerlens.wire import open_link
from careerlens.worker import ActiveJob, Worker
from conftest import ValkeyFactory
from support import eventually, running
from topologies import cluster, give_rights

FAR = "0 0 0 1 1 *"


async def sum_up(job: ActiveJob) -> int:
    return 1 + sum(map(int, (await job.children_values()).values()))


async def live(url: str, *, prefix: str) -> None:
    """Have a scheduler's job and a flow of two queues run to their ends."""
    one = NewJob(name="one", data={})
    async with open_link(url) as link:
        queue = Queue("chained", link, prefix=prefix)
        due_now = await queue.schedulers.upsert("now", Schedule(every_ms=3_600_000), one)
        due_later = await queue.schedulers.upsert("later", Schedule(cron=FAR), one)
        child = Flow(queue="links", job=one)
        flow = Flow(queue="chained", job=one, children=[child, child])
        added = await add_flow(link, flow, prefix=prefix)

        async def have_run() -> bool:
            records = await queue.jobs([due_now, added.job_id])
            return [record and record.returnvalue for record in records] == [1, 3]

        workers = [
            Worker(name, sum_up, redis_url=url, prefix=prefix) for name in ("chained", "links")
        ]
        async with running(workers[0]), running(workers[1]):
            await eventually(have_run)
        first, last = await queue.schedulers.all()
        assert (first.id, first.iterations) == ("now", 2)
        assert (last.id, last.next_ms) == ("later", int(due_later.rpartition(":")[2]))
        assert await queue.schedulers.remove("now")
        assert await queue.schedulers.get("now") is None
        await queue.change_priority(due_later, 3)
        await queue.update_data(due_later, {"of": "the house"})
        await queue.promote(due_later)
        assert (await queue.counts())["prioritized"] == 1


async def test_on_a_cluster(tmp_path: Path) -> None:
    async with cluster(tmp_path) as made:
        await live(made.url, prefix="{bull}")


async def test_for_a_user_with_the_documented_rights(valkey_factory: ValkeyFactory) -> None:
    server = valkey_factory()
    login = give_rights(server)
    await live(f"redis://{login}127.0.0.1:{server.port}", prefix="bull")
