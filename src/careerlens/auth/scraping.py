"""Who may read the metrics of a process, which tell nothing of users but much of the business."""

from __future__ import annotations

import hmac
from enum import Enum, auto

from careerlens.auth.authenticator import bearer_token, host_name
from careerlens.foundation.errors import AuthenticationError
from careerlens.foundation.settings import Settings, is_loopback


class Verdict(Enum):
    """What is answered."""

    WELCOME = auto()
    UNPROVEN = auto()
    HIDDEN = auto()
    """As if there were no metrics."""


class ScrapingRule:
    """By a token where one is set; else from this machine, in development alone."""

    def __init__(self, settings: Settings) -> None:
        token = settings.metrics_token
        self._token = token.get_secret_value().encode() if token is not None else None
        self._is_development = settings.is_development

    def judge(self, authorization: str | None, *, peer: str | None, host: str | None) -> Verdict:
        """Whether who sent this Authorization header may read.

        `peer` is the address of the other side, None behind a proxy; `host` the Host header.
        """
        if self._token is not None:
            return Verdict.WELCOME if self._has_token(authorization) else Verdict.UNPROVEN
        # As for `x-user-id`: pages that rebind a DNS name come from this machine as well.
        is_near = peer is not None and is_loopback(peer) and is_loopback(host_name(host or ""))
        return Verdict.WELCOME if self._is_development and is_near else Verdict.HIDDEN

    def _has_token(self, authorization: str | None) -> bool:
        assert self._token is not None, "only asked where one is set"
        try:
            given = bearer_token(authorization)
        except AuthenticationError:
            return False
        return given is not None and hmac.compare_digest(given.encode(), self._token)
