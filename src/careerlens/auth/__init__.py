"""Who is calling."""

from careerlens.auth.authenticator import (
    Authenticator,
    bearer_token,
    issue_token,
    was_forwarded,
)
from careerlens.auth.caller import Caller
from careerlens.auth.revocations import RevocationWatch, revoke_tokens
from careerlens.foundation.users import MAX_USER_ID_LENGTH, is_valid_user_id

__all__ = [
    "MAX_USER_ID_LENGTH",
    "Authenticator",
    "Caller",
    "RevocationWatch",
    "bearer_token",
    "is_valid_user_id",
    "issue_token",
    "revoke_tokens",
    "was_forwarded",
]
