"""A résumé as it was read from whatever file it came in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What the reader of the file saw beside its text. All zero for plain text.

    `hidden_text` are passages that people cannot see (white, tiny, marked as hidden); they are
    no part of the document's text.
    """

    tables: int = 0
    images: int = 0
    text_boxes: int = 0
    columns: int = 1
    header_footer_text: bool = False
    hidden_text: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadDocument:
    """The text and what the reader saw beside it. `format` is pdf, docx or text.

    `pages` is None where the format has none. `warnings` are sentences for the owner.
    """

    text: str
    format: str
    pages: int | None = None
    layout: Layout = field(default_factory=Layout)
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document as JSON values, for `from_json` in another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> ReadDocument:
        """The other half of `to_json`. Raises `TypeError` or `KeyError` when it is out of form."""
        layout = raw["layout"]
        return cls(
            text=str(raw["text"]),
            format=str(raw["format"]),
            pages=raw["pages"],
            layout=Layout(**{**layout, "hidden_text": tuple(layout["hidden_text"])}),
            warnings=tuple(raw["warnings"]),
        )
