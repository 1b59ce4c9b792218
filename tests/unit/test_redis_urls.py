"""A REDIS_URL is read in every form that the settings promise, and refused with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.redisurl import RedisUrl, Topology


def test_one_server() -> None:
    url = RedisUrl.parse("redis://ann:p%40ss%2Fword@[::1]:7000/3")
    assert (url.topology, url.places, url.database) == (Topology.SERVER, (("::1", 7000),), 3)
    assert (url.username, url.password, url.tls) == ("ann", "p@ss/word", None)
    assert RedisUrl.parse("valkey://host").places == (("host", 6379),)
    assert RedisUrl.parse("redis://:secret@host?db=2") == RedisUrl(
        places=(("host", 6379),), password="secret", database=2
    )


def test_a_unix_socket() -> None:
    assert RedisUrl.parse("unix:///run/valkey/s?db=1") == RedisUrl(path="/run/valkey/s", database=1)
    assert RedisUrl.parse("unix://ann:pw@/s") == RedisUrl(path="/s", username="ann", password="pw")


def test_a_primary_with_sentinels() -> None:
    url = RedisUrl.parse(
        "redis+sentinel://ann:pw@one:1,[::2]:2,three/my%20master/4"
        "?sentinel_username=bob&sentinel_password=s%26p"
    )
    assert url.topology is Topology.SENTINEL
    assert url.places == (("one", 1), ("::2", 2), ("three", 26379))
    assert (url.primary, url.database) == ("my master", 4)
    assert (url.username, url.password) == ("ann", "pw")
    assert (url.sentinel_username, url.sentinel_password) == ("bob", "s&p")
    assert RedisUrl.parse("valkeys+sentinel://one/mymaster").tls is not None


def test_a_cluster() -> None:
    url = RedisUrl.parse("rediss+cluster://pw:@one:1,two/")
    assert (url.topology, url.places) == (Topology.CLUSTER, (("one", 1), ("two", 6379)))
    assert url.tls is not None


def test_tls(tmp_path: Path) -> None:
    names = ("ca", "cert", "key")
    ca, cert, key = (tmp_path / name for name in names)
    for file in (ca, cert, key):
        file.touch()
    url = RedisUrl.parse(
        f"rediss://host?ssl_ca_certs={ca}&ssl_certfile={cert}&ssl_keyfile={key}&ssl_password=pw"
        "&ssl_check_hostname=false"
    )
    assert url.tls is not None
    assert (url.tls.ca_file, url.tls.cert_file) == (str(ca), str(cert))
    assert (url.tls.key_file, url.tls.key_password) == (str(key), "pw")
    assert (url.tls.verifies, url.tls.checks_host) == (True, False)
    with pytest.raises(ConfigurationError, match="certificate files"):
        url.tls.context()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://host", "'http' is not known"),
        ("redis+sentinels://host/name", "'redis\\+sentinels' is not known"),
        ("host:6379", "is not known"),
        ("redis://one,two", "several servers"),
        ("redis://host:99999", "'99999' is no port"),
        ("redis://::1", "is no port"),
        ("redis://host/first", "'first' is no number"),
        ("redis+sentinel://one:1,two:2", "what the sentinels call the primary"),
        ("redis+sentinel://one/name/x", "'x' is no number"),
        ("redis+sentinel:///name", "names no host"),
        ("redis+cluster://one/1", "no database 1"),
        ("redis+cluster://", "names no host"),
        ("redis://host?ssl_ca_certs=/x", "'ssl_ca_certs' that means nothing"),
        ("rediss://host?ssl_ca_cert=/x", "'ssl_ca_cert' that means nothing"),
        ("rediss://host?ssl_ca_certs=/no/such/file", "no file /no/such/file"),
        ("rediss://host?ssl_cert_reqs=maybe", "cannot be 'maybe'"),
        ("rediss://host?ssl_check_hostname=maybe", "ssl_check_hostname is not clear"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^REDIS_URL: .*{problem}"):
        RedisUrl.parse(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://ann:secret@host:1/2", "redis://***@host:1/2"),
        ("unix://ann:secret@/s?db=1", "unix:///s?db=1"),
        ("valkeys://[::1]?ssl_password=secret", "rediss://[::1]:6379/0"),
        (
            "redis+sentinel://:secret@a,b:2/name?sentinel_password=secret",
            "redis+sentinel://***@a:26379,b:2/name/0",
        ),
        ("redis+cluster://:secret@a:1,b:2", "redis+cluster://***@a:1,b:2"),
    ],
)
def test_what_is_shown_of_it_holds_no_secret(url: str, shown: str) -> None:
    assert str(RedisUrl.parse(url)) == shown
    assert "secret" not in repr(RedisUrl.parse(url))
