"""What Prometheus reads moves with what happens, and is read by nobody who may not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from apis import running_api, running_worker
from careerlens.foundation.errors import ConfigurationError
from careerlens.jobs.keys import feed_key
from careerlens.realtime.connection import Limits
from careerlens.realtime.entries import RESYNC_FIELD
from careerlens.wire.link import Link
from conftest import ValkeyFactory
from event_streams import listening
from gateways import connected, gateway_settings, running_gateway
from job_requests import at, create, reaches
from queue_driving import Driver
from raw_sockets import introduced
from relaying import running_relay
from support import eventually, free_port

TOKEN = "what-prometheus-sends"
BEARER = {"authorization": f"Bearer {TOKEN}"}


class Read(dict[str, float]):
    """Values by `name` and the values of the labels, such as `bullmq_job_count echo active`."""

    @classmethod
    def of(cls, text: str) -> Read:
        read = cls()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = [sample.labels[name] for name in sorted(sample.labels)]
                read[" ".join([sample.name, *labels])] = sample.value
        return read


async def metrics_at(url: str, headers: Mapping[str, str] = BEARER) -> Read:
    response = await get(url, headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    return Read.of(response.text)


async def get(url: str, headers: Mapping[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        return await client.get(f"{url}/metrics", headers=headers)


async def tell(link: Link, user: str, *reasons: str) -> None:
    """Append entries to the user's feed."""
    commands = [("XADD", feed_key(user), "*", RESYNC_FIELD, reason) for reason in reasons]
    await link.call_many([*commands, ("PUBLISH", f"careerlens:{{{user}}}:wake", "0-1")])


async def test_jobs_move_what_the_api_tells(redis_url: str, tmp_path: Path) -> None:
    async with (
        running_relay(redis_url, "cover-letter") as relay,
        running_api(redis_url, tmp_path, metrics_token=TOKEN) as api,
        api.client("ada") as client,
    ):
        api.app.state.relay = relay
        job_id = await create(client)
        await eventually(lambda: relay.relays and relay.relays[0].entries == 1)
        waiting = await metrics_at(api.url)
        assert waiting["bullmq_job_count cover-letter prioritized"] == 1
        assert 0 < waiting["careerlens_queue_waiting_seconds cover-letter"] < 60
        assert waiting["careerlens_workers"] == 0
        async with running_worker(redis_url, tmp_path):
            await reaches(client, job_id, "completed")
            await eventually(lambda: relay.relays[0].entries == 5)
            done = await metrics_at(api.url)
        text = (await get(api.url, BEARER)).text
    assert done["bullmq_job_count cover-letter completed"] == 1
    assert done["careerlens_queue_waiting_seconds cover-letter"] == 0
    assert done["careerlens_workers"] == 1
    assert done["careerlens_worker_slots cover-letter"] == 5
    assert done["careerlens_relay_leading cover-letter"] == 1
    assert done["careerlens_relay_events_total completed cover-letter"] == 1
    assert done["careerlens_relay_events_total progress cover-letter"] == 2
    assert done["careerlens_feed_entries_total cover-letter"] == 5
    assert done["careerlens_relay_behind_events cover-letter"] == 0
    assert done["careerlens_relay_behind_seconds cover-letter"] == 0
    assert done["process_cpu_seconds_total"] > waiting["process_cpu_seconds_total"] > 0
    assert "ada" not in text
    assert job_id not in text


