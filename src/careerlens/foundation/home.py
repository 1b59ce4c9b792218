"""The folder where a checkout keeps what it makes itself: `.careerlens` unless set otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from careerlens.foundation.errors import ConfigurationError

if TYPE_CHECKING:
    from careerlens.foundation.settings import Settings

_REMEDY = "Set CAREERLENS_HOME to a folder that you may write to."


def prepare_home(settings: Settings) -> Path:
    """The absolute path of the folder, made (for its owner only) if it does not exist yet.

    Raises `ConfigurationError` when it cannot be made, entered or written to.
    """
    return prepare_folder(settings.home.absolute())


def prepare_folder(folder: Path) -> Path:
    """Make `folder` if it does not exist yet and return it; errors as in `prepare_home`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise ConfigurationError(
            "CAREERLENS_HOME", f"{folder} exists and is not a folder.", _REMEDY
        ) from None
    except OSError as error:
        raise ConfigurationError(
            "CAREERLENS_HOME", f"the folder {folder} cannot be made ({error.strerror}).", _REMEDY
        ) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(
            "CAREERLENS_HOME", f"the folder {folder} cannot be written to.", _REMEDY
        )
    return folder
