"""What a hostile client of the gateway tries, and what it gets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import socketio
from redis.asyncio import Redis

from careerlens.jobs.keys import QUEUES_KEY, feed_key, wake_channel
from careerlens.jobs.model import JobEventKind, JobStatus, JobUpdate
from careerlens.realtime.connection import Limits
from careerlens.realtime.entries import UPDATE_FIELD, encode_update
from careerlens.wire.link import Link
from figures import show
from gateways import PAGE, Client, RunningGateway, connected, running_gateway
from queue_driving import Driver
from relaying import running_relay, told
from support import eventually
from tokens import good_claims, hs256, token

EVIL_ORIGINS = [
    "https://evil.example",
    "null",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://sub.app.example.com",
    "http://app.example.com",
    "https://app.example.com:444",
    "https://app.example.com/",
    "HTTPS://APP.EXAMPLE.COM",
    "https://app.example.com, https://evil.example",
    "*",
    "",
]
POLLING = "/socket.io/?EIO=4&transport=polling"
SOCKET = "/socket.io/?EIO=4&transport=websocket"


@pytest.fixture
async def http(gateway: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        yield client


class Raw:
    """A websocket that says what it likes."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[str] = []

    async def say(self, *packets: str | bytes) -> None:
        for packet in packets:
            if isinstance(packet, bytes):
                await self.socket.send_bytes(packet)
            else:
                await self.socket.send_str(packet)

    async def hear(self, start: str, *, within: float = 10) -> str:
        """The next frame that starts so."""
        async with asyncio.timeout(within):
            while True:
                frame = await self.socket.receive()
                assert frame.type is aiohttp.WSMsgType.TEXT, (frame, self.heard)
                self.heard.append(frame.data)
                if frame.data.startswith(start):
                    return str(frame.data)

    async def is_closed(self, *, within: float = 10) -> str:
        """The reason in the close frame, once it comes."""
        async with asyncio.timeout(within):
            while True:
                frame = await self.socket.receive()
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self.heard.append(frame.data)
                    continue
                assert frame.type in {
                    aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR,
                }, frame  # fmt: skip
                return str(frame.extra or "")


