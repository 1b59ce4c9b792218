"""The React package in real tabs: shared, offline, mounted twice, crowded, renewed, accessible."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, expect

from job_tabs import JOB, USER, WEB, Tabs, assert_each_once
from stack import Product
from support import eventually
from tokens import token


async def test_tabs_share_one_socket_through_closing_and_standstill(
    open_tab: Tabs,
) -> None:
    """The second tab follows the first, takes over when it closes, and loses it when halted."""
    first, second = await open_tab(), await open_tab()
    assert first.open_sockets + second.open_sockets == 1
    job_id = await second.create()
    for tab in (first, second):
        await tab.hears_the_end(job_id)
    assert await first.heard() == await second.heard()

    await first.page.close()
    await eventually(lambda: second.open_sockets == 1)
    third = await open_tab()
    assert second.open_sockets + third.open_sockets == 1

    devtools = await second.page.context.new_cdp_session(second.page)
    await devtools.send("Debugger.enable")
    await devtools.send("Debugger.pause")
    await eventually(lambda: third.open_sockets == 1, within=30)
    unseen = await third.create()
    await third.hears_the_end(unseen)
    await devtools.send("Debugger.resume")
    await second.hears_the_end(unseen)
    for tab in (second, third):
        assert_each_once(await tab.heard())
    await eventually(lambda: second.open_sockets + third.open_sockets == 1)


async def test_offline_it_keeps_still_and_back_online_it_misses_nothing(
    open_tab: Tabs, guarded_product: Product, context: BrowserContext
) -> None:
    tab = await open_tab()
    guarded_product.freeze("worker")
    job_id = await tab.create()
    # Chromium keeps a frame that comes when it is just taken offline, and never tells of the
    # socket's end behind it.
    await eventually(lambda: any(job_id in frame for frame in tab.received))
    await context.set_offline(True)
    guarded_product.kill("socket")
    await expect(tab.page.get_by_label("Connection of second")).to_have_text("offline")
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    sockets = len(tab.sockets)
    guarded_product.start("socket")
    guarded_product.thaw("worker")
    await guarded_product.ready("socket")
    async with guarded_product.client(USER) as client:
        client.headers["authorization"] = f"Bearer {token(USER)}"

        async def is_done() -> bool:
            response = await client.get(f"/api/jobs/{job_id}/status")
            return bool(response.json().get("status") == "completed")

        await eventually(is_done, within=30)
    assert asked == []
    assert len(tab.sockets) == sockets

    await context.set_offline(False)
    await tab.hears_the_end(job_id)
    await tab.goes_live()
    assert_each_once(await tab.heard())


@pytest.mark.parametrize("react", ["18", "19"], indirect=True)
async def test_fifty_jobs_at_once_in_strict_mode_while_a_component_comes_and_goes(
    open_tab: Tabs, react: str
) -> None:
    """One socket, and every listener that stays hears every job's end exactly once."""
    tab = await open_tab()
    version, mounts = await tab.page.evaluate("[window.jobs.version, window.jobs.mounts]")
    assert version.startswith(f"{react}.")
    assert mounts == 4, "StrictMode mounts each of the two listeners twice"
    creating = """job => {
        const all = Promise.all(Array.from({ length: 50 }, () => window.jobs.createJob(job)));
        window.jobs.show(false);
        return all;
    }"""
    job_ids: list[str] = await tab.page.evaluate(creating, JOB)
    await tab.page.evaluate("window.jobs.show(true)")
    await expect(tab.page.get_by_label("Connection of first")).to_have_text("live")
    await tab.hears_the_end(*job_ids, within=60)
    assert len(set(job_ids)) == 50
    heard = await tab.heard()
    assert sorted(line for line in heard if line.startswith("complete")) == sorted(
        f"complete {job_id}" for job_id in job_ids
    )
    assert_each_once(heard)
    assert_each_once(await tab.heard("first"))
    assert len(tab.sockets) == 1


async def test_a_token_is_renewed_on_the_open_socket(open_tab: Tabs) -> None:
    """A token with less than a minute left is replaced as soon as there is another."""
    tab = await open_tab(lives=40)
    fresh = token(USER, lives=7200)
    await tab.page.evaluate("fresh => { window.jobs.token = fresh }", fresh)
    await eventually(lambda: any("auth:renew" in frame for frame in tab.sent), within=20)
    assert any(fresh in frame for frame in tab.sent)
    job_id = await tab.create()
    await tab.hears_the_end(job_id)
    assert len(tab.sockets) == 1


async def test_axe_finds_nothing_serious_in_light_and_in_dark(
    open_tab: Tabs, guarded_product: Product
) -> None:
    """Of a finished job, one that waits, and the buttons of both."""
    tab = await open_tab()
    await tab.hears_the_end(await tab.create())
    guarded_product.freeze("worker")
    await tab.create()
    await expect(tab.page.get_by_role("listitem")).to_have_count(2)
    await tab.page.add_script_tag(path=WEB / "node_modules/axe-core/axe.min.js")
    for scheme in ("light", "dark"):
        await tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = await tab.page.evaluate("async () => (await axe.run()).violations")
        serious = [v["help"] for v in found if v["impact"] in {"serious", "critical"}]
        assert serious == [], scheme
