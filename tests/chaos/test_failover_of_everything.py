"""The whole product lives behind sentinels, and goes on when they promote a replica."""

from __future__ import annotations

from pathlib import Path

from careerlens.realtime.feed import Feed
from job_requests import create_resume_job, reaches
from relaying import is_told_of_completion
from stack import Product
from support import eventually
from topologies import watched_primary

USER = "user-1"


async def test_jobs_and_their_updates_go_on_after_a_failover(tmp_path: Path) -> None:
    async with watched_primary(tmp_path) as watched, Feed(watched.url) as feed:
        product = Product(tmp_path, watched.url, CAREERLENS_QUEUE_PREFIX="{jobs}")
        try:
            product.start("api", "socket", "worker")
            await product.ready("api", "socket")
            async with product.client(USER) as client:
                before = await create_resume_job(client)
                await reaches(client, before, "completed")
                await eventually(lambda: is_told_of_completion(feed, USER, before))
                watched.primary.kill()
                after = await eventually(lambda: create_resume_job(client), within=30)
                await reaches(client, after, "completed")
                await eventually(lambda: is_told_of_completion(feed, USER, after))
                await reaches(client, before, "completed")
        finally:
            product.stop()
