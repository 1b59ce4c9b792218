"""The benchmark's job as a type of the product, for `careerlens worker` as it ships."""

from __future__ import annotations

from harness import tally
from pydantic import BaseModel

from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import job


class Number(BaseModel):
    number: int


@job("bench")
async def bench(_context: JobContext, data: Number) -> None:
    """Tell when it started."""
    tally.job(data.number)
