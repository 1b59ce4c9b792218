"""A worker process for the chaos tests: `python queue_worker.py URL QUEUE [LOCK_MS [RESCUES]]`.

Each start of a handler is a line on stdout, so that a test sees what ran, and when it is running.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace

from careerlens.worker import ActiveJob, Worker, WorkerOptions


async def work(job: ActiveJob) -> dict[str, str]:
    print(job.record.id, flush=True)
    await asyncio.sleep(float(job.record.data.get("seconds", 0)))
    if job.record.data.get("poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    return {"ran": job.record.id}


async def main(url: str, queue: str, lock_ms: int = 15_000, rescues: int = 10) -> None:
    options = replace(
        WorkerOptions(concurrency=5, max_stalled_count=rescues),
        lock_duration_ms=lock_ms,
        lock_renew_ms=lock_ms // 3,
        stalled_interval_ms=lock_ms // 3,
    )
    worker = Worker(queue, work, redis_url=url, options=options)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        await stopping.wait()
        await worker.stop(grace_s=5)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
