"""What the deployment files say is there, is there; documented commands keep their meaning."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from careerlens.cli._main import build_app
from careerlens.foundation.settings import Settings

ROOT = Path(__file__).parents[2]
ROLES = {"api", "worker", "socket"}
NOT_OURS = {"PATH", "PYTHONUNBUFFERED"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The parsed `compose.yaml`."""
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return parsed


def our_variables() -> set[str]:
    """Every environment variable that the settings read."""
    return {str(field.alias) for field in Settings.model_fields.values()}


def test_compose_runs_the_four_services(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"redis", *ROLES}
    assert compose["services"]["redis"]["image"] == "redis:7-alpine"
    assert compose["services"]["socket"]["ports"] == ["3001:3001"]
    for role in ROLES:
        assert compose["services"][role]["command"] == [role]


def test_composes_redis_keeps_every_job(compose: dict[str, Any]) -> None:
    command = " ".join(compose["services"]["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert compose["services"]["redis"]["ports"] == ["127.0.0.1:6379:6379"]


def test_compose_sets_only_variables_that_exist(compose: dict[str, Any]) -> None:
    for role in ROLES:
        for line in compose["services"][role]["environment"]:
            assert line.partition("=")[0] in our_variables(), line


def test_no_process_of_compose_runs_as_root_or_without_health_check() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stage = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER careerlens$", stage, re.MULTILINE)
    assert 'CMD ["careerlens", "health"]' in stage
    assert 'ENTRYPOINT ["careerlens"]' in stage


def test_dockerfile_copies_only_what_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if not line.startswith("COPY ") or "--from=" in line:
            continue
        for source in line.split()[1:-1]:
            assert (ROOT / source).exists(), source
            assert Path(source).parts[0] in kept, source


def test_dockerfile_sets_only_variables_that_exist() -> None:
    text = (ROOT / "Dockerfile").read_text()
    block = text[text.index("ENV ") : text.index("USER ")]
    names = set(re.findall(r"([A-Z_]+)=", block))
    assert names <= our_variables() | NOT_OURS


@pytest.mark.parametrize("role", ["worker", "socket"])
def test_the_seeds_dockerfiles_differ_from_dockerfile_in_their_command_alone(role: str) -> None:
    expected = re.sub(
        r"^CMD .*$", f'CMD ["{role}"]', (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE
    )
    header, _, text = (ROOT / f"Dockerfile.{role}").read_text().partition("\n")
    assert "make dockerfiles" in header
    assert text == expected


def test_every_role_is_a_command() -> None:
    commands = set(build_app())
    assert commands >= ROLES
    for path in (ROOT / "Dockerfile", ROOT / "Dockerfile.worker", ROOT / "Dockerfile.socket"):
        (role,) = re.findall(r'^CMD \["(\w+)"\]', path.read_text(), re.MULTILINE)
        assert role in ROLES


def test_cloud_run_sets_only_variables_that_exist_and_roles_that_exist() -> None:
    text = (ROOT / "deploy" / "cloudrun" / "README.md").read_text()
    for pairs in re.findall(r'--set-(?:env-vars|secrets)="([^"]+)"', text):
        for pair in pairs.split(","):
            assert pair.partition("=")[0] in our_variables(), pair
    assert set(re.findall(r"--args=(\w+)", text)) == ROLES


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").glob("*.sh")))
def test_scripts_are_posix_shell(script: str) -> None:
    path = ROOT / "scripts" / script
    assert path.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(path)], check=True)


def test_what_the_makefile_calls_is_there() -> None:
    text = (ROOT / "Makefile").read_text()
    for name in re.findall(r"(?:scripts|benchmarks)/[\w/.-]+\.(?:sh|py)", text):
        assert (ROOT / name).exists(), name
    for target in ("run", "test", "lint", "bench", "soak", "clean"):
        assert re.search(rf"^{target}:", text, re.MULTILINE), target


def test_continuous_integration_runs_make_test() -> None:
    path = ROOT / ".ci" / "run"
    assert path.stat().st_mode & 0o111
    text = path.read_text()
    assert "set -euo pipefail" in text
    assert "make test" in text
    subprocess.run(["bash", "-n", str(path)], check=True)
