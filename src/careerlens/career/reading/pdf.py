"""Text of a PDF, by PDFium, with an eye on what people would not see.

PDFium runs no scripts and follows no links here. It is native code that reads a stranger's file,
which is why all of this happens in a child process.
"""

from __future__ import annotations

import ctypes
import re
from itertools import islice
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from careerlens.career.document import Layout, ReadDocument
from careerlens.career.reading import failures, limits

_MAX_OBJECTS = 20_000
_MAX_RECTANGLES = 4_000
_TINY_POINTS = 2.0
_WHITE = 245
_ICON_POINTS = 24.0
_LONE_BULLET = re.compile(r"^[ \t]*([•‣◦●○▪■–*\uf0b7-])[ \t]*\n(?=\S)", re.MULTILINE)

Box = tuple[float, float, float, float]


def read_pdf(content: bytes) -> ReadDocument:
    """Text and layout of a PDF.

    Raises `UnrecoverableError`: `file_encrypted`, `file_truncated`, `file_scanned`, `file_empty`
    or `parse_limit`.
    """
    document = _open(content)
    try:
        return _read(document)
    except pypdfium2.PdfiumError:
        raise failures.truncated() from None


def _read(document: Any) -> ReadDocument:
    pages = len(document)
    if pages == 0:
        raise failures.truncated()
    if pages > limits.MAX_PAGES:
        raise failures.over_limit(f"It has {pages} pages; a résumé may have {limits.MAX_PAGES}.")
    seen = [_Page(document[index]) for index in range(pages)]
    texts: list[str] = []
    room = limits.MAX_CHARACTERS
    for page in seen:
        texts.append(page.read())
        room -= len(texts[-1])
        if room < 0:
            raise failures.over_limit(
                f"It holds more than {limits.MAX_CHARACTERS:,} characters, more than a résumé may."
            )
    text = "\n".join(texts)
    if sum(character.isalnum() for character in text) < 20 and any(page.images for page in seen):
        raise failures.scanned()
    return ReadDocument(
        text=text,
        format="pdf",
        pages=pages,
        layout=Layout(
            images=sum(page.images for page in seen),
            columns=max(page.columns for page in seen),
            hidden_text=tuple(passage for page in seen for passage in page.hidden)[:20],
        ),
    )


def _open(content: bytes) -> Any:
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if error.err_code in {pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY}:
            raise failures.encrypted() from None
        raise failures.truncated() from None
    return document


class _Page:
    """One page: its text without what is hidden, and what was seen on the way."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self.images = 0
        self.columns = 1
        self.hidden: list[str] = []

    def read(self) -> str:
        """The page's visible text, line by line."""
        textpage = self._page.get_textpage()
        hidden = self._look_around(textpage)
        text = self._without(textpage, hidden) if hidden else textpage.get_text_range()
        self.columns = 2 if _has_gutter(textpage, self._page.get_width()) else 1
        lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufffe", "-")
        return _LONE_BULLET.sub(r"\1 ", lines)

    def _look_around(self, textpage: Any) -> set[int]:
        """Walk the page's objects; addresses of the text objects that nobody can see."""
        painted: list[Box] = []
        faint: list[tuple[int, Any, Box | None, bool]] = []
        covered = False
        area = self._page.get_width() * self._page.get_height()
        for item in islice(self._page.get_objects(textpage=textpage), _MAX_OBJECTS):
            if item.type == pdfium.FPDF_PAGEOBJ_IMAGE:
                box = _bounds(item)
                if box and _width(box) > _ICON_POINTS and _height(box) > _ICON_POINTS:
                    self.images += 1
                    painted.append(box)
                    covered = covered or _width(box) * _height(box) > area / 2
            elif item.type == pdfium.FPDF_PAGEOBJ_PATH:
                box = _bounds(item)
                if box and not _is_white(item):
                    painted.append(box)
            elif item.type == pdfium.FPDF_PAGEOBJ_TEXT:
                invisible, tiny = _is_invisible(item), _is_tiny(item)
                if invisible or tiny or _is_white(item):
                    faint.append((_address(item), item, _bounds(item), invisible or tiny))
        hidden: set[int] = set()
        for address, item, box, surely in faint:
            # Invisible text above a page-wide picture is what text recognition leaves behind, and
            # white on something painted is a design.
            if covered or (not surely and box and any(_holds(one, box) for one in painted)):
                continue
            said = _text_of(item, textpage)
            if said.strip():
                hidden.add(address)
                self.hidden.append(said.strip()[:200])
        return hidden

    def _without(self, textpage: Any, hidden: set[int]) -> str:
        kept: list[str] = []
        for index in range(textpage.count_chars()):
            owner = pdfium.FPDFText_GetTextObject(textpage, index)
            if owner and ctypes.addressof(owner.contents) in hidden:
                continue
            code = pdfium.FPDFText_GetUnicode(textpage, index)
            kept.append(chr(code) if 0 < code < 0x110000 else "")
        return "".join(kept)


