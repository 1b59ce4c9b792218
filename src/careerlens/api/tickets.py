"""One-time tickets, for what can send no header: a browser's `EventSource`.

    POST /api/tickets ──▶ {ticket} ──▶ GET /api/jobs/events?ticket=… ──▶ void

A token in an address would end up in histories, in the logs of proxies and in Referer headers,
and whoever finds it there could use it for hours. What is found of a ticket is void already.
Redis holds a digest, so that reading the database opens nothing either.

Each process rations what it gives to a user: a ticket costs memory for half a minute.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections import OrderedDict

import orjson

from careerlens.api.problems import ProblemError
from careerlens.auth import Authenticator, Caller
from careerlens.foundation.errors import AuthenticationError
from careerlens.jobs.keys import ticket_key
from careerlens.realtime.budget import Budget
from careerlens.wire.link import Link

TICKET_MS = 30_000
TICKETS_AT_ONCE = 100
"""Twice as many as streams that a user may hold: all may have to be opened again at once."""
TICKETS_PER_S = 1
_USERS_REMEMBERED = 10_000
_BYTES = 32
_TICKET = re.compile(r"[A-Za-z0-9_-]{43}")


class Tickets:
    """Gives out tickets, and takes each of them once, whichever process it is shown to."""

    def __init__(self, link: Link, authenticator: Authenticator) -> None:
        self._link = link
        self._authenticator = authenticator
        self._budgets: OrderedDict[str, Budget] = OrderedDict()

    async def issue(self, caller: Caller) -> str:
        """A ticket that stands for this caller.

        Raises `ProblemError` when the user has had too many lately, and as `Link.call`.
        """
        self._ration(caller.user_id)
        ticket = secrets.token_urlsafe(_BYTES)
        record = {
            "userId": caller.user_id,
            "expiresAt": caller.expires_at,
            "method": caller.method,
            "signedInAt": caller.signed_in_at,
        }
        await self._link.call("SET", _key(ticket), orjson.dumps(record), "PX", TICKET_MS)
        return ticket

    async def redeem(self, ticket: str) -> Caller:
        """Who the ticket was given to; it is void from then on.

        What opens with it lasts no longer than the token that it was asked for with. Raises
        `AuthenticationError` for one that is void, or whose token is by now, and as `Link.call`.
        """
        record = None
        if _TICKET.fullmatch(ticket):
            record = await self._link.call("GETDEL", _key(ticket))
        if record is None:
            raise AuthenticationError(
                "This ticket was used before, or is older than 30 seconds. Ask for another one."
            )
        told = orjson.loads(record)
        caller = Caller(
            user_id=told["userId"],
            expires_at=told["expiresAt"],
            method=told["method"],
            signed_in_at=told["signedInAt"],
        )
        if caller.expires_at is not None and caller.expires_at <= time.time():
            raise AuthenticationError("The token has expired. Sign in again.")
        self._authenticator.require_valid(caller)
        return caller

    def _ration(self, user_id: str) -> None:
        budget = self._budgets.setdefault(user_id, Budget(TICKETS_AT_ONCE, 0))
        self._budgets.move_to_end(user_id)
        if len(self._budgets) > _USERS_REMEMBERED:
            self._budgets.popitem(last=False)
        is_enough = budget.spend(
            0,
            packets_per_s=TICKETS_PER_S,
            packets_at_once=TICKETS_AT_ONCE,
            bytes_per_s=0,
            bytes_at_once=0,
        )
        if not is_enough:
            raise ProblemError("too-many-tickets", headers={"Retry-After": str(1 // TICKETS_PER_S)})


def _key(ticket: str) -> str:
    return ticket_key(hashlib.sha256(ticket.encode()).hexdigest())
