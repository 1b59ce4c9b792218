"""Delays between attempts follow BullMQ's options, and stay within their bounds."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from careerlens.queue.record import JobRecord
from careerlens.worker.backoff import retry_delay_ms

DAY_MS = 24 * 60 * 60 * 1000


def job(attempts: int, backoff: object) -> JobRecord:
    record = JobRecord("x", {b"name": b"x"})
    record.opts.update({"attempts": attempts, "backoff": backoff})
    return record


made = st.integers(1, 60)
delays = st.integers(0, 10**9)


@given(made, delays)
def test_exponential_doubles_from_its_base(n: int, delay: int) -> None:
    backoff = {"type": "exponential", "delay": delay}
    assert retry_delay_ms(job(100, backoff), n) == min(delay * 2 ** min(n - 1, 32), DAY_MS)


@given(made, delays, st.booleans())
def test_fixed_stays_the_same_also_as_a_bare_number(n: int, delay: int, bare: bool) -> None:
    backoff: object = delay if bare else {"type": "fixed", "delay": delay}
    assert retry_delay_ms(job(100, backoff), n) == min(delay, DAY_MS)


@given(made, delays, st.floats(0, 1))
def test_jitter_takes_away_at_most_its_share(n: int, delay: int, jitter: float) -> None:
    backoff = {"type": "exponential", "delay": delay, "jitter": jitter}
    longest = min(delay * 2 ** min(n - 1, 32), DAY_MS)
    found = retry_delay_ms(job(100, backoff), n)
    assert found is not None
    assert longest * (1 - jitter) - 1 <= found <= longest + 1


@given(st.integers(1, 20), st.integers(1, 40))
def test_no_attempt_is_made_beyond_the_last(attempts: int, n: int) -> None:
    assert (retry_delay_ms(job(attempts, 5), n) is None) == (n >= attempts)


@given(made, st.one_of(st.none(), st.text(), st.dictionaries(st.text(), st.none() | st.text())))
def test_options_that_make_no_sense_never_stop_a_retry(n: int, backoff: Any) -> None:
    found = retry_delay_ms(job(100, backoff), n)
    assert found is not None
    assert found >= 0
