"""Nothing that users entrust to the product, and no secret of its own, is in any process's log."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote

import aiohttp
import httpx
import pytest
import redis

from job_requests import reaches
from stack import Product
from support import Valkey, eventually
from tokens import SECRET, token

PARTS = ["api", "socket", "worker"]
CANARIES = {
    "name": "Cornelia Canarybird",
    "mail": "cornelia.canary@example.org",
    "phone": "+44 20 7946 0958",
    "text": "canarytextquokka",
    "file": "canaryfilewombat",
    "role": "Canaryrole Keeper",
    "key": "canary-idempotency-key",
    "query": "canaryqueryparameter",
    "bearer": "canarybearer.notatoken",
    "password": "canaryredispassword",
}
RESUME = (
    f"{CANARIES['name']}\n{CANARIES['mail']}\n{CANARIES['phone']}\n\nExperience\n"
    f"Engineer, {CANARIES['text']} Ltd, 2019 - 2023\n- Led a team of 5 and cut costs by 20%\n"
) + "- Built and shipped things in Python and Go\n" * 10
PDF_BOMB = b"%PDF-1.7\n" + CANARIES["file"].encode() + b"\n" + b"<<" * 2000
CONTROL = "\x1b[31mred\x1b[0m"


@pytest.fixture
async def product(tmp_path: Path, valkey_factory: Callable[..., Valkey]) -> AsyncIterator[Product]:
    """The product in production with a password on its Redis, saying all that it can."""
    valkey = valkey_factory()
    with redis.Redis(port=valkey.port) as server:
        server.config_set("requirepass", CANARIES["password"])
    product = Product(
        tmp_path,
        valkey.url.replace("//", f"//:{CANARIES['password']}@"),
        CAREERLENS_ENV="production",
        JWT_SECRET=SECRET.decode(),
        LOG_LEVEL="debug",
        API_HOST="127.0.0.1",
        SOCKET_HOST="127.0.0.1",
    )
    async with product.running(*PARTS):
        yield product


async def test_no_log_holds_what_was_entrusted(product: Product) -> None:
    good = token("user-1")
    headers = {"authorization": f"Bearer {good}"}
    async with httpx.AsyncClient(
        base_url=product.url, headers=headers, timeout=20, trust_env=False
    ) as http:
        form = {"type": "resume-optimization", "targetRole": CANARIES["role"]}
        body = form | {"resumeText": RESUME}
        made = await http.post("/api/jobs", json=body, headers={"idempotency-key": CANARIES["key"]})
        assert made.status_code == 202, made.text
        await reaches(http, made.json()["jobId"], "completed", within=60)
        # What fails is logged with more words than what goes well.
        name = f"{CANARIES['name']}.pdf"
        bad = await http.post("/api/jobs", data=form, files={"resume": (name, PDF_BOMB)})
        assert bad.status_code == 202, bad.text
        await reaches(http, bad.json()["jobId"], "failed", within=90)
        await http.post("/api/jobs", json=body | {CANARIES["text"]: CANARIES["name"]})
        await http.post("/api/jobs", content=json.dumps(body)[:-3].encode())
        await http.post("/api/jobs", json=body | {"resumeText": RESUME * 10_000})
        await http.get("/api/jobs", params={"token": good, "q": CANARIES["query"]})
        await http.get("/api/jobs", headers={"authorization": f"Bearer {CANARIES['bearer']}"})
        await http.get(f"/api/jobs/{quote(CONTROL + chr(10), safe='')}/status")
        await http.get("/nothing%0d%0a%22%7d%0a%7b%22severity%22:%22FORGED%22%7d")
        await http.get("/api/jobs", headers={"x-request-id": 'x"}\t{"severity":"FORGED"'})
    async with aiohttp.ClientSession() as session:
        url = f"{product.socket_url}/socket.io/?EIO=4&transport=websocket&token={good}"
        for said in (
            {"token": good},
            {"token": CANARIES["bearer"], "userId": CANARIES["name"]},
            {"token": good, "lastEventId": CANARIES["text"]},
        ):
            async with session.ws_connect(url) as socket:
                await socket.send_str("40" + json.dumps(said))
                await socket.send_str(f'421["subscribe:job",{json.dumps(CANARIES["text"])}]')
                await socket.send_str(f"4{CANARIES['text']}")
                async for _ in socket:
                    pass
    await eventually(lambda: "protocol_error" in product.log("socket"))
    product.stop()
    for part in PARTS:
        log = product.log(part)
        assert log.strip(), f"{part} has logged nothing: the test proves nothing"
        for kind, canary in CANARIES.items():
            assert canary not in log, (part, kind)
            assert quote(canary) not in log, (part, kind)
        assert good not in log
        assert good.rpartition(".")[2] not in log, "not even a token's signature"
        assert SECRET.decode() not in log
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", log), part
        for line in log.splitlines():
            entry = json.loads(line)
            assert entry["severity"] in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}, line
            assert "Traceback" not in line, line
