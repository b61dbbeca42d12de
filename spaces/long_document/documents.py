"""Texts from what people have: .txt, .md, .html, .pdf, .docx; many at once are many.py's.

Every document is at most 20 MB and 2,000,000 characters, also after unpacking, and is opened within a minute; whatever
is wrong with one of them is one InputError that names it. Encodings: UTF-8, UTF-16 with its mark, else GB18030 or Big5,
whichever reads like text.

Try first: `read_file("book.pdf", data)`.
"""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from shared.experiment import InputError

MOST_BYTES, MOST_CHARACTERS = 20 * 2**20, 2_000_000
MOST_PAGES, MOST_SECONDS = 10_000, 60.0  # of one PDF or .docx: nobody can stop a file that is being opened
SUFFIXES = (".txt", ".md", ".html", ".htm", ".pdf", ".docx")
LEGACY = ("gb18030", "big5")
SAMPLE = 200_000  # bytes by which one of them is chosen


def check_text(text: str, field: str = "text") -> str:
    """The text if a reader can take it; InputError where it is empty, too long, broken, or a single character."""
    if not isinstance(text, str) or not text.strip():
        raise InputError(field, "没有文字，请粘贴或上传一篇。", "is empty: paste or upload a document.")
    if len(text) > MOST_CHARACTERS:
        zh, en = f"有 {len(text):,} 个字符，最多 {MOST_CHARACTERS:,} 个。", f"has {len(text):,} characters"
        raise InputError(field, zh, f"{en}, at most {MOST_CHARACTERS:,} are read.")
    check_characters(text, field)
    if len(text) >= 20 and len(set(text) - set(" \t\r\n")) == 1:
        raise InputError(field, "从头到尾只有一个字符。", "is one character repeated: there is nothing to read.")
    strange = sum(c < " " and c not in "\t\n\r\f\v" for c in text[:10_000])
    if strange > len(text[:10_000]) / 50:
        raise InputError(field, "像是二进制内容，不是文字。", "looks like binary data, not text.")
    return text


def check_characters(text: str, field: str = "text") -> str:
    """The text, unless it holds half a surrogate pair, which no tokenizer takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        where = error.start + 1
        raise InputError(
            field,
            f"第 {where} 个字符是半个代理对，不是完整的文字。",
            f"has half a surrogate pair at character {where}: that is no character.",
        ) from None
    return text


def read_file(name: str, data: bytes) -> str:
    """The text of one document by its suffix; InputError with the file's name as its field."""
    if len(data) > MOST_BYTES:
        raise InputError(short_name(name), "超过 20 MB。", "is larger than 20 MB.")
    if not data:
        raise InputError(short_name(name), "是空文件。", "is an empty file.")
    suffix = PurePosixPath(name.lower()).suffix
    if suffix not in SUFFIXES:
        known = "、".join(SUFFIXES)
        raise InputError(short_name(name), f"格式须为 {known} 之一。", f"must be one of {', '.join(SUFFIXES)}.")
    readers = {".pdf": read_pdf, ".docx": read_docx, ".html": read_html, ".htm": read_html, ".md": read_markdown}
    try:
        text = readers.get(suffix, decode)(data)
        return check_text(one_kind_of_line(text), short_name(name))
    except InputError as error:
        raise InputError(short_name(name), error.zh, error.en) from None
    except RecursionError:
        raise InputError(short_name(name), "嵌套太深，读不出来。", "is nested too deeply to be read.") from None


def short_name(name: str) -> str:
    return "".join(c for c in PurePosixPath(name).name if c.isprintable())[-60:] or "file"


