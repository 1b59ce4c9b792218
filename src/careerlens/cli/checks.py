"""What `careerlens doctor` looks at. Each check says what it found and, if need be, what to do."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import StrEnum
from time import perf_counter
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from careerlens.foundation.embedded import RedisEndpoint, redis_for
from careerlens.foundation.errors import ConfigurationError, ServiceUnavailableError
from careerlens.foundation.health import LIVE_PATH
from careerlens.foundation.home import prepare_home
from careerlens.foundation.ports import is_free
from careerlens.foundation.probing import answers_ok
from careerlens.foundation.redis import CONNECT_TIMEOUT_S, connect, ping
from careerlens.foundation.redisurl import Place, RedisUrl, Topology, place_text
from careerlens.foundation.secrets import jwt_secret

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from careerlens.foundation.settings import Settings

OLDEST_REDIS = (6, 2)
"""BullMQ's scripts need the commands of this version."""
_MEMORY_WARNING = 0.8
_SLOW_MS = 20.0
_LONG_WAIT_S = 600.0


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The outcome of one check. `remedy` is empty when there is nothing to do."""

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


async def examine(settings: Settings) -> AsyncGenerator[Finding]:
    """Make all checks, each reported as soon as it is done."""
    yield _folder(settings)
    async with aclosing(_redis(settings)) as findings:
        async for finding in findings:
            yield finding
    yield _secret(settings)
    yield await _port("API_PORT", settings.listen_host(settings.api_host), settings.api_port)
    socket_host = settings.listen_host(settings.socket_host)
    yield await _port("SOCKET_PORT", socket_host, settings.socket_port)
    yield _scripts()
    yield await _archive(settings)
    yield _job_types(settings)
    yield _page()


def _folder(settings: Settings) -> Finding:
    try:
        home = prepare_home(settings)
    except ConfigurationError as error:
        return _problem("folder", error.problem, error.remedy)
    return _fine("folder", f"{home} can be written to")


async def _redis(settings: Settings) -> AsyncGenerator[Finding]:
    is_fit = True
    try:
        async with redis_for(settings) as endpoint:
            async with aclosing(_servers(endpoint)) as findings:
                async for finding in findings:
                    is_fit = is_fit and finding.verdict is not Verdict.PROBLEM
                    yield finding
            if is_fit:
                yield await _waiting(endpoint.url, settings.queue_prefix)
    except ConfigurationError as error:
        yield _problem("redis", f"{error.setting}: {error.problem}", error.remedy)
    except ServiceUnavailableError as error:
        yield _problem("redis", str(error), "")


async def _servers(endpoint: RedisEndpoint) -> AsyncGenerator[Finding]:
    """What there is to say of the server, or of a cluster and each of its primaries."""
    url = RedisUrl.parse(endpoint.url)
    if url.topology is not Topology.CLUSTER:
        where = "the embedded Valkey" if endpoint.embedded else str(url)
        port = f", port {endpoint.port}" if endpoint.embedded else ""
        async with connect(url) as client, aclosing(_server(client, where, port)) as findings:
            async for finding in findings:
                yield finding
        return
    places = await _primaries(endpoint.url)
    yield _fine("redis cluster", f"its primaries: {', '.join(map(place_text, places))}")
    for place in places:
        where = place_text(place)
        async with (
            connect(url.at(place)) as client,
            aclosing(_server(client, where, is_node=True)) as findings,
        ):
            async for finding in findings:
                is_named = finding.found.startswith(where)
                yield finding if is_named else replace(finding, found=f"{where}: {finding.found}")


async def _primaries(url: str) -> list[Place]:
    from careerlens.wire.cluster import ClusterLink

    link = ClusterLink(url, name="careerlens:doctor", timeout_s=CONNECT_TIMEOUT_S)
    try:
        return await link.primaries()
    finally:
        await link.close()


async def _server(
    client: Redis, where: str, port: str = "", *, is_node: bool = False
) -> AsyncGenerator[Finding]:
    try:
        started = perf_counter()
        await ping(client)
        first_ms = (perf_counter() - started) * 1000
        started = perf_counter()
        await ping(client)
        again_ms = (perf_counter() - started) * 1000
    except ServiceUnavailableError as error:
        yield _problem("redis", f"{where} cannot be used: {error.problem}", "")
        return
    answer = f"{where} answers in {again_ms:.1f} ms (first time {first_ms:.1f} ms){port}"
    if again_ms > _SLOW_MS:
        yield _warn("redis", answer, "Place the worker nearer to Redis: every job waits for it.")
    else:
        yield _fine("redis", answer)
    try:
        info: Mapping[str, Any] = await client.info("everything")
    except RedisError as error:
        yield _warn(
            "redis rights", f"INFO is refused ({error})", "Allow it, so that this can be checked."
        )
        return
    yield _version(info)
    yield _eviction(info)
    yield _persistence(info)
    yield _role(info)
    yield _memory(info)
    yield await _lua(client)
    if info.get("cluster_enabled") and not is_node:
        yield _cluster()


def _version(info: Mapping[str, Any]) -> Finding:
    name = "Valkey" if info.get("valkey_version") else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "unknown")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_REDIS:
        wanted = ".".join(map(str, OLDEST_REDIS))
        return _problem("redis version", f"{name} {version}", f"Use {wanted} or newer.")
    return _fine("redis version", f"{name} {version}")


def _eviction(info: Mapping[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "unknown"))
    if policy != "noeviction":
        return _problem(
            "redis eviction",
            f"maxmemory-policy is {policy}, so jobs are thrown away when memory is short",
            "Set it: redis-cli CONFIG SET maxmemory-policy noeviction (and in redis.conf).",
        )
    return _fine("redis eviction", "maxmemory-policy is noeviction")


def _persistence(info: Mapping[str, Any]) -> Finding:
    if info.get("loading"):
        return _problem("redis persistence", "it is still loading its data", "Wait, and try again.")
    if info.get("aof_enabled"):
        if info.get("aof_last_write_status", "ok") != "ok":
            return _problem(
                "redis persistence",
                "the append-only file cannot be written",
                "Look at the server's log and at the space on its disk.",
            )
        return _fine("redis persistence", "the append-only file is on")
    return _warn(
        "redis persistence",
        "the append-only file is off, so a crash of Redis loses waiting jobs",
        "Set it: redis-cli CONFIG SET appendonly yes (and in redis.conf).",
    )


def _role(info: Mapping[str, Any]) -> Finding:
    if info.get("role") == "slave":
        return _problem(
            "redis role", "it is a replica and refuses writes", "Point REDIS_URL to the primary."
        )
    return _fine("redis role", "it is the primary")


def _memory(info: Mapping[str, Any]) -> Finding:
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if not limit:
        return _fine("redis memory", f"{used / 2**20:.0f} MiB used, no limit")
    text = f"{used / 2**20:.0f} of {limit / 2**20:.0f} MiB used"
    if used > _MEMORY_WARNING * limit:
        return _warn(
            "redis memory", text, "Raise maxmemory, or keep finished jobs for a shorter time."
        )
    return _fine("redis memory", text)


async def _lua(client: Redis) -> Finding:
    try:
        answer = await client.eval("return redis.call('TIME')[1]", 0)
    except RedisError as error:
        return _problem(
            "redis scripts",
            f"Lua scripts are refused ({error})",
            "Allow EVAL, EVALSHA and SCRIPT LOAD for this user.",
        )
    return (
        _fine("redis scripts", "Lua scripts run")
        if answer
        else _problem("redis scripts", "a Lua script gave no answer", "Look at the server's log.")
    )


def _cluster() -> Finding:
    return _problem(
        "redis cluster",
        "it is a node of a cluster, of which it has but a part of the keys",
        "Write redis+cluster://host:port,host:port, and CAREERLENS_QUEUE_PREFIX in braces.",
    )


async def _waiting(url: str, prefix: str) -> Finding:
    from careerlens.foundation.clock import epoch_ms
    from careerlens.jobs.queues import used_queues
    from careerlens.queue import Queue
    from careerlens.wire.errors import CommandRejectedError
    from careerlens.wire.opening import open_link

    lines, longest_s = [], 0.0
    try:
        async with open_link(url, name="careerlens:doctor") as link:
            for name in sorted(await used_queues(link)):
                queue = Queue(name, link, prefix=prefix)
                upcoming = await queue.next_in_line()
                if upcoming is None:
                    continue
                counts = await queue.counts()
                age_s = max(0.0, (epoch_ms() - upcoming.timestamp_ms) / 1000)
                waiting = counts["waiting"] + counts["prioritized"]
                lines.append(f"{name}: {waiting}, the next for {age_s:.0f} s")
                longest_s = max(longest_s, age_s)
    except (ServiceUnavailableError, CommandRejectedError) as error:
        return _warn("waiting jobs", f"they cannot be read ({error})", "")
    if longest_s > _LONG_WAIT_S:
        return _warn("waiting jobs", "; ".join(lines), "Start a worker, or more of them.")
    return _fine("waiting jobs", "; ".join(lines) or "none")


def _secret(settings: Settings) -> Finding:
    if settings.firebase_project_id is not None:
        return _fine("identity", f"Firebase tokens of project {settings.firebase_project_id}")
    try:
        jwt_secret(settings)
    except ConfigurationError as error:
        return _problem("identity", f"{error.setting}: {error.problem}", error.remedy)
    if settings.jwt_secret is None:
        return _fine("identity", "tokens signed with a generated secret (development)")
    if settings.is_development:
        return _fine("identity", "tokens signed with JWT_SECRET, or x-user-id (development)")
    return _fine("identity", "tokens signed with JWT_SECRET")


async def _port(variable: str, host: str, port: int) -> Finding:
    check = variable.lower().replace("_", " ")
    if port == 0 or is_free(port, host):
        return _fine(check, f"{port or 'any free port'} is free")
    if await answers_ok(host, port, LIVE_PATH):
        return _fine(check, f"{port} is served by a running CareerLens")
    return _problem(
        check,
        f"{port} is taken by another program",
        f"Stop that program, or set {variable} to another port.",
    )


def _scripts() -> Finding:
    from careerlens.wire.scripts import verify_scripts

    try:
        verify_scripts()
    except ConfigurationError as error:
        return _problem("bullmq scripts", error.problem, error.remedy)
    return _fine("bullmq scripts", "the installed ones are those we know")


async def _archive(settings: Settings) -> Finding:
    from careerlens.archive import ArchiveStore

    try:
        archive = ArchiveStore.from_settings(settings)
        try:
            await archive.check()
        finally:
            await archive.close()
    except ConfigurationError as error:
        return _problem("archive", f"{error.setting}: {error.problem}", error.remedy)
    except ServiceUnavailableError as error:
        return _problem("archive", error.problem, "Start the database, or correct DATABASE_URL.")
    kind = "PostgreSQL" if archive.dialect == "postgresql" else "SQLite"
    return _fine("archive", f"{kind} answers, its schema is up to date")


def _job_types(settings: Settings) -> Finding:
    from careerlens.jobs.definitions import load_registry

    try:
        types = sorted(load_registry(settings))
    except ConfigurationError as error:
        return _problem("job types", f"{error.setting}: {error.problem}", error.remedy)
    if not types:
        return _warn("job types", "none is installed", "Name a module of yours in CAREERLENS_JOBS.")
    return _fine("job types", ", ".join(types))


def _page() -> Finding:
    page = importlib.resources.files("careerlens.api").joinpath("static", "index.html")
    if page.is_file():
        return _fine("web page", "it is built")
    return _warn("web page", "it is not built", "Build it with: make web")


def _fine(check: str, found: str) -> Finding:
    return Finding(check=check, verdict=Verdict.OK, found=found)


def _warn(check: str, found: str, remedy: str) -> Finding:
    return Finding(check=check, verdict=Verdict.WARNING, found=found, remedy=remedy)


def _problem(check: str, found: str, remedy: str) -> Finding:
    return Finding(check=check, verdict=Verdict.PROBLEM, found=found, remedy=remedy)
