"""The job types that the documentation shows run as it says, from files in the current folder."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from stack import Product
from support import eventually

PAGE = Path(__file__).parents[2] / "docs/how-to/define-a-job-type.md"
COMMAND = Path(sys.executable).with_name("careerlens")


@pytest.fixture
async def product(redis_url: str, tmp_path: Path) -> AsyncIterator[Product]:
    """API and worker in a folder that holds the documented files."""
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S):
        name = re.match(r"# (\w+\.py)\n", block)
        if name is not None:
            (tmp_path / name[1]).write_text(block, "utf-8")
    product = Product(tmp_path, redis_url, CAREERLENS_JOBS="letters,primes")
    async with product.running("api", "worker"):
        yield product


async def careerlens(product: Product, *arguments: str) -> str:
    """What the installed command prints on stdout, called in that folder."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        cwd=product.folder,
        env=product.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_both_kinds_of_handler_give_their_results(product: Product) -> None:
    (submit,) = re.findall(r"^careerlens (submit .+)$", PAGE.read_text("utf-8"), re.M)
    letter = await careerlens(product, *submit.split())
    assert "Dear Acme, I would like to work for you as Designer." in letter
    primes = await careerlens(product, "submit", "primes", "-f", "upTo=12", "--wait", "--json")
    assert json.loads(primes) == {"primes": [2, 3, 5, 7, 11]}


async def test_input_that_does_not_fit_names_the_field(product: Product) -> None:
    async with product.client("anna") as client:
        response = await client.post("/api/jobs", json={"type": "primes", "upTo": "many"})
        assert response.status_code == 422
        assert [problem["field"] for problem in response.json()["errors"]] == ["upTo"]


async def test_job_that_redis_has_forgotten_is_still_told_and_listed(
    product: Product, redis_url: str
) -> None:
    """The archive answers for it; to anybody else, there is no such job."""
    async with product.client("anna") as anna, product.client("bert") as bert:
        created = await anna.post("/api/jobs", json={"type": "primes", "upTo": 12})
        path = created.json()["statusUrl"]

        async def is_archived() -> bool:
            jobs = (await anna.get("/api/jobs/history")).json()["jobs"]
            return [job["status"] for job in jobs] == ["completed"]

        await eventually(is_archived, within=30)
        before = (await anna.get(path)).json()
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        assert (await anna.get(path)).json() == before
        assert before["result"] == {"primes": [2, 3, 5, 7, 11]}
        assert (await bert.get(path)).status_code == 404
        assert (await bert.get("/api/jobs/history")).json() == {"jobs": [], "nextCursor": None}
