"""A form may not choose how its text is decoded: Python knows encodings that fail, or take ages."""

from __future__ import annotations

import time

import httpx
import pytest

SLOW = b"a" * 20_000 + b"-" + b"b0" * 20_000


def form(role: bytes) -> bytes:
    start = b'--b\r\nContent-Disposition: form-data; name="'
    return (
        start + b'type"\r\n\r\ncover-letter\r\n' + start + b'targetRole"\r\n\r\n' + role
    ) + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    "charset",
    ["punycode", "undefined", "idna", "utf-7", "utf-16", "unicode_escape", "hex", "latin-1", "x"],
)
@pytest.mark.parametrize("role", [b"Editor", b"+2AA-", b"\\ud800", SLOW])
async def test_other_encodings_than_utf_8_are_refused_at_once(
    client: httpx.AsyncClient, charset: str, role: bytes
) -> None:
    for spelled in (charset, f'"{charset}"', charset.upper()):
        started = time.perf_counter()
        response = await client.post(
            "/api/jobs",
            content=form(role),
            headers={"content-type": f"multipart/form-data; boundary=b; charset={spelled}"},
        )
        assert response.status_code == 415, response.text
        assert "UTF-8" in response.json()["detail"]
        assert time.perf_counter() - started < 1


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8"])
async def test_saying_utf_8_is_harmless(client: httpx.AsyncClient, charset: str) -> None:
    response = await client.post(
        "/api/jobs",
        content=form("Редактор".encode()),
        headers={"content-type": f"multipart/form-data; boundary=b; charset={charset}"},
    )
    assert response.status_code == 202, response.text
