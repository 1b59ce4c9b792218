"""`examples/nextjs` on the packed package. Too slow to be among the others: `make test-packed`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from fresh_apps import QUIET, ROOT, fresh_app, packed, run
from stack import Product
from support import Valkey, eventually, free_port


@pytest.fixture
async def product(tmp_path: Path, valkey: Valkey) -> AsyncIterator[Product]:
    """The product, which lets in pages of the origin that its `CORS_ORIGIN` names."""
    product = Product(tmp_path, valkey.url, CORS_ORIGIN=f"http://localhost:{free_port()}")
    async with product.running("api", "socket", "worker"):
        yield product


@pytest.mark.timeout(400)
async def test_it_is_rendered_on_the_server_comes_to_life_and_follows_a_job(
    page: Page, product: Product, tmp_path: Path
) -> None:
    """`next build` checks its types too; the server's HTML has the page, and hydration fits it."""
    app = fresh_app(
        ROOT / "examples/nextjs",
        tmp_path / "app",
        modules=Path(__file__).parent / "node_modules",
        tarball=packed(tmp_path),
    )
    run("npm", "run", "build", at=app, NEXT_PUBLIC_API_URL=product.url)
    origin = product.environment["CORS_ORIGIN"]
    command = [str(app / "node_modules/.bin/next"), "start", "-p", origin.rpartition(":")[2]]
    with (tmp_path / "next.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=app, env=os.environ | QUIET, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        html = await eventually(lambda: _answer_of(origin), within=60)
        assert "Optimize a résumé" in html
        assert 'aria-label="Background jobs"' in html

        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(origin)
        await page.get_by_label("Résumé").fill("A nurse.\n" * 20)
        await page.get_by_role("button", name="Optimize").click()
        await expect(page.get_by_text("Score: ")).to_be_visible(timeout=30_000)
        await page.get_by_role("button", name="View result").click()
        await expect(page.get_by_role("heading", name="Score: ")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="Score: ")).to_be_visible()
        assert problems == []
    finally:
        server.terminate()
        server.wait(timeout=10)


async def _answer_of(origin: str) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(origin)).text
        except httpx.TransportError:
            return ""
