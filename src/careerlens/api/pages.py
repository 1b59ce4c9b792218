"""What people open in a browser: the console, and a page for each kind of problem."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI, Request
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from careerlens.api.problems import KINDS, ProblemError
from careerlens.api.services import ServicesDep
from careerlens.foundation.settings import Settings
from careerlens.jobs.model import WireModel
from careerlens.jobs.uploads import MAX_FILE_BYTES

STATIC_FOLDER = Path(__file__).parent / "static"
_YEAR_S = 31_536_000
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_STYLE = (
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:38rem;margin:12vh auto;padding:0 1.5rem;"
    "color:#1b1f24;background:#fff}code{background:#eef1f4;padding:.1em .35em;border-radius:4px}"
    "small{color:#5c6670}a{color:#0b57d0}@media(prefers-color-scheme:dark){body{color:#e6e9ed;"
    "background:#14171a}code{background:#262b31}small{color:#98a2ad}a{color:#8ab4ff}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PLAIN_PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"
)

router = APIRouter()


class PublicConfig(WireModel):
    """What a page must know before anybody signs in."""

    environment: str
    socket_url: str | None
    development_identity: bool
    max_upload_bytes: Annotated[int, Field(gt=0)]


def socket_url(request: Request, settings: Settings) -> str | None:
    """Where the gateway is, as the asking browser reaches it; None: its usual place."""
    if settings.public_socket_url is not None:
        return settings.public_socket_url
    host = _host_of(request)
    if host is None or not settings.is_development:
        return None
    return f"http://{host}:{settings.socket_port}"


@router.get("/api/config", operation_id="getConfig", tags=["page"])
async def get_config(request: Request, services: ServicesDep) -> PublicConfig:
    """What a page must know before anybody signs in."""
    settings = services.settings
    return PublicConfig(
        environment=settings.environment.value,
        socket_url=socket_url(request, settings),
        development_identity=settings.is_development,
        max_upload_bytes=MAX_FILE_BYTES,
    )


@router.get(
    "/problems/{code}", operation_id="explainProblem", tags=["page"], response_class=HTMLResponse
)
async def explain_problem(code: str) -> HTMLResponse:
    """What a kind of problem means and what to do about it."""
    kind = KINDS.get(code)
    if kind is None:
        raise ProblemError("not-found")
    return _plain_page(
        kind.title,
        f"<p>{_marked_up(kind.remedy)}</p><p><small>HTTP status {kind.status}, "
        f"problem code <code>{code}</code></small></p>",
    )


class ConsoleFiles(StaticFiles):
    """The built console. Its assets carry a hash in their names and may be kept for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file; anything else is not found, whatever the method."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        request = Request(scope)
        response.headers["Content-Security-Policy"] = _console_policy(request)
        keep = f"public, max-age={_YEAR_S}, immutable" if path.startswith("assets/") else "no-cache"
        response.headers["Cache-Control"] = keep
        return response


def mount_console(app: FastAPI) -> None:
    """Serve the console at `/`, or say how to build it where that was not done."""
    if (STATIC_FOLDER / "index.html").is_file():
        # Not a mounted route: that would answer 404 where a known path has no such method.
        app.router.default = ConsoleFiles(directory=STATIC_FOLDER, html=True)
        return

    @app.get("/", include_in_schema=False)
    async def explain_build() -> HTMLResponse:
        return _plain_page(
            "CareerLens is running, without its page",
            "<p>The API works. The page was not built in this checkout: run "
            "<code>make web</code> and start again.</p>",
        )


def _console_policy(request: Request) -> str:
    """Nothing but our own files, and the gateway as the place to connect to."""
    settings: Settings = request.app.state.settings
    sources = ["'self'"]
    gateway = socket_url(request, settings)
    if gateway is not None:
        sources += [gateway, re.sub(r"^http", "ws", gateway)]
    elif (host := _host_of(request)) is not None:
        sources += [f"{scheme}://{host}:{settings.socket_port}" for scheme in ("https", "wss")]
    return (
        f"default-src 'self'; connect-src {' '.join(sources)}; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _host_of(request: Request) -> str | None:
    """The host's name as the browser wrote it, when it is one."""
    host = re.sub(r":\d+\Z", "", request.headers.get("host", ""))
    return host if _HOST.fullmatch(host) else None


def _marked_up(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _plain_page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style><h1>{title}</h1>{body}",
        headers={"Content-Security-Policy": _PLAIN_PAGE_POLICY},
    )
