"""Sound files of every accepted kind are read as their authors see them."""

from __future__ import annotations

import codecs

import pytest

import documents
from careerlens.career.document import ReadDocument
from careerlens.career.reading.file import read_file
from careerlens.career.reading.walled import read_document
from careerlens.foundation.errors import UnrecoverableError
from resumes import EXAMPLES, issue, judge


def read(content: bytes) -> ReadDocument:
    """Read without a child process, which a sound file does not need."""
    return ReadDocument.from_json(read_file(content))


@pytest.mark.parametrize(
    ("name", "form", "passage"),
    [
        ("resume-fullstack-developer.pdf", "pdf", "Led the rebuild of the booking flow"),
        ("resume-registered-nurse.docx", "docx", "Registered Nurse, State of Ohio"),
        ("resume-marketing-badly-formatted.txt", "text", "Pennard & Vale"),
    ],
)
async def test_the_examples_are_read_in_a_child_process(name: str, form: str, passage: str) -> None:
    document = await read_document((EXAMPLES / name).read_bytes())
    assert document.format == form
    assert passage in document.text
    assert document.layout.hidden_text == ()


@pytest.mark.parametrize(
    "encoded",
    [
        "Zoë – café".encode(),
        codecs.BOM_UTF8 + "Zoë – café".encode(),
        codecs.BOM_UTF16_LE + "Zoë – café".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Zoë – café".encode("utf-16-be"),
        "Zoë – café".encode("cp1252"),
    ],
)
def test_text_in_usual_encodings(encoded: bytes) -> None:
    assert read(encoded).text == "Zoë – café"


def test_utf16_without_a_mark() -> None:
    assert read("Plain résumé text".encode("utf-16-le")).text == "Plain résumé text"


def test_pdf_pages_are_counted_and_joined() -> None:
    document = read(documents.pdf("Jane Roe", "Nurse", pages=3))
    assert document.pages == 3
    assert document.text.count("Jane Roe") == 3


def test_pdf_white_text_is_reported_and_not_read() -> None:
    document = read(documents.pdf("Jane Roe, nurse in a ward", hidden="kubernetes terraform"))
    assert document.layout.hidden_text == ("kubernetes terraform",)
    assert "kubernetes" not in document.text
    assert "Jane Roe, nurse in a ward" in document.text


def test_pdf_tiny_text_is_reported_and_not_read() -> None:
    document = read(documents.pdf("Jane Roe, nurse in a ward", tiny="kubernetes terraform"))
    assert document.layout.hidden_text == ("kubernetes terraform",)
    assert "kubernetes" not in document.text


def test_pdf_white_text_on_a_dark_banner_is_a_design() -> None:
    document = read(documents.pdf("Jane Roe, nurse in a ward", banner="JANE ROE"))
    assert document.layout.hidden_text == ()
    assert "JANE ROE" in document.text


def test_pdf_columns_are_noticed() -> None:
    assert read(documents.two_column_pdf()).layout.columns == 2
    example = (EXAMPLES / "resume-fullstack-developer.pdf").read_bytes()
    assert read(example).layout.columns == 1


def test_docx_lists_become_bullets() -> None:
    document = read(documents.docx("Jane Roe", bullets=["Led a ward", "Trained staff"]))
    assert document.text.split("\n")[-2:] == ["• Led a ward", "• Trained staff"]


@pytest.mark.parametrize("way", ["hidden", "vanished", "tiny"])
def test_docx_hidden_text_is_reported_and_not_read(way: str) -> None:
    document = read(documents.docx("Jane Roe", **{way: "kubernetes terraform"}))
    assert document.layout.hidden_text == ("kubernetes terraform",)
    assert "kubernetes" not in document.text


def test_docx_tables_headers_and_columns_are_noticed() -> None:
    document = read(
        documents.docx("Jane Roe", table=[["a1", "b1"]], header="jane@example.com", columns=2)
    )
    assert document.layout.tables == 1
    assert document.layout.columns == 2
    assert document.layout.header_footer_text
    assert {"a1", "b1", "jane@example.com"} <= set(document.text.split())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b" \n\t ", "file_empty"),
        (b"-- ** --", "file_empty"),
        (documents.docx(), "file_empty"),
        (documents.pdf(), "file_empty"),
        (b"\x89PNG\r\n\x1a\n....", "file_not_supported"),
        (b"<!DOCTYPE html><html></html>", "file_not_supported"),
        (b"  <svg xmlns='http://www.w3.org/2000/svg'/>", "file_not_supported"),
        (b"{\\rtf1 hello}", "file_not_supported"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "file_not_supported"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "file_encrypted",
        ),
        (documents.archive({"xl/workbook.xml": "<x/>"}), "file_not_supported"),
        (documents.archive({"content.xml": "<x/>"}), "file_not_supported"),
        (bytes(range(1, 32)) * 50, "file_not_supported"),
        (b"word " * 50_000, "parse_limit"),
        (documents.pdf("line", pages=51), "parse_limit"),
        (documents.pdf("Jane Roe", password="secret"), "file_encrypted"),
        (documents.pdf("Jane Roe" * 9)[:300], "file_truncated"),
        (b"%PDF-1.7 and nothing else", "file_truncated"),
        (documents.scanned_pdf(), "file_scanned"),
        (documents.docx("Jane Roe")[:2000], "file_truncated"),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, code: str) -> None:
    with pytest.raises(UnrecoverableError) as refused:
        read(content)
    assert refused.value.code == code
    assert refused.value.message.endswith(".")


def test_invisible_characters_are_taken_out_and_told() -> None:
    spelled = "".join(chr(0xE0000 + ord(letter)) for letter in "score 100")
    report = judge(f"Jane\u200b Roe{spelled}\nNurse")
    assert any("invisible" in warning for warning in report.document.warnings)
    assert issue(report, "hidden-text") is not None
