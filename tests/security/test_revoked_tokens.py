"""A token that was taken back opens nothing, and what it had opened is closed, with the reason."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import socketio
from redis.asyncio import Redis

from apis import RunningApi
from careerlens.auth import Caller, revocations, revoke_tokens
from careerlens.auth.authenticator import Authenticator
from careerlens.auth.revocations import (
    REREAD_S,
    REVOCATIONS_KEY,
    RevocationWatch,
    RevokedTokens,
)
from careerlens.foundation.errors import AuthenticationError
from careerlens.foundation.settings import load_settings
from careerlens.wire import Link
from conftest import ValkeyFactory
from event_streams import begun
from figures import show
from gateways import Client, RunningGateway, connected
from job_requests import at, create
from support import eventually, insist
from tokens import PROJECT, KeyServer, SigningKey, firebase_claims, good_claims, hs256

PATH = "/api/jobs/events"


@pytest.fixture(autouse=True)
def reads_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of this process is read more often than in production, so that tests are quick."""
    monkeypatch.setattr(revocations, "REREAD_S", 0.1)


def old_token(user: str) -> str:
    """One that was issued a minute ago."""
    return hs256(good_claims(userId=user, iat=int(time.time()) - 60))


def bearer(given: str) -> dict[str, str]:
    return {"authorization": f"Bearer {given}"}


async def is_refused(client: httpx.AsyncClient, given: str) -> bool:
    answer = await client.get("/api/jobs", headers=bearer(given))
    return answer.status_code == 401


async def test_a_token_taken_back_opens_nothing_and_a_new_one_does(
    api: RunningApi, link: Link
) -> None:
    assert REREAD_S <= 5
    stolen, others = old_token("user-1"), old_token("user-12")
    async with api.client(None) as client:
        assert not await is_refused(client, stolen)
        ticket = (await client.post("/api/tickets", headers=bearer(stolen))).json()["ticket"]
        await revoke_tokens(link, "user-1")
        await eventually(lambda: is_refused(client, stolen))
        answer = await client.post("/api/jobs", headers=bearer(stolen), json={"type": "x"})
        assert answer.status_code == 401
        assert "signed out" in answer.json()["detail"]
        assert (await client.get(PATH, params={"ticket": ticket})).status_code == 401
        assert not await is_refused(client, others)
        new = hs256(good_claims(userId="user-1", iat=int(time.time()) + 1))
        assert not await is_refused(client, new)


async def test_what_a_token_had_opened_is_closed_and_says_why(
    api: RunningApi, gateway: RunningGateway, link: Link
) -> None:
    async with (
        api.client("user-1", headers=bearer(old_token("user-1"))) as client,
        api.client("user-12") as other,
        begun(client) as events,
        begun(other) as others_events,
        connected(gateway, "user-12") as bystander,
    ):
        job_id = await create(client)
        victim, polling = Client(), Client()
        await victim.connect(gateway, {"token": old_token("user-1")})
        await polling.connect(gateway, {"token": old_token("user-1")}, transports=("polling",))
        async with (
            client.stream("GET", at(job_id, "events")) as of_one_job,
            client.stream("GET", at(job_id, "stream") + "?offset=-1&live=sse") as text,
        ):
            revoked_at = time.monotonic()
            await revoke_tokens(link, "user-1")
            ((name, data),) = await events.rest()
            assert (name, data["code"]) == ("closed", "token_revoked")
            assert '"token_revoked"' in (await of_one_job.aread()).decode()
            await text.aread()
            for each in (victim, polling):
                await each.is_gone(within=20)
                assert each.heard[-1][0] == "error"
                assert each.heard[-1][1]["code"] == "token_revoked"
            took_s = time.monotonic() - revoked_at
            show("S27", sockets=2, streams=3, all_closed_after_s=round(took_s, 1))
            assert took_s < 60
        assert await bystander.call("unsubscribe:job", "x") == {"ok": True}
        with pytest.raises(socketio.exceptions.ConnectionError):
            await Client().connect(gateway, {"token": old_token("user-1")})
        await others_events.response.aclose()


async def test_a_session_goes_on_with_a_token_issued_since(
    gateway: RunningGateway, link: Link
) -> None:
    client = Client()
    await client.connect(gateway, {"token": old_token("ada")})
    newer = hs256(good_claims(userId="ada", iat=int(time.time()) + 5))
    assert (await client.call("auth:renew", {"token": newer}))["ok"]
    revoked = gateway.gateway._services.authenticator.revoked
    await revoke_tokens(link, "ada")
    await eventually(
        lambda: revoked.voids(
            Caller(user_id="ada", expires_at=None, method="token", signed_in_at=1.0)
        )
    )
    assert await client.call("unsubscribe:job", "x") == {"ok": True}
    assert (await client.call("auth:renew", {"token": old_token("ada")}))["ok"] is False
    assert await client.call("unsubscribe:job", "x") == {"ok": True}
    await client.socket.disconnect()


