"""Job types are declared by a decorator and found without anybody importing them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated

import pytest

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.settings import load_settings
from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import Registry, definition_of, job, load_registry
from careerlens.jobs.fields import Remedy, ServerFilled
from careerlens.jobs.model import WireModel
from careerlens.jobs.uploads import UploadRef


class CoverLetter(WireModel):
    target_role: Annotated[str, Remedy("tell us the role you are aiming for")]
    resume_text: str | None = None
    resume_file: Annotated[UploadRef | None, ServerFilled] = None


class Letter(WireModel):
    letter_text: str


@job("cover-letter", attempts=2, timeout=120, memory_mb=64)
async def cover_letter(ctx: JobContext, data: CoverLetter) -> Letter:
    """Write a cover letter.

    Only the first paragraph is shown to people.
    """
    return Letter(letter_text=data.target_role)


@job("word-count")
def word_count(ctx: JobContext, data: CoverLetter) -> dict[str, int]:
    return {"words": len((data.resume_text or "").split())}


def test_the_decorator_leaves_the_function_itself_untouched() -> None:
    assert cover_letter.__name__ == "cover_letter"
    definition = definition_of(cover_letter)
    assert definition is not None
    assert (definition.type, definition.attempts, definition.timeout_s) == ("cover-letter", 2, 120)
    assert definition.title == "Cover letter"
    assert definition.description == "Write a cover letter."
    assert not definition.isolated


def test_a_plain_function_is_isolated() -> None:
    assert Registry.of(word_count)["word-count"].isolated


def test_public_schema_hides_what_only_the_server_fills() -> None:
    definition = Registry.of(cover_letter)["cover-letter"]
    schema = definition.public_schema()
    assert set(schema["properties"]) == {"targetRole", "resumeText"}
    assert schema["required"] == ["targetRole"]
    assert schema["additionalProperties"] is False
    assert "$defs" not in schema
    assert definition.server_filled_names() == {"resume_file", "resumeFile"}
    assert definition.upload_field == "resume_file"


def test_remedies_are_known_by_the_name_on_the_wire() -> None:
    assert Registry.of(cover_letter)["cover-letter"].remedies() == {
        "targetRole": "tell us the role you are aiming for"
    }


@pytest.mark.parametrize("name", ["Wait Room", "wait\n", "", "1st", "a:b", "{x}", "a" * 65])
def test_names_that_could_harm_a_queue_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        job(name)


def test_a_handler_without_typed_data_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="second parameter"):

        @job("untyped")
        async def untyped(ctx: JobContext, data: dict[str, str]) -> None: ...


def test_two_handlers_of_one_type_are_refused() -> None:
    @job("cover-letter")
    async def another(ctx: JobContext, data: CoverLetter) -> Letter:
        return Letter(letter_text="")

    with pytest.raises(ConfigurationError, match="two handlers"):
        Registry.of(cover_letter, another)


def test_job_modules_are_found_by_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("team_jobs_for_this_test")
    vars(module)["word_count"] = word_count
    monkeypatch.setitem(sys.modules, module.__name__, module)
    registry = load_registry(load_settings(jobs_modules=(module.__name__,)))
    assert "word-count" in registry


def test_a_job_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no_such_module_here"):
        load_registry(load_settings(jobs_modules=("no_such_module_here",)))


@pytest.mark.parametrize(("text", "expected"), [("def x(:", "line 1"), ("\n1 / 0", "line 2")])
def test_a_mistake_in_a_job_module_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    module = f"mistaken_jobs_of_{expected.replace(' ', '_')}"
    (tmp_path / f"{module}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match=rf"{module}\.py, {expected}\)"):
        load_registry(load_settings(jobs_modules=(module,)))


def test_a_module_without_a_job_type_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'colorsys' holds no function decorated"):
        load_registry(load_settings(jobs_modules=("colorsys",)))
