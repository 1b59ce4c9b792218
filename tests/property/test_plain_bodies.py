"""The quick reading of plain bodies takes none for another than the strict one would."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from careerlens.api import bodies
from careerlens.api.problems import ProblemError
from careerlens.foundation.errors import InvalidInputError

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["Zoë", '"', "\\", "\n", "\x00", "\ud800", "\u2028", "a\tb"])
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_objects = st.dictionaries(st.text(max_size=6), _values, max_size=6)


def _written(value: Any, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def _twice(value: dict[str, Any], ascii_only: bool) -> bytes:
    """The object with everything in it twice."""
    inner = _written(value, ascii_only)[1:-1]
    return b"{" + inner + (b", " if inner else b"") + inner + b"}"


_bodies = (
    st.binary(max_size=40)
    | st.builds(_written, _values, st.booleans())
    | st.builds(_written, _objects, st.booleans())
    | st.builds(_twice, _objects, st.booleans())
)


@given(_bodies)
@example(b'{"a": "x", "a": "x"}')
@example(b'{"a": "\\"", "a": 1}')
@example(b'{"a": 1, "a": 2}')
@example(b'{"a": 18446744073709551616}')
@example(b'{"a": 1e400}')
@example(b'{"a": -0}')
@example(b'{"a": "\\ud800"}')
@example(b'\xef\xbb\xbf{"a": 1}')
def test_plain_bodies_are_read_as_strictly_as_any_other(body: bytes) -> None:
    plain = bodies._plain_object(body)
    if plain is None:
        return
    try:
        strictly = bodies._parse_strictly(body)
    except (ProblemError, InvalidInputError) as error:
        raise AssertionError(f"refused by the strict way: {error}") from error
    assert repr(plain) == repr(strictly)


@given(st.dictionaries(st.text("abcdefgh", max_size=4), st.text("xyz é\n\t", max_size=8)))
def test_bodies_of_plain_texts_are_read_the_quick_way(value: dict[str, str]) -> None:
    assert bodies._plain_object(_written(value, ascii_only=False)) == value


def test_a_body_of_too_many_fields_is_left_to_the_strict_way() -> None:
    body = _written({f"f{number}": "" for number in range(bodies.MAX_FIELDS + 1)}, True)
    assert bodies._plain_object(body) is None
