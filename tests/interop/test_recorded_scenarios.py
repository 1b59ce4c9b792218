"""Two hundred scenarios of BullMQ on Node, recorded once and played again by our queue and worker.

Compared are the answer to every step, every key that is left with its content, and all events in
their order, time stamps included: both sides' clocks stand still but for the steps that move
them. Not compared, or not byte by byte:

- `marker` and `stalled-check`: a bell that an idle worker may or may not have answered, and a
  guard that runs out by the server's clock. They are not recorded.
- stream ids: the server's clock makes them.
- JSON is compared by what it says: Node writes `ü` and `7`, Python's `json` `\\u00fc` and `7.0`.
- stack traces, by their number: they are the language's own, and name files. A parent that its
  child failed has one there, and none here: nothing was run.
- in `meta`, `version` and `opts.maxLenEvents`: who opened the queue, and how much it keeps.
- `attempts` 0 and 1 in a job's options mean the same; theirs writes 0 where none is given.
- `timestamp` in a job's options, which repeats the field of that name.
- `errorCode`, a field that we add to failed jobs.
- the reason of a job that stalled too often: ours says it in words for its owner.

What Node does on purpose differently is not in the scenarios: an `Error` without a message has no
reason there and its class's name here; a parent that completes while children are pending stays
active there, and fails here; tokens and lock times are the worker's own.

To record again, with the package that `package.json` names, on a server that may be emptied:

    node record_scenarios.mjs 127.0.0.1:6379/1 | gzip -9n > scenarios.ndjson.gz
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from careerlens.wire import Link
from queue_dump import dump
from scenario_replay import Replay, clocks_of_scenarios
from support import Valkey

ReplayAll = Callable[..., Awaitable[None]]
HERE = Path(__file__).parent
RECORDED = HERE / "scenarios.ndjson.gz"
PLAYED_AFRESH = "0,7,23,58,99,100,131,199"
# Most of a scenario is waiting for its worker to start and to stop.
_AT_ONCE = 8
# What asks for the first of several jobs, whichever that is, or keeps a number of them.
_BY_ORDER = re.compile(
    r"'removeOn(Complete|Fail)': (\d|{[^}]*count)|'limiter'|'crash'|'do': 'clean'"
)
_SCORED_IN_ORDER = {"delayed": 4096, "prioritized": 2**32}
_DRAINED = {"event": "drained"}
_RACY = {"marker", "stalled-check"}
_JSON_FIELDS = {"data", "opts", "returnvalue", "progress", "parent"}
_SIGNED = {"version", "opts.maxLenEvents"}
_STALLED = "job stalled more than allowable limit"
_FAILED_BY_CHILD = re.compile("child .+ failed")
_STALLED_HERE = "The job was given up, because it broke off its worker again and again."


def recorded() -> Iterator[dict[str, Any]]:
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


@pytest.fixture
async def client(valkey_server: Valkey, redis_url: str) -> AsyncIterator[Redis]:
    """A client of a database that is empty, as `redis_url` empties them all."""
    async with Redis(port=valkey_server.port, db=1, protocol=2) as client:
        yield client


@pytest.fixture
def replay(valkey_server: Valkey, client: Redis) -> ReplayAll:
    """Plays scenarios, several at a time, and compares what is left of each."""
    url = f"{valkey_server.url.removesuffix('/0')}/1"
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def replay(scenarios: list[dict[str, Any]], *, concurrency: int) -> None:
        async def play(scenario: dict[str, Any]) -> None:
            async with at_once:
                one = Replay(scenario, link, client, url, concurrency=concurrency)
                await compare(scenario, one, client, in_order=not concurrency)

        async with Link(url) as link:
            with clocks_of_scenarios():
                async with asyncio.TaskGroup() as group:
                    for scenario in scenarios:
                        group.create_task(play(scenario), name=f"scenario {scenario['number']}")

    return replay


async def test_recorded_scenarios_of_node_end_the_same_here(replay: ReplayAll) -> None:
    scenarios = list(recorded())
    assert len(scenarios) == 200
    await replay(scenarios, concurrency=0)


@pytest.mark.parametrize("concurrency", [1, 5])
async def test_scenarios_end_the_same_when_jobs_are_taken_ahead(
    replay: ReplayAll, concurrency: int
) -> None:
    """The order of different jobs' events is then another, and only that.

    Left out are scenarios where a job's fate depends on how many ended or were taken before it.
    """
    scenarios = [scenario for scenario in recorded() if not _BY_ORDER.search(str(scenario))]
    assert len(scenarios) > 30
    await replay(scenarios, concurrency=concurrency)


async def compare(
    scenario: dict[str, Any], replay: Replay, client: Redis, *, in_order: bool
) -> None:
    """Play one scenario and compare answers, keys and events with what is recorded."""
    answers = await replay.play()
    where = f"scenario {scenario['number']}"
    for step, answer in zip(scenario["steps"], answers, strict=True):
        assert answer == step["answer"], f"{where}: {step}"
    left = _plain((await dump(client, replay.queue.keys.base)).keys)
    ours, theirs = _meant(left), _meant(scenario["left"])
    if not in_order:
        our_events, their_events = ours.pop("events", []), theirs.pop("events", [])
        assert _by_job(our_events) == _by_job(their_events), where
        assert our_events.count(_DRAINED) >= their_events.count(_DRAINED), where
        ours, theirs = _without_order(ours), _without_order(theirs)
    assert ours == theirs, where


def _by_job(events: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The events of each job, and those of the queue alone, in their order."""
    by_job: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event != _DRAINED:
            by_job.setdefault(event.get("jobId", ""), []).append(event)
    return by_job


