"""The React package's types of inputs and results are those of the API's OpenAPI document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "web/packages/jobs-react"


def test_generated_types_are_what_the_document_says_now() -> None:
    """If not: `python scripts/openapi.py | npm --prefix web/packages/jobs-react run generate`."""
    printed = subprocess.run(
        [sys.executable, ROOT / "scripts/openapi.py"], check=True, capture_output=True, timeout=60
    )
    written = subprocess.run(
        ["node", "scripts/write-job-types.mjs", "--print"],
        cwd=PACKAGE,
        input=printed.stdout,
        check=True,
        capture_output=True,
        timeout=60,
    )
    committed = (PACKAGE / "src/core/job-types.generated.ts").read_bytes()
    assert written.stdout == committed
