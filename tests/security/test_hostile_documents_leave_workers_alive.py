"""Documents that attack their reader, handed in over HTTP to a running product."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import documents
from job_requests import create_resume_job, reaches
from stack import Product
from support import Valkey

MIB = 1024 * 1024


def zip_bomb() -> bytes:
    return documents.archive({"[Content_Types].xml": "<x/>", "word/document.xml": b" " * 120 * MIB})


def entities(url: str) -> bytes:
    return documents.docx_with_xml(
        f'<!DOCTYPE d [<!ENTITY a SYSTEM "{url}/api/config"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
        "<d>&a;&b;</d>"
    )


def cyclic_pages() -> bytes:
    return documents.raw_pdf(
        {
            1: documents.CATALOG,
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1000000 /Parent 3 0 R >>",
            3: b"<< /Type /Pages /Kids [2 0 R] /Count 1000000 /Parent 2 0 R >>",
        }
    )


def stream_bomb() -> bytes:
    return documents.pdf_with_content(b"q " * 60 * MIB)


@pytest.fixture
async def product(tmp_path: Path, valkey_server: Valkey) -> AsyncIterator[Product]:
    product = Product(tmp_path, valkey_server.url, WORKER_CONCURRENCY="2")
    async with product.running("api", "worker"):
        yield product


def peak_resident_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


async def test_each_attack_fails_its_own_job_and_nothing_else(
    product: Product, tmp_path: Path
) -> None:
    attacks = {
        "bomb.docx": zip_bomb(),
        "entities.docx": entities(product.url),
        "cycle.pdf": cyclic_pages(),
        "stream.pdf": stream_bomb(),
        "truncated.pdf": documents.two_column_pdf()[:700],
    }
    async with product.client("user-1") as client:
        first = await create_resume_job(client)
        await reaches(client, first, "completed", within=60)
        usual = peak_resident_bytes(product.pid("worker"))
        asked = product.log("api").count("/api/config")
        before = {path.name for path in tmp_path.iterdir()}
        for name, content in attacks.items():
            form = {"type": "resume-optimization", "targetRole": "Data Analyst"}
            answer = await client.post("/api/jobs", data=form, files={"resume": (name, content)})
            assert answer.status_code == 202, (name, answer.text)
            failed = await reaches(client, answer.json()["jobId"], "failed", within=90)
            assert failed["errorCode"], name
            assert failed["attemptsMade"] == 1, "what can never work is not tried again"
            for inside in ("Traceback", ".py", "/", "root:"):
                assert inside not in failed["error"], (name, failed["error"])
        last = await create_resume_job(client)
        await reaches(client, last, "completed", within=60)
    assert {path.name for path in tmp_path.iterdir()} == before
    assert product.log("api").count("/api/config") == asked, "an entity was fetched"
    assert peak_resident_bytes(product.pid("worker")) - usual < 64 * MIB
