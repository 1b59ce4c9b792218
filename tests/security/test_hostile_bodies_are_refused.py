"""Bodies made to exhaust or to confuse whoever reads them."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import redis

from apis import RunningApi
from careerlens.api import bodies
from job_requests import create
from tokens import good_claims, hs256

JSON = {"content-type": "application/json"}
GOOD = {"type": "cover-letter", "targetRole": "Editor"}
MIB = 1024 * 1024


@pytest.fixture
async def client(api: RunningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client("user-1") as made:
        await create(made)  # what is done only once is done
        yield made


def json_with(text: str) -> bytes:
    return f'{{"type": "cover-letter", "targetRole": {text}}}'.encode()


MALFORMED: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"not json", 400),
    (b"{", 400),
    (b"[]", 400),
    (b'"text"', 400),
    (b"null", 400),
    (b"\xff\xfe{\x00}\x00", 400),
    (json_with("NaN"), 400),
    (json_with("Infinity"), 400),
    (json_with("1e999"), 400),
    (json_with("9" * 100_000), 400),
    (json_with('"\\ud800"'), 400),
    (json_with('"a\nb"'), 400),
    (json_with('"a\xff"'.replace("\xff", "\\xff")), 400),
    (b'{"type": "cover-letter", "targetRole": "\xed\xa0\x80"}', 400),
    (json_with('"Editor", "targetRole": "Other"'), 400),
    (json_with('"Editor", "nested": {"a": 1, "a": 2}'), 400),
    (json_with("[" * 10_000 + "]" * 10_000), 400),
    (json_with('{"a":' * 10_000 + "1" + "}" * 10_000), 400),
    (json_with('"nul \\u0000 inside"'), 422),
    (json_with('"Editor", "na\\u0000me": 1'), 422),
    (json.dumps({f"k{n}": n for n in range(50_000)}).encode(), 422),
    (json_with("[" + "1," * 400_000 + "1]"), 422),
    (json_with("{}"), 422),
    (json_with("5"), 422),
    (json_with('""'), 422),
    (json_with(f'"{"x" * 500}"'), 422),
]


async def test_malformed_json_is_refused_quickly(client: httpx.AsyncClient) -> None:
    """Time is the processor's, client included, so that a busy machine changes nothing."""
    for body, status in MALFORMED:
        quickest = 1e9
        for _ in range(3):
            started = time.process_time()
            response = await client.post("/api/jobs", content=body, headers=JSON)
            quickest = min(quickest, time.process_time() - started)
            assert response.status_code == status, (body[:80], response.text)
            assert response.headers["content-type"] == "application/problem+json"
            assert len(response.content) < 8192
        assert quickest < 0.1, body[:80]
    assert (await client.get("/health/live")).status_code == 200


