"""In development the signing secret is made once per folder, for its owner's eyes only."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.secrets import SECRET_FILE, jwt_secret
from careerlens.foundation.settings import load_settings

PRINT_SECRET = """
import sys
from careerlens.foundation.secrets import jwt_secret
from careerlens.foundation.settings import load_settings
sys.stdout.buffer.write(jwt_secret(load_settings(home=sys.argv[1])))
"""


def secret_in(folder: Path) -> bytes:
    """The secret that a process gets in this folder."""
    return jwt_secret(load_settings(home=folder))


def test_all_processes_of_a_folder_that_start_at_once_get_the_same(tmp_path: Path) -> None:
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", PRINT_SECRET, str(tmp_path)], stdout=subprocess.PIPE
        )
        for _ in range(6)
    ]
    secrets = {starter.communicate(timeout=60)[0] for starter in starters}
    assert len(secrets) == 1
    assert len(secrets.pop()) >= 48
    assert [path.name for path in tmp_path.iterdir()] == [SECRET_FILE]


def test_folders_have_secrets_of_their_own(tmp_path: Path) -> None:
    assert secret_in(tmp_path / "a") != secret_in(tmp_path / "b")


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    secret_in(tmp_path)
    assert stat.S_IMODE((tmp_path / SECRET_FILE).stat().st_mode) == 0o600


def test_a_configured_secret_wins(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, jwt_secret="configured")
    assert jwt_secret(settings) == b"configured"
    assert not any(tmp_path.iterdir())


def test_production_never_makes_one_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="openssl rand"):
        jwt_secret(load_settings(home=tmp_path, environment="production"))
    assert not any(tmp_path.iterdir())


def test_one_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_text("short")
    with pytest.raises(ConfigurationError, match="cut short"):
        secret_in(tmp_path)
