"""Documents made for tests: sound ones, broken ones and hostile ones."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

from docx import Document
from docx.oxml.ns import qn
from docx.shared import Pt, RGBColor
from reportlab.lib.colors import black, navy, white
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="xml" ContentType="application/xml"/></Types>'
)


def pdf(
    *lines: str,
    pages: int = 1,
    password: str | None = None,
    hidden: str | None = None,
    banner: str | None = None,
    tiny: str | None = None,
) -> bytes:
    """A PDF with these lines on each page, and optionally text that nobody can see."""
    buffer = io.BytesIO()
    encrypt = StandardEncryption(password, canPrint=0) if password else None
    canvas = Canvas(buffer, encrypt=encrypt, invariant=1)
    for _ in range(pages):
        for number, line in enumerate(lines):
            canvas.drawString(60, 780 - 16 * number, line)
        if hidden:
            canvas.setFillColor(white)
            canvas.drawString(60, 100, hidden)
        if tiny:
            canvas.setFillColor(black)
            canvas.setFont("Helvetica", 1)
            canvas.drawString(60, 80, tiny)
        if banner:
            canvas.setFillColor(navy)
            canvas.rect(0, 800, 600, 50, stroke=0, fill=1)
            canvas.setFillColor(white)
            canvas.setFont("Helvetica", 12)
            canvas.drawString(60, 820, banner)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def two_column_pdf() -> bytes:
    """A page with two blocks of text side by side."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    for number in range(30):
        canvas.drawString(50, 780 - 16 * number, f"left side of line number {number} here")
        canvas.drawString(330, 780 - 16 * number, f"right side of line number {number} there")
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def scanned_pdf() -> bytes:
    """A page that is one picture."""
    from PIL import Image

    picture = Image.new("L", (600, 800), 200)
    buffer = io.BytesIO()
    picture.save(buffer, format="PDF")
    return buffer.getvalue()


def raw_pdf(objects: Mapping[int, bytes], *, root: int = 1) -> bytes:
    """A PDF made of these numbered objects, with a right cross-reference table."""
    out = bytearray(b"%PDF-1.7\n")
    places: dict[int, int] = {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, size = len(out), max(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        kind = b"n" if number in places else b"f"
        out += b"%010d 00000 %s \n" % (places.get(number, 0), kind)
    out += b"trailer\n<< /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF" % (size, root, start)
    return bytes(out)


def stream(body: bytes, entries: bytes = b"") -> bytes:
    """A PDF stream object, deflated."""
    packed = zlib.compress(body, 9)
    return b"<< /Length %d /Filter /FlateDecode %s >>\nstream\n%s\nendstream" % (
        len(packed), entries, packed,
    )  # fmt: skip


PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R"
    b" /Resources << /Font << /F 5 0 R >> >> >>"
)
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def pdf_with_content(content: bytes, *, catalog: bytes = CATALOG) -> bytes:
    """A one-page PDF whose page draws `content`."""
    return raw_pdf({1: catalog, 2: PAGES, 3: PAGE, 4: stream(content), 5: FONT})


def docx(*paragraphs: str, **extras: Any) -> bytes:
    """A Word document with these paragraphs.

    Extras: `bullets` (list of texts), `hidden` (white), `vanished`, `table` (rows of cells),
    `header` (text of the page header).
    """
    document = Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    for bullet in extras.get("bullets", ()):
        document.add_paragraph(bullet, style="List Bullet")
    if "hidden" in extras:
        run = document.add_paragraph().add_run(extras["hidden"])
        run.font.color.rgb = RGBColor(255, 255, 255)
    if "vanished" in extras:
        document.add_paragraph().add_run(extras["vanished"]).font.hidden = True
    if "tiny" in extras:
        document.add_paragraph().add_run(extras["tiny"]).font.size = Pt(1)
    if "table" in extras:
        rows = extras["table"]
        table = document.add_table(len(rows), len(rows[0]))
        for row, cells in enumerate(rows):
            for column, text in enumerate(cells):
                table.cell(row, column).text = text
    if "header" in extras:
        document.sections[0].header.paragraphs[0].text = extras["header"]
    if "columns" in extras:
        columns = document.sections[0]._sectPr.xpath("./w:cols")[0]
        columns.set(qn("w:num"), str(extras["columns"]))
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def archive(parts: Mapping[str, bytes | str]) -> bytes:
    """A zip archive of these parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in parts.items():
            made.writestr(name, body)
    return buffer.getvalue()


def docx_with_xml(xml: str | bytes, **parts: str | bytes) -> bytes:
    """A minimal Word document whose main part is `xml`."""
    return archive({"[Content_Types].xml": CONTENT_TYPES, "word/document.xml": xml, **parts})


def body(*paragraphs: str) -> str:
    """The XML of a main part with these paragraphs."""
    inner = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    return f"<w:document {W}><w:body>{inner}</w:body></w:document>"
