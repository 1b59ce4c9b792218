"""A call whose keys are encoded once for all is, byte for byte, the call encoded word by word."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from careerlens.wire.connection import encode
from careerlens.wire.link import SharedKeys, evaluation
from careerlens.wire.scripts import bullmq_script

words = st.one_of(st.binary(max_size=40), st.text(max_size=40), st.integers(), st.floats())


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=12), st.lists(words, max_size=12))
def test_shared_keys_lead_to_the_same_bytes(
    keys: list[bytes], args: list[bytes | str | int | float]
) -> None:
    shared = SharedKeys(keys)
    for name in ("addLog", "pause", "addLog"):
        script = bullmq_script(name)
        expected = encode((b"EVALSHA", script.sha, len(keys), *keys, *args))
        assert evaluation((script, shared, args)) == expected
