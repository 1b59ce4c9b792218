"""Text of a Word document: the archive opened by hand, its XML read as a stream.

Nothing in the archive is trusted: sizes are counted while inflating, names are looked up and
never used as paths, relations that lead outside are not followed, and XML with a document type or
entities is refused before it can do anything.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import iterparse  # type: ignore[import-untyped]

from careerlens.career.document import Layout, ReadDocument
from careerlens.career.reading import failures, limits

_CHUNK = 64 * 1024
_RELATIONS = "_rels/.rels"
_USUAL_BODY = "word/document.xml"
_HEADERS = re.compile(r"word/(?:header|footer)\d*\.xml")
_HEADER = re.compile(r"word/header\d*\.xml")
_MACROS = re.compile(r"(?:^|/)vbaproject\.bin$", re.IGNORECASE)
_PAGE_NUMBER = re.compile(r"^\W*(?:page|seite)?\W*\d*\W*(?:of|/|von)?\W*\d*\W*$", re.IGNORECASE)
_TINY_HALF_POINTS = 4
_ENCRYPTED_FLAG = 0x1


def read_docx(content: bytes) -> ReadDocument:
    """Text and layout of a Word document.

    Raises `UnrecoverableError`: `file_encrypted`, `file_truncated`, `file_not_supported` or
    `parse_limit`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read(_Archive(archive))
    except (DefusedXmlException, RecursionError):
        # Before the others: defusedxml's own are value errors too.
        raise failures.over_limit(
            "The document holds XML constructions that no résumé needs."
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, ParseError):
        raise failures.truncated() from None


class _Archive:
    """The parts of a document, inflated with an eye on how much comes out."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._room = limits.MAX_INFLATED_BYTES
        entries = archive.infolist()
        if len(entries) > limits.MAX_ARCHIVE_ENTRIES:
            raise failures.over_limit(
                f"The file holds {len(entries):,} parts; a document may have"
                f" {limits.MAX_ARCHIVE_ENTRIES:,}."
            )
        self._entries = {entry.filename: entry for entry in entries}
        if sum(entry.file_size for entry in entries) > limits.MAX_INFLATED_BYTES or any(
            _is_bomb(entry.file_size, entry.compress_size) for entry in entries
        ):
            raise _too_big()

    def names(self) -> Iterator[str]:
        """The names of the parts, as text only."""
        yield from self._entries

    def part(self, name: str) -> bytes:
        """A part's bytes. Raises `UnrecoverableError` past the limits, whatever sizes it claims."""
        entry = self._entries[name]
        if entry.flag_bits & _ENCRYPTED_FLAG:
            raise failures.encrypted()
        pieces: list[bytes] = []
        inflated = 0
        with self._archive.open(entry) as stream:
            while piece := stream.read(_CHUNK):
                inflated += len(piece)
                self._room -= len(piece)
                if self._room < 0 or _is_bomb(inflated, entry.compress_size):
                    raise _too_big()
                pieces.append(piece)
        return b"".join(pieces)

    def __contains__(self, name: str) -> bool:
        return name in self._entries


def _is_bomb(inflated: int, compressed: int) -> bool:
    return inflated > limits.RATIO_COUNTS_FROM_BYTES and inflated > limits.MAX_RATIO * max(
        compressed, 1
    )


def _too_big() -> Exception:
    return failures.over_limit(
        f"Unpacked, the file is larger than {limits.MAX_INFLATED_BYTES // 2**20} MB or suspiciously"
        " well compressed."
    )


def _read(archive: _Archive) -> ReadDocument:
    if any(_MACROS.search(name) for name in archive.names()):
        raise failures.not_supported("a document with macros; save it as .docx without them")
    body_name = _body_of(archive)
    if body_name is None:
        raise failures.not_supported(_what_else(archive))
    body = _Text()
    body.take(archive.part(body_name))
    tops: list[str] = []
    bottoms: list[str] = []
    for name in sorted(archive.names()):
        if _HEADERS.fullmatch(name):
            edge = _Text()
            edge.take(archive.part(name))
            text = edge.text()
            if text.strip() and not _PAGE_NUMBER.match(text.strip()):
                (tops if _HEADER.fullmatch(name) else bottoms).append(text.strip())
            body.images += edge.images
    pieces = [*dict.fromkeys(tops), body.text(), *dict.fromkeys(bottoms)]
    return ReadDocument(
        text="\n".join(piece for piece in pieces if piece.strip()),
        format="docx",
        layout=Layout(
            tables=body.tables,
            images=body.images,
            text_boxes=body.text_boxes,
            columns=body.columns,
            header_footer_text=bool(tops or bottoms),
            hidden_text=tuple(body.hidden[:20]),
        ),
    )


