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
CROWDS, SLOW = "tests/chaos/test_crowds_that_come_back.py", "tests/chaos/test_slow_consumers.py"
SECURITY = "tests/security"
WALLS, GREEDY = f"{SECURITY}/test_socket_walls.py", f"{SECURITY}/test_greedy_sockets.py"
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
    # As wide as it takes for chance not to decide whether somebody is killed just then.
    "        await asyncio.sleep(0.2)\n"
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
NO_OWNER = (
    (
        "src/careerlens/jobs/finding.py",
        "        if ours is not None and ours.user_id != user_id:\n",
        "        if False:\n",
    ),
    (
        "src/careerlens/jobs/finding.py",
        "if record is not None and is_job and owner_of(job_id, record.data) == user_id:\n",
        "if record is not None and is_job:\n",
    ),
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
    Bug("J7", "who comes back begins with what comes", CROWDS, (NO_REPLAY,)),
    Bug(
        "J7",
        "all wait for the same time",
        CROWDS,
        ((f"{CORE}/backoff.ts", "return Math.random() * Math.min(", "return Math.min("),),
    ),
    Bug(
        "J8",
        "nobody is sent away for reading slowly",
        SLOW,
        (
            (
                f"{REALTIME}/connection.py",
                "            async with asyncio.timeout(self.limits.stall_s):\n",
                "            async with asyncio.timeout(3_600):\n",
            ),
        ),
    ),
    Bug(
        "J8",
        "what a slow client has not read is kept for it in memory",
        SLOW,
        (
            (
                f"{REALTIME}/connection.py",
                "            len(self._outbox) > self.limits.outbox_packets // 2\n"
                "            or self._outbox_bytes > self.limits.outbox_bytes // 2\n",
                "            len(self._outbox) > 1_000_000\n",
            ),
            (
                f"{REALTIME}/connection.py",
                "            len(self._outbox) >= self.limits.outbox_packets\n"
                "            or self._outbox_bytes >= self.limits.outbox_bytes\n",
                "            len(self._outbox) >= 1_000_000\n",
            ),
        ),
    ),
    Bug("J8", "who comes back begins with what comes", SLOW, (NO_REPLAY,)),
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
        ((f"{CORE}/upkeep.ts", "thawed: () => thawed(),", "thawed: () => undefined,"),),
    ),
    Bug(
        "J13",
        "a page that is back online waits on",
        TABS,
        ((f"{CORE}/upkeep.ts", "online: () => retryNow(),", "online: () => undefined,"),),
    ),
    Bug(
        "S1",
        "nobody asks whose job it is",
        f"{SECURITY}/test_each_user_sees_only_their_own_jobs.py",
        NO_OWNER,
    ),
    Bug("S2", "nobody asks whose job it is, over sockets", f"{WALLS}::*no_name*", NO_OWNER),
    Bug(
        "S3",
        "a place names the feed as well",
        f"{SECURITY}/test_the_running_product_keeps_users_apart.py::*place*",
        (
            (
                f"{REALTIME}/session.py",
                "            caller.user_id, self, resume_at=resume_at, end=end\n",
                "            str(last_event_id).split(':')[0] if ':' in str(last_event_id)"
                " else caller.user_id, self, resume_at='0-0', end=end\n",
            ),
        ),
    ),
    Bug(
        "S26",
        "a ticket opens again and again",
        f"{SECURITY}/test_tickets_for_event_streams.py::*ticket_opens*",
        (("src/careerlens/api/tickets.py", '"GETDEL"', '"GET"'),),
    ),
    Bug(
        "S27",
        "what a token has opened stays open when it is taken back",
        f"{SECURITY}/test_revoked_tokens.py::*closed_and_says_why*",
        (
            (
                f"{REALTIME}/gateway.py",
                "            session.check_revoked()\n",
                "            session.user_id\n",
            ),
        ),
    ),
    Bug(
        "S28",
        "every page may open sockets",
        f"{WALLS}::*not_listed*",
        (
            (
                f"{REALTIME}/endpoint.py",
                "if head.origin is not None and head.origin not in self._origins:\n",
                "if False:\n",
            ),
        ),
    ),
    Bug(
        "S29",
        "every page may call the API",
        f"{SECURITY}/test_web_origins_over_http.py::*strangers*",
        (
            (
                "src/careerlens/api/middleware.py",
                "        if not own and origin not in self._allowed:\n",
                "        if False:\n",
            ),
        ),
    ),
    Bug(
        "S30",
        "who says nothing may stay",
        f"{SECURITY}/test_sockets_of_one_address.py::*introduce*",
        (
            (
                f"{REALTIME}/session.py",
                '            self._connection.close("introduction_timeout", at_once=True)\n',
                "            return\n",
            ),
        ),
    ),
    Bug(
        "S30",
        "one address may have every connection",
        f"{SECURITY}/test_sockets_of_one_address.py::*so_many*",
        (
            (
                f"{REALTIME}/endpoint.py",
                "        if not self._addresses.take(peer.counted_as):\n",
                "        if self._addresses.take(peer.counted_as) is None:\n",
            ),
        ),
    ),
    Bug(
        "S31",
        "binary is taken",
        f"{GREEDY}::*told_why*",
        ((f"{REALTIME}/websocket.py", "        if opcode == BINARY:\n", "        if False:\n"),),
    ),
    Bug(
        "S32",
        "everybody may say as much as they like",
        f"{GREEDY}::*told_why*",
        (
            (
                f"{REALTIME}/budget.py",
                "        if self._packets < 1 or self._bytes < size:\n",
                "        if False:\n",
            ),
        ),
    ),
    Bug(
        "S32",
        "messages may be of any size",
        f"{GREEDY}::*told_why*",
        (
            (
                f"{REALTIME}/websocket.py",
                "        if so_far + size > self._door.limits.max_payload_bytes:\n",
                "        if False:\n",
            ),
        ),
    ),
    Bug(
        "S33",
        "a session may be upgraded twice",
        f"{WALLS}::*upgrading_twice*",
        (
            (
                f"{REALTIME}/endpoint.py",
                "        if connection.is_websocket or sid in self._trials:\n",
                "        if False:\n",
            ),
        ),
    ),
    Bug(
        "S33",
        "a connection belongs to whoever came last",
        f"{WALLS}::*first_user*",
        ((f"{REALTIME}/session.py", "        if self._was_introduced:\n", "        if False:\n"),),
    ),
    Bug(
        "S34",
        "compressed frames are taken",
        f"{GREEDY}::*told_why*",
        ((f"{REALTIME}/websocket.py", "        if first & _RESERVED_BITS or ", "        if "),),
    ),
    Bug(
        "S35",
        "any name reaches a handler",
        f"{WALLS}::*not_for_clients*",
        (
            (
                f"{REALTIME}/session.py",
                '_EVENTS.get(said[0]) if packet.namespace == "/" else None',
                "_EVENTS.get(said[0], Session._unsubscribe)",
            ),
        ),
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


def changed(product: Path, bug: Bug) -> dict[str, str]:
    """The files that the bug changes, with it. Raises `LookupError` when it does not fit."""
    texts: dict[str, str] = {}
    for name, right, wrong in bug.changes:
        text = texts.get(name) or (product / name).read_text()
        if (times := text.count(right)) != 1:
            raise LookupError(f"{name} has {times} places of this kind, not one: {right.strip()}")
        texts[name] = text.replace(right, wrong)
    return texts


@contextmanager
def planted(product: Path, bug: Bug) -> Iterator[None]:
    """The bug is in the product meanwhile. Raises `LookupError` when it does not fit."""
    texts = changed(product, bug)
    before = {name: (product / name).read_text() for name in texts}
    try:
        for name, text in texts.items():
            (product / name).write_text(text)
        yield
    finally:
        for name, text in before.items():
            (product / name).write_text(text)


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
    failed = re.findall(r"^FAILED \S+?::(.+?)(?: - .*)?$", run.stdout, re.MULTILINE)
    # A test that cannot even begin has found nothing.
    if run.returncode != (1 if failed else 0):
        raise LookupError(f"{test} cannot be run:\n{run.stdout[-2_000:]}{run.stderr[-2_000:]}")
    return failed


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
