"""A real Chromium, and the whole product for it to look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from job_tabs import Tabs, build_page
from stack import Product
from support import Valkey
from tokens import SECRET

_QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    # A page that a test fulfils itself counts as a public one, which may not call this machine.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
]

# Machines that test are busy machines.
expect.set_options(timeout=15_000)


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
    async with Product(tmp_path, valkey.url).running("api", "socket", "worker") as product:
        yield product


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


@pytest.fixture(scope="session")
def built_pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The page of the React package, built once for each version of React."""
    built: dict[str, Path] = {}

    def build(react: str) -> Path:
        if react not in built:
            built[react] = tmp_path_factory.mktemp(f"jobs-page-{react}")
            build_page(built[react], react)
        return built[react]

    return build


@pytest.fixture
def react(request: pytest.FixtureRequest) -> str:
    """The version of React; a test may name others by an indirect parameter."""
    return str(getattr(request, "param", "19"))


@pytest.fixture
async def guarded_product(tmp_path: Path, valkey: Valkey) -> AsyncIterator[Product]:
    """The product, asking for tokens, with a job type that tests dictate to."""
    product = Product(
        tmp_path,
        valkey.url,
        JWT_SECRET=SECRET.decode(),
        CAREERLENS_JOBS="dictated_jobs",
        PYTHONPATH=str(Path(__file__).parents[1]),
    )
    async with product.running("api", "socket", "worker"):
        yield product


@pytest.fixture
def open_tab(
    context: BrowserContext,
    guarded_product: Product,
    built_pages: Callable[[str], Path],
    react: str,
) -> Tabs:
    """Opens the page of the React package in a new tab of the same browser profile."""
    return Tabs(context, guarded_product, built_pages(react))
