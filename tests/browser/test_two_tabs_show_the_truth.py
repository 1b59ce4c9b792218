"""Two tabs through sleep, lost networks, wrong clocks and dead gateways: one truth per job.

`WHOLE=1` goes through two hundred troubles, as `make soak` does.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from dictated_jobs import Script
from figures import show, sized
from job_requests import status
from job_tabs import USER, Tab, Tabs, assert_each_once
from stack import Product
from support import eventually
from tokens import token

CYCLES = sized(10, 200)
SHOWN = {"completed": "Done", "failed": "It broke.", "cancelled": "Cancelled"}
DAY_MS = 86_400_000
PREPARED = """
// Gives a debugger that wants to stop the page a moment to do so.
setInterval(() => undefined, 20);
(() => {
  const RealDate = Date;
  window.skew = Number(sessionStorage.getItem('skew'));
  window.Date = class extends RealDate {
    constructor(...parts) {
      super(...(parts.length > 0 ? parts : [RealDate.now() + window.skew]));
    }
    static now() { return RealDate.now() + window.skew; }
  };
})();
"""


class Pair:
    """Both tabs, the API that knows the truth, and what can befall them."""

    def __init__(self, tabs: list[Tab], context: BrowserContext, product: Product) -> None:
        self.tabs = tabs
        self._context = context
        self._product = product
        self._chance = random.Random(13)
        self._skews = itertools.cycle([-DAY_MS, DAY_MS])
        self.client = product.client(USER)
        self.client.headers["authorization"] = f"Bearer {token(USER)}"

    def troubles(self, count: int) -> list[str]:
        """So many troubles, each kind as often as the others, in any order."""
        kinds = ["one sleeps", "both sleep", "frozen", "offline", "clock", "reload", "gateway"]
        found = (kinds * (count // len(kinds) + 1))[:count]
        self._chance.shuffle(found)
        return found

    @asynccontextmanager
    async def trouble(self, kind: str) -> AsyncIterator[None]:
        """Something is wrong inside the block."""
        victim, other = self._chance.sample(self.tabs, 2)
        match kind:
            case "one sleeps":
                async with _asleep(victim):
                    yield
            case "both sleep":
                async with _asleep(victim), _asleep(other):
                    yield
            case "frozen":
                await victim.page.evaluate("document.dispatchEvent(new Event('freeze'))")
                async with _asleep(victim):
                    yield
                await victim.page.evaluate("document.dispatchEvent(new Event('resume'))")
            case "offline":
                await self._context.set_offline(True)
                yield
                await self._context.set_offline(False)
            case "clock":
                await victim.page.evaluate(
                    "skew => { window.skew = skew; sessionStorage.setItem('skew', skew); }",
                    next(self._skews),
                )
                yield
            case "reload":
                await victim.page.reload()
                yield
            case "gateway":
                self._product.kill("socket")
                yield
                self._product.start("socket")
                await self._product.ready("socket")

    async def is_true(self, job_id: str, wanted: str) -> None:
        """Wait until the API says so of a job."""

        async def told() -> bool:
            return bool((await status(self.client, job_id))["status"] == wanted)

        await eventually(told, within=30)

    async def is_shown(self, job_id: str, wanted: str) -> None:
        """Wait until both tabs' cards say so of a job."""
        for tab in self.tabs:
            card = tab.card(job_id)
            await expect(card).to_have_attribute("data-status", wanted, timeout=45_000)
            await expect(card.get_by_text(SHOWN[wanted], exact=True)).to_be_visible()

    async def agreed(self, ends: dict[str, str]) -> int:
        """On how many jobs both tabs and the API agree, those that are no longer shown included."""
        agreed = 0
        for job_id, wanted in ends.items():
            await self.is_true(job_id, wanted)
            for tab in self.tabs:
                cards = await tab.card(job_id).all()
                shown = [await card.get_attribute("data-status") for card in cards]
                assert shown in ([wanted], []), (job_id, shown)
            agreed += 1
        return agreed


@asynccontextmanager
async def _asleep(tab: Tab) -> AsyncIterator[None]:
    """Inside the block, the page's scripts stand still, as in a computer that sleeps."""
    devtools = await tab.page.context.new_cdp_session(tab.page)
    stands = asyncio.Event()
    devtools.on("Debugger.paused", lambda _: stands.set())
    await devtools.send("Debugger.enable")
    await devtools.send("Debugger.pause")
    await asyncio.wait_for(stands.wait(), 15)
    yield
    await devtools.send("Debugger.resume")
    await devtools.detach()


@pytest.fixture
async def pair(
    open_tab: Tabs, context: BrowserContext, guarded_product: Product
) -> AsyncIterator[Pair]:
    """Two tabs that are live."""
    await context.add_init_script(PREPARED)
    pair = Pair([await open_tab(titles="ids") for _ in range(2)], context, guarded_product)
    yield pair
    await pair.client.aclose()


@pytest.mark.timeout(120 + 20 * CYCLES)
async def test_after_every_trouble_both_show_what_the_api_says(pair: Pair, tmp_path: Path) -> None:
    """A job begins, trouble comes, the job goes on and ends, the trouble passes: both know."""
    endings = ["completed", "failed", "cancelled"]
    ends: dict[str, str] = {}
    for cycle, kind in enumerate(pair.troubles(CYCLES)):
        wanted = endings[cycle % len(endings)]
        script = Script(tmp_path, f"cycle-{cycle}")
        job_id = await pair.tabs[cycle % 2].create(script.fields)
        ends[job_id] = wanted
        script.tell("progress", 20)
        async with pair.trouble(kind):
            script.tell("progress", 60)
            await _end(pair, script, job_id, wanted)
            await pair.is_true(job_id, wanted)
        await pair.is_shown(job_id, wanted)
    agreed = await pair.agreed(ends)
    show("J13", troubles=CYCLES, both_tabs_as_the_api=agreed)
    assert agreed == CYCLES
    for tab in pair.tabs:
        assert_each_once(await tab.heard())


async def _end(pair: Pair, script: Script, job_id: str, wanted: str) -> None:
    match wanted:
        case "completed":
            script.tell("end", "words")
        case "failed":
            script.tell("fail", SHOWN["failed"])
        case "cancelled":
            response = await pair.client.post(f"/api/jobs/{job_id}/cancel")
            assert response.is_success, response.text
