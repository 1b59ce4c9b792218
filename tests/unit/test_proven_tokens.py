"""What is remembered of proven tokens never outlives what makes them valid."""

from __future__ import annotations

import pytest

from careerlens.auth.hs256 import SharedSecretVerifier
from careerlens.auth.proven import ProvenTokens
from careerlens.foundation.errors import AuthenticationError
from tokens import SECRET, good_claims, hs256


def test_the_longest_unused_token_is_forgotten_first() -> None:
    proven: ProvenTokens[str] = ProvenTokens(size=2)
    proven.put("first", "1")
    proven.put("second", "2")
    assert proven.get("first") == "1"
    proven.put("third", "3")
    assert [proven.get(token) for token in ("first", "second", "third")] == ["1", None, "3"]


def test_no_token_is_kept_as_it_is() -> None:
    proven: ProvenTokens[str] = ProvenTokens()
    proven.put("a bearer's secret", "found")
    assert "a bearer's secret" not in repr(vars(proven))


async def test_a_token_that_was_proven_expires_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verifier = SharedSecretVerifier(secret=SECRET)
    claims = good_claims(exp=2_000_000_000, iat=1_900_000_000)
    token = hs256(claims)
    for now, is_valid in (
        (1_899_999_980, False),
        (1_950_000_000, True),
        (2_000_000_009, True),
        (2_000_000_010, False),
        (1_899_999_991, True),  # the clock was set back
        (1_899_999_989, False),
    ):
        monkeypatch.setattr("careerlens.auth.hs256.time.time", lambda now=now: float(now))
        if is_valid:
            assert (await verifier.verify(token)).user_id == "user-123"
        else:
            with pytest.raises(AuthenticationError):
                await verifier.verify(token)


async def test_a_changed_signature_is_refused_after_the_true_one_was_proven() -> None:
    verifier = SharedSecretVerifier(secret=SECRET)
    token = hs256(good_claims())
    forged = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    await verifier.verify(token)
    with pytest.raises(AuthenticationError):
        await verifier.verify(forged)
    with pytest.raises(AuthenticationError):
        await SharedSecretVerifier(secret=SECRET[::-1]).verify(token)
