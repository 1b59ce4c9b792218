"""`useJobStream` in real tabs: word by word, for late readers, through reloads, to every end."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from dictated_jobs import Script
from job_tabs import Tabs
from stack import Product


@pytest.mark.parametrize("react", ["18", "19"], indirect=True)
async def test_late_readers_and_reloaded_pages_have_all_of_it_and_then_each_word(
    open_tab: Tabs, tmp_path: Path, react: str
) -> None:
    """Nothing is lost or doubled, whoever came when; each page hears of the end once."""
    early = await open_tab()
    assert (await early.page.evaluate("window.jobs.version")).startswith(f"{react}.")
    script = Script(tmp_path)
    job_id = await early.create(script.fields)
    await early.watch(job_id)
    script.tell("say", "One ")
    await expect(early.text).to_have_text("One ")
    await expect(early.text).to_have_attribute("data-live", "true")

    script.tell("say", "two – ")
    late = await open_tab()
    await late.watch(job_id)
    for tab in (early, late):
        await expect(tab.text).to_have_text("One two – ")
    await early.page.reload()
    await expect(early.text).to_have_text("One two – ")
    for word in ("three ", "four\n\n", "five 😀"):
        script.tell("say", word)
    for tab in (early, late):
        await expect(tab.text).to_have_text("One two – three four\n\nfive 😀")
        await expect(tab.text).to_have_attribute("data-ended", "false")

    script.tell("end", "done")
    for tab in (early, late):
        await expect(tab.text).to_have_attribute("data-ended", "true")
        await tab.hears_the_end(job_id)
        assert await tab.heard("text") == ["end One two – three four\n\nfive 😀"]


async def test_it_goes_on_after_the_server_was_away(
    open_tab: Tabs, guarded_product: Product, context: BrowserContext, tmp_path: Path
) -> None:
    """The API is killed and the network lost while the job writes on."""
    tab = await open_tab()
    script = Script(tmp_path)
    job_id = await tab.create(script.fields)
    await tab.watch(job_id)
    script.tell("say", "Before, ")
    await expect(tab.text).to_have_text("Before, ")
    guarded_product.kill("api")
    await context.set_offline(True)
    await expect(tab.text).to_have_attribute("data-live", "false")
    script.tell("say", "meanwhile ")
    guarded_product.start("api")
    await guarded_product.ready("api")
    await context.set_offline(False)
    await expect(tab.text).to_have_text("Before, meanwhile ")
    script.tell("say", "and after.")
    await expect(tab.text).to_have_text("Before, meanwhile and after.")
    script.tell("end", "done")
    await expect(tab.text).to_have_attribute("data-ended", "true")


async def test_cancelling_ends_it_in_every_tab(open_tab: Tabs, tmp_path: Path) -> None:
    """What was written until then stays; the other tab is told as well."""
    first, second = await open_tab(), await open_tab()
    script = Script(tmp_path)
    job_id = await first.create(script.fields)
    for tab in (first, second):
        await tab.watch(job_id)
    script.tell("say", "Half a sen")
    for tab in (first, second):
        await expect(tab.text).to_have_text("Half a sen")
    await second.cancel(job_id)
    for tab in (first, second):
        await expect(tab.text).to_have_attribute("data-ended", "true")
        await expect(tab.text).to_have_text("Half a sen")
        assert await tab.heard("text") == ["end Half a sen"]
