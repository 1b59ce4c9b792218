"""A server is entered with the right certificate and login, and a wrong one is explained."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.foundation.redis import connect, ping
from careerlens.wire import Link, open_link
from conftest import ValkeyFactory
from support import Valkey, eventually
from topologies import PRIMARY_NAME, Authority, Sentinel, ask, cluster, tls_in_front_of


async def enter_by_link(url: str) -> None:
    link = Link(url, timeout_s=0.5)
    try:
        assert await link.call("PING") == b"PONG"
    finally:
        await link.close()


async def enter_by_client(url: str) -> None:
    async with connect(url) as client:
        await ping(client)


@pytest.fixture(params=[enter_by_link, enter_by_client])
def enter(request: pytest.FixtureRequest) -> Callable[[str], Awaitable[None]]:
    enter: Callable[[str], Awaitable[None]] = request.param
    return enter


async def enters(enter: Callable[[str], Awaitable[None]], url: str) -> bool:
    """Whether it is let in; not yet, for one, while a sentinel starts."""
    try:
        await enter(url)
    except ServiceUnavailableError:
        return False
    return True


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class TestTls:
    async def test_trusts_the_authority_that_is_named(
        self,
        valkey_server: Valkey,
        authority: Authority,
        enter: Callable[[str], Awaitable[None]],
    ) -> None:
        async with tls_in_front_of(valkey_server.port, authority.server_context()) as port:
            await enter(f"rediss://127.0.0.1:{port}?ssl_ca_certs={authority.ca}")
            await enter(f"valkeys://localhost:{port}?ssl_ca_certs={authority.ca}")

    async def test_trusts_no_other_by_default(
        self,
        valkey_server: Valkey,
        authority: Authority,
        enter: Callable[[str], Awaitable[None]],
    ) -> None:
        async with tls_in_front_of(valkey_server.port, authority.server_context()) as port:
            with pytest.raises(ServiceUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
                await enter(f"rediss://127.0.0.1:{port}")
            await enter(f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none")

    async def test_wants_the_name_of_the_host(
        self,
        valkey_server: Valkey,
        authority: Authority,
        enter: Callable[[str], Awaitable[None]],
    ) -> None:
        trust = f"ssl_ca_certs={authority.ca}"
        context = authority.server_context(is_elsewhere=True)
        async with tls_in_front_of(valkey_server.port, context) as port:
            with pytest.raises(ServiceUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
                await enter(f"rediss://127.0.0.1:{port}?{trust}")
            await enter(f"rediss://127.0.0.1:{port}?{trust}&ssl_check_hostname=false")

    async def test_shows_a_certificate_to_a_server_that_asks_for_one(
        self,
        valkey_server: Valkey,
        authority: Authority,
        enter: Callable[[str], Awaitable[None]],
    ) -> None:
        context = authority.server_context(asks_for_certificate=True)
        certificate, key = authority.issue("client")
        trust = f"ssl_ca_certs={authority.ca}"
        async with tls_in_front_of(valkey_server.port, context) as port:
            await enter(
                f"rediss://127.0.0.1:{port}?{trust}&ssl_certfile={certificate}&ssl_keyfile={key}"
            )
            with pytest.raises(ServiceUnavailableError):
                await enter(f"rediss://127.0.0.1:{port}?{trust}")

    async def test_reaches_the_primary_and_its_sentinel(
        self,
        tmp_path: Path,
        valkey_factory: ValkeyFactory,
        authority: Authority,
        enter: Callable[[str], Awaitable[None]],
    ) -> None:
        """The sentinel watches the primary at the port where it is entered by TLS."""
        server, context = valkey_factory(), authority.server_context()
        async with tls_in_front_of(server.port, context) as port:
            sentinel = Sentinel(tmp_path, port)
            sentinel.start()
            try:
                async with tls_in_front_of(sentinel.port, context) as sentinel_port:
                    url = f"rediss+sentinel://127.0.0.1:{sentinel_port}/{PRIMARY_NAME}"
                    await eventually(lambda: enters(enter, f"{url}?ssl_ca_certs={authority.ca}"))
                    with pytest.raises(ServiceUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
                        await enter(url)
            finally:
                sentinel.kill()

    async def test_reaches_every_node_of_a_cluster(
        self, tmp_path: Path, authority: Authority
    ) -> None:
        """The nodes announce the ports at which they are entered by TLS."""
        context = authority.server_context()
        async with cluster(tmp_path / "nodes", primaries=2) as pair:
            first, second = pair.primaries
            async with (
                tls_in_front_of(first.port, context) as port,
                tls_in_front_of(second.port, context) as other,
            ):
                ask(first, "CONFIG", "SET", "cluster-announce-port", port)
                ask(second, "CONFIG", "SET", "cluster-announce-port", other)

                def all_announced() -> bool:
                    maps = str([ask(node, "CLUSTER", "SLOTS") for node in pair.primaries])
                    return maps.count(str(port)) == maps.count(str(other)) == 2

                await eventually(all_announced)
                trust = f"ssl_ca_certs={authority.ca}"
                async with open_link(f"rediss+cluster://127.0.0.1:{port}?{trust}") as link:
                    for key in "abcdefgh":
                        assert await link.call("SET", key, key) == b"OK"
            for node in pair.primaries:
                assert ask(node, "DBSIZE") != 0


class TestLogins:
    @pytest.mark.parametrize("login", ["ann:wrong@", "nobody:pw@", ":wrong@", ""])
    async def test_that_are_wrong_are_told_with_the_setting(
        self,
        valkey_factory: ValkeyFactory,
        enter: Callable[[str], Awaitable[None]],
        login: str,
    ) -> None:
        server = valkey_factory()
        ask(server, "ACL", "SETUSER", "ann", "on", ">pw", "~*", "&*", "+@all")
        ask(server, "CONFIG", "SET", "requirepass", "secret")
        with pytest.raises(ServiceUnavailableError, match=r"login.*REDIS_URL"):
            await enter(f"redis://{login}127.0.0.1:{server.port}")
        await enter(f"redis://ann:pw@127.0.0.1:{server.port}")
