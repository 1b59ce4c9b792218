"""Flows end the same way whoever made them and whoever's workers run parents and children."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Literal

import pytest

from careerlens.foundation.errors import JobError
from careerlens.queue import (
    ChildFailure,
    Flow,
    JobOptions,
    JobRecord,
    NewJob,
    Queue,
    QueueState,
    add_flow,
)
from careerlens.wire import CANCELLED_REASON, Link
from careerlens.wire.errors import Refusal, ScriptRefusedError
from careerlens.worker import ActiveJob, Worker
from node_peer import NodePeer
from support import eventually, running

CHILDREN = "pages"
PARENTS = "reports"
Side = Literal["node", "python"]
POLICIES: list[tuple[ChildFailure | None, str | None]] = [
    (None, None),
    (ChildFailure.FAILS_PARENT, "failParentOnFailure"),
    (ChildFailure.CONTINUES_PARENT, "continueParentOnFailure"),
    (ChildFailure.IS_IGNORED, "ignoreDependencyOnFailure"),
    (ChildFailure.IS_REMOVED, "removeDependencyOnFailure"),
]


async def process(job: ActiveJob) -> dict[str, Any]:
    """What the Node peer's action `workOnFlow` does."""
    if job.record.data.get("fails"):
        raise JobError("no luck")
    return {
        "by": "python",
        "values": list((await job.children_values()).values()),
        "failures": list((await job.children_failures()).values()),
    }


class Flows:
    """Makes flows of a parent with two children by either side, and has them run by either."""

    def __init__(self, link: Link, node: NodePeer, redis_url: str) -> None:
        self.children = Queue(CHILDREN, link)
        self.parents = Queue(PARENTS, link)
        self._link = link
        self._node = node
        self._url = redis_url
        self._workers = AsyncExitStack()

    async def make(
        self, by: Side, *, fails: bool = False, policy: tuple[ChildFailure | None, str | None]
    ) -> tuple[str, list[str]]:
        """Add a flow whose first child may fail, under one of the policies; returns the ids."""
        ours, theirs = policy
        if by == "python":
            added = await add_flow(
                self._link,
                Flow(
                    queue=PARENTS,
                    job=NewJob(name="report", data={"of": "parent"}),
                    children=[
                        Flow(
                            queue=CHILDREN,
                            job=NewJob(name="page", data={"number": number, "fails": failing}),
                            on_failure=ours,
                        )
                        for number, failing in ((1, fails), (2, False))
                    ],
                ),
            )
            return added.job_id, [child.job_id for child in added.children]
        tree = await self._node.do(
            "addFlow",
            {
                "name": "report",
                "queueName": PARENTS,
                "data": {"of": "parent"},
                "children": [
                    {
                        "name": "page",
                        "queueName": CHILDREN,
                        "data": {"number": number, "fails": failing},
                        "opts": {"attempts": 1} | ({theirs: True} if theirs else {}),
                    }
                    for number, failing in ((1, fails), (2, False))
                ],
            },
        )
        return tree["id"], [child["id"] for child in tree["children"]]

    async def work(self, queue: str, by: Side) -> None:
        if by == "node":
            await self._node.do("workOnFlow", queue)
        else:
            worker = Worker(queue, process, redis_url=self._url)
            await self._workers.enter_async_context(running(worker))

    async def children_end(self, children: list[str]) -> None:
        async def have_ended() -> bool:
            return all([(await self.children.state(child)).is_final for child in children])

        await eventually(have_ended)

    async def stop(self) -> None:
        await self._workers.aclose()
        for queue in (CHILDREN, PARENTS):
            await self._node.do("close", "worker", queue)


@pytest.fixture
async def flows(redis_url: str, node: NodePeer) -> AsyncIterator[Flows]:
    async with Link(redis_url) as link:
        flows = Flows(link, node, redis_url)
        yield flows
        await flows.stop()


async def ended(queue: Queue, job_id: str) -> JobRecord:
    async def is_final() -> bool:
        return (await queue.state(job_id)).is_final

    await eventually(is_final)
    record = await queue.job(job_id)
    assert record is not None
    return record


@pytest.mark.parametrize("maker", ["node", "python"])
@pytest.mark.parametrize(("below", "above"), [("node", "python"), ("python", "node")])
async def test_a_parent_runs_after_its_children_with_their_values(
    flows: Flows, maker: Side, below: Side, above: Side
) -> None:
    parent, _ = await flows.make(maker, policy=(None, None))
    await flows.work(PARENTS, above)
    assert await flows.parents.state(parent) is QueueState.WAITING_CHILDREN
    await flows.work(CHILDREN, below)
    record = await ended(flows.parents, parent)
    value: dict[str, Any] = {"by": below, "values": [], "failures": []}
    assert record.returnvalue == {"by": above, "values": [value, value], "failures": []}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy[1] or "waits")
