"""What can be the name of a user."""

from __future__ import annotations

MAX_USER_ID_LENGTH = 128


def is_valid_user_id(user_id: object) -> bool:
    """Whether this can be a user id: a non-empty text of at most 128 printable characters."""
    return (
        isinstance(user_id, str)
        and 0 < len(user_id) <= MAX_USER_ID_LENGTH
        and user_id.isprintable()
        and user_id.strip() == user_id
    )
