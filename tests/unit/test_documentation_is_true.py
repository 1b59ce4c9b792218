"""The reference names what there is, all of it and nothing else; examples run; links lead."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from careerlens.api.app import create_app
from careerlens.api.problems import KINDS
from careerlens.archive.gathering import REMOVED_CODE
from careerlens.archive.recorder import LEASE_KEY
from careerlens.auth.revocations import REVOCATIONS_KEY
from careerlens.cli._main import build_app
from careerlens.cli.connection import API_VARIABLE, TOKEN_VARIABLE
from careerlens.cli.exits import Exit
from careerlens.foundation.errors import JobError
from careerlens.foundation.settings import Settings
from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import Registry, definitions_in, load_registry
from careerlens.jobs.keys import (
    QUEUES_KEY,
    WORKERS_KEY,
    feed_key,
    idempotency_key,
    live_key,
    queue_workers_key,
    text_channel,
    text_key,
    ticket_key,
    told_key,
    upload_key,
    wake_channel,
)
from careerlens.jobs.model import (
    JobEventKind,
    JobProgress,
    JobStatus,
    JobStatusResponse,
    JobUpdate,
)
from careerlens.jobs.uploads import UploadRef
from careerlens.realtime.ledger import position_key
from careerlens.realtime.relay import QueueRelay
from careerlens.wire.cancel import cancel_channel
from careerlens.wire.events import EventStreams
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Link

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
PROBLEMS = (DOCS / "reference/problems.md").read_text("utf-8")
PROMISE = (
    "An acknowledged job is never lost on one machine with an intact disk; its handler may run "
    "more than once; its outcome is committed once; each of its events reaches its owner once and "
    "in order."
)


def page(name: str) -> str:
    """The text of a page of the docs."""
    return (DOCS / name).read_text("utf-8")


def section(text: str, title: str) -> str:
    """What stands under a heading, down to the next one of its rank."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)", text, re.M | re.S)
    assert found, f"there is no section {title!r}"
    return found[2]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, headings left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = {n for n, cells in enumerate(table) if set("".join(cells)) <= {"-", ":"}}
    return [cells for n, cells in enumerate(table) if n not in rules and n + 1 not in rules]


def codes(text: str) -> list[str]:
    """Everything in backquotes."""
    return re.findall(r"`([^`]+)`", text)


def words(text: str) -> str:
    """The text without line breaks and quotation marks."""
    return " ".join(text.replace("\n>", "\n").split())


# Settings


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    documented = {codes(cells[0])[0] for cells in rows(page("reference/settings.md"))}
    existing = {str(field.alias) for field in Settings.model_fields.values()}
    assert documented == existing | {API_VARIABLE, TOKEN_VARIABLE}


def test_documented_defaults_are_the_real_ones() -> None:
    by_alias = {str(field.alias): field.default for field in Settings.model_fields.values()}
    for variable, default, _ in rows(page("reference/settings.md")):
        name = codes(variable)[0]
        if name in by_alias and default.startswith("`"):
            real = by_alias[name]
            shown = str(real).lower() if isinstance(real, bool) else str(real)
            assert codes(default) == [shown], name


def test_every_variable_that_any_page_names_exists() -> None:
    existing = {str(field.alias) for field in Settings.model_fields.values()}
    existing |= {API_VARIABLE, TOKEN_VARIABLE, "CAREERLENS_TEST_POSTGRES_URL"}
    family = re.compile(
        r"`((?:CAREERLENS|REDIS|API|SOCKET|WORKER|JWT|CORS|DATABASE|FIREBASE|JWKS)_[A-Z_]+)`"
    )
    for path in PAGES:
        for name in family.findall(path.read_text("utf-8")):
            assert name in existing, f"{path.name} names {name}"


# Command line


def _commands() -> dict[str, Any]:
    app = build_app()
    return {name: app[name] for name in app if not name.startswith("-")}


