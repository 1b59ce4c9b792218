"""Where a running CareerLens is, and who we are for it: what every client command shares."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import httpx

from careerlens.cli.exits import Exit
from careerlens.cli.screen import CommandError
from careerlens.foundation.settings import is_loopback

if TYPE_CHECKING:
    from careerlens.foundation.settings import Settings

TOKEN_VARIABLE = "CAREERLENS_TOKEN"  # noqa: S105  (a variable's name)
API_VARIABLE = "CAREERLENS_API_URL"
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who is calling: a bearer token, or in development just a name."""

    user_id: str
    token: str | None

    def headers(self) -> dict[str, str]:
        """The HTTP headers that say so."""
        if self.token is not None:
            return {"authorization": f"Bearer {self.token}"}
        return {"x-user-id": self.user_id}

    def handshake(self) -> dict[str, str]:
        """The Socket.IO `auth` payload that says so."""
        if self.token is not None:
            return {"token": self.token}
        return {"userId": self.user_id}


def identify(settings: Settings, api_url: str, user_id: str, token: str | None) -> Identity:
    """Decide how to prove who we are to the API at `api_url`.

    A given token (flag or CAREERLENS_TOKEN) wins. A development server on this machine takes our
    word for it; for any other one a token is made, which needs the server's JWT_SECRET here.
    """
    token = token or os.environ.get(TOKEN_VARIABLE)
    if token:
        return Identity(user_id=user_id, token=token.removeprefix("Bearer ").strip())
    if settings.is_development and is_loopback(urlsplit(api_url).hostname or ""):
        return Identity(user_id=user_id, token=None)
    if settings.jwt_secret is None:
        raise CommandError(
            f"{api_url} wants to know who is calling.",
            f"Pass --token, or set {TOKEN_VARIABLE} (or the server's JWT_SECRET).",
            code=Exit.CONFIGURATION,
        )
    from careerlens.auth import issue_token

    return Identity(user_id=user_id, token=issue_token(settings, user_id, hours=1))


def api_url_of(settings: Settings, given: str | None) -> str:
    """The address of the API: as given, as in CAREERLENS_API_URL, else the one of this folder."""
    url = given or os.environ.get(API_VARIABLE)
    if url is None:
        return f"http://127.0.0.1:{settings.api_port}"
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise CommandError(
            f"{url!r} is not the address of an API.",
            "Use one like http://localhost:3000",
            code=Exit.USAGE,
        )
    return url.rstrip("/")


class Api:
    """The API's calls that commands need. Problems it reports are raised as `CommandError`."""

    def __init__(self, client: httpx.AsyncClient, identity: Identity, url: str) -> None:
        self._client = client
        self.identity = identity
        self.url = url

    async def socket_url(self) -> str:
        """Where live updates are served."""
        config = await self._call("GET", "/api/config")
        url = config.get("socketUrl")
        if isinstance(url, str) and url:
            return url
        host = urlsplit(self.url)
        return f"{host.scheme}://{host.hostname}:3001"

    async def create(
        self,
        data: Mapping[str, Any],
        *,
        file: tuple[str, bytes] | None = None,
    ) -> dict[str, Any]:
        """Create a job; with `file` (name and content) as an upload named `resume`."""
        if file is None:
            return await self._call("POST", "/api/jobs", json=dict(data))
        name, content = file
        form = {key: str(value) for key, value in data.items()}
        return await self._call("POST", "/api/jobs", data=form, files={"resume": (name, content)})

    async def status(self, job_id: str) -> dict[str, Any]:
        """Everything the API knows of the job."""
        return await self._call("GET", f"/api/jobs/{quote(job_id, safe='')}/status")

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancel the job."""
        return await self._call("POST", f"/api/jobs/{quote(job_id, safe='')}/cancel")

    async def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            response = await self._client.request(
                method, self.url + path, headers=self.identity.headers(), **request
            )
        except httpx.HTTPError as error:
            raise unreachable(self.url, error) from error
        try:
            body = response.json()
        except ValueError:
            body = {}
        if not isinstance(body, dict) or response.is_redirect or (response.is_success and not body):
            raise CommandError(
                f"{self.url} answered, but not as CareerLens does (HTTP {response.status_code}).",
                "Check the address, and that no other program uses that port.",
                code=Exit.UNAVAILABLE,
            )
        if response.is_error:
            raise _refused(response.status_code, body)
        return body


@asynccontextmanager
async def open_api(url: str, identity: Identity) -> AsyncIterator[Api]:
    """A connection to the API at `url`."""
    # No proxy from the environment between us and a server on this machine.
    trust = not is_loopback(urlsplit(url).hostname or "")
    async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=trust) as client:
        yield Api(client, identity, url)


def unreachable(url: str, error: Exception) -> CommandError:
    """The error for an API that does not answer."""
    if isinstance(error, httpx.TimeoutException):
        return CommandError(
            f"{url} did not answer in time.",
            "Try again; `careerlens doctor` checks the whole set-up.",
            code=Exit.UNAVAILABLE,
        )
    return CommandError(
        f"Nothing answers at {url}.",
        "Start it with `careerlens run`, or say where it is with --api-url.",
        code=Exit.UNAVAILABLE,
    )


def _refused(status: int, problem: Mapping[str, Any]) -> CommandError:
    """An RFC 9457 problem as a paragraph: its sentence, then each field's."""
    detail = str(problem.get("detail") or problem.get("title") or f"HTTP {status}")
    fields = problem.get("errors")
    if isinstance(fields, list):
        named = [
            f"{entry.get('field') or entry.get('pointer') or 'input'}: "
            f"{entry.get('message') or entry.get('detail') or ''}"
            for entry in fields
            if isinstance(entry, dict)
        ]
        missing = [text for text in named if text not in detail]
        if missing:
            detail = f"{detail.rstrip()} {'; '.join(missing)}"
    code = Exit.UNAVAILABLE if status >= 500 else Exit.USAGE
    remedy = "Pass another --token or --user." if status == 401 else ""
    return CommandError(f"The API refused it: {detail}", remedy, code=code)