def one_kind_of_line(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decode(data: bytes) -> str:
    """Bytes as text: UTF-8, UTF-16 with its mark, or the likelier of GB18030 and Big5."""
    from charset_normalizer import from_bytes

    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _strict(data, encoding)
    if b"\0" in data[:65_536]:
        raise InputError("file", "像是二进制文件，不是文字。", "looks like a binary file, not text.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # Cut at a line's end: half a character would rule its own encoding out.
        sample = data if len(data) <= SAMPLE else data[: data.rfind(b"\n", 0, SAMPLE) + 1] or data
        best = from_bytes(sample, cp_isolation=list(LEGACY)).best()
    if best is None:
        best_encoding = next((e for e in LEGACY if _decodes(data, e)), None)
    else:
        best_encoding = best.encoding
    if best_encoding is None:
        zh = "不是文字，或不是 UTF-8、GB18030、Big5 编码。"
        raise InputError("file", zh, "is not text, or not in UTF-8, GB18030 or Big5.")
    return _strict(data, best_encoding)


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        return bool(data.decode(encoding))
    except UnicodeDecodeError:
        return False


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeError:
        zh = f"按 {encoding} 解码时断了，文件可能不完整。"
        raise InputError("file", zh, f"breaks off as {encoding}: it may be damaged.") from None


def read_markdown(data: bytes) -> str:
    """The words of a Markdown file, one line a block."""
    from markdown_it import MarkdownIt

    return _html_text(MarkdownIt("commonmark").render(check_text(decode(data))))  # "![" takes 23 s a MB


def read_html(data: bytes) -> str:
    """The visible words of a page, one line a block."""
    return _html_text(decode(data))


BLOCKS = set("p div li br tr h1 h2 h3 h4 h5 h6 section article blockquote pre table ul ol dd dt header footer".split())


def _html_text(page: str) -> str:
    from lxml import etree, html

    if not page.strip():
        return ""
    parser = html.HTMLParser(
        encoding="utf-8", no_network=True, recover=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        root = html.document_fromstring(page.encode("utf-8", "replace"), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        raise InputError("file", "不是能读的 HTML。", "is no HTML that can be read.") from None
    etree.strip_elements(root, "script", "style", "noscript", "template", "head", with_tail=False)
    parts: list[str] = []
    for event, node in etree.iterwalk(root, events=("start", "end")):
        if not isinstance(node.tag, str):
            continue
        if node.tag in BLOCKS:
            parts.append("\n")
        parts.append((node.text if event == "start" else node.tail) or "")
    lines = (" ".join(line.split()) for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)


def read_pdf(data: bytes) -> str:
    """The text layer of a PDF; InputError where it is encrypted, broken, or only pictures."""
    import logging

    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError("file", "是加密的 PDF，请先解密。", "is an encrypted PDF: remove its password first.")
        if len(reader.pages) > MOST_PAGES:
            zh, en = f"有 {len(reader.pages):,} 页，最多 {MOST_PAGES:,} 页。", f"has {len(reader.pages):,} pages"
            raise InputError("file", zh, f"{en}, at most {MOST_PAGES:,} are read.")
        pages, size, began = [], 0, time.monotonic()
        for page in reader.pages:
            _check_time(began)
            pages.append(page.extract_text(visitor_operand_before=lambda *_: _check_time(began)))
            size += len(pages[-1])
            if size > MOST_CHARACTERS:
                break
    except DependencyError:
        zh = "是加密的 PDF，请先解密。"
        raise InputError("file", zh, "is an encrypted PDF: remove its password first.") from None
    except InputError:
        raise
    except Exception:  # a damaged file makes pypdf say almost anything
        raise InputError("file", "是坏的 PDF，读不出来。", "is a broken PDF and cannot be read.") from None
    text = "\n".join(pages)
    if not text.strip():
        zh, en = "这个 PDF 没有文字层，大概是扫描件。", "has no text layer: it is probably a scan."
        raise InputError("file", zh, en)
    return text


def _check_time(began: float) -> None:
    if time.monotonic() - began > MOST_SECONDS:
        zh, en = f"{MOST_SECONDS:.0f} 秒还没打开，不读了。", f"is not open after {MOST_SECONDS:.0f} seconds: given up."
        raise InputError("file", zh, en)


def read_docx(data: bytes) -> str:
    """The paragraphs and tables of a Word file, in their order."""
    from docx import Document

    check_zip(data, MOST_BYTES, "file")
    try:
        lines, size, began = [], 0, time.monotonic()
        for line in _docx_lines(Document(io.BytesIO(data)).element.body):
            _check_time(began)
            lines.append(line)
            size += len(line)
            if size > MOST_CHARACTERS:
                break
        return "\n".join(lines)
    except InputError:
        raise
    except Exception as error:
        reason = type(error).__name__
        raise InputError("file", f"是坏的 .docx（{reason}）。", f"is a broken .docx ({reason}).") from None


def _docx_lines(body) -> Iterator[str]:
    """A line a paragraph or row; the elements themselves: python-docx repeats a cell as often as its span says."""
    for item in body.inner_content_elements:
        if not item.tag.endswith("}tbl"):
            yield item.text
            continue
        for row in item.tr_lst:
            yield "\t".join("\n".join(p.text for p in cell.p_lst) for cell in row.tc_lst)


def check_zip(data: bytes, most: int, name: str) -> zipfile.ZipFile:
    """The archive, if it opens and what its directory promises is bearable."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        promised = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise InputError(name, "压缩包打不开。", "is a zip archive that cannot be opened.") from None
    if promised > most:
        zh, en = f"解压后超过 {most >> 20} MB", f"unpacks to more than {most >> 20} MB"
        raise InputError(name, f"{zh}，不读。", f"{en}: refused.")
    return archive