def test_every_command_and_option_is_documented_and_exists() -> None:
    documented = {
        codes(cells[0])[0].split()[1]: set(codes(cells[2]))
        for cells in rows(page("reference/cli.md"))
        if cells[0].startswith("`careerlens")
    }
    existing = {
        name: {
            option
            for argument in command.assemble_argument_collection(parse_docstring=False)
            for option in argument.names
            if option.startswith("--")
        }
        for name, command in _commands().items()
    }
    assert documented == existing


def test_exit_codes_are_documented() -> None:
    documented = [int(cells[0]) for cells in rows(section(page("reference/cli.md"), "Exit codes"))]
    assert documented == [int(code) for code in Exit]


def test_commands_in_every_page_exist() -> None:
    for path in PAGES:
        for name in re.findall(r"(?:^|[`\s/])careerlens ([a-z]+)", _code_of(path), re.M):
            assert name in _commands(), f"{path.name} runs careerlens {name}"


def _code_of(path: Path) -> str:
    text = path.read_text("utf-8")
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.S)
    return "\n".join(
        [*blocks, *(f"`{code}`" for code in codes(re.sub(r"```.*?```", "", text, flags=re.S)))]
    )


def test_make_targets_in_every_page_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for path in PAGES:
        for name in re.findall(r"(?:^|`)make ([a-z-]+)", _code_of(path), re.M):
            assert name in targets, f"{path.name} runs make {name}"


# Problems, statuses and events


def test_every_route_is_documented_and_exists() -> None:
    settings = Settings(_env_file=None, CAREERLENS_ENV="development", JWT_SECRET="s" * 40)
    app = create_app(settings, redis_url="redis://localhost", registry=Registry())
    existing = {
        f"{method.upper()} {path.replace('{job_id}', '{jobId}')}"
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    routes = rows(section(page("reference/http-api.md"), "Routes"))
    assert {codes(cells[0])[0] for cells in routes} == existing


def test_every_problem_is_documented_with_its_status() -> None:
    text = section(PROBLEMS, "Answers of the API")
    documented = {codes(cells[0])[0]: int(cells[1]) for cells in rows(text)}
    assert documented == {f"/problems/{code}": kind.status for code, kind in KINDS.items()}


def _codes_of_failures() -> Iterator[str]:
    """Each code that our own runtime gives a failed job, as its source says."""
    for folder in ("archive", "jobs", "worker"):
        for path in (ROOT / "src/careerlens" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and _name_of(node.func) in FAILURES:
                    yield from (_text(word.value) for word in node.keywords if word.arg == "code")
                if isinstance(node, ast.FunctionDef) and node.name == "describe_failure":
                    pairs = [each for each in ast.walk(node) if isinstance(each, ast.Tuple)]
                    yield from (_text(pair.elts[1]) for pair in pairs)


FAILURES = {"JobError", "UnrecoverableError", "Failed"}


def _name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_codes_of_failed_jobs_are_documented() -> None:
    documented = {codes(cells[0])[0] for cells in rows(section(PROBLEMS, "Why a job failed"))}
    default = inspect.signature(JobError).parameters["code"].default
    assert documented == {*_codes_of_failures(), default, REMOVED_CODE} - {""}


def test_our_keys_in_redis_are_documented() -> None:
    url = "redis://localhost"
    relay = QueueRelay(EventStreams(url), Link(url), QueueKeys("q"))
    existing = {
        *(make("u") for make in (live_key, feed_key, told_key, wake_channel)),
        *(make("u", "…") for make in (text_key, text_channel, upload_key, idempotency_key)),
        ticket_key("…"),
        REVOCATIONS_KEY,
        QUEUES_KEY,
        WORKERS_KEY,
        queue_workers_key("q"),
        LEASE_KEY,
        cancel_channel("q"),
        relay._lease.key,
        position_key("q"),
    }
    documented = {
        codes(cells[0])[0] for cells in rows(section(page("reference/redis-keys.md"), "Ours"))
    }
    assert documented == existing


def test_fields_and_kinds_of_the_feed_are_documented() -> None:
    tables = rows(section(page("reference/live-updates.md"), "An entry of the feed"))
    kinds = [kind.value for kind in JobEventKind]
    assert [codes(cells[0])[0] for cells in tables[-len(kinds) :]] == kinds
    about_fields = tables[: -len(kinds)]
    fields = {code for cells in about_fields for code in codes(cells[0])}
    assert fields == {str(field.alias) for field in JobUpdate.model_fields.values()}
    (of_status,) = (cells[1] for cells in about_fields if cells[0] == "`status`")
    assert codes(of_status) == [status.value for status in JobStatus]


def test_fields_of_a_job_are_documented() -> None:
    tables = rows(section(page("reference/http-api.md"), "A job"))
    fields = {code for cells in tables for code in codes(cells[0])}
    assert fields == {str(field.alias) for field in JobStatusResponse.model_fields.values()}


def test_socket_events_are_documented_and_exist() -> None:
    """Compared with every event name that the gateway's code mentions."""
    tables = rows(section(page("reference/live-updates.md"), "Socket.IO"))
    documented = {codes(cells[0])[0] for cells in tables}
    mentioned: set[str] = set()
    for path in (ROOT / "src/careerlens/realtime").glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        mentioned |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"(?!careerlens|about)[a-z]+:[a-z]+|resync|error", node.value)
        }
    assert documented == mentioned


