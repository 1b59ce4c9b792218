"""Producer and inspector of one BullMQ queue.

```python
async with Link("redis://localhost:6379") as link:
    queue = Queue("resume-optimization", link)
    job_id = await queue.add("resume-optimization", {"userId": "user-1"}, JobOptions(priority=1))
    record, state = await queue.job_and_state(job_id)
```
"""

from careerlens.queue.flows import AddedFlow, ChildFailure, Flow, add_flow
from careerlens.queue.options import Backoff, JobOptions, NewJob, Retention
from careerlens.queue.producer import CancelOutcome, JobKind, Queue
from careerlens.queue.record import JobRecord, PlaceInLine, QueueState, Standing
from careerlens.queue.schedulers import Schedule, Scheduler, Schedulers

__all__ = [
    "AddedFlow",
    "Backoff",
    "CancelOutcome",
    "ChildFailure",
    "Flow",
    "JobKind",
    "JobOptions",
    "JobRecord",
    "NewJob",
    "PlaceInLine",
    "Queue",
    "QueueState",
    "Retention",
    "Schedule",
    "Scheduler",
    "Schedulers",
    "Standing",
    "add_flow",
]
