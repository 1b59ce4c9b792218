"""Our API without the relay and the recorder, which `careerlens api` runs in the same process.

The peers have neither, and of several API processes only one relays and records.
"""

from __future__ import annotations

import uvloop

from careerlens.api.app import create_app, make_server
from careerlens.foundation.settings import load_settings
from careerlens.jobs.definitions import load_registry
from careerlens.realtime.server import listen


async def serve() -> None:
    """Serve until killed, by the server that is shipped."""
    settings = load_settings()
    url = settings.configured_redis_url()
    assert url
    app = create_app(settings, redis_url=url, registry=load_registry(settings))
    await make_server(app).serve(sockets=[listen("127.0.0.1", settings.api_port)])


if __name__ == "__main__":
    uvloop.run(serve())