# Promises, links, examples


def test_promise_is_made_in_the_words_of_the_design() -> None:
    assert PROMISE in words(page("discussions/delivery-promises.md"))
    assert PROMISE in words((ROOT / "README.md").read_text("utf-8"))
    for path in PAGES:
        text = path.read_text("utf-8").lower()
        assert text.count("exactly-once") == text.count('never "exactly-once'), path.name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    linked_to = re.findall(r"\]\(([^)\s]+)\)", text)
    linked_to += re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    for target in linked_to:
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), f"{path.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


def test_paths_in_every_page_exist() -> None:
    wanted = re.compile(r"`((?:src|tests|web|deploy|docs|scripts)/[\w./-]+)`")
    for path in PAGES:
        for name in wanted.findall(path.read_text("utf-8")):
            assert (ROOT / name).exists(), f"{path.name} names {name}"


def python_examples() -> Iterator[tuple[Path, str]]:
    """Every whole Python example: one that begins with its imports."""
    for path in sorted(DOCS.rglob("*.md")):
        for block in re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), re.S):
            yield path, block


def test_python_examples_compile_and_import_what_exists() -> None:
    for path, block in python_examples():
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{path.name}: {node.module}.{alias.name}"


@pytest.mark.parametrize("name", ["letters", "primes"])
def test_example_job_types_can_be_found(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = next(block for _, block in python_examples() if block.startswith(f"# {name}.py"))
    (tmp_path / f"{name}.py").write_text(block, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(name)
    try:
        (definition,) = definitions_in(module)
        settings = Settings(CAREERLENS_JOBS=name, _env_file=None)
        assert load_registry(settings)[definition.type] is definition
    finally:
        del sys.modules[name]


async def test_example_handler_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = next(block for _, block in python_examples() if block.startswith("# letters.py"))
    (tmp_path / "letters.py").write_text(block, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("letters")
    seen: list[tuple[float, str | None]] = []

    async def report(progress: JobProgress) -> None:
        seen.append((progress.percent, progress.step))

    async def write_log(_line: str) -> None:
        raise AssertionError("the example logs nothing")

    async def write_text(_text: str) -> None:
        raise AssertionError("the example writes nothing")

    async def load_upload(_ref: UploadRef) -> bytes:
        raise AssertionError("the example reads no file")

    context = JobContext(
        job_id="1",
        user_id="user-123",
        type="cover-letter",
        attempt=1,
        max_attempts=3,
        report=report,
        write_log=write_log,
        write_text=write_text,
        load_upload=load_upload,
        is_cancelled=lambda: False,
    )
    try:
        letter = await module.cover_letter(
            context, module.CoverLetter(company="Acme", role="Designer")
        )
    finally:
        del sys.modules["letters"]
    assert letter.word_count == len(letter.text.split())
    assert seen == [(40, "draft"), (90, "count")]
