"""Repeats a call until the server answers, as long as the job is ours for certain."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from careerlens.foundation.errors import OutcomeUnknownError, ServiceUnavailableError
from careerlens.wire.link import Call, Link
from careerlens.worker.held import HeldJob

_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, and whether an earlier sending of the same call may have been carried out."""

    reply: Any
    is_repeat: bool


async def insist(
    link: Link, job: HeldJob, build: Callable[[bool], Call], *, is_repeat: bool = False
) -> Answer | None:
    """Send the call that `build` makes until it is answered; None when the lease ran out first.

    `build` is told whether the call was sent before, which `is_repeat` says of the first time.
    Only for calls that are fenced by the job's token, or harmless to repeat.
    """
    while True:
        try:
            return Answer(await link.run(*build(is_repeat)), is_repeat)
        except OutcomeUnknownError:
            is_repeat = True
        except ServiceUnavailableError:
            pass  # nothing was done, so nothing needs to be remembered
        if time.monotonic() > job.lease_until:
            return None
        await asyncio.sleep(random.uniform(_PAUSE_S / 2, _PAUSE_S))  # noqa: S311 (jitter)
