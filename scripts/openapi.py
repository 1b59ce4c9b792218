"""Print the API's OpenAPI document, with the job types that are installed, as JSON."""

from __future__ import annotations

import json
import sys

from careerlens.api.app import create_app
from careerlens.foundation.settings import Settings
from careerlens.jobs.definitions import load_registry


def document() -> str:
    """The document as the API serves it in development. Needs no Redis."""
    settings = Settings(_env_file=None, CAREERLENS_ENV="development")
    app = create_app(settings, redis_url="redis://localhost", registry=load_registry(settings))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(document() + "\n")
