"""What people bring, and what they bring by mistake: every case ends in a text or in one sentence."""

import io
from types import SimpleNamespace

import pytest

from shared.experiment import InputError
from spaces.long_document import documents
from spaces.long_document.documents import check_text, read_file
from tests.spaces.long_document.archives import zip_of

SAID = "第一条 为了保护水源，制定本办法。\n第二条 本办法自公布之日起施行。水源保护区内不得新建排污口，违者处以罚款。"
TRADITIONAL = "第一條 為了保護水源，制定本辦法。\n第二條 本辦法自公布之日起施行。保護區內不得新建排污口。"


def pdf_of(text: str) -> bytes:
    """A one-page PDF in Helvetica, written by hand."""
    stream = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + table + b"trailer << /Size 6 /Root 1 0 R >>\n"
    return out + b"startxref\n%d\n%%%%EOF\n" % end


def docx_of(paragraphs: list[str]) -> bytes:
    from docx import Document

    document, out = Document(), io.BytesIO()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.add_table(1, 2).rows[0].cells[1].text = "格"
    document.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "encoding, text",
    [("utf-8", SAID), ("utf-8-sig", SAID), ("utf-16", SAID), ("gb18030", SAID), ("big5", TRADITIONAL)],
)
def test_encodings(encoding, text):
    assert read_file("a.txt", text.encode(encoding)) == text


@pytest.mark.parametrize("line", ["\n", "，"])
@pytest.mark.parametrize("encoding, text", [("gb18030", SAID), ("big5", TRADITIONAL)])
def test_a_sample_never_ends_in_half_a_character(monkeypatch, encoding, text, line):
    text = text.replace("\n", line) * 3
    for size in (80, 81, 82, 83):
        monkeypatch.setattr(documents, "SAMPLE", size)
        assert documents.decode(text.encode(encoding)) == text


def test_formats():
    assert read_file("a.txt", b"one\r\ntwo\rthree") == "one\ntwo\nthree"
    assert read_file("a.md", "# 标题\n\n一 *二* [三](http://x)\n".encode()) == "标题\n一 二 三"
    page = "<html><head><title>t</title><style>p{}</style></head><body><p>一<b>二</b></p><script>x()</script>三<br>四"
    assert read_file("a.html", page.encode()) == "一二\n三\n四"
    assert read_file("a.pdf", pdf_of("Hello long text")).strip() == "Hello long text"
    assert read_file("a.docx", docx_of(["一段", "二段"])) == "一段\n二段\n\t格"


@pytest.mark.parametrize(
    "name, data, english",
    [
        ("a.txt", b"", "empty file"),
        ("a.txt", b"  \n ", "is empty"),
        ("a.txt", bytes(range(256)) * 40, "binary"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        ("a.txt", "只".encode() * 5000, "one character repeated"),
        ("a.txt", b"\xff" * 300 + b"\xc3", "UTF-8, GB18030 or Big5|breaks off|binary"),
        ("a.exe", b"MZ", "must be one of"),
        ("a.pdf", b"not a pdf at all", "broken PDF"),
        ("a.pdf", pdf_of("x")[:200], "broken PDF|no text layer"),
        ("a.pdf", pdf_of(""), "no text layer"),
        ("a.docx", b"PK\x03\x04 broken", "cannot be opened"),
        ("a.docx", zip_of({"word/none.xml": b"<x/>"}), "broken .docx"),
        ("a.html", b"", "empty file"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(name, data, english):
    with pytest.raises(InputError, match=english) as caught:
        read_file(name, data)
    assert caught.value.field == name and "\n" not in str(caught.value)


def test_an_encrypted_pdf_is_named():
    from pypdf import PdfReader, PdfWriter

    writer, out = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf_of("secret")))), io.BytesIO()
    writer.encrypt("word", algorithm="RC4-128")
    writer.write(out)
    with pytest.raises(InputError, match="encrypted PDF"):
        read_file("a.pdf", out.getvalue())


def test_limits(monkeypatch):
    with pytest.raises(InputError, match="20 MB"):
        read_file("a.txt", b"x" * (documents.MOST_BYTES + 1))
    with pytest.raises(InputError, match="2,000,001 characters"):
        check_text("ab" * 1_000_000 + "c")
    assert check_text("一二" * 1_000_000)
    with pytest.raises(InputError, match="half a surrogate pair at character 2"):
        check_text("a\ud83d tail")


def test_a_docx_bomb_is_refused_before_it_unpacks():
    bomb = zip_of({"a.txt": b"0" * (documents.MOST_BYTES + 1)})
    with pytest.raises(InputError, match="unpacks to more than 20 MB"):
        read_file("bomb.docx", bomb)


def test_slow_files_are_given_up(monkeypatch):
    assert read_file("a.docx", docx_of(["一", "二"])) == "一\n二\n\t格"
    monkeypatch.setattr(documents, "MOST_PAGES", 0)
    with pytest.raises(InputError, match="has 1 pages, at most 0"):
        read_file("a.pdf", pdf_of("Hello"))
    monkeypatch.undo()
    monkeypatch.setattr(documents, "MOST_SECONDS", -1.0)
    for name, data in (("a.pdf", pdf_of("Hello")), ("a.docx", docx_of(["一"]))):
        with pytest.raises(InputError, match="given up"):
            read_file(name, data)


def test_a_page_is_given_up_in_its_midst(monkeypatch):
    clock = iter([0.0, 1.0])  # its beginning, its first page; then a minute is over
    monkeypatch.setattr(documents, "time", SimpleNamespace(monotonic=lambda: next(clock, 100.0)))
    with pytest.raises(InputError, match="given up"):
        read_file("a.pdf", pdf_of("Hello"))


def test_markdown_is_measured_before_it_is_rendered(monkeypatch):
    monkeypatch.setattr("markdown_it.MarkdownIt.render", None)
    with pytest.raises(InputError, match="2,000,002 characters"):
        read_file("a.md", b"![" * 1_000_001)


def test_a_cell_is_read_once_however_wide_it_says_it_is():
    from docx import Document
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    document, out = Document(), io.BytesIO()
    cell = document.add_table(1, 1).rows[0].cells[0]
    cell.text = "宽"
    span = OxmlElement("w:gridSpan")
    span.set(qn("w:val"), "1000")
    cell._tc.get_or_add_tcPr().append(span)
    document.save(out)
    assert read_file("a.docx", out.getvalue()) == "宽"
