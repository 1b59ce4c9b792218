"""Tabs of a browser with a page of the React package in them (`jobs-react/test/page`)."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import BrowserContext, Locator, Page, Route, WebSocket, expect

from stack import Product
from support import eventually
from tokens import token

WEB = Path(__file__).parents[1] / "web"
USER = "user-123"
JOB = {"type": "resume-optimization", "targetRole": "Nurse", "resumeText": "A nurse.\n" * 20}
_PAGE = "packages/jobs-react/test/page"
_BUILT_AT = "/jobs-page/"


def build_page(folder: Path, react: str) -> None:
    """Build the page for React `18` or `19`, as an application would build it."""
    command = ["npx", "vite", "build", _PAGE, "--outDir", str(folder), "--logLevel", "error"]
    command += ["--mode", f"react-{react}"]
    subprocess.run(command, cwd=WEB, check=True, timeout=120, capture_output=True)


class Tab:
    """A tab with the page in it, and the sockets that it has opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sockets: list[WebSocket] = []
        self.sent: list[str] = []
        self.received: list[str] = []
        page.on("websocket", self._listen)

    @property
    def open_sockets(self) -> int:
        return sum(not socket.is_closed() for socket in self.sockets)

    @property
    def text(self) -> Locator:
        """Where the page shows the text that it has been told to watch."""
        return self.page.get_by_label("Text")

    def card(self, job_id: str) -> Locator:
        """A job's card, on a page that was opened with `titles="ids"`."""
        return self.page.get_by_role("listitem", name=job_id, exact=True)

    async def goes_live(self) -> None:
        await expect(self.page.get_by_label("Connection of second")).to_have_text("live")

    async def create(self, fields: dict[str, Any] = JOB) -> str:
        """Create a job from within the page."""
        job_id: str = await self.page.evaluate("job => window.jobs.createJob(job)", fields)
        return job_id

    async def cancel(self, job_id: str) -> None:
        """Ask from within the page for the job to be cancelled."""
        await self.page.evaluate("id => window.jobs.cancelJob(id)", job_id)

    async def watch(self, job_id: str) -> None:
        """Show the text of a job from now on, also after a reload."""
        await self.page.evaluate("id => window.jobs.watch(id)", job_id)

    async def heard(self, listener: str = "second") -> list[str]:
        """What one of the components was told, in order, since the page was loaded."""
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
        socket.on("framereceived", lambda frame: self.received.append(str(frame)))


class Tabs:
    """Opens the page, served as if by the product, in tabs of one browser profile."""

    def __init__(self, context: BrowserContext, product: Product, built: Path) -> None:
        self._context = context
        self._product = product
        self._built = built

    async def __call__(self, *, lives: float = 3600, **query: str) -> Tab:
        """A new tab that has gone live, with a token that `lives` so many seconds."""
        await self._context.route(f"**{_BUILT_AT}**", self._serve)
        tab = Tab(await self._context.new_page())
        told = urlencode({"user": USER, "token": token(USER, lives=lives), **query})
        await tab.page.goto(f"{self._product.url}{_BUILT_AT}?{told}")
        await tab.goes_live()
        return tab

    async def _serve(self, route: Route) -> None:
        path = route.request.url.split(_BUILT_AT)[1].partition("?")[0] or "index.html"
        await route.fulfill(path=self._built / path)


def assert_each_once(heard: list[str]) -> None:
    """Nothing came twice, and each job's progress came in order."""
    assert [line for line, times in Counter(heard).items() if times > 1] == []
    percents: dict[str, list[float]] = {}
    for line in heard:
        kind, job_id, *rest = line.split(" ")
        if kind == "progress":
            percents.setdefault(job_id, []).append(float(rest[0]))
    assert all(steps == sorted(steps) for steps in percents.values()), percents
