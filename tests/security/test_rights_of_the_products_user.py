"""The product runs as a user of the server that has the documented rights and no others."""

from __future__ import annotations

from pathlib import Path

from careerlens.realtime.feed import Feed
from conftest import ValkeyFactory
from job_requests import create_resume_job, reaches
from relaying import is_told_of_completion
from stack import Product
from support import eventually
from topologies import give_rights

USER = "user-1"


async def test_a_user_of_few_rights_is_enough(
    tmp_path: Path, valkey_factory: ValkeyFactory
) -> None:
    server = valkey_factory()
    login = give_rights(server, "~careerlens:*", "&careerlens:*")
    url = f"redis://{login}127.0.0.1:{server.port}"
    product = Product(tmp_path, url)
    parts = ("api", "socket", "worker")
    async with product.running(*parts), product.client(USER) as client, Feed(url) as feed:
        job_id = await create_resume_job(client)
        await reaches(client, job_id, "completed")
        await eventually(lambda: is_told_of_completion(feed, USER, job_id))
    said = [product.log(part) for part in parts]
    assert "NOPERM" not in "".join(said)
