"""Shows that tests of faults find faults: plants a bug in a copy of the product, and runs its test.

python tests/planted.py          # every bug, one after the other; ends with 1 if one was not found
python tests/planted.py J3 J6    # those of these rows

Nothing is changed where you stand. Bugs are told apart by where the code is changed; one that fits
no more says so, and counts as not found.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parents[1]
REALTIME = "src/careerlens/realtime"
RELAYS, CLIENTS = "tests/chaos/test_relay_faults.py", "tests/chaos/test_client_faults.py"
TABS, CORE = "tests/browser/test_two_tabs_show_the_truth.py", "web/packages/jobs-react/src/core"
GONE, NO_GAP = "tests/chaos/test_events_that_are_gone.py", "tests/chaos/test_no_gap.py"
LONGEST_S = 300


@dataclass(frozen=True)
class Bug:
    """`changes`: file, what stands there, and what is put in its place."""

    row: str
    what: str
    test: str
    changes: tuple[tuple[str, str, str], ...]


POSITION_FIRST = (
    f"{REALTIME}/ledger.py",
    "    async def _move(self, steps: Steps, moved_to: str) -> int:\n",
    "    async def _move(self, steps: Steps, moved_to: str) -> int:\n"
    "        await self._move_and_append(Steps(), moved_to)\n"
    "        await asyncio.sleep(0.02)\n"
    "        return await self._move_and_append(steps, moved_to)\n\n"
    "    async def _move_and_append(self, steps: Steps, moved_to: str) -> int:\n",
)
NO_LEASE = (
    f"{REALTIME}/lua/relay-append.lua",
    'if redis.call("GET", KEYS[1]) ~= ARGV[1] then',
    "if false then",
)
NO_POSITION = (
    f"{REALTIME}/lua/relay-append.lua",
    'if (redis.call("GET", KEYS[2]) or "") ~= ARGV[2] then',
    "if false then",
)
NO_RENEWAL = (
    f"{REALTIME}/relay.py",
    'tasks.create_task(self._lease.keep(), name=f"lease-{self._keys.queue}")',
    "tasks.create_task(asyncio.sleep(3_600))",
)
NO_FENCE = (NO_LEASE, NO_POSITION, NO_RENEWAL)
NO_REPLAY = (
    f"{REALTIME}/session.py",
    "            resume_at = last_event_id\n",
    "            resume_at = end\n",
)
NOT_WHETHER_KEPT = (
    f"{REALTIME}/feed.py",
    "        if not rows or rows[0][0].decode() != after:\n            return None\n"
    "        del rows[0]\n",
    "        if rows and rows[0][0].decode() == after:\n            del rows[0]\n",
)

BUGS = (
    Bug("no-gap", "the position moves before the entries", NO_GAP, (POSITION_FIRST,)),
    Bug("no-gap", "nobody asks who leads, and from where", NO_GAP, NO_FENCE),
    Bug("no-gap", "who comes back begins with what comes", NO_GAP, (NO_REPLAY,)),
    Bug("J1", "the position moves before the entries", f"{RELAYS}::*killed_in*", (POSITION_FIRST,)),
    Bug(
        "J1",
        "a new leader begins at the beginning",
        f"{RELAYS}::*killed_in*",
        (
            (
                f"{REALTIME}/ledger.py",
                "        return self._stored or START\n",
                "        return START\n",
            ),
        ),
    ),
    Bug(
        "J2",
        "a trimmed stream is read on",
        f"{GONE}::*away*",
        (
            (
                "src/careerlens/wire/events.py",
                "        return Gap(GapKind.TRIMMED, position, resumed_at)\n",
                "        return None\n",
            ),
        ),
    ),
    Bug(
        "J2",
        "jobs that came and ended unseen are forgotten",
        f"{GONE}::*away*",
        ((f"{REALTIME}/resync.py", "resolve([*standing, *ended])", "resolve(standing)"),),
    ),
    Bug(
        "J2",
        "the entry at the position is not looked for",
        f"{GONE}::*cleanly*",
        (
            (
                "src/careerlens/wire/events.py",
                '("XRANGE", stream, position, position)',
                '("XRANGE", stream, f"({position}", position)',
            ),
        ),
    ),
    Bug("J3", "no lease is asked for", "tests/conformance/test_relay_fencing.py", (NO_LEASE,)),
    Bug("J3", "nobody asks who leads, and from where", f"{RELAYS}::*frozen*", NO_FENCE),
    Bug(
        "J4",
        "nobody looks for lost wake-ups",
        f"{CLIENTS}::*wake_ups*",
        ((f"{REALTIME}/wakeups.py", "SWEEP_INTERVAL_S = 2.0", "SWEEP_INTERVAL_S = 3_600.0"),),
    ),
    Bug("J5", "who comes back begins with what comes", f"{CLIENTS}::*vanish*", (NO_REPLAY,)),
    Bug("J5", "nobody asks whether a place is kept", f"{CLIENTS}::*only*", (NOT_WHETHER_KEPT,)),
    Bug(
        "J6",
        "who joins a hub does not catch up with it",
        f"{CLIENTS}::*joins*",
        (
            (
                f"{REALTIME}/fanout.py",
                "        if delivery.position == self._place:\n",
                "        if True:\n",
            ),
        ),
    ),
    Bug(
        "J9",
        "nobody asks whether a place is kept",
        "tests/security/test_places_that_are_none.py",
        (NOT_WHETHER_KEPT,),
    ),
    Bug(
        "J9",
        "nobody asks whether a place is kept, over HTTP",
        "tests/security/test_places_that_are_none.py::*http*",
        (NOT_WHETHER_KEPT,),
    ),
    Bug(
        "J10",
        "proxies are not told to pass streams on",
        "tests/chaos/test_slow_roads.py",
        ((f"{REALTIME}/sse.py", '    "X-Accel-Buffering": "no",\n', ""),),
    ),
    Bug(
        "J11",
        "the end of a token is overlooked",
        "tests/security/test_tokens_that_end_on_the_way.py::*socket*",
        ((f"{REALTIME}/expiry.py", "        if left <= 0:\n", "        if left <= -3_600:\n"),),
    ),
    Bug(
        "J11",
        "the end of a token is overlooked over HTTP",
        "tests/security/test_tokens_that_end_on_the_way.py::*stream*",
        (("src/careerlens/api/streaming.py", "        if left_s <= 0:\n", "        if False:\n"),),
    ),
    Bug(
        "J12",
        "ids are compared as text",
        "tests/conformance/test_event_reader.py::*as_numbers*",
        (
            (
                "src/careerlens/wire/events.py",
                "        if stream_position(last) <= stream_position(position):\n",
                "        if last <= position:\n",
            ),
            (
                "src/careerlens/wire/events.py",
                "stream_position(last) < stream_position(position)\n",
                "last < position\n",
            ),
        ),
    ),
    Bug("J12", "nobody asks whether a place is kept", f"{GONE}::*moments*", (NOT_WHETHER_KEPT,)),
    Bug(
        "J13",
        "a page that was frozen does not connect again",
        TABS,
        ((f"{CORE}/client.ts", "thawed: () => this.#thawed(),", "thawed: () => undefined,"),),
    ),
    Bug(
        "J13",
        "a page that is back online waits on",
        TABS,
        ((f"{CORE}/client.ts", "online: () => this.#retryNow(),", "online: () => undefined,"),),
    ),
)


@contextmanager
def copy_of_the_product() -> Iterator[Path]:
    """The sources and tests in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        ignored = shutil.ignore_patterns("node_modules", "__pycache__", "static")
        for part in ("src", "tests"):
            shutil.copytree(HERE / part, Path(folder) / part, ignore=ignored)
        shutil.copy(HERE / "pyproject.toml", folder)
        shutil.copytree(HERE / "web", Path(folder) / "web", ignore=ignored)
        for modules in [HERE / "web/node_modules", *HERE.glob("web/packages/*/node_modules")]:
            (Path(folder) / modules.relative_to(HERE)).symlink_to(modules)
        yield Path(folder)


