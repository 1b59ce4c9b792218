"""Runs the jobs of a BullMQ queue: many at once, each ended once, none lost to a crash.

```python
async def greet(job: ActiveJob) -> dict[str, str]:
    await job.update_progress({"percent": 50, "message": "Half way"})
    return {"hello": job.record.data["name"]}

worker = Worker("greetings", greet, redis_url="redis://localhost:6379")
await worker.run()  # until `await worker.stop()`
```

See `runtime` for the whole, and one module for each role: `fetching`, `finishing`, `locks`,
`stalled`, `cancelling`, `resolving`.
"""

from careerlens.worker.job import ActiveJob, Processor
from careerlens.worker.options import Limiter, WorkerOptions
from careerlens.worker.outcomes import DescribeFailure, describe_plainly
from careerlens.worker.runtime import Worker
from careerlens.worker.stats import WorkerStats

__all__ = [
    "ActiveJob",
    "DescribeFailure",
    "Limiter",
    "Processor",
    "Worker",
    "WorkerOptions",
    "WorkerStats",
    "describe_plainly",
]
