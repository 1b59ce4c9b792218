"""The documentation's first two React examples, word for word, in a real browser."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from stack import Product
from support import eventually

WEB = Path(__file__).parents[2] / "web"
PAGE = "packages/jobs-react/examples/quickstart/page"
BUILT_AT = "/quickstart/"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that holds both examples, built as an application would build them."""
    folder = tmp_path_factory.mktemp("quickstart")
    command = ["npx", "vite", "build", PAGE, "--outDir", str(folder), "--logLevel", "error"]
    subprocess.run(command, cwd=WEB, check=True, timeout=120, capture_output=True)
    return folder


async def test_a_click_creates_a_job_and_both_components_follow_it(
    page: Page, product: Product, built: Path
) -> None:
    """The button's callbacks log progress and the result; the notification shows the end."""
    logged: list[str] = []
    page.on("console", lambda message: logged.append(message.text))

    async def serve(route: Route) -> None:
        path = route.request.url.split(BUILT_AT)[1] or "index.html"
        await route.fulfill(path=built / path)

    await page.route(f"**{BUILT_AT}**", serve)
    await page.goto(product.url + BUILT_AT)
    await page.get_by_role("button", name="Optimize Resume").click()

    def heard(start: str) -> list[str]:
        return [line for line in logged if line.startswith(start)]

    await eventually(lambda: heard("Job completed:"), within=20)
    assert heard("Job created: user-123:resume-optimization:"), logged
    assert len(heard("Job user-123:")) >= 4, logged
    assert len(heard("Job completed:")) == 1, logged
    await expect(page.get_by_text("Done", exact=True)).to_be_visible()
