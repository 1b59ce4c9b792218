"""What a person sees of a job: its steps, through reloads and outages, to the report or the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.async_api import Page, WebSocket, expect

from job_requests import create_resume_job, reaches
from resumes import EXAMPLES
from stack import Product
from support import eventually

ROLE = "Full Stack Developer"
RESUME = EXAMPLES / "resume-fullstack-developer.pdf"


class SocketNews:
    """Every `job:update` that reached the page over its socket, as it arrives."""

    def __init__(self, page: Page) -> None:
        self.updates: list[dict[str, Any]] = []
        self.on_progress: Callable[[], None] | None = None
        page.on("websocket", self._listen)

    @property
    def steps(self) -> set[str]:
        """Names of the progress steps seen."""
        return {
            update["progress"]["step"]
            for update in self.updates
            if update["event"] == "progress" and update["progress"]
        }

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._read)

    def _read(self, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode()
        if not text.startswith('42["job:update",'):
            return
        update = json.loads(text[2:])[1]
        self.updates.append(update)
        if update["event"] == "progress" and self.on_progress is not None:
            act, self.on_progress = self.on_progress, None
            act()


async def hand_in(page: Page, product: Product) -> None:
    """Open the page, choose the example résumé and a role, and press the button."""
    await page.goto(product.url)
    await expect(page.get_by_role("status", name="Connection: Live")).to_be_visible()
    await page.get_by_label("Choose a résumé file").set_input_files(RESUME)
    await page.get_by_role("combobox", name="Target role").fill(ROLE)
    await page.get_by_role("button", name="Optimise").click()


async def test_steps_arrive_over_the_socket_and_end_in_the_report(
    page: Page, product: Product
) -> None:
    """At least four different steps are pushed to the page, and the report quotes the résumé."""
    news = SocketNews(page)
    await hand_in(page, product)
    report = page.get_by_role("article", name="Report")
    await expect(report).to_be_visible()
    await expect(report.get_by_role("heading", name="Findings")).to_be_visible()
    assert len(news.steps) >= 4, news.steps
    ids = [update["id"] for update in news.updates]
    assert len(ids) == len(set(ids)), "an entry came twice"
    assert news.updates[-1]["event"] == "completed"

    await page.goto(product.url)
    past = page.get_by_role("region", name="Your reports").get_by_role("link").first
    await past.click()
    await expect(page.get_by_role("article", name="Report")).to_be_visible()


async def test_a_reload_half_way_carries_on_where_the_job_stands(
    page: Page, product: Product
) -> None:
    """The worker is stopped in the middle, so that half-way lasts until the page is back."""
    news = SocketNews(page)
    news.on_progress = lambda: product.freeze("worker")
    await hand_in(page, product)
    await eventually(lambda: news.updates and news.on_progress is None)
    await page.reload()
    progress = page.get_by_role("progressbar", name="Progress of your report")
    await expect(progress).to_be_visible()
    await expect(page.get_by_role("article", name="Report")).to_have_count(0)
    product.thaw("worker")
    await expect(page.get_by_role("article", name="Report")).to_be_visible()
    assert news.updates[-1]["event"] == "completed"


async def test_polling_takes_over_from_a_dead_gateway_and_the_socket_comes_back(
    page: Page, product: Product
) -> None:
    """One job ends while the gateway is dead, another after it has come back."""
    news = SocketNews(page)
    news.on_progress = lambda: product.freeze("worker")
    await hand_in(page, product)
    await eventually(lambda: news.updates and news.on_progress is None)

    product.kill("socket")
    badge = page.get_by_role("status", name="Connection: Checking every few seconds")
    await expect(badge).to_be_visible()
    pushed = len(news.updates)
    product.thaw("worker")
    await expect(page.get_by_role("article", name="Report")).to_be_visible(timeout=30_000)
    assert len(news.updates) == pushed, "the end came over a socket although the gateway is dead"

    product.start("socket")
    await expect(page.get_by_role("status", name="Connection: Live")).to_be_visible(timeout=30_000)
    await hand_in(page, product)
    await expect(page.get_by_role("article", name="Report")).to_be_visible()
    await eventually(lambda: news.updates[-1]["event"] == "completed")


async def test_cancelling_a_waiting_job_and_a_running_one(page: Page, product: Product) -> None:
    """Either way the page says that it is over, and the job is cancelled for good."""
    product.freeze("worker")
    await hand_in(page, product)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("heading", name="Stopped, as you asked")).to_be_visible()
    product.thaw("worker")

    news = SocketNews(page)
    await page.goto("about:blank")
    news.on_progress = lambda: product.freeze("worker")
    await hand_in(page, product)
    await eventually(lambda: news.updates and news.on_progress is None)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("button", name="Stopping…")).to_be_visible()
    product.thaw("worker")
    await expect(page.get_by_role("heading", name="Stopped, as you asked")).to_be_visible()
    assert news.updates[-1]["event"] == "cancelled"


async def test_a_worker_killed_in_mid_job_is_replaced_and_the_page_sees_the_end(
    page: Page, product: Product
) -> None:
    """Another worker takes the job over once the dead one's lock has run out."""
    news = SocketNews(page)
    news.on_progress = lambda: product.kill("worker")
    await hand_in(page, product)
    await eventually(lambda: news.updates and news.on_progress is None)
    product.start("worker-2")
    await expect(page.get_by_role("article", name="Report")).to_be_visible(timeout=35_000)


async def test_nobody_sees_another_persons_report(page: Page, product: Product) -> None:
    """The address of a foreign report says the same as one that never was."""
    async with product.client("somebody-else") as client:
        job_id = await create_resume_job(client)
        await reaches(client, job_id, "completed")
    await page.goto(product.url)
    await page.evaluate("id => { location.hash = '#/jobs/' + encodeURIComponent(id) }", job_id)
    await expect(page.get_by_role("heading", name="No such report")).to_be_visible()
