"""A job that npm's `bullmq` added under an id of its own is run by us and shown to its owner."""

from __future__ import annotations

from playwright.async_api import Page, expect

from node_peer import node_peer
from resumes import EXAMPLES
from stack import Product
from support import Valkey, eventually

QUEUE = "resume-optimization"


async def test_its_owner_sees_it_while_node_hears_our_progress(
    page: Page, product: Product, valkey: Valkey
) -> None:
    """The owner's open page lists the foreign job, and opens its report."""
    await page.goto(product.url)
    await expect(page.get_by_role("status", name="Connection: Live")).to_be_visible()
    user = await page.evaluate("localStorage.getItem('careerlens:console:user')")
    resume = (EXAMPLES / "resume-marketing-badly-formatted.txt").read_text()
    data = {
        "type": QUEUE,
        "userId": user,
        "resumeText": resume,
        "targetRole": "Marketing Manager",
        "createdAt": 1_760_000_000_000,
    }
    async with node_peer(valkey.port) as node:
        await node.do("observe", QUEUE)
        job_id = await node.do("add", QUEUE, QUEUE, data, {"jobId": "from-node-1"})
        assert job_id == "from-node-1"
        entry = page.get_by_role("region", name="Your reports").get_by_role("link").first
        await expect(entry).to_be_visible(timeout=15_000)
        await eventually(lambda: node.has_seen("completed", job_id), within=20)
        assert node.events_of(job_id).count("progress") >= 4
    await entry.click()
    await expect(page.get_by_role("article", name="Report")).to_be_visible()
