"""The Lua scripts that are the protocol: BullMQ's own, and ours beside them.

BullMQ's files are read from the installed `bullmq` package, which is pinned exactly: the order
of a script's keys and arguments changes between releases, so every file must have the SHA-256
we wrote our calls against (`lua/bullmq.sha256`). A different file is refused before it runs.

Ours live in folders named `lua/`. A line `--@include name` in one of them becomes a local
function of that name with the unchanged body of BullMQ's script, so that what it does cannot
drift from theirs. A line `--@paste name` becomes the text of `parts/name.lua`, what several of
ours have in common.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from careerlens.foundation.errors import ConfigurationError

BULLMQ_VERSION = "3.4.4"
_OURS = Path(__file__).parent / "lua"
_INCLUDE = re.compile(r"^--@include (?P<name>[A-Za-z0-9]+)$", re.MULTILINE)
_PASTE = re.compile(r"^--@paste (?P<name>[a-z]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """A script ready to be called by its digest. `sha` is what EVALSHA takes."""

    name: str
    source: bytes = field(repr=False)
    sha: bytes


def verify_scripts() -> None:
    """Check every script of the installed `bullmq` package against its pinned digest.

    Raises `ConfigurationError` that names the first one that differs or is missing.
    """
    for file in _pinned_digests():
        _read_pinned(file)


@cache
def bullmq_script(name: str) -> Script:
    """BullMQ's script `name`, such as `moveToActive`. Raises `ConfigurationError` on a mismatch."""
    return _script(name, _bullmq_source(name))


@cache
def own_script(name: str, folder: Path = _OURS) -> Script:
    """Our script `{name}.lua` of `folder`, with what its lines include and paste."""

    def part(paste: re.Match[str]) -> str:
        return (folder / "parts" / f"{paste['name']}.lua").read_text(encoding="utf-8")

    template = (folder / f"{name}.lua").read_text(encoding="utf-8")
    return _script(name, _INCLUDE.sub(_as_function, _PASTE.sub(part, template)))


def _as_function(include: re.Match[str]) -> str:
    name = include["name"]
    return f"local function {name}(KEYS, ARGV)\n{_bullmq_source(name)}\nend"


def _script(name: str, text: str) -> Script:
    source = text.encode()
    # EVALSHA names scripts by SHA-1; nothing here relies on it for safety.
    sha = hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()
    return Script(name, source, sha)


@cache
def _bullmq_source(name: str) -> str:
    for file in _pinned_digests():
        if file.rpartition("-")[0] == name:
            return _read_pinned(file)
    raise KeyError(f"no script of BullMQ is pinned under the name {name!r}")


@cache
def _pinned_digests() -> dict[str, str]:
    lines = (_OURS / "bullmq.sha256").read_text(encoding="ascii").splitlines()
    return {file: digest for digest, file in (line.split() for line in lines)}


def _read_pinned(file: str) -> str:
    path = _commands_folder() / file
    try:
        content = path.read_bytes()
    except OSError:
        raise _wrong_package(f"its script {file} cannot be read.") from None
    if hashlib.sha256(content).hexdigest() != _pinned_digests()[file]:
        raise _wrong_package(f"its script {file} is not the one we were written against.")
    return content.decode()


@cache
def _commands_folder() -> Path:
    package = find_spec("bullmq")
    if package is None or not package.submodule_search_locations:
        raise _wrong_package("it is not installed.")
    return Path(package.submodule_search_locations[0]) / "commands"


def _wrong_package(problem: str) -> ConfigurationError:
    return ConfigurationError(
        "bullmq",
        f"the package does not fit: {problem}",
        f"Install exactly bullmq=={BULLMQ_VERSION}; another version may destroy running queues.",
    )