async def test_workers_tell_what_they_have_done(redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        running_api(redis_url, tmp_path) as api,
        api.client("ada") as client,
        running_worker(
            redis_url,
            tmp_path,
            metrics_token=TOKEN,
            worker_health_port=port,
            shutdown_seconds=0.5,
        ),
    ):
        await create(client, type="endless")
        await reaches(client, await create(client), "completed")
        failing = await create(client, type="failing", someText="for good")
        await reaches(client, failing, "failed")
        read = await metrics_at(url)
        assert read["careerlens_worker_running worker endless"] == 1
        assert read["careerlens_worker_running worker cover-letter"] == 0
        assert read["careerlens_worker_taken_total worker cover-letter"] == 1
        assert read["careerlens_worker_ended_total completed worker cover-letter"] == 1
        assert read["careerlens_worker_ended_total failed worker failing"] == 1
        assert read["careerlens_worker_ended_total lost worker failing"] == 0
        answer = await get(url, {})
        assert answer.status_code == 401
        assert "careerlens_" not in answer.text
        async with httpx.AsyncClient(trust_env=False) as stranger:
            for path in ("/stats", "/nothing"):
                assert (await stranger.get(url + path)).status_code == 404
            assert (await stranger.get(f"{url}/health/ready")).status_code == 200


async def test_how_far_a_relay_is_behind_is_told_without_one(
    redis_url: str, link: Link, tmp_path: Path
) -> None:
    driver = Driver("echo", link)
    await link.call("SADD", "careerlens:queues", "echo")
    async with running_api(redis_url, tmp_path, metrics_token=TOKEN) as api:
        assert (await metrics_at(api.url))["careerlens_relay_behind_events echo"] == 0
        await driver.add("ada")
        behind = await metrics_at(api.url)
        assert behind["careerlens_relay_behind_events echo"] == 2
        assert 0 <= behind["careerlens_relay_behind_seconds echo"] < 60
        async with running_relay(redis_url, "echo") as relay:
            await eventually(lambda: relay.relays and relay.relays[0].entries)
            assert (await metrics_at(api.url))["careerlens_relay_behind_events echo"] == 0
        await link.call_many([("XADD", "bull:echo:events", "*", "event", "x")] * 1_100)
        assert (await metrics_at(api.url))["careerlens_relay_behind_events echo"] == 1_000


async def test_sockets_are_counted_with_what_they_were_sent(redis_url: str, link: Link) -> None:
    async with running_gateway(redis_url, metrics_token=TOKEN) as gateway:
        before = await metrics_at(gateway.url)
        assert before["careerlens_sockets websocket"] == 0
        async with connected(gateway, "ada") as tab, connected(gateway, "ada") as other:
            await tell(link, "ada", "one", "two", "three")
            for client in (tab, other):
                await client.hears("resync", 3)
            during = await metrics_at(gateway.url)
        assert during["careerlens_sockets websocket"] == 2
        assert during["careerlens_sockets polling"] == 0
        assert during["careerlens_sockets_opened_total"] == 2
        assert during["careerlens_deliveries_total"] == 6
        await eventually(lambda: not gateway.gateway.sessions)
        after = await metrics_at(gateway.url)
    assert after["careerlens_sockets websocket"] == 0
    closed = [name for name in after if name.startswith("careerlens_sockets_closed_total")]
    assert sum(after[name] for name in closed) == 2
    assert after["careerlens_deliveries_total"] == 6


async def test_entries_that_event_streams_were_sent_are_counted(
    redis_url: str, link: Link, tmp_path: Path
) -> None:
    driver = Driver("cover-letter", link)
    async with (
        running_api(redis_url, tmp_path, metrics_token=TOKEN) as api,
        running_relay(redis_url, "cover-letter"),
        api.client("ada") as client,
    ):

        async def delivered() -> float:
            return (await metrics_at(api.url))["careerlens_deliveries_total"]

        assert await delivered() == 0
        of_job = at(await create(client), "events")
        async with (
            listening(client, last_event_id="0-0") as all_jobs,
            listening(client, of_job) as one_job,
        ):
            # Where a job stands when a stream begins is no entry of a feed.
            assert [name for name, _ in await one_job.take(1)] == ["job:status"]
            assert [name for name, _ in await all_jobs.take(1)] == ["job:update"]
            began = one_job.last_id or "0-0"
            before = await delivered()
            await driver.run_one({})
            await all_jobs.take(2)
            await one_job.rest()
            assert await delivered() == before + 4
        # Who comes back after the job's end is sent what came after the last id.
        async with listening(client, of_job, last_event_id=began) as again:
            sent = [name for name, _ in await again.rest()].count("job:update")
        assert sent >= 2
        assert await delivered() == before + 4 + sent


