"""Tokens signed with our own secret: what is accepted, and every known way to forge one."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest

from careerlens.auth import Authenticator, Caller, issue_token
from careerlens.auth.hs256 import SharedSecretVerifier
from careerlens.foundation.errors import AuthenticationError, ConfigurationError
from careerlens.foundation.settings import Settings, load_settings
from tokens import SECRET, SigningKey, good_claims, hs256, part

LOCAL = {"peer": "127.0.0.1", "host": "localhost:3000"}


def production(**changes: Any) -> Settings:
    return load_settings(environment="production", jwt_secret=SECRET.decode(), **changes)


async def verify(token: str, **settings: Any) -> Caller:
    authenticator = Authenticator.from_settings(production(**settings))
    return await authenticator.authenticate(token, None, peer="203.0.113.7", host="api.example")


async def assert_refused(token: str, **settings: Any) -> None:
    with pytest.raises(AuthenticationError):
        await verify(token, **settings)


async def test_a_token_we_issue_names_its_user() -> None:
    settings = production()
    caller = await verify(issue_token(settings, "user-123"))
    assert (caller.user_id, caller.method) == ("user-123", "token")
    assert caller.expires_at is not None
    assert abs(caller.expires_at - (time.time() + 24 * 3600)) < 5


async def test_the_subject_names_the_user_where_there_is_no_user_id() -> None:
    caller = await verify(hs256(good_claims(userId=None, sub="user-9")))
    assert caller.user_id == "user-9"


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "nOnE", "", "HS512", "RS256", None, 1, ["HS256"]]
)
async def test_only_the_configured_algorithm_counts(algorithm: Any) -> None:
    await assert_refused(hs256(good_claims(), header={"alg": algorithm}))
    await assert_refused(f"{part({'alg': algorithm})}.{part(good_claims())}.")


async def test_an_empty_or_wrong_signature_is_refused() -> None:
    head, body, signature = hs256(good_claims()).split(".")
    await assert_refused(f"{head}.{body}.")
    await assert_refused(f"{head}.{body}")
    await assert_refused(f"{head}.{body}.{signature[:-2]}")
    await assert_refused(f"{head}.{body}.{signature}=")
    await assert_refused(f"{head}.{body}.{signature}!")
    await assert_refused(hs256(good_claims(), secret=b"another secret of thirty-two bytes!!"))


async def test_a_changed_payload_is_refused() -> None:
    head, _, signature = hs256(good_claims()).split(".")
    await assert_refused(f"{head}.{part(good_claims(userId='admin'))}.{signature}")


async def test_a_public_key_is_no_shared_secret() -> None:
    key = SigningKey("k1")
    await assert_refused(hs256(good_claims(), secret=key.public_pem()))


@pytest.mark.parametrize(
    "extra",
    [
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": False},
        {"enc": "A256GCM"},
        {"zip": "DEF"},
    ],
)
async def test_headers_that_change_how_to_verify_are_refused(extra: dict[str, Any]) -> None:
    await assert_refused(hs256(good_claims(), header={"alg": "HS256", **extra}))


async def test_names_that_stand_twice_are_refused() -> None:
    claims = json.dumps(good_claims())
    await assert_refused(hs256(f'{claims[:-1]}, "userId": "admin"}}'.encode()))
    await assert_refused(hs256(good_claims(), header=b'{"alg":"none","alg":"HS256"}'))


async def test_other_shapes_than_a_signed_token_are_refused() -> None:
    good = hs256(good_claims())
    five_parts = ".".join(
        [part({"alg": "dir", "enc": "A128GCM"}), "", part(b"iv"), part(b"x"), "t"]
    )
    deep = hs256(b"[" * 3000 + b"]" * 3000)
    for token in (
        "",
        ".",
        "..",
        "a.b.c",
        "jwt-token",
        five_parts,
        f"{good}.{good}",
        good + " ",
        deep,
    ):
        await assert_refused(token)
    await assert_refused(hs256(b"[]"))
    await assert_refused(hs256(b'"text"'))
    await assert_refused(hs256(b"\xff\xfe"))
    await assert_refused(good.replace("e", "é"))


@pytest.mark.parametrize("kid", ["../../dev/null", "' OR 1=1", "k" * 100_000, 7, None])
async def test_key_ids_lead_nowhere(kid: Any) -> None:
    forged = hs256(good_claims(), secret=b"", header={"alg": "HS256", "kid": kid})
    await assert_refused(forged)


@pytest.mark.parametrize("exp", [None, "9999999999", 1e30, math.inf, True, -1, 0, [1], 1])
async def test_an_expiry_must_be_a_moment_to_come(exp: Any) -> None:
    await assert_refused(hs256(good_claims(exp=exp)))


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize("value", [pytest.param(time.time() + 3600, id="in an hour"), "now", 1e30])
async def test_times_to_come_are_refused(claim: str, value: Any) -> None:
    await assert_refused(hs256(good_claims(**{claim: value})))


async def test_the_leeway_is_a_few_seconds() -> None:
    now = time.time()
    await verify(hs256(good_claims(exp=now - 5)))
    await verify(hs256(good_claims(iat=now + 5)))
    await assert_refused(hs256(good_claims(exp=now - 31)))
    await assert_refused(hs256(good_claims(nbf=now + 31)))


@pytest.mark.parametrize(
    "user_id",
    ["", "u" * 129, 42, ["user-1"], {"a": 1}, " user", "a\nb", "a\0b", "\u202euser", None],
)
async def test_what_cannot_be_a_user_is_refused(user_id: Any) -> None:
    await assert_refused(hs256(good_claims(userId=user_id)))
    await assert_refused(hs256(good_claims(userId=None, sub=user_id)))


async def test_an_empty_user_id_does_not_fall_back_to_the_subject() -> None:
    await assert_refused(hs256(good_claims(userId="", sub="user-1")))


async def test_issuer_and_audience_are_compared_exactly() -> None:
    expected = {"jwt_issuer": "https://careerlens.example", "jwt_audience": "jobs"}
    right = {"iss": "https://careerlens.example", "aud": "jobs"}
    await verify(hs256(good_claims(**right)), **expected)
    for wrong in (
        {"iss": None},
        {"iss": "https://careerlens.example.evil"},
        {"iss": "https://careerlens"},
        {"aud": None},
        {"aud": ["jobs"]},
        {"aud": ["jobs", "other"]},
        {"aud": "job"},
    ):
        await assert_refused(hs256(good_claims(**(right | wrong))), **expected)


async def test_a_token_for_some_audience_is_not_for_a_service_without_one() -> None:
    await assert_refused(hs256(good_claims(aud="somewhere-else")))


@pytest.mark.parametrize("secret", ["secret", "changeme", "short", "your-jwt-secret-key", "x" * 31])
def test_production_refuses_to_start_with_a_weak_secret(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="JWT_SECRET"):
        load_settings(environment="production", jwt_secret=secret)


def test_production_refuses_to_start_without_a_way_to_know_callers() -> None:
    with pytest.raises(ConfigurationError, match="JWT_SECRET"):
        load_settings(environment="production", jwt_secret="")


async def test_nobody_says_who_they_are_in_production() -> None:
    authenticator = Authenticator.from_settings(production())
    with pytest.raises(AuthenticationError):
        await authenticator.authenticate(None, "user-123", **LOCAL)
    with pytest.raises(AuthenticationError):
        await authenticator.authenticate("jwt-token", "user-123", **LOCAL)


class TestDevelopmentHeader:
    @pytest.fixture
    def authenticator(self) -> Authenticator:
        verifier = SharedSecretVerifier(secret=SECRET)
        return Authenticator(verifier, accepts_development_header=True)

    async def test_it_names_the_caller_on_this_machine(self, authenticator: Authenticator) -> None:
        for host in ("localhost:3000", "127.0.0.1", "[::1]:3000", "LOCALHOST"):
            caller = await authenticator.authenticate(None, "user-123", peer="::1", host=host)
            assert (caller.user_id, caller.method) == ("user-123", "development")

    @pytest.mark.parametrize("host", ["localhost:3000", "app.example"])
    async def test_it_is_offered_where_it_would_be_believed(
        self, authenticator: Authenticator, host: str
    ) -> None:
        with pytest.raises(AuthenticationError) as refused:
            await authenticator.authenticate(None, None, peer="127.0.0.1", host=host)
        assert ("x-user-id" in str(refused.value)) == host.startswith("localhost")

    async def test_a_valid_token_wins(self, authenticator: Authenticator) -> None:
        caller = await authenticator.authenticate(hs256(good_claims()), "somebody-else", **LOCAL)
        assert caller.user_id == "user-123"

    async def test_it_steps_in_for_a_token_that_proves_nobody(
        self, authenticator: Authenticator
    ) -> None:
        caller = await authenticator.authenticate("jwt-token", "user-123", **LOCAL)
        assert caller.method == "development"

    @pytest.mark.parametrize(
        ("peer", "host"),
        [
            ("203.0.113.7", "localhost:3000"),
            ("127.0.0.1", "rebound.example:3000"),
            ("127.0.0.1", "localhost.evil.example"),
            ("127.0.0.1", "127.0.0.1.evil.example"),
            ("127.0.0.1", None),
            ("127.0.0.1", "[::1"),
            (None, "localhost"),
        ],
    )
    async def test_it_is_not_believed_from_elsewhere(
        self, authenticator: Authenticator, peer: str | None, host: str | None
    ) -> None:
        for bearer in (None, "jwt-token"):
            with pytest.raises(AuthenticationError):
                await authenticator.authenticate(bearer, "user-123", peer=peer, host=host)

    @pytest.mark.parametrize("user", ["", "u" * 129, "a\tb", " a"])
    async def test_it_must_be_a_name(self, authenticator: Authenticator, user: str) -> None:
        with pytest.raises(AuthenticationError):
            await authenticator.authenticate(None, user, **LOCAL)
