"""The React package in real tabs: shared, offline, mounted twice, crowded, renewed, accessible."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import BrowserContext, Page, Route, WebSocket, expect

from stack import Product
from support import Valkey, eventually
from tokens import SECRET, token

WEB = Path(__file__).parents[2] / "web"
PAGE = "packages/jobs-react/test/page"
BUILT_AT = "/jobs-page/"
USER = "user-123"
JOB = {"type": "resume-optimization", "targetRole": "Nurse", "resumeText": "A nurse.\n" * 20}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, built as an application would build it."""
    folder = tmp_path_factory.mktemp("jobs-page")
    command = ["npx", "vite", "build", PAGE, "--outDir", str(folder), "--logLevel", "error"]
    subprocess.run(command, cwd=WEB, check=True, timeout=120, capture_output=True)
    return folder


@pytest.fixture
async def product(tmp_path: Path, valkey: Valkey) -> AsyncIterator[Product]:
    """The product, asking for tokens."""
    product = Product(tmp_path, valkey.url, JWT_SECRET=SECRET.decode())
    try:
        product.start("api", "socket", "worker")
        await product.ready("api", "socket")
        yield product
    finally:
        product.stop()


class Tab:
    """A tab with the page in it, and the sockets that it has opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sockets: list[WebSocket] = []
        self.sent: list[str] = []
        page.on("websocket", self._listen)

    @property
    def open_sockets(self) -> int:
        return sum(not socket.is_closed() for socket in self.sockets)

    async def goes_live(self) -> None:
        await expect(self.page.get_by_label("Connection of second")).to_have_text("live")

    async def create(self) -> str:
        """Create a job from within the page."""
        job_id: str = await self.page.evaluate("job => window.jobs.createJob(job)", JOB)
        return job_id

    async def heard(self, listener: str = "second") -> list[str]:
        """What one of the components was told, in order."""
        heard: list[str] = await self.page.evaluate("window.jobs.heard")
        return [line.partition(" ")[2] for line in heard if line.startswith(f"{listener} ")]

    async def hears_the_end(self, *job_ids: str, within: float = 30) -> None:
        async def ended() -> bool:
            heard = set(await self.heard())
            return all(f"complete {job_id}" in heard for job_id in job_ids)

        await eventually(ended, within=within)

    def _listen(self, socket: WebSocket) -> None:
        self.sockets.append(socket)
        socket.on("framesent", lambda frame: self.sent.append(str(frame)))


@pytest.fixture
def open_tab(context: BrowserContext, product: Product, built: Path) -> Callable[..., Any]:
    """Open the page in a new tab of the same browser profile, and wait until it is live."""

    async def serve(route: Route) -> None:
        path = route.request.url.split(BUILT_AT)[1].partition("?")[0] or "index.html"
        await route.fulfill(path=built / path)

    async def open_tab(*, lives: float = 3600) -> Tab:
        await context.route(f"**{BUILT_AT}**", serve)
        tab = Tab(await context.new_page())
        query = urlencode({"user": USER, "token": token(USER, lives=lives)})
        await tab.page.goto(f"{product.url}{BUILT_AT}?{query}")
        await tab.goes_live()
        return tab

    return open_tab


def assert_each_once(heard: list[str]) -> None:
    """Nothing came twice, and each job's progress came in order."""
    assert [line for line, times in Counter(heard).items() if times > 1] == []
    percents: dict[str, list[float]] = {}
    for line in heard:
        kind, job_id, *rest = line.split(" ")
        if kind == "progress":
            percents.setdefault(job_id, []).append(float(rest[0]))
    assert all(steps == sorted(steps) for steps in percents.values()), percents


