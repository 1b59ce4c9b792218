"""Forged tokens against the processes of production: the API, its streams and both sockets."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from stack import Product, in_production
from support import Valkey
from tokens import SECRET, SigningKey, firebase_claims, good_claims, hs256, part

PARTS = ["api", "socket"]
SOCKET_IO = "/socket.io/?EIO=4&transport="
GOOD = hs256(good_claims())
HEAD, BODY, SIGNATURE = GOOD.split(".")
KEY = SigningKey("key-1")


def header(**changes: Any) -> str:
    return hs256(good_claims(), header={"alg": "HS256", "typ": "JWT", **changes})


FORGED = {
    "alg none": f"{part({'alg': 'none'})}.{BODY}.",
    "alg None": f"{part({'alg': 'None'})}.{BODY}.{SIGNATURE}",
    "alg nOnE": header(alg="nOnE"),
    "empty signature": f"{HEAD}.{BODY}.",
    "public key as secret": hs256(good_claims(), secret=KEY.public_pem()),
    "rs256": KEY.sign(good_claims()),
    "jku": header(jku="http://127.0.0.1:1/keys"),
    "x5u": header(x5u="http://127.0.0.1:1/cert"),
    "jwk": header(jwk={"kty": "oct", "k": "AAAA"}),
    "x5c": header(x5c=["AAAA"]),
    "kid path": hs256(good_claims(), secret=b"", header={"alg": "HS256", "kid": "../../dev/null"}),
    "kid sql": hs256(good_claims(), secret=b"x", header={"alg": "HS256", "kid": "' OR 1=1"}),
    "no exp": hs256(good_claims(exp=None)),
    "exp as text": hs256(good_claims(exp="9999999999")),
    "exp far": hs256(good_claims(exp=1e30)),
    "exp past leeway": hs256(good_claims(exp=time.time() - 31)),
    "nbf to come": hs256(good_claims(nbf=time.time() + 3600)),
    "iat to come": hs256(good_claims(iat=time.time() + 3600)),
    "audience": hs256(good_claims(aud="elsewhere")),
    "sub empty": hs256(good_claims(userId=None, sub="")),
    "sub long": hs256(good_claims(userId=None, sub="s" * 300)),
    "sub number": hs256(good_claims(userId=None, sub=7)),
    "sub list": hs256(good_claims(userId=None, sub=["user-1"])),
    "crit": header(crit=["exp"]),
    "b64": header(b64=False, crit=["b64"]),
    "twice": hs256(json.dumps(good_claims())[:-1].encode() + b', "userId": "admin"}'),
    "five parts": f"{part({'alg': 'dir', 'enc': 'A128GCM'})}.AA.AA.AA.AA",
    "firebase": KEY.sign(firebase_claims()),
    "other secret": hs256(good_claims(), secret=b"another secret of thirty-two bytes!!"),
}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, valkey_server: Valkey) -> Iterator[Product]:
    """API and gateway as they run in production, on loopback, where development would trust."""
    with in_production(tmp_path_factory.mktemp("product"), valkey_server.url) as product:
        yield product


async def http_answers(product: Product, headers: dict[str, str]) -> dict[str, int]:
    """The status of every way to ask the API something that only a user may ask."""
    async with httpx.AsyncClient(base_url=product.url, headers=headers, trust_env=False) as http:
        return {
            f"{method} {path}": (await http.request(method, path)).status_code
            for method, path in (
                ("POST", "/api/jobs"),
                ("GET", "/api/jobs"),
                ("GET", "/api/jobs/history"),
                ("GET", "/api/job-types"),
                ("GET", "/api/jobs/x/status"),
                ("POST", "/api/jobs/x/cancel"),
                ("GET", "/api/jobs/x/events"),
            )
        }


async def polled(product: Product, auth: dict[str, str], **headers: str) -> str:
    """What an introduction by polling is answered."""
    async with httpx.AsyncClient(
        base_url=product.socket_url, headers=headers, trust_env=False
    ) as http:
        address = SOCKET_IO + "polling"
        address += "&sid=" + json.loads((await http.get(address)).text[1:])["sid"]
        await http.post(address, content="40" + json.dumps(auth))
        return (await http.get(address)).text


async def told_by_websocket(product: Product, auth: dict[str, str], **headers: str) -> str:
    """What an introduction by websocket is answered."""
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(product.socket_url + SOCKET_IO + "websocket") as socket,
    ):
        await socket.receive_str(timeout=10)
        await socket.send_str("40" + json.dumps(auth))
        return await socket.receive_str(timeout=10)


async def test_a_good_token_opens_every_door(product: Product) -> None:
    answers = await http_answers(product, {"authorization": f"Bearer {GOOD}"})
    assert 401 not in answers.values()
    assert (await polled(product, {"token": GOOD})).startswith("40")
    assert (await told_by_websocket(product, {"token": GOOD})).startswith("40")


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_opens_none(product: Product, name: str) -> None:
    forged = FORGED[name]
    # Beside the name that development would believe: production must not fall back to it.
    answers = await http_answers(
        product, {"authorization": f"Bearer {forged}", "x-user-id": "user-1"}
    )
    assert set(answers.values()) == {401}, answers
    auth = {"token": forged, "userId": "user-1"}
    assert '"unauthorized"' in await polled(product, auth)
    assert '"unauthorized"' in await told_by_websocket(product, auth)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-user-id": "user-1"},
        {"x-user-id": "user-1", "x-forwarded-for": "127.0.0.1"},
        {"x-user-id": "user-1", "x-forwarded-user": "user-1", "x-real-ip": "127.0.0.1"},
        {"x-user-id": "user-1", "host": "localhost"},
        {"cookie": f"token={GOOD}; Authorization=Bearer {GOOD}"},
        {"authorization": GOOD},
        {"authorization": f"Basic {GOOD}"},
        {"authorization": f"Bearer {GOOD} {GOOD}"},
        {"authorization": f"Bearer {GOOD}, Bearer {GOOD}"},
        {"proxy-authorization": f"Bearer {GOOD}"},
        {"x-http-method-override": "GET", "x-user-id": "user-1"},
    ],
    ids=range(12),
)
async def test_no_other_header_names_a_caller_in_production(
    product: Product, headers: dict[str, str]
) -> None:
    answers = await http_answers(product, headers)
    assert set(answers.values()) == {401}, answers
    assert '"unauthorized"' in await polled(product, {"userId": "user-1"}, **headers)
    assert '"unauthorized"' in await told_by_websocket(product, {"userId": "user-1"}, **headers)


@pytest.mark.parametrize("command", PARTS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"JWT_SECRET": ""},
        {"JWT_SECRET": "secret"},
        {"JWT_SECRET": "changeme"},
        {"JWT_SECRET": "x" * 31},
        {"JWT_SECRET": SECRET.decode(), "CORS_ORIGIN": "https://a.example,*"},
    ],
    ids=["none", "empty", "secret", "changeme", "short", "wildcard"],
)
def test_production_does_not_start_without_a_safe_way_to_know_callers(
    product: Product, tmp_path: Path, command: str, settings: dict[str, str]
) -> None:
    environment = product.environment | {"API_PORT": "0", "SOCKET_PORT": "0"}
    environment.pop("JWT_SECRET")
    started = subprocess.run(
        [sys.executable, "-m", "careerlens", command],
        cwd=tmp_path,
        env=environment | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert started.returncode != 0
    assert ("CORS_ORIGIN" if "CORS_ORIGIN" in settings else "JWT_SECRET") in started.stderr
    assert "Traceback" not in started.stderr + started.stdout
    assert SECRET.decode() not in started.stderr + started.stdout
