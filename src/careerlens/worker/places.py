"""Who may run now, and how many jobs may be taken.

A worker runs at most `concurrency` handlers. While the end of one job travels to the server and
the next job comes back, its place would stand empty; where jobs are shorter than that trip, most
places would. So as long as handlers end sooner than the server answers, twice as many slots as
there are places may take jobs. A job that was taken ahead waits here for a place, a moment only:
after `LONGEST_WAIT_S` it is given back, so that another worker can run it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

LONGEST_WAIT_S = 0.05
_NEWS_WEIGHT = 0.1

Start = Callable[[bool], None]
"""Is told whether the job may run; if not, it is to be given back."""


class Places:
    """The places of one worker, and the slots that take jobs for them. Times are seconds.

    `takes_ahead` is off where every job taken is counted, as by a rate limit, or order matters.
    """

    def __init__(self, concurrency: int, *, takes_ahead: bool) -> None:
        self.slots = concurrency * 2 if takes_ahead else concurrency
        """How many slots are of use at most."""
        self._concurrency = concurrency
        self._free = concurrency
        self._taking = 0
        self._outside: deque[asyncio.Future[None]] = deque()
        self._waiting: deque[tuple[float, Start]] = deque()
        self._run_s = float("inf")
        self._trip_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def may_go_on(self) -> bool:
        """Whether a slot that has ended a job is to take another."""
        return self._taking <= self._limit and not self._closed

    @property
    def _limit(self) -> int:
        return self.slots if self._run_s < self._trip_s else self._concurrency

    async def admit(self) -> None:
        """Wait until one more slot may take jobs; `dismiss` it when it has none."""
        while self._taking >= self._limit and not self._closed:
            turn = asyncio.get_running_loop().create_future()
            self._outside.append(turn)
            await turn
        self._taking += 1

    def dismiss(self) -> None:
        """A slot takes jobs no more."""
        self._taking -= 1
        self._let_in()

    def _let_in(self) -> None:
        for _ in range(min(self._limit - self._taking, len(self._outside))):
            turn = self._outside.popleft()
            if not turn.done():
                turn.set_result(None)

    def enter(self, start: Start) -> None:
        """Call `start` as soon as there is a place, which is at once for most."""
        if self._closed:
            start(False)
            return
        if self._free > 0:
            self._free -= 1
            start(True)
            return
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + LONGEST_WAIT_S, start))
        if self._timer is None:
            self._timer = loop.call_later(LONGEST_WAIT_S, self._give_back)

    def leave(self, run_s: float) -> None:
        """A handler has ended, after so long: its place is the next one's."""
        if self._run_s == float("inf"):
            self._run_s = run_s
        self._run_s += (run_s - self._run_s) * _NEWS_WEIGHT
        if self._waiting:
            _, start = self._waiting.popleft()
            start(True)
        else:
            self._free += 1

    def answered(self, trip_s: float) -> None:
        """The end of a job was answered after so long."""
        self._trip_s += (trip_s - self._trip_s) * _NEWS_WEIGHT
        if self._outside and self._taking < self._limit:
            self._let_in()

    def close(self) -> None:
        """Let every slot in to see that it is over, and give back what waits for a place."""
        self._closed = True
        while self._outside:
            turn = self._outside.popleft()
            if not turn.done():
                turn.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
        self._send_back(len(self._waiting))

    def _give_back(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        late = sum(until <= now for until, _ in self._waiting)
        if late:
            # Somebody runs for longer than we knew; what we know next has to outweigh that.
            self._run_s = max(self._run_s, LONGEST_WAIT_S)
            self._trip_s = min(self._trip_s, self._run_s)
        self._send_back(late)
        if self._waiting:
            self._timer = loop.call_at(self._waiting[0][0], self._give_back)

    def _send_back(self, count: int) -> None:
        """Give back those who wait longest, the last of them first: each goes to the front."""
        leaving = [self._waiting.popleft()[1] for _ in range(count)]
        for start in reversed(leaving):
            start(False)
