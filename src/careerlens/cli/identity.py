"""`careerlens token`, `careerlens revoke` and `careerlens version`."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from careerlens import __version__
from careerlens.cli.exits import Exit
from careerlens.cli.screen import CommandError

if TYPE_CHECKING:
    from careerlens.foundation.settings import Settings


def token(
    *,
    user: Annotated[str, Parameter(alias="-u")],
    hours: Annotated[float, Parameter(alias="-H")] = 24.0,
) -> int:
    """Make a token that proves who is calling, and print it.

    It is signed with JWT_SECRET; in development, without that variable, with the secret kept in
    `.careerlens/`. Send it as `Authorization: Bearer …`, or to Socket.IO as `auth.token`.

    For example:

        careerlens token --user user-123
        TOKEN=$(careerlens token --user user-123)
        curl -H "Authorization: Bearer $TOKEN" http://localhost:3000/api/jobs

    Parameters
    ----------
    user:
        Whose token it is: the owner of the jobs it may create and see.
    hours:
        How long it is valid.
    """
    from careerlens.auth import issue_token
    from careerlens.foundation.settings import load_settings

    _require_user(user)
    if not 0 < hours <= 24 * 366:
        raise CommandError(
            f"A token cannot be valid for {hours:g} hours.",
            "Use more than 0 and at most 8784 (a year).",
            code=Exit.USAGE,
        )
    sys.stdout.write(issue_token(load_settings(), user, hours=hours) + "\n")
    return Exit.DONE


def revoke(*, user: Annotated[str, Parameter(alias="-u")]) -> int:
    """Take back every token that a user has been issued so far, and end what was opened with it.

    Requests are refused, sockets and streams of events closed, within a few seconds. Tokens
    issued from now on count again. Jobs go on.

    For example:

        careerlens revoke --user user-123

    Parameters
    ----------
    user:
        Whose tokens they are.
    """
    from careerlens.cli.looping import run_async
    from careerlens.foundation.logging import configure_logging
    from careerlens.foundation.settings import load_settings

    _require_user(user)
    settings = load_settings()
    configure_logging("revoke", settings)
    moment = datetime.fromtimestamp(run_async(_revoke(settings, user)), UTC)
    sys.stdout.write(f"Tokens of {user} issued before {moment:%Y-%m-%d %H:%M:%S} UTC are void.\n")
    return Exit.DONE


async def _revoke(settings: Settings, user: str) -> float:
    from careerlens.auth import revoke_tokens
    from careerlens.foundation.embedded import redis_for
    from careerlens.wire.opening import open_link

    async with redis_for(settings) as endpoint:
        link = open_link(endpoint.url, name="careerlens:revoke")
        try:
            return await revoke_tokens(link, user)
        finally:
            await link.close()


def _require_user(user: str) -> None:
    from careerlens.foundation.users import is_valid_user_id

    if not is_valid_user_id(user):
        raise CommandError(
            f"{user!r} cannot be a user id.",
            "Use 1 to 128 printable characters, without spaces at the ends.",
            code=Exit.USAGE,
        )


def version() -> int:
    """Say which versions are installed here, for a report or a question."""
    lines = [
        f"careerlens {__version__}",
        f"python {platform.python_version()} on {platform.system()} {platform.machine()}",
        *(f"{name} {version_of(name)}" for name in ("bullmq", "redis", "python-socketio")),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return Exit.DONE
