"""Fresh applications that install what `npm pack` makes of the React package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "web/packages/jobs-react"
QUIET = {"NEXT_TELEMETRY_DISABLED": "1", "npm_config_update_notifier": "false"}
OWN_OF_WORKSPACES = ("@careerlens", "react-18-check", "careerlens-*", ".package-lock.json")


def run(*command: str, at: Path, **environment: str) -> None:
    """Run a command to its end; a failure shows all that it printed."""
    done = subprocess.run(
        command,
        cwd=at,
        env=os.environ | QUIET | environment,
        timeout=150,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"


def packed(folder: Path) -> Path:
    """The package as it would be published, in `folder`. It has to be built before."""
    run("npm", "pack", "--ignore-scripts", "--pack-destination", str(folder), at=PACKAGE)
    [tarball] = folder.glob("*.tgz")
    return tarball


def fresh_app(source: Path, folder: Path, *, modules: Path, tarball: Path) -> Path:
    """A copy of the application `source` with the package installed; needs no network.

    `modules` is a `node_modules` that has everything else the application depends on.
    """
    made = shutil.ignore_patterns("node_modules", ".next", "*.tgz", "package-lock.json")
    shutil.copytree(source, folder, ignore=made)
    shutil.copytree(
        modules,
        folder / "node_modules",
        symlinks=True,
        ignore=shutil.ignore_patterns(*OWN_OF_WORKSPACES),
        copy_function=_link,
    )
    shutil.copy(tarball, folder)
    run("npm", "install", "--offline", "--no-audit", "--no-fund", f"./{tarball.name}", at=folder)
    return folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
