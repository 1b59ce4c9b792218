"""`careerlens optimize` and `careerlens submit`: a job from the terminal, by the whole path."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from careerlens.cli.exits import Exit
from careerlens.cli.flags import Flag
from careerlens.cli.screen import CommandError, messages, results

if TYPE_CHECKING:
    from careerlens.cli.connection import Api

RESUME_TYPE = "resume-optimization"
DEFAULT_USER = "me"

User = Annotated[str, Parameter(alias="-u")]
ApiUrl = Annotated[str | None, Parameter(name="--api-url")]


def optimize(
    file: str,
    /,
    *,
    role: Annotated[str, Parameter(alias="-r")],
    json: Flag = False,
    user: User = DEFAULT_USER,
    token: str | None = None,
    api_url: ApiUrl = None,
    quiet: Annotated[Flag, Parameter(alias="-q")] = False,
) -> int:
    """Analyse a résumé for a target role: upload it, watch the steps, read the report.

    It needs a running CareerLens (`careerlens run`). The report goes to stdout, the progress to
    stderr. Ctrl-C cancels the job.

    For example:

        careerlens optimize resume.pdf --role "Data Engineer"
        careerlens optimize resume.docx --role Nurse --json | jq .atsScore
        pdftotext resume.pdf - | careerlens optimize - --role "Full Stack Developer"

    Parameters
    ----------
    file:
        The résumé: PDF, DOCX or plain text, at most 5 MiB; `-` reads text from stdin.
    role:
        The role it is meant for, for example "Full Stack Developer".
    json:
        Print the result as JSON instead of a report.
    user:
        Whose job it is.
    token:
        A token that proves who is calling. [CAREERLENS_TOKEN]
    api_url:
        Where the API is. [CAREERLENS_API_URL; http://127.0.0.1:3000]
    quiet:
        Show no progress.
    """
    from careerlens.cli.looping import run_async

    upload = read_resume(file)
    work = _submit_and_wait(
        {"type": RESUME_TYPE, "targetRole": role},
        file=upload,
        title=f"{upload[0]} for {role}",
        as_json=json,
        user=user,
        token=token,
        api_url=api_url,
        quiet=quiet,
    )
    return run_async(work)


def submit(
    job_type: str,
    /,
    *,
    data: Annotated[str | None, Parameter(alias="-d")] = None,
    field: Annotated[tuple[str, ...], Parameter(alias="-f", negative="", show_default=False)] = (),
    file: Path | None = None,
    wait: Annotated[Flag, Parameter(alias="-w")] = False,
    json: Flag = False,
    user: User = DEFAULT_USER,
    token: str | None = None,
    api_url: ApiUrl = None,
) -> int:
    """Create a job of any type; print its id, or with --wait its result.

    For example:

        careerlens submit cover-letter -f company=Acme -f role=Designer --wait
        careerlens submit resume-optimization -f targetRole=Nurse --file cv.pdf
        careerlens submit my-type --data '{"name": "Acme", "sizes": [1, 2]}'
        careerlens submit my-type --data - < fields.json

    Parameters
    ----------
    job_type:
        The job's type. `curl localhost:3000/api/job-types -H 'x-user-id: me'` lists them.
    data:
        The job's fields as a JSON object; `-` reads it from stdin.
    field:
        One field as NAME=VALUE, can be repeated. VALUE is read as JSON where it is JSON, else as
        text; NAME=@PATH takes the text of a file.
    file:
        A résumé to upload with it.
    wait:
        Follow the job to its end and print its result.
    json:
        With --wait, print the result as JSON.
    user:
        Whose job it is.
    token:
        A token that proves who is calling. [CAREERLENS_TOKEN]
    api_url:
        Where the API is. [CAREERLENS_API_URL; http://127.0.0.1:3000]
    """
    from careerlens.cli.looping import run_async

    fields = {**_parse_data(data), **_parse_fields(field), "type": job_type}
    upload = read_resume(str(file)) if file is not None else None
    if wait:
        work = _submit_and_wait(
            fields, file=upload, title=job_type, as_json=json, user=user, token=token,
            api_url=api_url, quiet=False,
        )  # fmt: skip
        return run_async(work)
    return run_async(_submit(fields, upload, user=user, token=token, api_url=api_url))


def read_resume(source: str) -> tuple[str, bytes]:
    """The file's name and content; `-` is stdin. Raises `CommandError` for what cannot work."""
    from careerlens.jobs.uploads import MAX_FILE_BYTES

    if source == "-":
        name, content = "resume.txt", sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    else:
        path = Path(source).expanduser()
        try:
            if path.is_file() and path.stat().st_size > MAX_FILE_BYTES:
                raise _too_large(path.name)
            name, content = path.name, path.read_bytes()
        except OSError as error:
            raise CommandError(
                f"{source} cannot be read ({error.strerror}).",
                "Check the path.",
                code=Exit.USAGE,
            ) from error
    if len(content) > MAX_FILE_BYTES:
        raise _too_large(name)
    if not content.strip():
        raise CommandError(f"{source} is empty.", "Choose a résumé with text.", code=Exit.USAGE)
    return name, content


def _too_large(name: str) -> CommandError:
    return CommandError(
        f"{name} is larger than 5 MiB.",
        "Export the résumé again with smaller pictures, or as plain text.",
        code=Exit.USAGE,
    )


def _parse_data(data: str | None) -> dict[str, Any]:
    if data is None:
        return {}
    try:
        parsed = json.loads(sys.stdin.read() if data == "-" else data)
    except ValueError as error:
        raise CommandError(
            f"--data is not JSON ({error}).",
            """Write it like --data '{"targetRole": "Nurse"}'.""",
            code=Exit.USAGE,
        ) from error
    if not isinstance(parsed, dict):
        raise CommandError(
            f"--data must be a JSON object, and is {type(parsed).__name__}.",
            """Write it like --data '{"targetRole": "Nurse"}'.""",
            code=Exit.USAGE,
        )
    return parsed


def _parse_fields(fields: tuple[str, ...]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for text in fields:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CommandError(
                f"--field {text!r} has no value.",
                "Write it like --field targetRole=Nurse.",
                code=Exit.USAGE,
            )
        parsed[name] = _parse_value(value)
    return parsed


def _parse_value(value: str) -> Any:
    if value.startswith("@"):
        try:
            return Path(value[1:]).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise CommandError(
                f"{value[1:]} cannot be read ({reason}).", "Check the path.", code=Exit.USAGE
            ) from error
    try:
        return json.loads(value)
    except ValueError:
        return value


async def _submit(
    fields: Mapping[str, Any],
    file: tuple[str, bytes] | None,
    *,
    user: str,
    token: str | None,
    api_url: str | None,
) -> int:
    from careerlens.cli.connection import api_url_of, identify, open_api
    from careerlens.foundation.settings import load_settings

    settings = load_settings()
    url = api_url_of(settings, api_url)
    async with open_api(url, identify(settings, url, user, token)) as api:
        created = await api.create(fields, file=file)
    sys.stdout.write(f"{created['jobId']}\n")
    return Exit.DONE


async def _submit_and_wait(
    fields: Mapping[str, Any],
    *,
    file: tuple[str, bytes] | None,
    title: str,
    as_json: bool,
    user: str,
    token: str | None,
    api_url: str | None,
    quiet: bool,
) -> int:
    from careerlens.cli.connection import api_url_of, identify, open_api
    from careerlens.cli.looping import until_stopped
    from careerlens.foundation.settings import load_settings

    settings = load_settings()
    url = api_url_of(settings, api_url)
    async with open_api(url, identify(settings, url, user, token)) as api:
        work = run_job(api, fields, file=file, title=title, as_json=as_json, quiet=quiet)
        outcome = await until_stopped(work)
    return Exit.INTERRUPTED if outcome is None else outcome


async def run_job(
    api: Api,
    fields: Mapping[str, Any],
    *,
    file: tuple[str, bytes] | None,
    title: str,
    as_json: bool = False,
    quiet: bool = False,
) -> int:
    """Create a job, follow it to its end, print what came of it; the exit code says the same.

    When cancelled, it cancels the job before it ends.
    """
    import asyncio

    from careerlens.cli.following import follow, live_updates
    from careerlens.cli.progress import progress_view

    with progress_view(messages(), title, quiet=quiet) as view:
        async with live_updates(api, view) as updates:
            job_id = str((await api.create(fields, file=file))["jobId"])
            try:
                status = await follow(api, updates, job_id, view)
            except asyncio.CancelledError:
                cancelled = await api.cancel(job_id)
                view.show({"status": cancelled.get("status")})
                raise
    return show_outcome(status, as_json=as_json)


def show_outcome(status: Mapping[str, Any], *, as_json: bool) -> int:
    """Print the result of a job that has ended; how it failed is told on stderr."""
    from careerlens.cli.report import print_result
    from careerlens.cli.text import one_line

    if status.get("status") != "completed":
        said = status.get("error") or f"The job was {status.get('status')}."
        raise CommandError(one_line(said))
    if as_json:
        document = json.dumps(status.get("result"), ensure_ascii=False, indent=2)
        sys.stdout.write(document + "\n")
    else:
        print_result(results(), str(status.get("type")), status.get("result"))
    return Exit.DONE
