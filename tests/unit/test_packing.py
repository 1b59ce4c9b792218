"""What is written for BullMQ's scripts and packages is what json and msgpack write."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careerlens.wire.packing import pack, strict_json

_plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_keys = st.text() | st.integers() | st.booleans() | st.none()
_values = st.recursive(
    _plain, lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(_keys, inner)
)
_text = st.characters(exclude_categories=["Cs"])
_packed = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(_text) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(_text), inner),
)


@settings(deadline=None)
@given(_values)
def test_json_is_what_the_standard_library_writes(value: Any) -> None:
    expected = outcome(lambda: json.dumps(value, separators=(",", ":"), allow_nan=False))
    assert outcome(lambda: strict_json(value)) == expected


def outcome(write: Callable[[], str]) -> str | tuple[type[Exception], str]:
    try:
        return write()
    except ValueError as error:
        return type(error), str(error)


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, {("a", "b"): 1}])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"JSON serializable|keys must be"):
        strict_json(value)


def test_endless_nesting_is_refused_by_its_kind() -> None:
    inside_itself: list[Any] = []
    inside_itself.append(inside_itself)
    with pytest.raises(ValueError, match="Circular reference"):
        strict_json(inside_itself)
    deep: Any = {}
    for _ in range(100_000):
        deep = {"in": deep}
    with pytest.raises(ValueError, match="nested too deeply"):
        strict_json(deep)


@settings(deadline=None)
@given(_packed)
def test_what_is_packed_is_what_msgpack_packs(value: Any) -> None:
    assert pack(value) == msgpack.packb(value, use_bin_type=True)


def test_a_value_that_cannot_be_packed_leaves_nothing_behind() -> None:
    with pytest.raises(TypeError):
        pack(["half of it", object()])
    assert pack(1) == b"\x01"
