"""What is wrong with a request is said field by field, in words for people."""

from __future__ import annotations

from typing import Any

import httpx
import pytest


async def problems(client: httpx.AsyncClient, body: dict[str, Any]) -> list[dict[str, str]]:
    response = await client.post("/api/jobs", json=body)
    assert response.status_code == 422, response.text
    errors: list[dict[str, str]] = response.json()["errors"]
    return errors


async def test_a_missing_field_says_what_to_do(client: httpx.AsyncClient) -> None:
    assert await problems(client, {"type": "cover-letter"}) == [
        {
            "field": "targetRole",
            "message": "tell us the role you are aiming for",
            "code": "required",
        }
    ]


@pytest.mark.parametrize(
    ("fields", "field", "message", "code"),
    [
        ({"targetRole": ""}, "targetRole", "tell us the role you are aiming for", "too_short"),
        (
            {"targetRole": 5},
            "targetRole",
            "must be text; tell us the role you are aiming for",
            "wrong_type",
        ),
        (
            {"targetRole": "x" * 101},
            "targetRole",
            "is too long: at most 100 characters",
            "too_long",
        ),
        (
            {"targetRole": "Editor", "copies": "many"},
            "copies",
            "must be a whole number",
            "wrong_type",
        ),
        (
            {"targetRole": "Editor", "resumeTxt": "x"},
            "resumeTxt",
            "unknown field; did you mean resumeText?",
            "unknown_field",
        ),
        ({"targetRole": "Editor", "zzz": 1}, "zzz", "unknown field; remove it", "unknown_field"),
    ],
)
async def test_a_wrong_field_is_named(
    client: httpx.AsyncClient, fields: dict[str, Any], field: str, message: str, code: str
) -> None:
    found = await problems(client, {"type": "cover-letter", **fields})
    assert found == [{"field": field, "message": message, "code": code}]


async def test_every_wrong_field_is_named_at_once(client: httpx.AsyncClient) -> None:
    found = await problems(client, {"type": "cover-letter", "copies": [], "zzz": 1})
    assert {each["field"] for each in found} == {"targetRole", "copies", "zzz"}


async def test_a_missing_or_unknown_type_lists_the_known_ones(client: httpx.AsyncClient) -> None:
    (missing,) = await problems(client, {"targetRole": "Editor"})
    (unknown,) = await problems(client, {"type": "cover-leter"})
    for problem in (missing, unknown):
        assert problem["field"] == "type"
        assert "cover-letter" in problem["message"]
    assert (missing["code"], unknown["code"]) == ("required", "unknown_type")


async def test_what_was_sent_is_not_sent_back(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/api/jobs", json={"type": "cover-letter", "targetRole": ["canary"], "copies": "canary"}
    )
    assert "canary" not in response.text


async def test_a_file_for_a_type_that_takes_none_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/api/jobs", data={"type": "endless"}, files={"resume": ("cv.txt", b"text")}
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "resume"
