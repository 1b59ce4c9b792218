"""Whatever stands in a job's data, progress, error or result, the page shows it and runs none."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis
from playwright.async_api import Dialog, Page, Request, expect

from job_requests import reaches
from resumes import EXAMPLES
from stack import Product
from support import Valkey

QUEUE = "resume-optimization"
PAYLOADS = [
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "<svg/onload=window.pwned=1>",
    "\"><iframe srcdoc='<script>parent.pwned=1</script>'>",
    "javascript:window.pwned=1//",
    "<a href=javascript:window.pwned=1>click</a>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.pwned=1>",
    "{{constructor.constructor('window.pwned=1')()}}",
    "${window.pwned=1}",
    "' onmouseover='window.pwned=1",
    "</title></textarea></script><script>window.pwned=1</script>",
    "![x](javascript:window.pwned=1) [x](javascript:window.pwned=1)",
    "<base href=//evil.example/><link rel=stylesheet href=//evil.example/x.css>",
    "\u202e<object data=javascript:window.pwned=1>\u2028",
]
PLANTED = "script[src*=evil], img[src=x], iframe, object, base, math, form[action], [onmouseover]"


class Harm:
    """What a page did that it never should."""

    def __init__(self, page: Page, product: Product) -> None:
        self.found: list[str] = []
        self._page = page
        self._own = (product.url, product.socket_url, "data:", "blob:", "ws://localhost")
        page.on("dialog", self._dialog)
        page.on("request", self._request)
        page.on("console", lambda said: self._note_policy(said.text))

    async def is_none(self) -> None:
        """Fail when anything of the kind was seen, or has been planted in the page."""
        assert await self._page.evaluate("window.pwned") is None
        assert await self._page.locator(PLANTED).count() == 0
        assert await self._page.locator("a[href^='javascript:' i]").count() == 0
        assert self.found == []

    async def _dialog(self, dialog: Dialog) -> None:
        self.found.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith(self._own):
            self.found.append(f"request: {request.url}")

    def _note_policy(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.found.append(text)


@pytest.fixture
async def user(page: Page, product: Product) -> str:
    """Who the page says it is."""
    await page.goto(product.url)
    await expect(page.get_by_role("status", name="Connection: Live")).to_be_visible()
    found: str = await page.evaluate("localStorage.getItem('careerlens:console:user')")
    return found


async def hand_in(client: httpx.AsyncClient, role: str, name: str, content: bytes) -> str:
    answer = await client.post(
        "/api/jobs", data={"type": QUEUE, "targetRole": role}, files={"resume": (name, content)}
    )
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["jobId"]
    return job_id


def poisoned(value: Any, payloads: Iterator[str]) -> Any:
    """The result with every sentence in it followed by something hostile; words stay."""
    if isinstance(value, dict):
        return {name: poisoned(part, payloads) for name, part in value.items()}
    if isinstance(value, list):
        return [poisoned(part, payloads) for part in value]
    return f"{value} {next(payloads)}" if isinstance(value, str) and " " in value else value


async def test_a_hostile_report_is_shown_as_text(
    page: Page, product: Product, valkey: Valkey, user: str
) -> None:
    harm = Harm(page, product)
    text = (EXAMPLES / "resume-marketing-badly-formatted.txt").read_text()
    lines = text.splitlines() + [f"- Led {payload} and won" for payload in PAYLOADS[:8]]
    async with product.client(user) as client:
        job_id = await hand_in(
            client, f"Editor {PAYLOADS[1]}", f"{PAYLOADS[2]}.txt", "\n".join(lines).encode()
        )
        done = await reaches(client, job_id, "completed", within=60)
    with redis.Redis(port=valkey.port) as server:
        result = poisoned(done["result"], itertools.cycle(PAYLOADS))
        server.hset(f"bull:{QUEUE}:{job_id}", "returnvalue", json.dumps(result))
    await page.goto(product.url)
    entry = page.get_by_role("region", name="Your reports").get_by_role("link").first
    await expect(entry).to_be_visible()
    await harm.is_none()
    await entry.click()
    report = page.get_by_role("article", name="Report")
    await expect(report).to_be_visible()
    await expect(report).to_contain_text("window.pwned=1")
    for link in await report.get_by_role("link").all():
        await link.hover()
    await harm.is_none()


async def test_hostile_progress_and_a_hostile_error_are_shown_as_text(
    page: Page, product: Product, valkey: Valkey, user: str
) -> None:
    harm = Harm(page, product)
    product.freeze("worker")
    async with product.client(user) as client:
        job_id = await hand_in(client, PAYLOADS[0], f"{PAYLOADS[1]}.txt", b"A resume.\n" * 40)
        entry = page.get_by_role("region", name="Your reports").get_by_role("link").first
        await entry.click()
        with redis.Redis(port=valkey.port) as server:
            for percent, payload in enumerate(PAYLOADS, start=1):
                progress = json.dumps({"percent": percent, "message": payload, "step": payload})
                server.hset(f"bull:{QUEUE}:{job_id}", "progress", progress)
                server.xadd(
                    f"bull:{QUEUE}:events",
                    {"event": "progress", "jobId": job_id, "data": progress},
                )
            await expect(page.get_by_role("progressbar")).to_have_attribute(
                "aria-valuenow", str(len(PAYLOADS))
            )
            await harm.is_none()
            reason = " ".join(PAYLOADS)
            server.zrem(f"bull:{QUEUE}:prioritized", job_id)
            server.hset(
                f"bull:{QUEUE}:{job_id}",
                mapping={"failedReason": reason, "errorCode": PAYLOADS[0], "finishedOn": "1"},
            )
            server.zadd(f"bull:{QUEUE}:failed", {job_id: 1})
            server.xadd(
                f"bull:{QUEUE}:events",
                {"event": "failed", "jobId": job_id, "failedReason": reason, "prev": "active"},
            )
    outcome = page.get_by_role("status", name="Outcome")
    await expect(outcome).to_contain_text("window.pwned=1")
    await harm.is_none()


async def test_a_hostile_address_is_no_way_in(page: Page, product: Product, user: str) -> None:
    harm = Harm(page, product)
    for payload in PAYLOADS:
        for address in (f"/#{payload}", f"/#/jobs/{payload}", f"/?q={payload}#/jobs/%3Cscript%3E"):
            await page.goto(product.url + address)
            await expect(page.locator("#root")).not_to_be_empty()
            await harm.is_none()


async def test_the_policy_stops_what_would_get_through(page: Page, product: Product) -> None:
    """Should markup ever reach the page, it could still run nothing and call nobody."""
    await page.goto(product.url)
    blocked = await page.evaluate(
        """async () => {
            const broken = [];
            const note = event => broken.push(event.effectiveDirective);
            document.addEventListener('securitypolicyviolation', note);
            const host = document.createElement('div');
            document.body.append(host);
            host.innerHTML = '<img src="data:," onerror="window.pwned=1">';
            const script = document.createElement('script');
            script.textContent = 'window.pwned=1';
            document.body.append(script);
            await fetch('http://127.0.0.1:9/x').catch(() => undefined);
            await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            return broken;
        }"""
    )
    assert await page.evaluate("window.pwned") is None
    assert {"script-src-elem", "script-src-attr", "connect-src"} <= set(blocked), blocked
