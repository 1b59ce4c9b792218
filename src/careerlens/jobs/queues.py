"""Which queues there are, whoever uses them: types of other processes and of other makes too."""

from __future__ import annotations

from careerlens.jobs.keys import QUEUES_KEY
from careerlens.wire.keys import can_name_a_queue
from careerlens.wire.link import Link


async def used_queues(link: Link) -> frozenset[str]:
    """The queues in the set of used ones, which producers of any make may add to.

    What no queue can be called is left out.
    """
    names = (name.decode(errors="replace") for name in await link.call("SMEMBERS", QUEUES_KEY))
    return frozenset(filter(can_name_a_queue, names))


async def note_used(link: Link, queue: str) -> None:
    """Enter a queue in that set. Harmless to repeat."""
    await link.call("SADD", QUEUES_KEY, queue)
