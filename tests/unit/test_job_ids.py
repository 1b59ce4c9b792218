"""Ids say whose job they name, in exactly one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careerlens.auth import is_valid_user_id
from careerlens.jobs.ids import encode_user, new_job_id, parse_job_id
from careerlens.jobs.keys import live_key
from careerlens.jobs.owner import owner_of
from careerlens.wire.keys import is_safe_job_id

users = st.text(min_size=1, max_size=128).filter(is_valid_user_id)


@given(users)
def test_every_user_is_found_again_in_their_ids(user: str) -> None:
    made = new_job_id(user, "cover-letter")
    assert parse_job_id(str(made)) == made
    assert owner_of(str(made), {"userId": "somebody-else"}) == user
    assert is_safe_job_id(str(made))
    assert str(made).count(":") == 3


@given(users, users)
def test_two_users_never_share_keys_or_prefixes(one: str, other: str) -> None:
    if one != other:
        assert encode_user(one) != encode_user(other)
        assert live_key(one) != live_key(other)
        assert not str(new_job_id(other, "a")).startswith(f"{encode_user(one)}:")


@given(st.text(max_size=300))
def test_any_text_is_an_id_in_one_spelling_or_none(text: str) -> None:
    parsed = parse_job_id(text)
    assert parsed is None or str(parsed) == text


@pytest.mark.parametrize(
    "text",
    [
        "user-1:cover-letter:1700000000000:AAAAAAAAAAAAAAAA\n",
        "user-1:cover-letter\n:1700000000000:AAAAAAAAAAAAAAAA",
        "user%2D1:cover-letter:1700000000000:AAAAAAAAAAAAAAAA",
        "%75ser:cover-letter:1700000000000:AAAAAAAAAAAAAAAA",
        "a%3ab:cover-letter:1700000000000:AAAAAAAAAAAAAAAA",
        "a:b:cover-letter:1700000000000:AAAAAAAAAAAAAAAA",
        "%FF:cover-letter:1700000000000:AAAAAAAAAAAAAAAA",
        ":cover-letter:1700000000000:AAAAAAAAAAAAAAAA",
        "user-1:cover-letter:01:AAAAAAAAAAAAAAAA",
        "user-1:cover-letter:1700000000000:short",
        "user-1:cover-letter:١:AAAAAAAAAAAAAAAA",
    ],
)
def test_other_spellings_name_no_job(text: str) -> None:
    assert parse_job_id(text) is None


@pytest.mark.parametrize("user", ["", " a", "a\n", "a\0b", "\ud800", "\u202ea", "x" * 129])
def test_what_is_no_user_gets_no_id(user: str) -> None:
    with pytest.raises(ValueError, match="not a user id"):
        new_job_id(user, "cover-letter")


def test_a_foreign_job_belongs_to_whom_its_data_names() -> None:
    assert owner_of("17", {"userId": "user-1"}) == "user-1"
    assert owner_of("17", {"userId": 5}) is None
    assert owner_of("17", {"userId": " "}) is None
    assert owner_of("17", {}) is None
    assert owner_of("17", None) is None
