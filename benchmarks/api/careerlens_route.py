"""Our API without the relay and the recorder, which `careerlens api` runs in the same process.

The peers have neither, and of several API processes only one relays and records.
"""

from __future__ import annotations

import uvicorn

from careerlens.api.app import create_app
from careerlens.foundation.settings import load_settings
from careerlens.jobs.definitions import load_registry
from careerlens.realtime.heads import BoundedHttp


def main() -> None:
    """Serve until killed."""
    settings = load_settings()
    url = settings.configured_redis_url()
    assert url
    app = create_app(settings, redis_url=url, registry=load_registry(settings))
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=settings.api_port,
        loop="uvloop",
        http=BoundedHttp,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