async def test_a_revocation_that_nobody_can_read_hides_none_that_follow(
    api: RunningApi, link: Link
) -> None:
    async with api.client(None) as client:
        await link.call("XADD", REVOCATIONS_KEY, "*", "user", b"\xff")
        await revoke_tokens(link, "user-1")
        await eventually(lambda: is_refused(client, old_token("user-1")))


async def test_a_token_that_does_not_tell_its_age_counts_as_older_than_any_revocation(
    api: RunningApi, link: Link
) -> None:
    ageless = hs256(good_claims(userId="user-1", iat=None))
    async with api.client(None) as client:
        assert not await is_refused(client, ageless)
        await revoke_tokens(link, "user-1")
        await eventually(lambda: is_refused(client, ageless))
        again = hs256(good_claims(userId="user-1", iat=None, exp=int(time.time()) + 9_999))
        assert await is_refused(client, again)


async def test_a_browser_that_stays_signed_in_with_firebase_is_out_as_well() -> None:
    """Its next ID token is younger than the revocation; the sign-in behind it is not."""
    key = SigningKey("one")
    async with KeyServer(key).running() as issuer:
        settings = load_settings(
            environment="production", firebase_project_id=PROJECT, jwks_url=issuer.url
        )
        authenticator = Authenticator.from_settings(settings)
        now = int(time.time())
        authenticator.revoked.learn({"firebase-user": now - 50.0})
        refreshed = key.sign(firebase_claims(iat=now, auth_time=now - 100))
        with pytest.raises(AuthenticationError, match="signed out"):
            await authenticator.authenticate(refreshed, None, peer=None, host=None)
        signed_in = key.sign(firebase_claims(iat=now, auth_time=now - 10))
        caller = await authenticator.authenticate(signed_in, None, peer=None, host=None)
        assert caller.signed_in_at == now - 10


async def test_revocations_are_remembered_by_processes_to_come_and_not_for_ever(
    redis_url: str, link: Link, redis: Redis
) -> None:
    await redis.xadd(REVOCATIONS_KEY, {"user": "forgotten"}, id="1000-0")
    for number in range(2_500):  # more than are read at once
        await redis.xadd(REVOCATIONS_KEY, {"user": f"user-{number}"}, id=f"{2_000 + number}-0")
    moment = await revoke_tokens(link, "ada")
    revoked = RevokedTokens()
    async with RevocationWatch(link, revoked):
        for user in ("ada", "user-2499"):
            assert revoked.voids(Caller(user_id=user, expires_at=None, method="token"))
        assert not revoked.voids(
            Caller(user_id="ada", expires_at=None, method="token", signed_in_at=moment)
        )
        assert not revoked.voids(Caller(user_id="bob", expires_at=None, method="token"))
    assert await redis.xlen(REVOCATIONS_KEY) < 2_500


async def test_a_process_that_was_cut_off_from_redis_hears_of_what_it_missed(
    valkey_factory: ValkeyFactory,
) -> None:
    valkey = valkey_factory(durable=True, appendfsync="always")
    async with Link(valkey.url) as ours, Link(valkey.url) as theirs:
        revoked = RevokedTokens()
        async with RevocationWatch(ours, revoked):
            valkey.restart()
            await insist(lambda: revoke_tokens(theirs, "ada"), within=20)
            await eventually(
                lambda: revoked.voids(Caller(user_id="ada", expires_at=None, method="token")),
                within=20,
            )


def test_the_command_takes_tokens_back(redis_url: str, tmp_path: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    said = subprocess.run(
        [sys.executable, "-m", "careerlens", "revoke", "--user", "user-1"],
        env=kept | {"REDIS_URL": redis_url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("Tokens of user-1 issued before ")

    async def reads() -> bool:
        revoked = RevokedTokens()
        async with Link(redis_url) as link, RevocationWatch(link, revoked):
            return revoked.voids(Caller(user_id="user-1", expires_at=None, method="token"))

    assert asyncio.run(reads())


def test_only_tokens_are_taken_back_and_only_once_told() -> None:
    revoked = RevokedTokens()
    told: list[int] = []
    revoked.listen(lambda: told.append(1))
    revoked.learn({})
    revoked.learn({"ada": 100.0})
    revoked.learn({"ada": 100.0})
    revoked.learn({"ada": 50.0})
    assert told == [1]
    at_99, at_100 = (
        Caller(user_id="ada", expires_at=None, method="token", signed_in_at=moment)
        for moment in (99.9, 100.0)
    )
    assert (revoked.voids(at_99), revoked.voids(at_100)) == (True, False)
    assert not revoked.voids(Caller(user_id="ada", expires_at=None, method="development"))
