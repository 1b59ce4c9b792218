"""A worker process that writes each run down: `python counting_worker.py URL QUEUE FILE`.

It fails as many attempts of a job as the job's data asks for, and ends on SIGTERM. What the
peer's action `countRuns` does on Node.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from careerlens.foundation.errors import JobError
from careerlens.worker import ActiveJob, Worker, WorkerOptions


async def main(url: str, queue: str, file: Path) -> None:
    with file.open("a", buffering=1) as runs:

        async def work(job: ActiveJob) -> dict[str, str]:
            runs.write(f"{job.record.id} {job.attempt}\n")
            if job.attempt <= job.record.data["failures"]:
                raise JobError("again")
            return {"by": "python"}

        # No run may be given up for dead, however busy the machine is.
        options = WorkerOptions(concurrency=20, lock_duration_ms=120_000, shutdown_s=5)
        worker = Worker(queue, work, redis_url=url, options=options)
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            await stopping.wait()
            await worker.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
