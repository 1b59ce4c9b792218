"""`careerlens health`: does the process of this container answer?"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from careerlens.cli.exits import Exit
from careerlens.cli.screen import CommandError

_PORT = Parameter(validator=Number(gte=1, lte=65535))


def health(*, port: Annotated[int | None, _PORT] = None) -> int:
    """Say whether a CareerLens process on this machine answers; for containers' health checks.

    Exit code 0 when one does, 1 when none does.

    For example:

        careerlens health
        careerlens health --port 3001

    Parameters
    ----------
    port:
        The port to ask. [API_PORT, SOCKET_PORT and WORKER_HEALTH_PORT: any of them will do]
    """
    from careerlens.cli.looping import run_async
    from careerlens.foundation.health import LIVE_PATH
    from careerlens.foundation.probing import answers_ok
    from careerlens.foundation.settings import load_settings

    settings = load_settings()
    addresses = [
        (settings.listen_host(settings.api_host), settings.api_port),
        (settings.listen_host(settings.socket_host), settings.socket_port),
        ("127.0.0.1", settings.worker_health_port or 0),
    ]
    if port is not None:
        addresses = [("127.0.0.1", port)]

    async def anyone_answers() -> bool:
        for host, number in addresses:
            if number and await answers_ok(host, number, LIVE_PATH):
                return True
        return False

    if not run_async(anyone_answers()):
        ports = ", ".join(str(number) for _, number in addresses if number)
        raise CommandError(f"Nothing healthy answers on port {ports}.")
    return Exit.DONE
