"""Firebase ID tokens: each published rule, and an issuer whose key server misbehaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from careerlens.auth import Authenticator, Caller, keyset
from careerlens.auth.keyset import KeySet
from careerlens.foundation.errors import (
    AuthenticationError,
    ConfigurationError,
    ServiceUnavailableError,
)
from careerlens.foundation.settings import load_settings
from tokens import (
    PROJECT,
    SECRET,
    KeyServer,
    SigningKey,
    firebase_claims,
    good_claims,
    hs256,
)

KEY, OTHER_KEY = SigningKey("key-1"), SigningKey("key-2")


@pytest.fixture
async def key_server() -> AsyncIterator[KeyServer]:
    async with KeyServer(KEY).running() as server:
        yield server


@pytest.fixture
def authenticator(key_server: KeyServer) -> Authenticator:
    return Authenticator.from_settings(
        load_settings(
            environment="production", firebase_project_id=PROJECT, jwks_url=key_server.url
        )
    )


async def verify(authenticator: Authenticator, token: str) -> Caller:
    return await authenticator.authenticate(token, None, peer="203.0.113.7", host="api.example")


async def assert_refused(authenticator: Authenticator, token: str) -> None:
    with pytest.raises(AuthenticationError):
        await verify(authenticator, token)


async def test_an_id_token_names_its_user(authenticator: Authenticator) -> None:
    caller = await verify(authenticator, KEY.sign(firebase_claims()))
    assert caller.user_id == "firebase-user"


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another-project"},
        {"aud": [PROJECT]},
        {"aud": None},
        {"iss": None},
        {"iss": "https://securetoken.google.com/"},
        {"iss": f"https://securetoken.google.com/{PROJECT}-2"},
        {"iss": f"https://session.firebase.google.com/{PROJECT}"},
        {"sub": ""},
        {"sub": "s" * 300},
        {"sub": 7},
        {"sub": ["a"]},
        {"sub": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"iat": time.time() + 3600},
        {"auth_time": None},
        {"auth_time": time.time() + 3600},
    ],
)
async def test_every_claim_counts(authenticator: Authenticator, wrong: dict[str, Any]) -> None:
    await assert_refused(authenticator, KEY.sign(firebase_claims(**wrong)))


async def test_a_user_claim_of_ours_means_nothing_there(authenticator: Authenticator) -> None:
    caller = await verify(authenticator, KEY.sign(firebase_claims(userId="admin")))
    assert caller.user_id == "firebase-user"


async def test_the_modes_exclude_each_other(authenticator: Authenticator) -> None:
    await assert_refused(authenticator, hs256(good_claims(), secret=SECRET))
    ours = Authenticator.from_settings(
        load_settings(environment="production", jwt_secret=SECRET.decode())
    )
    await assert_refused(ours, KEY.sign(firebase_claims()))


async def test_the_public_key_is_no_shared_secret(authenticator: Authenticator) -> None:
    header = {"alg": "HS256", "kid": KEY.kid}
    await assert_refused(
        authenticator, hs256(firebase_claims(), secret=KEY.public_pem(), header=header)
    )


async def test_unsigned_emulator_tokens_are_refused(authenticator: Authenticator) -> None:
    header = {"alg": "none", "kid": KEY.kid}
    await assert_refused(authenticator, hs256(firebase_claims(), header=header))


async def test_a_key_named_by_the_token_is_never_asked_for(
    authenticator: Authenticator, key_server: KeyServer
) -> None:
    async with KeyServer(OTHER_KEY).running() as attacker:
        for header in ({"jku": attacker.url}, {"x5u": attacker.url}, {"jwk": OTHER_KEY.jwk()}):
            forged = OTHER_KEY.sign(
                firebase_claims(), header={"alg": "RS256", "kid": KEY.kid, **header}
            )
            await assert_refused(authenticator, forged)
        assert attacker.requests == 0


@pytest.mark.parametrize("kid", ["../../dev/null", "' OR 1=1", "k" * 5000, "unknown", 7, "", None])
async def test_made_up_key_ids_cannot_drive_requests(
    authenticator: Authenticator, key_server: KeyServer, kid: Any
) -> None:
    await verify(authenticator, KEY.sign(firebase_claims()))
    for _ in range(20):
        forged = OTHER_KEY.sign(firebase_claims(), header={"alg": "RS256", "kid": kid})
        await assert_refused(authenticator, forged)
    assert key_server.requests == 1


async def test_many_first_requests_share_one_fetch(
    authenticator: Authenticator, key_server: KeyServer
) -> None:
    token = KEY.sign(firebase_claims())
    await asyncio.gather(*(verify(authenticator, token) for _ in range(50)))
    assert key_server.requests == 1


class TestMisbehavingKeyServer:
    """What was good stays in use, whatever the server answers."""

    @pytest.fixture
    async def keys(self, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> KeySet:
        keys = KeySet(key_server.url)
        assert await keys.key(KEY.kid) is not None
        monkeypatch.setattr(keyset, "REFETCH_INTERVAL_S", 0.0)
        monkeypatch.setattr(keys, "_fresh_until", 0.0)
        return keys

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            ("200 OK", b"<html>maintenance</html>"),
            ("200 OK", b'{"keys": []}'),
            ("200 OK", b"[]"),
            ("200 OK", b'{"keys": [{"kty": "oct", "kid": "key-1", "k": "AAAA"}]}'),
            ("200 OK", b'{"keys": [{"kty": "RSA", "kid": "key-1", "n": "AQAB", "e": "AQAB"}]}'),
            ("200 OK", b" " * (10 * 1024 * 1024)),
            ("500 Internal Server Error", b""),
            ("304 Not Modified", b""),
        ],
    )
    async def test_bad_answers_change_nothing(
        self, keys: KeySet, key_server: KeyServer, status: str, body: bytes
    ) -> None:
        key_server.reply(body, status=status)
        assert await keys.key(KEY.kid) is not None
        assert key_server.requests == 2

    async def test_redirects_are_not_followed(self, keys: KeySet, key_server: KeyServer) -> None:
        async with KeyServer(OTHER_KEY).running() as attacker:
            key_server.reply(b"", status="302 Found", headers=f"Location: {attacker.url}\r\n")
            assert await keys.key(OTHER_KEY.kid) is None
            assert attacker.requests == 0

    async def test_a_slow_answer_is_given_up(
        self, keys: KeySet, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keyset, "FETCH_TIMEOUT_S", 0.2)
        key_server.delay_s = 30
        started = time.monotonic()
        assert await keys.key(KEY.kid) is not None
        assert time.monotonic() - started < 2

    async def test_keys_are_rotated(self, keys: KeySet, key_server: KeyServer) -> None:
        key_server.publish(KEY, OTHER_KEY)
        assert await keys.key(OTHER_KEY.kid) is not None
        key_server.publish(OTHER_KEY)
        assert await keys.key("unknown") is None
        assert await keys.key(KEY.kid) is None


async def test_without_any_keys_nobody_is_refused_for_good() -> None:
    async with KeyServer(KEY).running() as server:
        server.reply(b"", status="500 Internal Server Error")
        with pytest.raises(ServiceUnavailableError):
            await KeySet(server.url).key(KEY.kid)


@pytest.mark.parametrize("url", ["http://keys.example/", "ftp://127.0.0.1/", "file:///etc/passwd"])
def test_keys_only_come_over_https(url: str) -> None:
    with pytest.raises(ConfigurationError, match="https"):
        KeySet(url)