async def test_tabs_share_one_socket_through_closing_and_standstill(
    open_tab: Callable[..., Any],
) -> None:
    """The second tab follows the first, takes over when it closes, and loses it when halted."""
    first, second = await open_tab(), await open_tab()
    assert first.open_sockets + second.open_sockets == 1
    job_id = await second.create()
    for tab in (first, second):
        await tab.hears_the_end(job_id)
    assert await first.heard() == await second.heard()

    await first.page.close()
    await eventually(lambda: second.open_sockets == 1)
    third = await open_tab()
    assert second.open_sockets + third.open_sockets == 1

    devtools = await second.page.context.new_cdp_session(second.page)
    await devtools.send("Debugger.enable")
    await devtools.send("Debugger.pause")
    await eventually(lambda: third.open_sockets == 1, within=30)
    unseen = await third.create()
    await third.hears_the_end(unseen)
    await devtools.send("Debugger.resume")
    await second.hears_the_end(unseen)
    for tab in (second, third):
        assert_each_once(await tab.heard())
    await eventually(lambda: second.open_sockets + third.open_sockets == 1)


async def test_offline_it_keeps_still_and_back_online_it_misses_nothing(
    open_tab: Callable[..., Any], product: Product, context: BrowserContext
) -> None:
    tab = await open_tab()
    product.freeze("worker")
    job_id = await tab.create()
    await context.set_offline(True)
    product.kill("socket")
    await expect(tab.page.get_by_label("Connection of second")).to_have_text("offline")
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    sockets = len(tab.sockets)
    product.start("socket")
    product.thaw("worker")
    await product.ready("socket")
    async with product.client(USER) as client:
        client.headers["authorization"] = f"Bearer {token(USER)}"

        async def is_done() -> bool:
            response = await client.get(f"/api/jobs/{job_id}/status")
            return bool(response.json().get("status") == "completed")

        await eventually(is_done, within=30)
    assert asked == []
    assert len(tab.sockets) == sockets

    await context.set_offline(False)
    await tab.hears_the_end(job_id)
    await tab.goes_live()
    assert_each_once(await tab.heard())


async def test_fifty_jobs_at_once_in_strict_mode_while_a_component_comes_and_goes(
    open_tab: Callable[..., Any],
) -> None:
    """One socket, and every listener that stays hears every job's end exactly once."""
    tab = await open_tab()
    creating = """job => {
        const all = Promise.all(Array.from({ length: 50 }, () => window.jobs.createJob(job)));
        window.jobs.show(false);
        return all;
    }"""
    job_ids: list[str] = await tab.page.evaluate(creating, JOB)
    await tab.page.evaluate("window.jobs.show(true)")
    await expect(tab.page.get_by_label("Connection of first")).to_have_text("live")
    await tab.hears_the_end(*job_ids, within=60)
    assert len(set(job_ids)) == 50
    heard = await tab.heard()
    assert sorted(line for line in heard if line.startswith("complete")) == sorted(
        f"complete {job_id}" for job_id in job_ids
    )
    assert_each_once(heard)
    assert_each_once(await tab.heard("first"))
    assert len(tab.sockets) == 1


async def test_a_token_is_renewed_on_the_open_socket(open_tab: Callable[..., Any]) -> None:
    """A token with less than a minute left is replaced as soon as there is another."""
    tab = await open_tab(lives=40)
    fresh = token(USER, lives=7200)
    await tab.page.evaluate("fresh => { window.jobs.token = fresh }", fresh)
    await eventually(lambda: any("auth:renew" in frame for frame in tab.sent), within=20)
    assert any(fresh in frame for frame in tab.sent)
    job_id = await tab.create()
    await tab.hears_the_end(job_id)
    assert len(tab.sockets) == 1


async def test_axe_finds_nothing_serious_in_light_and_in_dark(
    open_tab: Callable[..., Any], product: Product
) -> None:
    """Of a finished job, one that waits, and the buttons of both."""
    tab = await open_tab()
    await tab.hears_the_end(await tab.create())
    product.freeze("worker")
    await tab.create()
    await expect(tab.page.get_by_role("listitem")).to_have_count(2)
    await tab.page.add_script_tag(path=WEB / "node_modules/axe-core/axe.min.js")
    for scheme in ("light", "dark"):
        await tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = await tab.page.evaluate("async () => (await axe.run()).violations")
        serious = [v["help"] for v in found if v["impact"] in {"serious", "critical"}]
        assert serious == [], scheme