async def test_a_client_that_does_not_keep_up_is_seen_and_counted(
    redis_url: str, link: Link
) -> None:
    limits = Limits(outbox_bytes=400_000, outbox_packets=50, stall_s=0.5)
    buffered: list[float] = []
    async with (
        running_gateway(redis_url, limits=limits, metrics_token=TOKEN) as gateway,
        introduced(gateway.port),  # and reads nothing more
    ):

        async def is_sent_away() -> bool:
            await tell(link, "ada", *["x" * 50_000] * 20)
            read = await metrics_at(gateway.url)
            buffered.append(read["careerlens_sockets_buffered_bytes"])
            return read.get("careerlens_sockets_closed_total slow_consumer") == 1

        await eventually(is_sent_away, within=20)
        assert (await metrics_at(gateway.url))["careerlens_sockets websocket"] == 0
    assert max(buffered) > 100_000


async def test_a_lost_place_in_a_feed_is_counted(redis_url: str, link: Link) -> None:
    async with running_gateway(redis_url, metrics_token=TOKEN) as gateway:
        async with connected(gateway, "ada", lastEventId="5-0") as client:
            await client.hears("resync")
        assert (await metrics_at(gateway.url))["careerlens_feed_positions_lost_total"] == 1


async def test_while_redis_is_away_the_process_still_tells_of_itself(
    valkey_factory: ValkeyFactory, tmp_path: Path
) -> None:
    server = valkey_factory()
    async with (
        running_api(server.url, tmp_path, metrics_token=TOKEN) as api,
        running_gateway(server.url, metrics_token=TOKEN) as gateway,
    ):
        assert (await metrics_at(api.url))["careerlens_redis_up"] == 1
        server.kill()
        for read in await asyncio.gather(metrics_at(api.url), metrics_at(gateway.url)):
            assert read["careerlens_redis_up"] == 0
            assert not any(name.startswith("bullmq") for name in read)


async def test_without_a_token_only_this_machine_reads_and_only_in_development(
    redis_url: str, tmp_path: Path
) -> None:
    async with running_api(redis_url, tmp_path) as api:
        assert "careerlens_redis_up" in await metrics_at(api.url, {})
        for headers in (
            {"x-forwarded-for": "203.0.113.7"},
            {"host": "rebound.example.com"},
        ):
            assert (await get(api.url, headers)).status_code == 404, headers
    async with running_gateway(redis_url) as gateway:
        assert (await get(gateway.url, {})).status_code == 404
        assert (await get(gateway.url, BEARER)).status_code == 404


async def test_with_a_token_nobody_reads_without_it(redis_url: str, tmp_path: Path) -> None:
    async with (
        running_api(redis_url, tmp_path, metrics_token=TOKEN) as api,
        running_gateway(redis_url, metrics_token=TOKEN) as gateway,
    ):
        for url in (api.url, gateway.url):
            for headers in (
                {},
                {"authorization": TOKEN},
                {"authorization": "Basic " + TOKEN},
                {"authorization": f"Bearer {TOKEN}x"},
                {"authorization": "Bearer"},
                {"authorization": "Bearer \u00e9"},
            ):
                encoded = {name: value.encode("latin-1") for name, value in headers.items()}
                answer = await get(url, encoded)  # type: ignore[arg-type]
                assert answer.status_code == 401, headers
                assert "careerlens" not in answer.text
                assert answer.headers["www-authenticate"].startswith("Bearer")
            forwarded = {"x-forwarded-for": "203.0.113.7"}
            assert "careerlens_redis_up" in await metrics_at(url, BEARER | forwarded)


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="CAREERLENS_METRICS_TOKEN"):
        gateway_settings(metrics_token="short")
