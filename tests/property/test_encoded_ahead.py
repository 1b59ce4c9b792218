"""What is encoded from a template is, byte for byte, what would be encoded word by word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from careerlens.wire.calls import QueueCalls, finish_options
from careerlens.wire.connection import encode, template
from careerlens.wire.keys import QueueKeys

words = st.one_of(st.binary(max_size=40), st.text(max_size=40), st.integers())
job_ids = st.text(min_size=1, max_size=60).filter(lambda text: "\0" not in text)


@given(job_ids, st.integers(0, 2**42), st.text(max_size=200), st.text(max_size=40))
def test_a_completion_is_the_finish_it_stands_for(
    job_id: str, now_ms: int, value: str, token: str
) -> None:
    calls = QueueCalls(QueueKeys("100% of it", "{tag}"))
    options = finish_options(
        token, 15_000, None, "worker", keep={"count": -1}, attempts=3, stored={}
    )
    script, keys, args = calls.finish(
        job_id, now_ms, "completed", value, options, {}, fetch_next=True
    )
    expected = encode((b"EVALSHA", script.sha, len(keys), *keys, *args))
    encoded = calls.completion(job_id.encode(), now_ms, value.encode(), options.encoded())
    assert encoded == expected


@given(st.lists(words, min_size=1, max_size=8), st.data())
def test_any_words_may_be_left_open(command: list[bytes | str | int], data: st.DataObject) -> None:
    holes = data.draw(st.lists(st.sampled_from(command), unique=True))
    filled = [
        as_bytes(word) for word in command if any(as_bytes(word) == as_bytes(h) for h in holes)
    ]
    form = template(command, holes)
    assert form % tuple(part for word in filled for part in (len(word), word)) == encode(command)


def as_bytes(word: bytes | str | int) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
