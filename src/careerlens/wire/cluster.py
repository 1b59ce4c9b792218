"""A link to a cluster: each call goes to the node that has its keys.

      call ──▶ key ──▶ slot ──▶ owner ──▶ a pipelined link of its own per primary
                                  │ MOVED: that one from now on
                                  │ ASK:   that one, this once
                                  └ away:  ask any node for the map again, until the time is up

A script touches many keys, which must lie in one slot: what stands in braces decides, so that
queues need a prefix such as `{bull}`. A redirected call was not carried out, and is sent again;
a call whose reply was lost never is, as with every link.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import hiredis

from careerlens.foundation.errors import ConfigurationError, ServiceUnavailableError
from careerlens.foundation.redisurl import Place, RedisUrl, place_text
from careerlens.wire.address import AnyOf, Login, Server, problem_of, replies_to
from careerlens.wire.connection import Arg, Connection, OnReply
from careerlens.wire.errors import CommandRejectedError
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Call, Link
from careerlens.wire.scripts import Script

_SERVICE = "redis"
_SLOTS = 16_384
_REDIRECTIONS = 8
_FIRST_PATIENCE_S = 0.1
_LONGEST_PATIENCE_S = 1.0
_KEYLESS = frozenset(
    "ACL ASKING AUTH CLIENT CLUSTER COMMAND CONFIG DBSIZE DISCARD ECHO EXEC FLUSHALL FLUSHDB"  # noqa: SIM905
    " HELLO INFO LASTSAVE LATENCY MULTI PING PUBLISH ROLE SCRIPT SLOWLOG TIME WAIT".split()
)
_KEY_AT = {"EVAL": 3, "EVALSHA": 3, "BITOP": 2, "MEMORY": 2, "OBJECT": 2, "XGROUP": 2, "XINFO": 2}


class ClusterLink(Link):
    """As `Link`, over all primaries of a cluster. Commands without a key go to any node.

    What it inherits is the link to that node. What is sent together, by `call_many`, `run_many`
    or `exchange`, must have all its keys in one slot, or `ValueError` is raised.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "careerlens",
        timeout_s: float = 5.0,
    ) -> None:
        parsed = RedisUrl.parse(url)
        self._login = Login.of(parsed)
        self._entrances = AnyOf(parsed.places, self._login)
        super().__init__(self._entrances, name=name, timeout_s=timeout_s)
        self._nodes: dict[Place, Link] = {}
        self._map: list[tuple[int, int, Place]] = []
        self._owners: dict[int, Place] = {}
        self._learning: asyncio.Task[None] | None = None

    @property
    def entrances(self) -> AnyOf:
        """The nodes that are known, any of which tells where the others are."""
        return self._entrances

    @property
    def is_connected(self) -> bool:
        """Whether a call made now would be sent at once, to any primary in use."""
        nodes = self._nodes.values()
        return all(node.is_connected for node in nodes) if nodes else super().is_connected

    def check_queue(self, keys: QueueKeys) -> None:
        """Raise `ConfigurationError` when the keys of a queue would lie on several nodes."""
        if _hash_tag(keys.base.encode()) is None:
            raise ConfigurationError(
                "CAREERLENS_QUEUE_PREFIX",
                f"on a cluster, the prefix {keys.prefix!r} would scatter the keys of a queue.",
                f"Put it in braces, for every producer and worker: {{{keys.prefix}}}.",
            )

    async def connect(self) -> None:
        """As `Link.connect`. Raises `ConfigurationError` for a server without cluster mode."""
        await super().connect()
        await self._learn()

    async def close(self) -> None:
        """As `Link.close`."""
        if self._learning is not None:
            self._learning.cancel()
        await super().close()
        await asyncio.gather(*(node.close() for node in self._nodes.values()))

    async def call(self, *args: Arg) -> Any:
        """As `Link.call`."""
        key = _key_of(args)
        if key is None:
            return await super().call(*args)
        return await self._routed(slot_of(key), lambda node: node.call(*args), lambda: args)

    async def run(self, script: Script, keys: Sequence[Arg], args: Sequence[Arg]) -> Any:
        """As `Link.run`."""
        return await self._routed(
            slot_of(keys[0]),
            lambda node: node.run(script, keys, args),
            lambda: ("EVAL", script.source, len(keys), *keys, *args),
        )

    def post(self, payload: bytes, on_reply: OnReply, *, key: Arg) -> bool:
        """As `Link.post`. The reply may be an error that names another node: `run` follows it."""
        place = self._owners.get(slot_of(key))
        return place is not None and self._node(place).post(payload, on_reply, key=key)

    async def run_many(self, calls: Sequence[Call]) -> list[Any]:
        """As `Link.run_many`, for calls on one slot."""
        commands = [
            ("EVALSHA", script.sha, len(keys), *keys, *args) for script, keys, args in calls
        ]
        replies = await self.exchange(commands)
        for index, reply in enumerate(replies):
            if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
                script, keys, args = calls[index]
                whole = ("EVAL", script.source, len(keys), *keys, *args)
                (replies[index],) = await self.exchange([whole])
        return [self._checked(reply) for reply in replies]

    async def exchange(self, commands: Sequence[Sequence[Arg]]) -> list[Any]:
        """As `Link.exchange`."""
        slots = {slot_of(key) for command in commands if (key := _key_of(command)) is not None}
        if len(slots) > 1:
            raise ValueError("commands sent together must have all their keys in one slot")
        if not slots:
            return await super().exchange(commands)
        slot, is_transaction = slots.pop(), any(_name(command) == "MULTI" for command in commands)
        for _ in range(_REDIRECTIONS):
            place = await self._owner(slot)
            replies = await self._node(place).exchange(commands)
            redirections = {
                index: redirection
                for index, reply in enumerate(replies)
                if isinstance(reply, hiredis.ReplyError)
                and (redirection := _Redirection.read(str(reply), place)) is not None
            }
            if not is_transaction:
                for index in redirections:
                    replies[index] = await self._once_more(commands[index])
            if not is_transaction or not redirections:
                return replies
            # Nothing of it was done: a redirected command spoils its whole transaction.
            for redirection in redirections.values():
                if redirection.is_asking:
                    raise ServiceUnavailableError(_SERVICE, "its keys are on the move")
                self._owners[slot] = redirection.place
        raise _lost_in(slot)

    async def call_each(self, commands: Sequence[Sequence[Arg]]) -> list[Any]:
        """As `Link.call_each`: one write to each node. Every command must have a key."""
        return [self._checked(reply) for reply in await self._exchange_each(commands)]

    async def run_each(self, calls: Sequence[Call]) -> list[Any]:
        """As `Link.run_each`."""
        commands = [
            ("EVALSHA", script.sha, len(keys), *keys, *args) for script, keys, args in calls
        ]
        replies = await self._exchange_each(commands)
        for index, reply in enumerate(replies):
            if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
                replies[index] = await self.run(*calls[index])
        return [self._checked(reply) for reply in replies]

    async def parts(self) -> Sequence[Link]:
        """As `Link.parts`: the primaries, as they are now."""
        return [self._node(place) for place in await self.primaries()]

    async def primaries(self) -> list[Place]:
        """Where the primaries are that have slots now."""
        await self._learn()
        return sorted({place for _, _, place in self._map})

    async def layout(self) -> Layout:
        """Who has which slots, as some node sees it now, and our connections to those who do."""
        ranges = await super().call("CLUSTER", "SLOTS")
        return Layout(
            frozenset((first, last, bytes(primary[2])) for first, last, primary, *_ in ranges),
            {place: node.times_connected for place, node in self._nodes.items()},
        )

    async def run_behind(self, commands: Sequence[Sequence[Arg]], call: Call) -> Any:
        """As `Link.run_behind`: one after the other, since their keys lie on several nodes."""
        await self.call_many(commands)
        return await self.run(*call)

    async def unblock(self, other: Link) -> bool:
        """As `Link.unblock`, for a link to the same cluster."""
        if not isinstance(other, ClusterLink):
            raise TypeError("a link to a cluster unblocks links to that cluster only")
        nodes = [(place, node) for place, node in other._nodes.items() if node.is_connected]
        return all([await self._node(place).unblock(node) for place, node in nodes])

    async def _exchange_each(self, commands: Sequence[Sequence[Arg]]) -> list[Any]:
        """The replies, errors among them, once all nodes have answered or failed."""
        by_place: dict[Place, list[int]] = {}
        for index, command in enumerate(commands):
            key = _key_of(command)
            if key is None:
                raise ValueError(f"{_name(command)} has no key that would say where it belongs")
            by_place.setdefault(await self._owner(slot_of(key)), []).append(index)
        outcomes = await asyncio.gather(
            *(
                self._node(place).exchange([commands[index] for index in indexes])
                for place, indexes in by_place.items()
            ),
            return_exceptions=True,
        )
        replies: list[Any] = [None] * len(commands)
        for (place, indexes), outcome in zip(by_place.items(), outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            for index, reply in zip(indexes, outcome, strict=True):
                is_error = isinstance(reply, hiredis.ReplyError)
                if is_error and _Redirection.read(str(reply), place) is not None:
                    reply = await self._once_more(commands[index])
                replies[index] = reply
        return replies

    async def _routed(
        self,
        slot: int,
        send: Callable[[Link], Awaitable[Any]],
        whole: Callable[[], Sequence[Arg]],
    ) -> Any:
        """What `send` brings from the slot's owner; `whole` makes a command that does the same."""
        is_asking = False
        place = await self._owner(slot)
        for _ in range(_REDIRECTIONS):
            try:
                if is_asking:
                    return (await self._node(place).call_many([("ASKING",), whole()]))[1]
                return await send(self._node(place))
            except CommandRejectedError as error:
                redirection = _Redirection.read(error.reply, place)
                if redirection is None:
                    raise
            is_asking, place = redirection.is_asking, redirection.place
            if not is_asking:
                self._owners[slot] = place
                place = await self._owner(slot)
        raise _lost_in(slot)

    async def _once_more(self, command: Sequence[Arg]) -> Any:
        try:
            return await self.call(*command)
        except CommandRejectedError as error:
            return hiredis.ReplyError(error.reply)

    async def _owner(self, slot: int) -> Place:
        """Where the slot's primary is, once there is a connection to it."""
        if self._closed:
            raise ServiceUnavailableError(_SERVICE, "the link was closed")
        place = self._owners.get(slot)
        if place is not None and self._node(place).is_connected:
            return place
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._find_owner(slot)
        except TimeoutError:
            problem = f"no connection to the owner of slot {slot} within {self._timeout_s:g} s"
            raise ServiceUnavailableError(_SERVICE, f"{problem}: {self._entrances}") from None

    async def _find_owner(self, slot: int) -> Place:
        patience_s = _FIRST_PATIENCE_S
        while True:
            place = self._owners.get(slot)
            if place is None:
                await self._learn()
                place = self._owner_by_map(slot)
            if place is None:
                await asyncio.sleep(patience_s)
            elif await self._is_reached(place, patience_s):
                self._owners[slot] = place
                return place
            self._owners.pop(slot, None)
            patience_s = min(patience_s * 2, _LONGEST_PATIENCE_S)

    async def _is_reached(self, place: Place, within_s: float) -> bool:
        with suppress(TimeoutError, ServiceUnavailableError):
            async with asyncio.timeout(within_s):
                await self._node(place).connect()
                return True
        return False

    def _node(self, place: Place) -> Link:
        if place not in self._nodes:
            address = Server(place, self._login)
            self._nodes[place] = Link(address, name=self._name, timeout_s=self._timeout_s)
        return self._nodes[place]

    def _owner_by_map(self, slot: int) -> Place | None:
        for first, last, place in self._map:
            if first <= slot <= last:
                return place
        return None

    async def _learn(self) -> None:
        """Get the map of the slots; one question serves all who ask at the same time."""
        if self._learning is None:
            self._learning = asyncio.create_task(self._read_map(), name=f"map of {self._name}")
            self._learning.add_done_callback(self._learned)
        await asyncio.shield(self._learning)

    def _learned(self, task: asyncio.Task[None]) -> None:
        self._learning = None
        if not task.cancelled():
            task.exception()  # whoever asked has heard it, or has given up

    async def _read_map(self) -> None:
        ranges, asked = await self._ask_for_map()
        known: list[tuple[int, int, Place]] = []
        for first, last, *nodes in ranges:
            places = [_place(node, asked) for node in nodes]
            known.append((first, last, places[0]))
            self._entrances.learn(places)
        if known == self._map:
            self._entrances.prefer_another()  # what this one knows has not helped
        self._map = known
        primaries = {place for _, _, place in known}
        self._owners = {slot: at for slot, at in self._owners.items() if at in primaries}
        gone = [self._nodes.pop(place) for place in self._nodes.keys() - primaries]
        await asyncio.gather(*(node.close() for node in gone))

    async def _ask_for_map(self) -> tuple[list[Any], Place]:
        """The ranges of slots with their nodes, and who told."""
        try:
            connection = await self._entrances.open(Connection)
            asked = self._entrances.first
            try:
                (reply,) = await replies_to(connection, ("CLUSTER", "SLOTS"))
            finally:
                connection.abort("it was asked")
        except (OSError, CommandRejectedError) as error:
            raise ServiceUnavailableError(_SERVICE, problem_of(error)) from error
        if isinstance(reply, hiredis.ReplyError):
            raise ConfigurationError(
                "REDIS_URL",
                f"{place_text(asked)} is no node of a cluster ({reply}).",
                "Write redis://host:port for a server of its own.",
            )
        return reply, asked


@dataclass(frozen=True, slots=True)
class Layout:
    """How the keys of a cluster are spread at a moment.

    `connections` counts, for each node that was used, how often there was a connection.
    """

    primaries: frozenset[tuple[int, int, bytes]]
    connections: dict[Place, int]

    def has_changed(self, later: Layout) -> bool:
        """Whether since then a node may have come to have less than it had.

        Another one took its place, or it may have come back without what it wrote last.
        """
        return self.primaries != later.primaries or any(
            count > max(self.connections.get(place, 0), 1)
            for place, count in later.connections.items()
        )


@dataclass(frozen=True, slots=True)
class _Redirection:
    """A server's word that another one has the slot; `is_asking`: only for this one call."""

    place: Place
    is_asking: bool

    @classmethod
    def read(cls, reply: str, asked: Place) -> _Redirection | None:
        """What an error says; a node without a host is at that of the one that was asked."""
        kind, _, rest = reply.partition(" ")
        if kind not in {"MOVED", "ASK"}:
            return None
        host, _, port = rest.partition(" ")[2].rpartition(":")
        return cls((host or asked[0], int(port)), kind == "ASK")


def slot_of(key: Arg) -> int:
    """The slot of a key: CRC-16 (XMODEM) of its hash tag, or of all of it where it has none."""
    raw = key if isinstance(key, bytes) else str(key).encode()
    tag = _hash_tag(raw)
    return binascii.crc_hqx(raw if tag is None else tag, 0) % _SLOTS


def _hash_tag(key: bytes) -> bytes | None:
    _, opened, rest = key.partition(b"{")
    tag, closed, _ = rest.partition(b"}")
    return tag if opened and closed and tag else None


def _key_of(command: Sequence[Arg]) -> Arg | None:
    """The key that decides where a command goes: its first."""
    name = _name(command)
    if name in _KEYLESS:
        return None
    if name in {"XREAD", "XREADGROUP"}:
        return command[[str(arg).upper() for arg in command].index("STREAMS") + 1]
    index = _KEY_AT.get(name, 1)
    return command[index] if index < len(command) else None


def _name(command: Sequence[Arg]) -> str:
    name = command[0]
    return (name.decode() if isinstance(name, bytes) else str(name)).upper()


def _place(node: Any, asked: Place) -> Place:
    """Where a node is; one that does not know its own host is where we asked."""
    host = (node[0] or b"").decode()
    return (host if host not in {"", "?"} else asked[0]), node[1]


def _lost_in(slot: int) -> ServiceUnavailableError:
    problem = f"the nodes of the cluster do not agree who has slot {slot}"
    return ServiceUnavailableError(_SERVICE, problem)