@contextmanager
def planted(product: Path, bug: Bug) -> Iterator[None]:
    """The bug is in the product meanwhile. Raises `LookupError` when it does not fit."""
    before = {product / name: (product / name).read_text() for name, _, _ in bug.changes}
    try:
        for name, right, wrong in bug.changes:
            file = product / name
            text = file.read_text()
            if text.count(right) != 1:
                raise LookupError(f"{name} has no such place, or several: {right.strip()}")
            file.write_text(text.replace(right, wrong))
        yield
    finally:
        for file, text in before.items():
            file.write_text(text)


def failing_tests(product: Path, test: str) -> list[str]:
    """The names of the tests that fail, of a file or of those in it that are named so."""
    file, _, part = test.partition("::")
    chosen = ["-k", part.strip("*")] if part else []
    command = [sys.executable, "-m", "pytest", file, *chosen, "-q", "-x", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(product / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [*command, f"--timeout={LONGEST_S}"],
        cwd=product, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode not in {0, 1}:
        raise LookupError(f"{test} cannot be run:\n{run.stdout[-2_000:]}{run.stderr[-2_000:]}")
    return re.findall(r"^(?:FAILED|ERROR) \S+?::(.+?)(?: - .*)?$", run.stdout, re.MULTILINE)


def main(rows: list[str]) -> int:
    """Plant every bug, or those of these rows; 1 when one was not found."""
    bugs = [bug for bug in BUGS if not rows or bug.row in rows]
    missed = 0
    with copy_of_the_product() as product:
        for bug in bugs:
            try:
                with planted(product, bug):
                    found = failing_tests(product, bug.test)
            except LookupError as error:
                found = []
                print(error, flush=True)
            missed += not found
            print(f"{bug.row:8} {bug.what}: {', '.join(found) or 'NOT FOUND'}", flush=True)
        for test in sorted({bug.test for bug in bugs}):
            # Without a bug, all of them have to pass.
            if failing := failing_tests(product, test):
                missed += 1
                print(f"fails without a bug: {', '.join(failing)}", flush=True)
    print(f"{len(bugs)} bugs planted, {missed} missed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
