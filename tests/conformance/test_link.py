"""A link pipelines, survives and never mixes up replies."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis.asyncio

from careerlens.foundation.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    ServiceUnavailableError,
)
from careerlens.wire import CommandRejectedError, Link
from careerlens.wire.link import Call
from careerlens.wire.scripts import bullmq_script, own_script
from faults import fault_proxy
from support import Valkey, eventually, free_port, insist


async def test_many_calls_at_once_get_their_own_replies(redis_url: str) -> None:
    async with Link(redis_url) as link:
        texts = [f"text {number}" for number in range(500)]
        replies = await asyncio.gather(*(link.call("ECHO", text) for text in texts))
    assert [reply.decode() for reply in replies] == texts


async def test_a_cancelled_call_does_not_shift_the_replies_of_others(redis_url: str) -> None:
    async with Link(redis_url) as link:
        for _ in range(50):
            calls = [asyncio.create_task(link.call("ECHO", str(n))) for n in range(20)]
            await asyncio.sleep(0)
            for call in calls[::3]:
                call.cancel()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            for number, outcome in enumerate(outcomes):
                if not isinstance(outcome, asyncio.CancelledError):
                    assert outcome == str(number).encode()


async def test_large_values_pass_in_both_directions(redis_url: str) -> None:
    value = b"x" * 8_000_000
    async with Link(redis_url) as link:
        await asyncio.gather(*(link.call("SET", f"key {n}", value) for n in range(5)))
        assert await link.call("GET", "key 4") == value


async def test_an_error_reply_is_raised_for_its_call_only(redis_url: str) -> None:
    async with Link(redis_url) as link:
        await link.call("SET", "text", "not a list")
        outcomes = await asyncio.gather(
            link.call("ECHO", "a"),
            link.call("LPUSH", "text", "x"),
            link.call("ECHO", "b"),
            return_exceptions=True,
        )
    assert (outcomes[0], outcomes[2]) == (b"a", b"b")
    assert isinstance(outcomes[1], CommandRejectedError)
    assert outcomes[1].reply.startswith("WRONGTYPE")


async def test_a_batch_is_answered_whole_before_its_first_error_is_raised(redis_url: str) -> None:
    async with Link(redis_url) as link:
        with pytest.raises(CommandRejectedError):
            await link.call_many([("SET", "a", 1), ("NOSUCHCOMMAND",), ("SET", "b", 2)])
        assert await link.call("MGET", "a", "b") == [b"1", b"2"]
        assert await link.call_many([]) == []


async def test_forgotten_scripts_are_handed_over_again(redis_url: str) -> None:
    script = own_script("snapshot")
    keys = [f"key {number}" for number in range(9)]
    async with Link(redis_url) as link:
        for _ in range(3):
            await link.call("SCRIPT", "FLUSH")
            assert await link.run(script, keys, ["job"]) == [b"unknown", []]
            await link.call("SCRIPT", "FLUSH")
            replies = await link.run_many([(script, keys, ["job"])] * 3)
            assert replies == [[b"unknown", []]] * 3


async def test_the_text_of_a_forgotten_script_travels_once_for_many_calls(redis_url: str) -> None:
    reading, logging = own_script("snapshot"), bullmq_script("addLog")
    keys = [f"key {number}" for number in range(9)]
    read: Call = (reading, keys, ["job"])
    log: Call = (logging, ["job", "job:logs"], ["job", "line", 1])
    calls = [read, log] * 200
    async with Link(redis_url) as link:
        await link.call("SCRIPT", "FLUSH")
        await link.call("CONFIG", "RESETSTAT")
        assert await link.run_many(calls) == [[b"unknown", []], -1] * 200
        stats = (await link.call("INFO", "commandstats")).decode()
        assert "cmdstat_eval:calls=2," in stats


async def test_nobody_there_is_unavailable_after_the_timeout() -> None:
    link = Link(f"redis://127.0.0.1:{free_port()}", timeout_s=0.3)
    began = time.monotonic()
    with pytest.raises(ServiceUnavailableError) as caught:
        await link.call("PING")
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert 0.2 < time.monotonic() - began < 2
    await link.close()
    with pytest.raises(ServiceUnavailableError):
        await link.call("PING")


async def test_a_call_waits_for_a_server_that_is_about_to_start(
    valkey_factory: Callable[..., Valkey],
) -> None:
    server = valkey_factory()
    server.kill()
    async with asyncio.TaskGroup() as group:
        link = Link(server.url, timeout_s=10)
        waiting = group.create_task(link.call("PING"))
        server.start()
        assert await waiting == b"PONG"
    await link.close()


async def test_a_reply_that_is_lost_is_an_unknown_outcome_and_not_repeated(
    valkey_server: Valkey, redis_url: str
) -> None:
    async with fault_proxy(valkey_server.port) as proxy, Link(proxy.url) as link:
        proxy.lose_reply_of(b"INCR")
        with pytest.raises(OutcomeUnknownError):
            await link.call("INCR", "counter")
        assert await link.call("GET", "counter") == b"1"


async def test_a_frozen_server_is_given_up_and_found_again(
    valkey_factory: Callable[..., Valkey],
) -> None:
    server = valkey_factory()
    async with Link(server.url, timeout_s=0.5) as link:
        server.freeze()
        began = time.monotonic()
        with pytest.raises(ServiceUnavailableError):
            await link.call("PING")
        assert time.monotonic() - began < 2
        with pytest.raises(ServiceUnavailableError):
            await link.call("PING")
        server.thaw()
        assert await insist(lambda: link.call("PING")) == b"PONG"


async def test_a_half_open_connection_is_found_out(valkey_server: Valkey, redis_url: str) -> None:
    async with fault_proxy(valkey_server.port) as proxy, Link(proxy.url, timeout_s=0.5) as link:
        proxy.swallow_everything()
        with pytest.raises(OutcomeUnknownError):
            await link.call("PING")
        proxy.pass_again()
        assert await insist(lambda: link.call("PING")) == b"PONG"


async def test_a_full_server_refuses_without_doing_anything(
    valkey_factory: Callable[..., Valkey],
) -> None:
    server = valkey_factory()
    async with Link(server.url) as link:
        await link.call("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(ServiceUnavailableError, match="OOM") as caught:
            await link.call("SET", "a", "b")
        assert not isinstance(caught.value, OutcomeUnknownError)
        await link.call("CONFIG", "SET", "maxmemory", "0")
        assert await link.call("SET", "a", "b") == b"OK"


async def test_a_password_a_user_and_a_database_are_taken_from_the_url(
    valkey_factory: Callable[..., Valkey],
) -> None:
    server = valkey_factory()
    async with Link(server.url) as link:
        await link.call("CONFIG", "SET", "requirepass", "p@ss/word")
    base = f"127.0.0.1:{server.port}"
    async with Link(f"redis://:p%40ss%2Fword@{base}/3") as link:
        await link.call("SET", "where", "three")
        await link.call("ACL", "SETUSER", "ann", "on", ">pw", "~*", "&*", "+@all")
        assert b" db=3 " in await link.call("CLIENT", "INFO")
        assert b"name=careerlens " in await link.call("CLIENT", "INFO")
    async with Link(f"redis://ann:pw@{base}/3") as link:
        assert await link.call("GET", "where") == b"three"
        assert await link.call("ACL", "WHOAMI") == b"ann"
    wrong = Link(f"redis://:wrong@{base}", timeout_s=0.3)
    with pytest.raises(ServiceUnavailableError, match="WRONGPASS"):
        await wrong.connect()
    await wrong.close()


async def test_a_unix_socket_works(valkey_factory: Callable[..., Valkey]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="valkey-"))
    server = valkey_factory(unixsocket=str(folder / "s"))
    async with Link(f"unix://{folder}/s?db=1") as link:
        assert b" db=1 " in await link.call("CLIENT", "INFO")
    server.kill()
    shutil.rmtree(folder)


def test_an_unknown_scheme_names_the_setting() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        Link("http://localhost")


async def test_a_moved_primary_makes_the_link_reconnect(
    valkey_factory: Callable[..., Valkey],
) -> None:
    server = valkey_factory()
    admin = redis.asyncio.Redis.from_url(server.url)
    async with admin, Link(server.url) as link:
        before = link.client_id
        await admin.replicaof("127.0.0.1", 1)
        with pytest.raises(ServiceUnavailableError, match="READONLY"):
            await link.call("SET", "a", "b")
        await admin.replicaof("NO", "ONE")
        assert await insist(lambda: link.call("SET", "a", "b")) == b"OK"
        assert link.client_id != before


async def test_connections_do_not_pile_up(valkey_factory: Callable[..., Valkey]) -> None:
    server = valkey_factory()
    admin = redis.asyncio.Redis.from_url(server.url)
    async with admin, Link(server.url) as link:
        for _ in range(10):
            await admin.client_kill_filter(_type="normal", skipme=True)
            assert await insist(lambda: link.call("PING")) == b"PONG"

        async def only_ours() -> bool:
            return len(await admin.client_list()) == 2

        await eventually(only_ours)


async def test_a_server_that_loads_its_data_is_waited_for(
    valkey_factory: Callable[..., Valkey],
) -> None:
    slow = {"key-load-delay": "10000", "loading-process-events-interval-bytes": "1024"}
    server = valkey_factory(**slow)
    async with Link(server.url, timeout_s=20) as link:
        value = "x" * 2_048
        await link.call_many([("SET", f"key {number}", value) for number in range(100)])
        await link.call("SAVE")
        server.kill()
        starting = asyncio.create_task(asyncio.to_thread(server.start))
        assert await insist(lambda: link.call("GET", "key 1")) == value.encode()
        await starting


async def test_loading_is_told_to_who_cannot_wait(valkey_factory: Callable[..., Valkey]) -> None:
    slow = {"key-load-delay": "10000", "loading-process-events-interval-bytes": "1024"}
    server = valkey_factory(**slow)
    async with Link(server.url, timeout_s=20) as link:
        value = "x" * 2_048
        await link.call_many([("SET", f"key {number}", value) for number in range(200)])
        await link.call("SAVE")
    server.kill()
    starting = asyncio.create_task(asyncio.to_thread(server.start))

    async def problem() -> str:
        hasty = Link(server.url, timeout_s=0.1)
        try:
            await hasty.call("PING")
        except ServiceUnavailableError as error:
            return error.problem
        finally:
            await hasty.close()
        raise AssertionError("it has been loaded meanwhile")

    async def is_told() -> bool:
        return "LOADING" in await problem()

    await eventually(is_told)
    await starting


async def is_busy(link: Link) -> bool:
    """Whether a call is refused because of a script, and nothing was done."""
    try:
        await link.call("GET", "a")
    except ServiceUnavailableError as error:
        return "BUSY" in error.problem and not isinstance(error, OutcomeUnknownError)
    return False


async def test_a_server_busy_with_a_script_is_unavailable_until_it_is_killed(
    valkey_factory: Callable[..., Valkey],
) -> None:
    server = valkey_factory(**{"busy-reply-threshold": "50"})
    admin = redis.asyncio.Redis.from_url(server.url)
    async with admin, Link(server.url) as link, Link(server.url) as endless:
        spinning = asyncio.create_task(endless.call("EVAL", "while true do end", 0))
        await eventually(lambda: is_busy(link))
        await admin.script_kill()
        with pytest.raises(CommandRejectedError, match="killed"):
            await spinning
        assert await insist(lambda: link.call("SET", "a", "b")) == b"OK"
