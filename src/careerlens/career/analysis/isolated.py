"""The analysis as a child process runs it.

A worker only names the function below, so importing this module imports none of the rules.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from careerlens.foundation.isolation import emit


def analyse_isolated(document: dict[str, Any], market: bytes, today: str) -> dict[str, Any]:
    """`analyse` for a child process: JSON in, JSON out, steps by `emit`."""
    from careerlens.career.analysis.engine import analyse
    from careerlens.career.document import ReadDocument
    from careerlens.career.market.profile import MarketView

    report = analyse(
        ReadDocument.from_json(document),
        MarketView.from_json(market),
        date.fromisoformat(today),
        lambda step, message: emit({"step": step, "message": message}),
    )
    return report.model_dump(mode="json", by_alias=True)
