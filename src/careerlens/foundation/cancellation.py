"""What asyncio forgets about cancellation, remembered."""

from __future__ import annotations

import asyncio


def heed_cancellation() -> None:
    """Raise `CancelledError` if this task was cancelled and nothing has come of it.

    Before Python 3.13, a task group that fails while its owner is being cancelled raises the
    failure alone. Whoever handles that failure and goes on calls this, or it goes on for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
