"""Several processes as one: start them, bring back the ones that die, stop them in order.

Children run in sessions of their own, so that a Ctrl-C reaches the supervisor alone and the order
of stopping is ours. Each child holds the read end of a pipe whose write end only the supervisor
has: when the supervisor is killed, the pipe ends and its children stop by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import IO, Final

from careerlens.foundation.errors import CareerLensError
from careerlens.foundation.health import READY_PATH
from careerlens.foundation.logging import get_logger
from careerlens.foundation.probing import answers_ok

SUPERVISED: Final = "CAREERLENS_SUPERVISED"
STOP_MARGIN_S: Final = 3.0
"""What a process needs to end, beside the time that it gives its work."""
_RESTART_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_AFTER_S = 30.0
_POLL_S = 0.05
_log = get_logger("careerlens.supervisor")


class ChildFailedError(CareerLensError):
    """A child process ended in a way that starting it again cannot cure. It has said why."""

    def __init__(self, name: str, exit_code: int) -> None:
        super().__init__(f"{name} ended with exit code {exit_code}")
        self.name = name
        self.exit_code = exit_code


class NotReadyError(CareerLensError):
    """Some children did not become ready in time."""

    def __init__(self, names: Sequence[str], seconds: float) -> None:
        super().__init__(f"{', '.join(names)} did not become ready within {seconds:g} s")
        self.names = tuple(names)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildSpec:
    """One process to keep running.

    `ready_at`: host and port whose `/health/ready` says that it can do its work. `final_codes`:
    exit codes after which it is not started again, because they mean that a person must act.
    `grace_s`: how long it may take to end when asked, before it is killed. `pass_fds`: file
    descriptors of ours that it is given, under the same numbers.
    """

    name: str
    command: tuple[str, ...]
    ready_at: tuple[str, int]
    environment: Mapping[str, str] = field(default_factory=dict)
    final_codes: frozenset[int] = frozenset({2, 3})
    grace_s: float = 15.0
    pass_fds: tuple[int, ...] = ()


class Supervisor:
    """Keeps children running for as long as its `run` is running.

    They are started together and stopped one after the other, in the order given, or all at once
    where they are `equals`. `output` takes what they print; unless given they print where we do.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        output: IO[bytes] | None = None,
        equals: bool = False,
    ) -> None:
        self._children = [_Child(spec, output) for spec in specs]
        self._equals = equals
        self.is_stopping = False

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the children that are running now, by name."""
        return {child.spec.name: child.pid for child in self._children if child.pid is not None}

    async def run(self) -> None:
        """Start all and keep them running until cancelled, then stop them in order.

        Raises `ChildFailedError` (after stopping the others) when one ends for good.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for child in self._children:
                    group.create_task(child.keep_running(), name=f"supervise-{child.spec.name}")
        except* ChildFailedError as failures:
            raise failures.exceptions[0] from None
        finally:
            self.is_stopping = True
            await asyncio.shield(self._stop())

    async def _stop(self) -> None:
        if self._equals:
            await asyncio.gather(*(child.stop() for child in self._children))
            return
        for child in self._children:
            await child.stop()

    def hurry(self) -> None:
        """Kill what is still running: a person asked twice."""
        for child in self._children:
            child.kill()

    async def until_ready(self, *, within: float) -> None:
        """Return when every child is ready. Raises `NotReadyError` after `within` seconds."""
        deadline = monotonic() + within
        for child in self._children:
            while not await child.is_ready():
                if monotonic() > deadline:
                    late = [c.spec.name for c in self._children if not await c.is_ready()]
                    raise NotReadyError(late, within)
                await asyncio.sleep(_POLL_S)


class _Child:
    def __init__(self, spec: ChildSpec, output: IO[bytes] | None) -> None:
        self.spec = spec
        self._output = output
        self._process: asyncio.subprocess.Process | None = None
        self._lifeline: int | None = None

    @property
    def pid(self) -> int | None:
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    async def keep_running(self) -> None:
        failures = 0
        while True:
            started = monotonic()
            process = await self._start()
            code = await process.wait()
            self._clear_up(process)
            if code in self.spec.final_codes:
                raise ChildFailedError(self.spec.name, code)
            failures = 0 if monotonic() - started > _STEADY_AFTER_S else failures + 1
            pause = _RESTART_PAUSES_S[min(max(failures - 1, 0), len(_RESTART_PAUSES_S) - 1)]
            _log.warning(
                f"{self.spec.name} ended; starting it again", exit_code=code, pause_seconds=pause
            )
            await asyncio.sleep(pause)

    async def is_ready(self) -> bool:
        return self.pid is not None and await answers_ok(*self.spec.ready_at, READY_PATH)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """Ask it to end, wait for its grace period, then kill it and whatever it left behind."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(self.spec.grace_s):
                    await process.wait()
            except TimeoutError:
                _log.warning(
                    f"{self.spec.name} did not end within {self.spec.grace_s:g} s; killing it"
                )
                process.kill()
                await process.wait()
        self._clear_up(process)

    async def _start(self) -> asyncio.subprocess.Process:
        theirs, ours = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                stdin=theirs,
                stdout=self._output,
                stderr=self._output,
                env={**os.environ, **self.spec.environment, SUPERVISED: "1"},
                start_new_session=True,
                pass_fds=self.spec.pass_fds,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._lifeline = ours
        return self._process

    def _clear_up(self, process: asyncio.subprocess.Process) -> None:
        """Let nothing of an ended child stay: helpers of its own share its process group."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def stop_with_supervisor(*, within: float) -> None:
    """In a supervised child: end as by SIGTERM when the supervisor is gone, however it went.

    Should that take more than `within` seconds, it is ended as by SIGKILL: nobody else is left to
    do so.
    """
    if os.environ.pop(SUPERVISED, None) is None:
        return

    def wait_for_its_end() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        sleep(within)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait_for_its_end, name="supervisor-lifeline", daemon=True).start()
