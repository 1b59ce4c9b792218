"""`careerlens optimize` and `submit` against a running product: by the whole path, and honestly."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from careerlens.cli.exits import Exit
from job_requests import status
from stack import Product
from support import Valkey, eventually

EXAMPLE = Path(__file__).parents[2] / "src" / "careerlens" / "cli" / "example-resume.txt"
SLOW_JOB = """
import asyncio
from careerlens.foundation.errors import UnrecoverableError
from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import job
from careerlens.jobs.model import WireModel

class Nap(WireModel):
    seconds: float

@job("nap")
async def nap(ctx: JobContext, data: Nap) -> dict[str, str]:
    await ctx.progress(50, "Sleeping")
    await asyncio.sleep(data.seconds)
    return {"slept": "well"}

@job("doomed")
async def doomed(ctx: JobContext, data: Nap) -> dict[str, str]:
    raise UnrecoverableError("It was not to be.", code="doomed")
"""


@dataclass
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product with a slow job type and a doomed one beside the real one."""
    folder = tmp_path_factory.mktemp("product")
    (folder / "naps.py").write_text(SLOW_JOB)
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    product = Product(folder, server.url, CAREERLENS_JOBS="naps", PYTHONPATH=str(folder))
    try:
        product.start("api", "socket", "worker")
        asyncio.run(product.ready("api", "socket"))
        yield product
    finally:
        product.stop()
        server.kill()


async def start(product: Product, *arguments: str) -> asyncio.subprocess.Process:
    """Start a command beside the product."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "careerlens", *arguments),
        cwd=product.folder,
        env=product.environment | {"COLUMNS": "100"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(product: Product, *arguments: str) -> Said:
    """Run a command beside the product to its end."""
    process = await start(product, *arguments)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), " ".join(err.decode().split()))


async def test_optimize_prints_the_report_and_shows_each_step(product: Product) -> None:
    said = await run(product, "optimize", str(EXAMPLE), "--role", "Full Stack Developer")
    assert said.code == Exit.DONE, said.err
    assert "Résumé report for Full Stack Developer" in said.out
    assert len(re.findall(r"\d+% ", said.err)) >= 5
    assert "No live updates" not in said.err


async def test_optimize_as_json_prints_nothing_but_the_result(product: Product) -> None:
    said = await run(product, "optimize", str(EXAMPLE), "-r", "Nurse", "--json", "--quiet")
    assert said.code == Exit.DONE
    assert said.err == ""
    assert {"atsScore", "quickWins", "engine"} <= set(json.loads(said.out))


async def test_without_a_gateway_it_asks_instead(product: Product) -> None:
    product.kill("socket")
    said = await run(product, "optimize", str(EXAMPLE), "--role", "Nurse", "--json")
    assert said.code == Exit.DONE, said.err
    assert "No live updates" in said.err
    assert "atsScore" in json.loads(said.out)
    product.start("socket")
    await product.ready("socket")


async def test_ctrl_c_cancels_the_job(product: Product) -> None:
    process = await start(product, "submit", "nap", "--field", "seconds=600", "--wait", "-u", "a")
    async with product.client("a") as client:

        async def running() -> str:
            jobs = (await client.get("/api/jobs")).json()["jobs"]
            return str(jobs[0]["jobId"]) if jobs and jobs[0]["status"] == "processing" else ""

        job_id = await eventually(running, within=30)
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == Exit.INTERRUPTED
        assert (await status(client, job_id))["status"] == "cancelled"


async def test_submit_prints_the_id_and_leaves(product: Product) -> None:
    said = await run(product, "submit", "nap", "--data", '{"seconds": 0}', "--user", "b c")
    assert said.code == Exit.DONE, said.err
    job_id = said.out.strip()
    assert re.fullmatch(r"b%20c:nap:\d+:[\w-]+", job_id)
    async with product.client("b c") as client:
        assert (await status(client, job_id))["type"] == "nap"


async def test_submit_and_wait_prints_the_result(product: Product) -> None:
    said = await run(product, "submit", "nap", "-f", "seconds=0.1", "--wait", "--json")
    assert said.code == Exit.DONE, said.err
    assert json.loads(said.out) == {"slept": "well"}


async def test_a_failed_job_is_told_in_its_own_words(product: Product) -> None:
    said = await run(product, "submit", "doomed", "--field", "seconds=1", "--wait")
    assert said.code == Exit.FAILED
    assert "error: It was not to be." in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("submit", "no-such-type"), "resume-optimization"),
        (("submit", "nap"), "seconds"),
        (("submit", "nap", "-f", "seconds=1", "-f", "bogus=1"), "bogus"),
        (("submit", "nap", "-f", "seconds=1", "--token", "x", "--user", ""), "--token"),
    ],
)
async def test_what_the_api_refuses_is_told_with_the_field(
    product: Product, arguments: tuple[str, ...], expected: str
) -> None:
    said = await run(product, *arguments)
    assert said.code == Exit.USAGE
    assert said.err.startswith("error: ")
    assert expected in said.err
    assert "Traceback" not in said.err


async def test_another_program_on_the_port_is_told_apart(product: Product) -> None:
    """Here: the gateway, which is no API."""
    said = await run(product, "submit", "nap", "-f", "seconds=1", "--api-url", product.socket_url)
    assert said.code in {Exit.UNAVAILABLE, Exit.USAGE}
    assert said.err.startswith("error: ")
    assert os.linesep not in said.out
