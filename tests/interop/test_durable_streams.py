"""What a job writes is read as the public conformance suite of Durable Streams wants it.

The suite is one for servers that also take writes, of any type. What it says of reading texts
applies here, and is made possible by `stream_producer`; the rest of it does not: writing,
deleting, forking and expiry at a client's will, JSON and binary streams.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from pathlib import Path

from apis import running_api
from careerlens.realtime.relay import Relay
from careerlens.realtime.texts import Texts
from stream_producer import running_producer
from text_jobs import REGISTRY

HERE = Path(__file__).parent
GROUPS = (
    "Read Operations",
    "Long-Poll Operations",
    "HTTP Protocol should (return correct headers on GET|return empty body|read from offset)",
    "Browser Security Headers .*(GET|HEAD|SSE|long-poll|error)",
    "HEAD Metadata should",
    "Offset Validation and Resumability",
    "Protocol Edge Cases should (handle PUT|preserve|generate|reject .*offset|ignore)",
    "Long-Poll Edge Cases",
    "Caching and ETag",
    "Read-Your-Writes Consistency",
    "SSE Mode",
    "Property-Based Tests .* Offset Validation Properties",
    "Stream Closure (HEAD with|Read Closed|Long-poll with|SSE with|.* offset-now)",
)
OTHER_TYPES = "JSON|json|base64|binary"
PATTERN = f"^(?!.*({OTHER_TYPES}))({'|'.join(GROUPS)})"
TESTS = 84
SECONDS = 120


async def test_reading_passes_the_conformance_suite(redis_url: str, tmp_path: Path) -> None:
    relaying = asyncio.create_task(Relay(redis_url, REGISTRY).run())
    home, report = tmp_path / "home", tmp_path / "report.json"
    # One of the suite's tests asks from this page.
    settings = {"cors_origins": "https://example.com"}
    async with running_api(redis_url, home, registry=REGISTRY, **settings) as api:
        services = api.app.state.services
        async with Texts(redis_url, services.feed, services.manager, look_again_s=1) as texts:
            api.app.state.services = dataclasses.replace(services, texts=texts)
            async with running_producer(api) as url:
                output = await run_suite(url, report)
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)
    (file,) = json.loads(report.read_text())["testResults"]
    ran = [test for test in file["assertionResults"] if test["status"] in ("passed", "failed")]
    assert [test["fullName"] for test in ran if test["status"] == "failed"] == [], output
    assert len(ran) == TESTS


async def run_suite(url: str, report: Path) -> str:
    """Run what applies of the suite against `url`; what it said."""
    suite = await asyncio.create_subprocess_exec(
        "node",
        "node_modules/vitest/vitest.mjs",
        "run",
        "durable_streams.test.mjs",
        f"--testNamePattern={PATTERN}",
        f"--testTimeout={SECONDS * 1000}",
        "--reporter=json",
        f"--outputFile={report}",
        cwd=HERE,
        env={**os.environ, "STREAMS_URL": url, "CI": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await suite.communicate()
    finally:
        if suite.returncode is None:
            suite.kill()
            await suite.wait()
    return output.decode()