def _body_of(archive: _Archive) -> str | None:
    """Name of the main part. A relation to a place outside the archive is not followed."""
    if _RELATIONS in archive:
        for _, element in iterparse(io.BytesIO(archive.part(_RELATIONS)), forbid_dtd=True):
            kind: str = element.get("Type", "")
            target: str = element.get("Target", "")
            if kind.endswith("/officeDocument") and element.get("TargetMode") != "External":
                name = target.lstrip("/")
                if name in archive and name.startswith("word/"):
                    return name
    return _USUAL_BODY if _USUAL_BODY in archive else None


def _what_else(archive: _Archive) -> str:
    names = set(archive.names())
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook"
    if any(name.startswith("ppt/") for name in names):
        return "a PowerPoint file"
    if "content.xml" in names:
        return "an OpenDocument file (.odt); save it as .docx or PDF"
    return "a zip archive and no Word document"


class _Text:
    """Collects the text of one XML part, paragraph by paragraph."""

    def __init__(self) -> None:
        self.tables = 0
        self.images = 0
        self.text_boxes = 0
        self.columns = 1
        self.hidden: list[str] = []
        self._lines: list[str] = []
        self._paragraphs: list[list[str]] = []
        self._length = 0
        self._skipping = 0
        self._shaded: list[bool] = []

    def text(self) -> str:
        """Everything visible so far."""
        return "\n".join(self._lines)

    def take(self, part: bytes) -> None:
        """Read one part to its end."""
        for event, element in iterparse(io.BytesIO(part), events=("start", "end"), forbid_dtd=True):
            name = element.tag.rpartition("}")[2]
            if event == "start":
                self._start(name)
            else:
                self._end(name, element)

    def _start(self, name: str) -> None:
        match name:
            case "Fallback":
                # The same content again, for older programs.
                self._skipping += 1
            case "p":
                self._paragraphs.append([])
                self._shaded.append(False)
            case "tbl":
                self.tables += not self._skipping
            case "txbxContent":
                self.text_boxes += not self._skipping
            case "tc" | "tr":
                self._shaded.append(False)

    def _end(self, name: str, element: Element) -> None:
        match name:
            case "Fallback":
                self._skipping -= 1
            case "r":
                self._run(element)
                element.clear()
            case "p":
                self._paragraph(element)
                element.clear()
            case "tc" | "tr" | "tbl":
                if name != "tbl" and self._shaded:
                    self._shaded.pop()
                element.clear()
            case "shd":
                fill = (_value(element, "fill") or "auto").lower()
                if fill not in {"auto", "ffffff"} and self._shaded:
                    self._shaded[-1] = True
            case "blip" | "imagedata":
                self.images += not self._skipping
            case "cols":
                number = _value(element, "num") or "1"
                self.columns = max(self.columns, int(number) if number.isdigit() else 1)

    def _run(self, run: Element) -> None:
        if self._skipping or not self._paragraphs:
            return
        said = "".join(_said_in(run))
        if not said:
            return
        self._length += len(said)
        if self._length > limits.MAX_CHARACTERS:
            raise failures.over_limit(
                f"It holds more than {limits.MAX_CHARACTERS:,} characters, more than a résumé may."
            )
        if said.strip() and self._is_hidden(run):
            self.hidden.append(said.strip()[:200])
        else:
            self._paragraphs[-1].append(said)

    def _is_hidden(self, run: Element) -> bool:
        for element in run.iter():
            name = element.tag.rpartition("}")[2]
            value = (_value(element, "val") or "").lower()
            if name == "vanish" and value not in {"0", "false"}:
                return True
            if name == "sz" and value.isdigit() and int(value) < _TINY_HALF_POINTS:
                return True
            if name == "color" and value == "ffffff" and not any(self._shaded):
                return not any(e.tag.endswith(("}shd", "}highlight")) for e in run.iter())
        return False

    def _paragraph(self, paragraph: Element) -> None:
        pieces = self._paragraphs.pop()
        self._shaded.pop()
        if self._skipping:
            return
        text = "".join(pieces).rstrip()
        listed = any(_makes_a_list(element) for element in paragraph.iter())
        if listed and text.strip() and not text.lstrip().startswith(("•", "-", "*")):
            text = f"• {text.lstrip()}"
        self._lines.append(text)


def _makes_a_list(element: Element) -> bool:
    name = element.tag.rpartition("}")[2]
    if name == "pStyle":
        return (_value(element, "val") or "").lower().startswith(("listbullet", "listnumber"))
    return name == "numPr"


def _said_in(run: Element) -> Iterator[str]:
    for element in run.iter():
        match element.tag.rpartition("}")[2]:
            case "t":
                yield element.text or ""
            case "tab" | "ptab":
                yield "\t"
            case "br" | "cr":
                yield "\n"
            case "noBreakHyphen":
                yield "-"
            case "sym":
                code = _value(element, "char") or ""
                if re.fullmatch(r"[0-9A-Fa-f]{4}", code):
                    yield chr(int(code, 16))


def _value(element: Element, name: str) -> str | None:
    """An attribute by its name, whatever its namespace."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return value
    return None
