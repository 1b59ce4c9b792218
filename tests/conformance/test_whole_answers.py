"""An answer that leaves in one step is the one that ASGI's two messages would have made."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from apis import RunningApi
from careerlens.realtime.answering import AT_ONCE
from tokens import token

BODY = json.dumps({"type": "cover-letter", "targetRole": "Editor"}).encode()


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    head = [f"{line} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token('user-1')}"]
    head += ["X-Request-Id: the-same-request", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def answer(reader: asyncio.StreamReader, *, has_body: bool = True) -> tuple[bytes, bytes]:
    """One answer of a connection: its head and its body."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    length = re.search(rb"content-length: (\d+)", head)
    body = await reader.readexactly(int(length[1]) if length and has_body else 0)
    return head, body


async def answers(api: RunningApi, *requests: bytes, has_body: bool = True) -> list[Any]:
    """The answers to requests that are sent at once over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        writer.write(b"".join(requests))
        return [await answer(reader, has_body=has_body) for _ in requests]
    finally:
        writer.close()


def without_chance(answer: tuple[bytes, bytes]) -> tuple[list[bytes], bytes]:
    """Status and headers without their order, and the body: but for the clock and an id's chance.

    A connection that is to be closed is told so, and takes the way of two messages.
    """
    chance = re.compile(rb":[0-9]{13}(:[A-Za-z0-9_-]{16})?|date: .*|connection: close")
    head, body = (chance.sub(b"", part.lower()) for part in answer)
    return sorted(filter(None, head.split(b"\r\n"))), body


def head_of(length: int) -> Message:
    """The first message of an answer that is to have such a body."""
    headers = [(b"content-length", b"%d" % length)]
    return {"type": "http.response.start", "status": 200, "headers": headers}


@pytest.mark.parametrize(
    ("status", "line", "headers", "body"),
    [
        (202, "POST /api/jobs", ["Content-Type: application/json"], BODY),
        (415, "POST /api/jobs", [], BODY),
        (422, "POST /api/jobs", ["Content-Type: application/json"], b"{}"),
        (200, "GET /api/jobs", [], b""),
        (200, "GET /api/job-types", [], b""),
        (404, "GET /api/jobs/nothing/status", [], b""),
        (405, "DELETE /api/jobs", [], b""),
        (403, "GET /api/jobs", ["Origin: https://evil.example"], b""),
        (200, "GET /api/jobs", ["Origin: http://localhost"], b""),
        (200, "GET /", [], b""),
    ],
)
async def test_it_is_the_same_answer(
    api: RunningApi, status: int, line: str, headers: list[str], body: bytes
) -> None:
    [at_once] = await answers(api, request(line, *headers, body=body))
    [in_two] = await answers(api, request(line, *headers, "Connection: close", body=body))
    assert at_once[0].startswith(b"HTTP/1.1 %d " % status)
    assert without_chance(at_once) == without_chance(in_two)


async def test_the_head_alone_is_answered_by_a_head(api: RunningApi) -> None:
    asked = request("HEAD /"), request("GET /api/jobs")
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"".join(asked))
    head, _ = await answer(reader, has_body=False)
    assert int(re.search(rb"content-length: (\d+)", head)[1]) > 0  # type: ignore[index]
    following, body = await answer(reader)
    assert following.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body) == {"jobs": []}
    writer.close()


async def test_requests_sent_ahead_are_answered_in_their_order(api: RunningApi) -> None:
    asked = []
    for number in range(6):
        kind = ("GET /api/jobs", "GET /nowhere", "POST /api/jobs")[number % 3]
        body = BODY if kind.startswith("POST") else b""
        whole = request(kind, "Content-Type: application/json", body=body)
        asked.append(whole.replace(b"the-same-request", b"number-%d" % number))
    told = await answers(api, *asked)
    statuses = [int(head.split()[1]) for head, _ in told]
    assert statuses == [200, 404, 202] * 2
    ids = [re.search(rb"x-request-id: (\S+)", head) for head, _ in told]
    assert [found and found[1] for found in ids] == [b"number-%d" % n for n in range(6)]


async def test_a_header_that_would_make_two_is_refused(api: RunningApi) -> None:
    bad = {"x-bad": "a\r\nset-cookie: b"}

    async def split_in_two(scope: Scope, receive: Receive, send: Send) -> None:
        assert AT_ONCE in scope["extensions"]
        await Response("x", headers=bad)(scope, receive, send)

    api.app.mount("/bad", split_in_two)
    api.app.router.routes.insert(0, api.app.router.routes.pop())
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request("GET /bad/x"))
    told = await asyncio.wait_for(reader.read(), 20)
    assert b"set-cookie" not in told
    assert not told.startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_what_fails_before_its_body_is_told_as_a_problem(api: RunningApi) -> None:
    async def begin_and_fail(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head_of(5))
        raise RuntimeError("half-way")

    api.app.mount("/half", begin_and_fail)
    api.app.router.routes.insert(0, api.app.router.routes.pop())
    [(head, body)] = await answers(api, request("GET /half/x"))
    assert head.startswith(b"HTTP/1.1 500 ")
    assert json.loads(body)["type"] == "/problems/internal-error"
    assert b"half-way" not in body


async def test_an_answer_of_the_wrong_length_never_passes_for_a_whole_one(
    api: RunningApi,
) -> None:
    async def too_short(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head_of(500))
        await send({"type": "http.response.body", "body": b"short"})

    api.app.mount("/short", too_short)
    api.app.router.routes.insert(0, api.app.router.routes.pop())
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(request("GET /short/x"))
    await asyncio.wait_for(reader.read(), 20)  # it ends: nobody waits for the rest
    writer.close()
