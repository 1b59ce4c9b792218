"""The example without a framework or a bundler, set up as its README says, in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.async_api import Page, Route, expect

from fresh_apps import PACKAGE, ROOT
from resumes import EXAMPLES
from stack import Product
from support import Valkey, eventually

EXAMPLE = ROOT / "examples/plain-html"
API_IN_THE_EXAMPLE = "http://localhost:3000"
RECORD_WHAT_IS_SHOWN = """
window.shown = [];
document.addEventListener('DOMContentLoaded', () => {
  const list = document.querySelector('#jobs');
  const note = () => window.shown.push(list.textContent);
  new MutationObserver(note).observe(list, { childList: true, subtree: true });
});
"""


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing: what the test asserts is on the page."""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    """Where the example's files are served, beside the package it loads module by module."""
    site = tmp_path / "site"
    shutil.copytree(EXAMPLE, site, ignore=shutil.ignore_patterns("vendor"))
    shutil.copytree(PACKAGE / "dist", site / "vendor/jobs")
    socket_io = ROOT / "web/node_modules/socket.io-client/dist/socket.io.esm.min.js"
    shutil.copy(socket_io, site / "vendor")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=site)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
async def product(tmp_path: Path, valkey: Valkey, origin: str) -> AsyncIterator[Product]:
    """The product, which lets the example's origin in."""
    product = Product(tmp_path, valkey.url)
    product.environment["CORS_ORIGIN"] = f"{product.url},{origin}"
    async with product.running("api", "socket", "worker"):
        yield product


async def test_a_resume_handed_in_moves_on_to_its_end_and_can_be_dismissed(
    page: Page, product: Product, origin: str
) -> None:
    """Updates come live, the percentage only grows, and the end is told once."""
    ends: list[str] = []
    page.on("console", lambda message: ends.append(message.text))
    script = (EXAMPLE / "main.js").read_text()
    assert API_IN_THE_EXAMPLE in script

    async def at_the_products_address(route: Route) -> None:
        code = script.replace(API_IN_THE_EXAMPLE, product.url)
        await route.fulfill(body=code, content_type="text/javascript")

    await page.route("**/main.js", at_the_products_address)
    await page.add_init_script(RECORD_WHAT_IS_SHOWN)
    await page.goto(origin)
    await expect(page.get_by_text("Updates: live")).to_be_visible()
    await page.get_by_label("Target role").fill("Full Stack Developer")
    resume = EXAMPLES / "resume-fullstack-developer.pdf"
    await page.get_by_label("Résumé").set_input_files(resume)
    await page.get_by_role("button", name="Optimize").click()

    job = page.get_by_role("listitem")
    await expect(job).to_contain_text("resume-optimization: completed", timeout=30_000)
    shown = "\n".join(await page.evaluate("window.shown"))
    percentages = [int(percent) for percent in re.findall(r": processing, (\d+)%", shown)]
    assert len(set(percentages)) >= 3, shown
    assert percentages == sorted(percentages), shown
    await eventually(lambda: len([line for line in ends if line.startswith("done")]) == 1)
    assert not [line for line in ends if line.startswith("failed")], ends

    await page.get_by_role("button", name="Dismiss").click()
    await expect(job).to_have_count(0)
    await expect(page.get_by_role("alert")).to_be_empty()