class Browser:
    """Opens raw websockets, and closes them in the end."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def open(self, url: str, **options: Any) -> Raw:
        """Raises `aiohttp.WSServerHandshakeError` when refused."""
        socket = await self._session.ws_connect(url, **options)
        self._sockets.append(socket)
        return Raw(socket)

    async def close(self) -> None:
        """Close every websocket."""
        for socket in self._sockets:
            await socket.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession() as session:
        browser = Browser(session)
        yield browser
        await browser.close()


async def raw(browser: Browser, gateway: RunningGateway, user: str | None = None) -> Raw:
    """A raw websocket, introduced as `user` where one is given."""
    client = await browser.open(gateway.url + SOCKET)
    await client.hear("0")
    if user is not None:
        await client.say("40" + json.dumps({"token": token(user)}))
        await client.hear("40")
    return client


# Origins


@pytest.mark.parametrize("origin", EVIL_ORIGINS)
async def test_a_page_that_is_not_listed_is_refused_on_both_transports(
    http: httpx.AsyncClient,
    browser: Browser,
    gateway: RunningGateway,
    origin: str,
) -> None:
    answer = await http.get(POLLING, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await browser.open(gateway.url + SOCKET, headers={"Origin": origin})
    assert refusal.value.status == 403
    assert not gateway.gateway.sessions
    show("S28", origin=origin or "an empty one", polling=403, websocket=403)


async def test_a_listed_page_is_answered_by_its_name_and_without_credentials(
    http: httpx.AsyncClient, browser: Browser, gateway: RunningGateway
) -> None:
    answer = await http.get(POLLING, headers={"Origin": PAGE})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    assert "set-cookie" not in answer.headers
    client = await browser.open(gateway.url + SOCKET, headers={"Origin": PAGE})
    assert await client.hear("0{")


async def test_another_origin_is_refused_in_the_middle_of_a_session(
    http: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    opened = await http.get(POLLING, headers={"Origin": PAGE})
    sid = json.loads(opened.text[1:])["sid"]
    stolen = await http.get(f"{POLLING}&sid={sid}", headers={"Origin": "https://evil.example"})
    assert stolen.status_code == 403


async def test_no_error_is_shown_to_a_page_that_is_not_listed(http: httpx.AsyncClient) -> None:
    too_much = "&".join(f"a{number}=1" for number in range(2_000))
    answer = await http.get(f"{POLLING}&{too_much}", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origins", [(), ("*",), ("null",)])
async def test_no_setting_lets_every_page_in(redis_url: str, origins: tuple[str, ...]) -> None:
    async with (
        running_gateway(
            redis_url, environment="development", cors_origins=origins, api_port=3999
        ) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as http,
    ):
        for origin in ("https://evil.example", "null", "*"):
            assert (await http.get(POLLING, headers={"Origin": origin})).status_code == 403


async def test_without_an_origin_a_token_is_needed_all_the_same(gateway: RunningGateway) -> None:
    async with connected(gateway, "ada"):
        pass
    client = Client()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(gateway, {})
    assert client.refusals[0]["code"] == "unauthorized"


# Who is calling

REFUSED: list[Any] = [
    None,
    {},
    [],
    "ada",
    {"token": None},
    {"token": ""},
    {"token": 7},
    {"token": "x" * 50_000},
    {"token": "a.b.c"},
    {"userId": "ada"},
    {"userId": "ada", "token": "jwt-token"},
    {"Authorization": "Bearer x"},
    {"token": {"$ne": None}},
]


@pytest.mark.parametrize("auth", REFUSED, ids=range(len(REFUSED)))
@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_who_proves_nothing_is_told_so_and_hears_nothing(
    gateway: RunningGateway, auth: Any, transport: str
) -> None:
    client = Client()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(gateway, auth, transports=(transport,))
    (refusal,) = client.refusals
    assert refusal["code"] == "unauthorized"
    assert refusal["message"]
    assert refusal["data"]["code"] == "unauthorized"
    assert client.heard == []
    await eventually(lambda: not gateway.gateway.sessions)


async def test_who_polls_and_is_refused_hears_why_and_of_no_error_before(
    http: httpx.AsyncClient,
) -> None:
    sid = await polling_sid(http)
    introduced = await http.post(f"{POLLING}&sid={sid}", content='40{"token":"forged"}')
    assert (introduced.status_code, introduced.text) == (200, "ok")
    assert '"code":"unauthorized"' in (await http.get(f"{POLLING}&sid={sid}")).text


async def test_an_expired_or_forged_token_is_refused(gateway: RunningGateway) -> None:
    forged = hs256(good_claims(userId="ada"), secret=b"another-secret-of-thirty-two-bytes!!!")
    for bad in (token("ada", lives=-3600), forged):
        client = Client()
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(gateway, {"token": bad})
        assert client.refusals[0]["code"] == "unauthorized"


async def test_a_token_in_the_address_proves_nothing_and_is_not_logged(
    gateway: RunningGateway,
    http: httpx.AsyncClient,
    browser: Browser,
    capfd: pytest.CaptureFixture[str],
) -> None:
    good = token("ada")
    for query in (f"token={good}", f"auth={good}", f"authorization=Bearer%20{good}"):
        client = await browser.open(f"{gateway.url}{SOCKET}&{query}")
        await client.say("40")
        assert '"unauthorized"' in await client.hear("44")
    output = capfd.readouterr()
    assert good not in output.out + output.err


async def test_the_development_identity_is_for_this_machine_in_development_alone(
    redis_url: str, tmp_path: Path, browser: Browser
) -> None:
    async with running_gateway(redis_url, environment="development", home=tmp_path) as gateway:
        client = Client()
        await client.connect(gateway, {"userId": "user-123", "token": "jwt-token"})
        await client.socket.disconnect()
        for headers in (
            {"Host": "evil.example"},
            {"X-Forwarded-For": "127.0.0.1"},
            {"Forwarded": "for=127.0.0.1"},
        ):
            stranger = await browser.open(gateway.url + SOCKET, headers=headers)
            await stranger.say('40{"userId":"user-123"}')
            assert '"unauthorized"' in await stranger.hear("44")


# Other people's things


async def test_no_name_of_a_room_or_job_opens_another_users_feed(
    redis_url: str, gateway: RunningGateway
) -> None:
    async with Link(redis_url) as link, running_relay(redis_url, "echo"):
        await link.call("SADD", QUEUES_KEY, "echo")
        driver = Driver("echo", link)
        theirs = await driver.add("user-1")
        foreign = await driver.queue.add("echo", {"userId": "user-1"})
        await told(gateway.feed, "user-1", 2)
        last = await gateway.feed.position("user-1")
        names: list[Any] = [
            theirs, foreign, {"jobId": theirs}, f"{theirs} ", f"user-12{theirs[6:]}", theirs[:-1],
            theirs.upper(), theirs.replace("user-1", "user%2D1"), "*", "..", "", "user:user-1",
            "job:*", "wait", "meta", f"{foreign}:lock", "1e0", "01", "\u0000", "a" * 60_000, None,
            7, [], {}, [theirs], {"jobId": [theirs]}, {"jobId": None}, {"userId": "user-1"}, True,
            "user-1:echo:1:nope-nope-nope", "__proto__", {"__proto__": {"jobId": theirs}},
        ]  # fmt: skip
        async with connected(gateway, "user-12", lastEventId=last) as client:
            answers = [await client.call("subscribe:job", name) for name in names]
            await driver.run_one()
            await told(gateway.feed, "user-1", 4)
            await link.call("PUBLISH", wake_channel("user-12"), "0-0")
            await client.call("unsubscribe:job", theirs)
            assert client.updates == []
            assert client.all("job:status") == []
        not_found = {
            "ok": False,
            "error": {"code": "not_found", "message": "There is no such job."},
        }
        assert answers == [not_found] * len(names)
        show("S2", names=len(names), not_found=len(answers), told=0)


async def test_users_see_none_of_each_others_frames_among_many(
    redis: Redis, gateway: RunningGateway
) -> None:
    users = ["user-1", "user-12", "user-123", "a", "a:b", "a%3Ab", "A", "b"]
    clients = {user: Client() for user in users}
    for user, client in clients.items():
        await client.connect(gateway, {"token": token(user)})
    total = 2_000
    pipeline = redis.pipeline(transaction=False)
    for number in range(total):
        user = users[number * 7 % len(users)]
        update = JobUpdate(
            id="", job_id=user, type="echo", event=JobEventKind.QUEUED, status=JobStatus.QUEUED,
            timestamp=number,
        )  # fmt: skip
        pipeline.xadd(feed_key(user), {UPDATE_FIELD: encode_update(update)})
        pipeline.publish(wake_channel(user), "0-0")
    await pipeline.execute()
    for user, client in clients.items():
        await client.hears("job:update", total // len(users))
        assert {update["jobId"] for update in client.updates} == {user}
        await client.socket.disconnect()


@pytest.mark.parametrize(
    "event",
    ["connect", "disconnect", "connect_error", "job:update", "job:status", "resync", "message",
     "error", "token:expiring", "server:draining", "__proto__", "constructor", "on_message", "*",
     "", "_subscribe", "end"],
)  # fmt: skip
async def test_names_that_are_not_for_clients_reach_no_handler(
    browser: Browser, gateway: RunningGateway, event: str
) -> None:
    client = await raw(browser, gateway, "ada")
    body = json.dumps([event, {"token": token("bob"), "jobId": "x"}])
    await client.say(f"42{body}", f"427{body}", '428["unsubscribe:job","x"]')
    assert await client.hear("43") == '438[{"ok":true}]'
    assert client.heard[2:] == ['438[{"ok":true}]']
    show("S35", name=event or "an empty one", sent=2, answered=0)
    assert [session.user_id for session in gateway.gateway.sessions] == ["ada"]


async def test_a_connection_belongs_to_the_first_user_on_it(
    browser: Browser, gateway: RunningGateway
) -> None:
    client = await raw(browser, gateway, "ada")
    await client.say("40" + json.dumps({"token": token("bob")}))
    assert await client.is_closed() == "protocol_error"


async def test_another_namespace_is_unknown(browser: Browser, gateway: RunningGateway) -> None:
    client = await raw(browser, gateway)
    await client.say("40/admin," + json.dumps({"token": token("ada")}))
    assert await client.hear("44/admin,")
    assert [session.user_id for session in gateway.gateway.sessions] == [None]


# Malformed and greedy

MALFORMED: list[str | bytes] = [
    "", "9", "x", "4", "49", "4x", "42", "42{}", "42[]", "42[7]", "42[null]", "42[[]]", "42{",
    "42" + "[" * 30_000, '42["a"', "42" + "9" * 400 + '["a"]', "451-",
    '4510["a",{"_placeholder":true,"num":0}]',
    '451000000-["a"]', '461-["a"]', "44", "0", "2probe", "bAAAA", b"\x00", b"binary", "1x", "7",
]  # fmt: skip


@pytest.mark.parametrize("packet", MALFORMED, ids=range(len(MALFORMED)))
@pytest.mark.parametrize("user", ["ada", None])
async def test_a_malformed_packet_closes_its_connection_and_no_other(
    browser: Browser,
    gateway: RunningGateway,
    packet: str | bytes,
    user: str | None,
) -> None:
    if user is None and packet == "44":
        packet = "43"
    async with connected(gateway, "bob") as bystander:
        client = await raw(browser, gateway, user)
        await client.say(packet)
        if user is not None and packet == "44":
            await client.say('421["unsubscribe:job","x"]')
            await client.hear("431")
        else:
            await client.is_closed()
        assert await bystander.call("unsubscribe:job", "x") == {"ok": True}


async def test_attachments_are_refused_before_one_is_kept(
    browser: Browser, gateway: RunningGateway
) -> None:
    client = await raw(browser, gateway, "ada")
    await client.say('451000000-["subscribe:job",{"_placeholder":true,"num":0}]')
    reason = await client.is_closed()
    show("S31", announced=1_000_000, taken=0, closed_because=reason)
    assert reason == "protocol_error"


async def test_a_frame_larger_than_allowed_closes_the_connection(
    browser: Browser, gateway: RunningGateway
) -> None:
    client = await raw(browser, gateway, "ada")
    await client.say("42" + json.dumps(["subscribe:job", "x" * 70_000]))
    assert "maximum size" in await client.is_closed()


async def test_a_flood_closes_its_connection(browser: Browser, gateway: RunningGateway) -> None:
    client = await raw(browser, gateway, "ada")
    flood = asyncio.gather(
        *(client.say(f'42{number}["unknown"]') for number in range(1_000)), return_exceptions=True
    )
    assert await client.is_closed() == "rate_limited"
    await flood


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_what_a_client_may_send_is_counted_in_bytes_whatever_its_letters_are(
    redis_url: str, browser: Browser, transport: str
) -> None:
    said = '42["nothing","' + "é" * 600 + '"]'
    async with running_gateway(redis_url, limits=Limits(bytes_at_once=1_000)) as gateway:
        if transport == "websocket":
            client = await raw(browser, gateway, "ada")
            await client.say(said)
            assert await client.is_closed() == "rate_limited"
        else:
            async with httpx.AsyncClient(base_url=gateway.url) as http:
                sid = await polling_sid(http, "ada")
                refused = await http.post(f"{POLLING}&sid={sid}", content=said.encode())
                assert refused.status_code == 400


async def test_who_never_says_who_they_are_is_sent_away(redis_url: str, browser: Browser) -> None:
    limits = Limits(introduction_s=0.3, ping_interval_s=0.1)
    async with running_gateway(redis_url, limits=limits) as gateway:
        client = await raw(browser, gateway)
        answering = asyncio.create_task(_answer_pings(client))
        await eventually(lambda: not gateway.gateway.sessions)
        assert await answering == "introduction_timeout"
    assert Limits().introduction_s == 10


async def _answer_pings(client: Raw) -> str:
    async for frame in client.socket:
        if frame.data == "2":
            await client.say("3")
    return await client.is_closed() if not client.socket.closed else "introduction_timeout"


async def test_who_answers_no_ping_is_sent_away(redis_url: str, browser: Browser) -> None:
    limits = Limits(ping_interval_s=0.1, ping_timeout_s=0.2)
    async with running_gateway(redis_url, limits=limits) as gateway:
        client = await raw(browser, gateway, "ada")
        await client.hear("2")
        assert await client.is_closed() == "ping_timeout"
        await eventually(lambda: not gateway.gateway.sessions)


async def test_a_slow_reader_is_sent_away_and_resumes_without_loss(
    redis: Redis, redis_url: str, browser: Browser
) -> None:
    limits = Limits(outbox_packets=200, outbox_bytes=60_000, stall_s=0.5, flush_s=0.5)
    async with running_gateway(redis_url, limits=limits) as gateway:
        async with connected(gateway, "bob") as bystander:
            client = await raw(browser, gateway, "ada")
            _stop_reading(client)
            update = JobUpdate(
                id="", job_id="j" * 1_500, type="echo", event=JobEventKind.QUEUED,
                status=JobStatus.QUEUED, timestamp=1,
            )  # fmt: skip
            ids: list[str] = []
            async with asyncio.timeout(20):
                while any(session.user_id == "ada" for session in gateway.gateway.sessions):
                    pipeline = redis.pipeline(transaction=False)
                    for _ in range(250):
                        pipeline.xadd(feed_key("ada"), {UPDATE_FIELD: encode_update(update)})
                    ids += await pipeline.execute()
                    await redis.publish(wake_channel("ada"), ids[-1])
                    assert await bystander.call("unsubscribe:job", "x") == {"ok": True}
        seen = await _read_what_arrived(client)
        async with connected(gateway, "ada", lastEventId=seen[-1] if seen else "0-0") as again:
            await again.hears("job:update", len(ids) - len(seen))
            assert seen + [entry["id"] for entry in again.updates] == ids


def _stop_reading(client: Raw) -> None:
    transport = client.socket._response.connection.transport  # type: ignore[union-attr]
    transport.pause_reading()  # type: ignore[union-attr]


async def _read_what_arrived(client: Raw) -> list[str]:
    """The ids of the entries that were on the way when the client was sent away."""
    transport = client.socket._response.connection.transport  # type: ignore[union-attr]
    transport.resume_reading()  # type: ignore[union-attr]
    async with asyncio.timeout(10):
        frames = [frame.data async for frame in client.socket]
    return [
        json.loads(frame[2:])[1]["id"] for frame in frames if frame.startswith('42["job:update"')
    ]


# Polling and upgrades


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/socket.io/", 400),
        ("GET", "/socket.io/?EIO=3&transport=polling", 400),
        ("GET", "/socket.io/?EIO=4&transport=flash", 400),
        ("GET", "/socket.io/?EIO=4&transport=polling&transport=polling", 400),
        ("GET", "/socket.io/?EIO=4&transport=polling&j=0", 400),
        ("GET", "/socket.io/?EIO=4&transport=polling&sid=unknown", 400),
        ("GET", "/socket.io/?EIO=4&transport=polling&sid=", 200),
        ("GET", "/socket.io/?EIO=4&transport=websocket", 400),
        ("POST", "/socket.io/?EIO=4&transport=polling", 400),
        ("PUT", "/socket.io/?EIO=4&transport=polling", 400),
        ("POST", "/socket.io/?EIO=4&transport=polling&sid=../../etc/passwd", 400),
        ("GET", "/socket.io/?" + "&".join(f"a{n}=1" for n in range(2_000)), 400),
    ],
)
async def test_a_malformed_request_is_answered_with_400(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await http.request(method, path)
    show("S33", method=method, path=path[:60], status=answer.status_code)
    assert answer.status_code == status


async def polling_sid(http: httpx.AsyncClient, user: str | None = None) -> str:
    opened = await http.get(POLLING)
    sid = str(json.loads(opened.text[1:])["sid"])
    if user is not None:
        body = "40" + json.dumps({"token": token(user)})
        assert (await http.post(f"{POLLING}&sid={sid}", content=body)).text == "ok"
        assert (await http.get(f"{POLLING}&sid={sid}")).text.startswith("40")
    return sid


async def test_a_body_larger_than_allowed_is_refused(http: httpx.AsyncClient) -> None:
    sid = await polling_sid(http, "ada")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"4" * 10_000

    for content in (b"4" * 70_000, endless()):
        assert (await http.post(f"{POLLING}&sid={sid}", content=content)).status_code == 413
    assert (await http.post(f"{POLLING}&sid={sid}", content=b"\xff\xfe")).status_code == 400


@pytest.mark.parametrize("body", ["bAAAA", "4" + "\x1e4" * 200, "4451000-[]", "x", ""])
async def test_a_malformed_body_ends_the_session(http: httpx.AsyncClient, body: str) -> None:
    sid = await polling_sid(http, "ada")
    assert (await http.post(f"{POLLING}&sid={sid}", content=body)).status_code == 400
    await http.get(f"{POLLING}&sid={sid}")
    assert (await http.get(f"{POLLING}&sid={sid}")).status_code == 400


async def test_two_polls_at_once_end_the_session(http: httpx.AsyncClient) -> None:
    sid = await polling_sid(http, "ada")
    answers = await asyncio.gather(*(http.get(f"{POLLING}&sid={sid}") for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    assert (await http.get(f"{POLLING}&sid={sid}")).status_code == 400


async def test_two_posts_at_once_end_the_session(
    http: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    sid = await polling_sid(http, "ada")
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        f"POST {POLLING}&sid={sid} HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 60000\r\n\r\n4".encode()
    )
    await eventually(lambda: gateway.gateway._endpoint._connections[sid].is_posted_to)
    assert (await http.post(f"{POLLING}&sid={sid}", content="41")).status_code == 400
    assert not gateway.gateway.sessions
    writer.transport.abort()
    await asyncio.sleep(0)


async def test_upgrading_twice_mixing_transports_and_unknown_sessions_are_refused(
    http: httpx.AsyncClient, browser: Browser, gateway: RunningGateway
) -> None:
    sid = await polling_sid(http, "ada")
    upgraded = await browser.open(f"{gateway.url}{SOCKET}&sid={sid}")
    await upgraded.say("2probe")
    await upgraded.hear("3probe")
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await browser.open(f"{gateway.url}{SOCKET}&sid={sid}")
    await upgraded.say("5", '421["unsubscribe:job","x"]')
    await upgraded.hear("431")
    for other in (sid, "unknown"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await browser.open(f"{gateway.url}{SOCKET}&sid={other}")
        assert refusal.value.status == 400
    assert (await http.get(f"{POLLING}&sid={sid}")).status_code == 400
    assert (await http.post(f"{POLLING}&sid={sid}", content="41")).status_code == 400


@pytest.mark.parametrize("probe", ["5", "2", "2probe2", "40", ""])
async def test_an_upgrade_that_does_not_probe_is_refused_and_polling_goes_on(
    http: httpx.AsyncClient, browser: Browser, gateway: RunningGateway, probe: str
) -> None:
    sid = await polling_sid(http, "ada")
    attempt = await browser.open(f"{gateway.url}{SOCKET}&sid={sid}")
    await attempt.say(probe)
    assert await attempt.is_closed() == "upgrade_failed"
    await http.post(f"{POLLING}&sid={sid}", content='421["unsubscribe:job","x"]')
    assert (await http.get(f"{POLLING}&sid={sid}")).text == '431[{"ok":true}]'


async def test_compression_is_not_offered(browser: Browser, gateway: RunningGateway) -> None:
    client = await browser.open(gateway.url + SOCKET, compress=15)
    show("S34", asked_for_bits=15, granted_bits=client.socket.compress)
    assert client.socket.compress == 0


# Time


async def test_a_session_ends_with_its_token_after_a_warning(gateway: RunningGateway) -> None:
    expires = time.time() + 2
    client = Client()
    claims = good_claims(userId="ada", exp=int(expires))
    await client.connect(gateway, {"token": hs256(claims)})
    assert await client.hears("token:expiring") == [{"expiresAt": int(expires) * 1000}]
    await client.is_gone()
    assert int(expires) <= time.time() < expires + 5
    assert client.heard[-1][0] == "error"
    assert client.heard[-1][1]["code"] == "token_expired"


async def test_a_token_that_is_taken_by_leeway_alone_leaves_nothing_behind(
    gateway: RunningGateway,
) -> None:
    """Another clock may be slow, so it is believed for some seconds, but opens nothing."""
    client = Client()
    await client.connect(gateway, {"token": hs256(good_claims(userId="ada", exp=time.time() - 3))})
    await client.is_gone()
    assert client.heard[-1][1]["code"] == "token_expired"
    await eventually(lambda: not gateway.gateway.sessions)
    assert not gateway.feed.channels


async def test_a_renewed_token_prolongs_the_session(redis: Redis, gateway: RunningGateway) -> None:
    client = Client()
    claims = good_claims(userId="ada", exp=int(time.time()) + 2)
    await client.connect(gateway, {"token": hs256(claims)})
    await client.hears("token:expiring")
    later = int(time.time()) + 600
    renewed = hs256(good_claims(userId="ada", exp=later))
    assert await client.call("auth:renew", {"token": renewed}) == {
        "ok": True,
        "expiresAt": later * 1000,
    }
    await eventually(lambda: time.time() > claims["exp"] + 0.5)
    assert await client.call("unsubscribe:job", "x") == {"ok": True}
    await client.socket.disconnect()


async def test_a_renewal_for_another_user_or_without_proof_changes_nothing(
    gateway: RunningGateway,
) -> None:
    client = Client()
    await client.connect(
        gateway, {"token": hs256(good_claims(userId="ada", exp=int(time.time()) + 3))}
    )
    for argument in ({"token": token("bob")}, {"token": "x"}, {}, None, token("ada"), {"token": 1}):
        answer = await client.call("auth:renew", argument)
        assert (answer["ok"], answer["error"]["code"]) == (False, "unauthorized")
    assert [session.user_id for session in gateway.gateway.sessions] == ["ada"]
    await client.is_gone()
    assert client.heard[-1][1]["code"] == "token_expired"


async def test_a_server_without_redis_lets_nobody_in_and_says_why() -> None:
    async with running_gateway("redis://127.0.0.1:1/0") as gateway:
        client = Client()
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(gateway, {"token": token("ada")})
        assert client.refusals[0]["code"] == "unavailable"
