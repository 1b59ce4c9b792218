"""A real Chromium, and the whole product for it to look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from stack import Product
from support import Valkey

_QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    # A page that a test fulfils itself counts as a public one, which may not call this machine.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
]


def installed_chromium() -> str | None:
    """The system's Chromium (or the one `CHROMIUM` names); None where Playwright's own serves."""
    named = os.environ.get("CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def valkey(valkey_factory: Callable[..., Valkey]) -> Valkey:
    """The product's own server."""
    return valkey_factory(durable=True)


@pytest.fixture
async def product(tmp_path: Path, valkey: Valkey) -> AsyncIterator[Product]:
    """API, gateway and one worker, started and ready."""
    product = Product(tmp_path, valkey.url)
    try:
        product.start("api", "socket", "worker")
        await product.ready("api", "socket")
        yield product
    finally:
        product.stop()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium that talks to nobody but the product."""
    arguments = _QUIET + (["--no-sandbox"] if os.geteuid() == 0 else [])
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=installed_chromium(), args=arguments
        )
        yield browser
        await browser.close()


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh browser profile."""
    context = await browser.new_context()
    context.set_default_timeout(15_000)
    yield context
    await context.close()


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    """An empty page in the fresh profile."""
    return await context.new_page()