async def test_the_recording_is_what_node_does_today(valkey_server: Valkey) -> None:
    process = await asyncio.create_subprocess_exec(
        *("node", "record_scenarios.mjs", f"127.0.0.1:{valkey_server.port}/1", PLAYED_AFRESH),
        cwd=HERE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 0
    afresh = [json.loads(line) for line in output.splitlines()]
    chosen = {int(number) for number in PLAYED_AFRESH.split(",")}
    assert afresh == [scenario for scenario in recorded() if scenario["number"] in chosen]


def _without_order(left: dict[str, Any]) -> dict[str, Any]:
    """What is left, without what tells which of several jobs came first."""
    plain = left | {"wait": sorted(left.get("wait", []))}
    for suffix, step in _SCORED_IN_ORDER.items():
        plain[suffix] = sorted((job, score // step) for job, score in left.get(suffix, []))
    return plain


def _plain(left: dict[str, Any]) -> dict[str, Any]:
    """A dump in the words of the recording: hashes and entries of streams as objects."""

    def text(value: Any) -> Any:
        return value.decode() if isinstance(value, bytes) else [text(part) for part in value]

    plain: dict[str, Any] = {}
    for suffix, content in left.items():
        if suffix in _RACY:
            continue
        if suffix == "events":
            plain[suffix] = [dict(map(text, pairs)) for pairs in content]
        elif content and isinstance(content[0], tuple):
            plain[suffix] = dict(map(text, content))
        else:
            plain[suffix] = text(content)
    return plain


def _meant(left: dict[str, Any]) -> dict[str, Any]:
    """What is left, without what the two may write differently (see above)."""
    return {suffix: _meant_by_key(suffix, content) for suffix, content in left.items()}


def _meant_by_key(suffix: str, content: Any) -> Any:
    if suffix == "events":
        return [_fields(event) for event in content]
    if suffix.endswith((":processed", ":failed")):
        is_failed = suffix.endswith(":failed")
        return {k: _reason(v) if is_failed else json.loads(v) for k, v in content.items()}
    if isinstance(content, dict):
        return _fields({k: v for k, v in content.items() if suffix != "meta" or k not in _SIGNED})
    if isinstance(content, list) and content and isinstance(content[0], list):
        return [(member, float(score)) for member, score in content]
    return content


def _fields(fields: dict[str, str]) -> dict[str, Any]:
    meant: dict[str, Any] = {k: v for k, v in fields.items() if k != "errorCode"}
    for name in _JSON_FIELDS & meant.keys():
        meant[name] = json.loads(meant[name])
    if "opts" in meant:
        opts = {k: v for k, v in meant["opts"].items() if k != "timestamp"}
        meant["opts"] = opts | {"attempts": max(opts["attempts"], 1)}
    if "stacktrace" in meant:
        traces = json.loads(meant["stacktrace"])
        meant["stacktrace"] = len(traces) if isinstance(traces, list) else traces
    if "failedReason" in meant:
        meant["failedReason"] = _reason(meant["failedReason"])
        if _FAILED_BY_CHILD.fullmatch(meant["failedReason"]):
            meant.pop("stacktrace", None)
    return meant


def _reason(reason: str) -> str:
    return _STALLED_HERE if reason == _STALLED else reason
