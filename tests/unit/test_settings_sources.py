"""Where settings come from, and which source wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.settings import load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and none of the settings that are looked at here."""
    monkeypatch.chdir(tmp_path)
    for name in ("API_PORT", "CAREERLENS_JOBS", "REDIS_PASSWORD", "WORKER_PROCESSES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_flags_win_over_the_environment_and_that_over_the_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().api_port == 3000
    (folder / ".env").write_text("API_PORT=3001\nWORKER_PROCESSES=2\n")
    assert load_settings().api_port == 3001
    (folder / ".env.local").write_text("API_PORT=3002\n")
    assert load_settings().api_port == 3002
    monkeypatch.setenv("API_PORT", "3003")
    assert load_settings().api_port == 3003
    settings = load_settings(api_port=3004)
    assert (settings.api_port, settings.worker_processes) == (3004, 2)
    assert settings.model_fields_set >= {"api_port", "worker_processes"}


def test_an_empty_value_counts_as_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("API_PORT=3001\n")
    monkeypatch.setenv("API_PORT", "")
    assert load_settings().api_port == 3001


def test_files_may_quote_comment_and_refer(folder: Path) -> None:
    (folder / ".env").write_text(
        "# what we run\nexport CAREERLENS_JOBS='letters, primes,'\nUNKNOWN=1\n"
        'REDIS_PASSWORD="a b#c"  # theirs\n'
    )
    settings = load_settings()
    assert settings.jobs_modules == ("letters", "primes")
    assert settings.redis_password is not None
    assert settings.redis_password.get_secret_value() == "a b#c"


@pytest.mark.parametrize("number", ["0", "257", "two"])
def test_a_wrong_value_names_its_variable(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_PROCESSES", number)
    with pytest.raises(ConfigurationError, match="WORKER_PROCESSES: it must be"):
        load_settings()
