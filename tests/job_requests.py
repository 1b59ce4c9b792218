"""What tests ask of an API about jobs, whichever way it runs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from resumes import EXAMPLES
from support import eventually


def at(job_id: str, what: str) -> str:
    """The path of one thing about a job."""
    return f"/api/jobs/{quote(job_id, safe='')}/{what}"


async def create(client: httpx.AsyncClient, **fields: Any) -> str:
    """Create a cover letter, or whatever `fields` say, and return its id."""
    body = {"type": "cover-letter", "targetRole": "Editor"} if "type" not in fields else {}
    response = await client.post("/api/jobs", json=body | fields)
    assert response.status_code == 202, response.text
    job_id: str = response.json()["jobId"]
    return job_id


async def create_resume_job(client: httpx.AsyncClient, role: str = "Full Stack Developer") -> str:
    """Ask for a résumé optimisation of the example text and return the job's id."""
    resume = (EXAMPLES / "resume-marketing-badly-formatted.txt").read_text()
    return await create(client, type="resume-optimization", resumeText=resume, targetRole=role)


async def status(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    """What the API says about a job."""
    response = await client.get(at(job_id, "status"))
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def reaches(
    client: httpx.AsyncClient, job_id: str, wanted: str, *, within: float = 30.0
) -> dict[str, Any]:
    """What the API says once the job has this status."""

    async def there() -> dict[str, Any]:
        seen = await status(client, job_id)
        assert seen["status"] == wanted, seen
        return seen

    return await eventually(there, within=within)