async def test_a_childs_failure_leads_to_the_same_whoever_ran_it(
    flows: Flows, policy: tuple[ChildFailure | None, str | None]
) -> None:
    """Each maker's flow, run by either side's workers, ends as Node's own does among Node's."""
    endings: dict[tuple[Side, Side], Any] = {}
    sides: tuple[Side, Side] = ("node", "python")
    for maker in sides:
        for runner in sides:
            parent, children = await flows.make(maker, fails=True, policy=policy)
            await flows.work(CHILDREN, runner)
            await flows.children_end(children)
            await flows.work(PARENTS, runner)
            if policy == (None, None):
                state, told = await flows.parents.state(parent), None
                assert state is QueueState.WAITING_CHILDREN
            else:
                record = await ended(flows.parents, parent)
                state = await flows.parents.state(parent)
                reason = (record.failed_reason or "").replace(children[0], "CHILD")
                told = (reason, record.attempts_made, _sides_aside(record.returnvalue))
            states = [await flows.children.state(child) for child in children]
            endings[maker, runner] = (state, told, states)
            await flows.stop()
    assert all(ending == endings["node", "node"] for ending in endings.values()), endings


def _sides_aside(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sides_aside(one) for key, one in value.items() if key != "by"}
    return [_sides_aside(one) for one in value] if isinstance(value, list) else value


async def test_a_child_that_is_retried_lets_its_parent_go_on(flows: Flows) -> None:
    parent, children = await flows.make("node", fails=True, policy=(None, None))
    await flows.work(CHILDREN, "python")
    await flows.children_end(children)
    await flows.children.update_data(children[0], {"fails": False})
    await flows.children.retry(children[0])
    await flows.work(PARENTS, "python")
    assert (await ended(flows.parents, parent)).attempts_made == 1


async def test_cancelling_a_child_leads_to_what_its_failure_does(flows: Flows, link: Link) -> None:
    ignored = (ChildFailure.IS_IGNORED, None)
    parent, children = await flows.make("python", policy=ignored)
    for child in children:
        await flows.children.cancel(child)
    await flows.work(PARENTS, "python")
    value: Any = (await ended(flows.parents, parent)).returnvalue
    assert value["failures"] == [CANCELLED_REASON] * 2
    failing = (ChildFailure.FAILS_PARENT, None)
    parent, children = await flows.make("python", policy=failing)
    await flows.children.cancel(children[0])
    record = await ended(flows.parents, parent)
    assert record.failed_reason == f"child {flows.children.keys.job(children[0])} failed"


async def test_a_flow_of_three_floors_keeps_ids_priorities_and_delays(
    flows: Flows, link: Link
) -> None:
    leaf = NewJob(name="leaf", data={}, options=JobOptions(delay_ms=20, job_id="the-leaf"))
    middle = NewJob(name="middle", data={}, options=JobOptions(priority=3))
    root = Flow(
        queue=PARENTS,
        job=NewJob(name="root", data={}),
        children=[
            Flow(queue=CHILDREN, job=middle, children=[Flow(queue=CHILDREN, job=leaf)]),
            Flow(queue=CHILDREN, job=middle),
        ],
    )
    added = await add_flow(link, root)
    middles = await flows.children.jobs([child.job_id for child in added.children])
    assert [record and record.priority for record in middles] == [3, 3]
    record = await flows.children.job("the-leaf")
    assert record is not None
    assert record.delay_ms == 20
    assert record.parent_key == flows.children.keys.job(added.children[0].job_id)
    for queue in (CHILDREN, PARENTS):
        await flows.work(queue, "python")
    value: Any = (await ended(flows.parents, added.job_id)).returnvalue
    assert sorted(len(child["values"]) for child in value["values"]) == [0, 1]


async def test_a_flow_with_a_job_that_cannot_be_adds_nothing(flows: Flows, link: Link) -> None:
    wrong = NewJob(name="x", data={}, options=JobOptions(job_id="wait"))
    child = Flow(queue=CHILDREN, job=wrong)
    with pytest.raises(ValueError, match="cannot have the id"):
        await add_flow(link, Flow(queue=PARENTS, job=NewJob(name="x", data={}), children=[child]))
    assert sum((await flows.parents.counts()).values()) == 0


async def test_a_job_that_another_parent_waits_for_is_refused(flows: Flows, link: Link) -> None:
    page = NewJob(name="page", data={}, options=JobOptions(job_id="one-page"))
    flow = Flow(
        queue=PARENTS,
        job=NewJob(name="report", data={}),
        children=[Flow(queue=CHILDREN, job=page)],
    )
    await add_flow(link, flow)
    with pytest.raises(ScriptRefusedError) as refused:
        await add_flow(link, flow)
    assert refused.value.refusal is Refusal.PARENT_NOT_REPLACEABLE