async def test_a_body_that_trickles_is_given_up(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT_S", 0.3)
    for content_type, start in (
        ("application/json", "{"),
        ("multipart/form-data; boundary=b", "--b\r\n"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(
            f"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
            f"Authorization: Bearer {hs256(good_claims())}\r\n"
            f"Content-Length: 1000\r\n\r\n{start}".encode()
        )
        answer = await asyncio.wait_for(reader.readline(), 5)
        assert b" 408 " in answer
        writer.close()


async def test_a_text_of_five_megabytes_is_refused_by_name_of_the_limit(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post("/api/jobs", json=GOOD | {"resumeText": "x" * (5 * MIB)})
    assert response.status_code == 413
    assert "1 MiB (1048576 bytes)" in response.json()["detail"]


async def test_a_file_over_its_limit_is_refused_by_name_of_the_limit(
    client: httpx.AsyncClient,
) -> None:
    for size in (5 * MIB + 1, 8 * MIB):
        files = {"resume": ("cv.txt", b"x" * size)}
        response = await client.post("/api/jobs", data=GOOD, files=files)
        assert response.status_code == 413
        assert "MiB" in response.json()["detail"]
    files = {"resume": ("cv.txt", b"x" * (5 * MIB))}
    assert (await client.post("/api/jobs", data=GOOD, files=files)).status_code == 202


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=b"])
async def test_a_body_without_end_is_cut_at_the_limit(api: RunningApi, content_type: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        f"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Authorization: Bearer {hs256(good_claims())}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )
    start = b'--b\r\nContent-Disposition: form-data; name="resume"; filename="a"\r\n\r\n'
    chunk = b"x" * 65_536

    async def pour() -> None:
        writer.write(f"{len(start):x}\r\n".encode() + start + b"\r\n")
        while True:
            writer.write(b"10000\r\n" + chunk + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)

    pouring = asyncio.create_task(pour())
    answer = await asyncio.wait_for(reader.readline(), 10)
    pouring.cancel()
    await asyncio.gather(pouring, return_exceptions=True)
    writer.close()
    assert b" 413 " in answer
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 50 * 1024


async def test_an_announced_flood_is_refused_before_it_comes(api: RunningApi) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    started = time.perf_counter()
    writer.write(
        "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {hs256(good_claims())}\r\n"
        "Content-Length: 104857600\r\n\r\n".encode()
    )
    answer = await asyncio.wait_for(reader.readline(), 5)
    assert b" 413 " in answer
    assert time.perf_counter() - started < 0.5
    writer.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "x"])
async def test_compressed_bodies_are_refused(client: httpx.AsyncClient, encoding: str) -> None:
    bomb = gzip.compress(b" " * (50 * MIB))
    response = await client.post(
        "/api/jobs", content=bomb, headers=JSON | {"content-encoding": encoding}
    )
    assert response.status_code == 415


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/x-www-form-urlencoded", "json", "*/*"],
)
async def test_other_content_is_refused(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post(
        "/api/jobs", content=json.dumps(GOOD), headers={"content-type": content_type}
    )
    assert response.status_code == 415
    assert "application/json" in response.json()["detail"]


async def test_a_charset_beside_the_type_is_harmless(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    response = await client.post("/api/jobs", content=json.dumps(GOOD), headers=headers)
    assert response.status_code == 202


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--b\r\n"),
        ("multipart/form-data; boundary=", b"--b\r\n"),
        ("multipart/form-data; boundary=b", b"no boundary here"),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="type"\r\n\r\n\xff\xfe\r\n--b--\r\n',
        ),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\n" + b"X-Header: y\r\n" * 5000 + b"\r\n--b--\r\n",
        ),
    ],
)
async def test_malformed_forms_are_refused(
    client: httpx.AsyncClient, content_type: str, body: bytes
) -> None:
    response = await client.post("/api/jobs", content=body, headers={"content-type": content_type})
    assert response.status_code in {400, 422}, response.text
    assert response.headers["content-type"] == "application/problem+json"


async def test_many_parts_are_refused(client: httpx.AsyncClient) -> None:
    many = {f"field{n}": "x" for n in range(1000)}
    response = await client.post("/api/jobs", data=GOOD | many, files={"resume": ("a", b"text")})
    assert response.status_code == 400
    two = [("resume", ("a", b"text")), ("resume", ("b", b"text"))]
    response = await client.post("/api/jobs", data=GOOD, files=two)
    assert response.status_code == 400
    stray = {"picture": ("a.png", b"text")}
    response = await client.post("/api/jobs", data=GOOD, files=stray)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "picture"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cv.pdf", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("cv.pdf", b"MZ\x90\0\3\0\0\0"),
        ("cv.txt", b"\x7fELF\2\1\1\0"),
        ("cv.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100),
        ("cv.txt", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("cv.txt", b"  <!DOCTYPE HTML><script>alert(1)</script>"),
        (
            "cv.txt",
            b"\xef\xbb\xbf<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///'>]>",
        ),
        ("cv.txt", b"{\\rtf1\\ansi}"),
        ("cv.txt", b"bell \x07 \x01\x02"),
    ],
)
async def test_other_files_are_refused_naming_what_is_accepted(
    client: httpx.AsyncClient, name: str, content: bytes
) -> None:
    files = {"resume": (name, content, "application/pdf")}
    response = await client.post("/api/jobs", data=GOOD, files=files)
    assert response.status_code == 415
    assert "PDF" in response.json()["detail"]
    assert ".docx" in response.json()["detail"]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("cv.txt", "Jane Doe, nurse".encode("utf-16"), "text/plain"),
        (
            "cv.docx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0" + "EncryptedPackage".encode("utf-16-le"),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
    ],
)
async def test_files_that_the_reader_can_judge_are_left_to_it(
    api: RunningApi, client: httpx.AsyncClient, name: str, content: bytes, kind: str
) -> None:
    """UTF-16 is readable, and only the reader can say that a document needs a password."""
    response = await client.post("/api/jobs", data=GOOD, files={"resume": (name, content)})
    assert response.status_code == 202, response.text
    with redis.Redis.from_url(api.redis_url) as server:
        job_id = response.json()["jobId"]
        ref = json.loads(server.hget(f"bull:cover-letter:{job_id}", "data"))["resumeFile"]
    assert ref["contentType"] == kind


@pytest.mark.parametrize("content", [b"", b" \n\t "])
async def test_an_empty_file_is_named(client: httpx.AsyncClient, content: bytes) -> None:
    response = await client.post("/api/jobs", data=GOOD, files={"resume": ("cv.pdf", content)})
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {
            "field": "resume",
            "message": "the file is empty; choose another one",
            "code": "empty_file",
        }
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "C:\\x\\cv.txt",
        "a\u202etxt.exe",
        "n" * 4096,
        "a\r\nSet-Cookie: b",
        '";x="',
    ],
)
async def test_names_of_files_are_only_words(
    api: RunningApi, client: httpx.AsyncClient, name: str
) -> None:
    files = {"resume": (name, b"text")}
    response = await client.post("/api/jobs", data=GOOD, files=files)
    assert response.status_code == 202, response.text
    with redis.Redis.from_url(api.redis_url) as server:
        job_id = response.json()["jobId"]
        ref = json.loads(server.hget(f"bull:cover-letter:{job_id}", "data"))["resumeFile"]
        kept = ref["name"]
        assert kept.isprintable()
        assert len(kept) <= 120
        assert not set(kept) & set('/\\"\r\n\u202e')
        (key,) = server.keys("careerlens:*:upload:*")
        assert key.decode().endswith(ref["key"])
        assert name not in key.decode()


async def test_smuggled_requests_are_refused(api: RunningApi) -> None:
    for framing in (
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: -1",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(
            f"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n"
            "0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        writer.write_eof()
        answers = await asyncio.wait_for(reader.read(), 10)
        assert answers.count(b'"status":"live"') == 0, (framing, answers)
        writer.close()
