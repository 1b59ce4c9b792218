"""What `npm pack` makes of the React package, in an application that knows only its README."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Page, Route, expect

from fresh_apps import PACKAGE, ROOT, fresh_app, packed, run
from stack import Product

BUILT_AT = "/fresh/"


async def test_the_readmes_first_example_compiles_and_follows_a_job_to_its_end(
    page: Page, product: Product, tmp_path: Path
) -> None:
    """Word for word and in strict mode: a click creates a job, and its end is shown."""
    app = fresh_app(
        Path(__file__).parent / "vite-app",
        tmp_path / "app",
        modules=ROOT / "web/node_modules",
        tarball=packed(tmp_path),
    )
    example = re.search(r"```tsx\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    assert example is not None
    (app / "src/App.tsx").write_text(example.group(1))
    run("npm", "run", "build", "--", f"--base={BUILT_AT}", at=app)

    async def serve(route: Route) -> None:
        path = route.request.url.split(BUILT_AT)[1] or "index.html"
        await route.fulfill(path=app / "dist" / path)

    await page.route(f"**{BUILT_AT}**", serve)
    await page.goto(product.url + BUILT_AT)
    await page.get_by_role("button", name="Optimize my résumé").click()
    card = page.get_by_role("listitem", name="Resume optimization")
    await expect(card.get_by_text("Done", exact=True)).to_be_visible(timeout=30_000)
