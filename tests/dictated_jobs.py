"""A job that does what a test dictates to it, line by line, while it runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from careerlens.foundation.errors import UnrecoverableError
from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import Registry, job
from careerlens.jobs.model import WireModel

DICTATION = "dictation"


class Dictated(WireModel):
    """Where the lines are: a file that grows, each of them a JSON list of a word and its text."""

    script: str


@job(DICTATION, attempts=1, timeout=170)
async def dictation(ctx: JobContext, data: Dictated) -> dict[str, str]:
    """Say, report progress, end or fail as told; wait for the next line in between."""
    heeded = 0
    while True:
        lines = Path(data.script).read_text().split("\n")[:-1]
        for line in lines[heeded:]:
            match json.loads(line):
                case ["say", text]:
                    await ctx.stream(text)
                case ["progress", percent]:
                    await ctx.progress(float(percent), f"At {percent}")
                case ["end", words]:
                    return {"words": words}
                case ["fail", words]:
                    raise UnrecoverableError(words)
        heeded = len(lines)
        await asyncio.sleep(0.02)


REGISTRY = Registry.of(dictation)


class Script:
    """The lines for one job; `fields` is what the job is created from."""

    def __init__(self, folder: Path, name: str = "script") -> None:
        self._path = folder / f"{name}.jsonl"
        self._path.touch()
        self.fields = {"type": DICTATION, "script": str(self._path)}

    def tell(self, word: str, text: str | int) -> None:
        """The job's next line: `say`, `progress`, `end` or `fail`, and with what."""
        with self._path.open("a") as lines:
            lines.write(json.dumps([word, str(text)]) + "\n")