def _address(item: Any) -> int:
    return ctypes.addressof(item.raw.contents)


def _bounds(item: Any) -> Box | None:
    try:
        left, bottom, right, top = item.get_bounds()
    except pypdfium2.PdfiumError:
        return None
    return (left, bottom, right, top)


def _width(box: Box) -> float:
    return box[2] - box[0]


def _height(box: Box) -> float:
    return box[3] - box[1]


def _holds(outer: Box, inner: Box) -> bool:
    """Whether the middle of `inner` lies on `outer`."""
    across, up = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= across <= outer[2] and outer[1] <= up <= outer[3]


def _is_white(item: Any) -> bool:
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not pdfium.FPDFPageObj_GetFillColor(item, red, green, blue, alpha):
        return False
    return alpha.value == 0 or min(red.value, green.value, blue.value) >= _WHITE


def _is_invisible(item: Any) -> bool:
    return bool(pdfium.FPDFTextObj_GetTextRenderMode(item) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)


def _is_tiny(item: Any) -> bool:
    size = ctypes.c_float()
    if not pdfium.FPDFTextObj_GetFontSize(item, size):
        return False
    matrix = item.get_matrix()
    scale = (matrix.c**2 + matrix.d**2) ** 0.5
    return bool(0 <= size.value * scale < _TINY_POINTS)


def _text_of(item: Any, textpage: Any) -> str:
    needed = pdfium.FPDFTextObj_GetText(item, textpage, None, 0)
    if needed <= 2:
        return ""
    buffer = (ctypes.c_ushort * (needed // 2))()
    pdfium.FPDFTextObj_GetText(item, textpage, buffer, needed)
    return bytes(memoryview(buffer))[: needed - 2].decode("utf-16-le", "replace")


def _has_gutter(textpage: Any, width: float) -> bool:
    """Whether a blank strip runs down between two blocks of text: a page in two columns."""
    boxes = [
        textpage.get_rect(index) for index in range(min(textpage.count_rects(), _MAX_RECTANGLES))
    ]
    if len(boxes) < 24:
        return False
    return any(
        _parts(boxes, width * share, width) for share in (0.3, 0.35, 0.4, 0.5, 0.6, 0.65, 0.7)
    )


def _parts(boxes: list[Box], gutter: float, width: float) -> bool:
    """Whether text stands on both sides of this line, side by side, and hardly any crosses it.

    Dates set flush right are no column: they are narrow.
    """
    crossing = sum(box[0] < gutter - 2 and box[2] > gutter + 2 for box in boxes)
    left = [box for box in boxes if box[2] <= gutter]
    right = [box for box in boxes if box[0] >= gutter]
    if crossing > 0.15 * len(boxes) or min(len(left), len(right)) < 8:
        return False
    narrow = min(sum(map(_width, left)) / len(left), sum(map(_width, right)) / len(right))
    beside = sum(
        any(abs((one[1] + one[3]) - (other[1] + other[3])) < 60 for other in right) for one in left
    )
    return narrow > 0.17 * width and beside > 0.5 * len(left)
