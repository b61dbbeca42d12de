"""Texts from what people have: .txt, .md, .html, .pdf, .docx, and .csv and .zip for many at once.

Every document is at most 20 MB and 2,000,000 characters, also after unpacking; whatever is wrong with one of them is
one InputError that names it. Encodings: UTF-8, UTF-16 with its mark, else GB18030 or Big5, whichever reads like text.

Try first: `read_file("book.pdf", data)`.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from shared.experiment import InputError

MOST_BYTES, MOST_CHARACTERS = 20 * 2**20, 2_000_000
MOST_DOCUMENTS = 2_000  # of one CSV or zip
MOST_UNPACKED = 200 * 2**20  # bytes of one zip
SUFFIXES = (".txt", ".md", ".html", ".htm", ".pdf", ".docx")
LEGACY = ("gb18030", "big5")


@dataclass(frozen=True)
class Named:
    """A document of a batch: its text, or what is wrong with it."""

    name: str
    text: str = ""
    error: InputError | None = None
    label: str = ""


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
        raise InputError(_short(name), "超过 20 MB。", "is larger than 20 MB.")
    if not data:
        raise InputError(_short(name), "是空文件。", "is an empty file.")
    suffix = PurePosixPath(name.lower()).suffix
    if suffix not in SUFFIXES:
        known = "、".join(SUFFIXES)
        raise InputError(_short(name), f"格式须为 {known} 之一。", f"must be one of {', '.join(SUFFIXES)}.")
    readers = {".pdf": read_pdf, ".docx": read_docx, ".html": read_html, ".htm": read_html, ".md": read_markdown}
    try:
        text = readers.get(suffix, decode)(data)
        return check_text(_one_kind_of_line(text), _short(name))
    except InputError as error:
        raise InputError(_short(name), error.zh, error.en) from None
    except RecursionError:
        raise InputError(_short(name), "嵌套太深，读不出来。", "is nested too deeply to be read.") from None


def _short(name: str) -> str:
    return "".join(c for c in PurePosixPath(name).name if c.isprintable())[-60:] or "file"


def _one_kind_of_line(text: str) -> str:
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
        best = from_bytes(data[:200_000], cp_isolation=list(LEGACY)).best()
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

    return _html_text(MarkdownIt("commonmark").render(decode(data)))


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
    from pypdf.errors import DependencyError, PdfReadError

    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError("file", "是加密的 PDF，请先解密。", "is an encrypted PDF: remove its password first.")
        pages, size = [], 0
        for page in reader.pages:
            pages.append(page.extract_text())
            size += len(pages[-1])
            if size > MOST_CHARACTERS:
                break
    except DependencyError:
        zh = "是加密的 PDF，请先解密。"
        raise InputError("file", zh, "is an encrypted PDF: remove its password first.") from None
    except InputError:
        raise
    except (PdfReadError, Exception) as error:  # a damaged file makes pypdf say almost anything
        reason = type(error).__name__
        raise InputError("file", f"是坏的 PDF（{reason}）。", f"is a broken PDF ({reason}).") from None
    text = "\n".join(pages)
    if not text.strip():
        zh, en = "这个 PDF 没有文字层，大概是扫描件。", "has no text layer: it is probably a scan."
        raise InputError("file", zh, en)
    return text


def read_docx(data: bytes) -> str:
    """The paragraphs and tables of a Word file, in their order."""
    from docx import Document
    from docx.table import Table

    _check_zip(data)
    try:
        parts = []
        for item in Document(io.BytesIO(data)).iter_inner_content():
            if isinstance(item, Table):
                parts += ["\t".join(cell.text for cell in row.cells) for row in item.rows]
            else:
                parts.append(item.text)
        return "\n".join(parts)
    except Exception as error:
        reason = type(error).__name__
        raise InputError("file", f"是坏的 .docx（{reason}）。", f"is a broken .docx ({reason}).") from None


def _check_zip(data: bytes) -> zipfile.ZipFile:
    """The archive, if it opens and what its directory promises is bearable."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        promised = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise InputError("file", "压缩包打不开。", "is a zip archive that cannot be opened.") from None
    if promised > MOST_UNPACKED:
        zh, en = f"解压后超过 {MOST_UNPACKED >> 20} MB", f"unpacks to more than {MOST_UNPACKED >> 20} MB"
        raise InputError("file", f"{zh}，不读。", f"{en}: refused.")
    return archive


def read_many(name: str, data: bytes) -> list[Named]:
    """The documents of a .zip or of a .csv with a column "text"; a bad one carries its error, the others live."""
    if len(data) > 5 * MOST_BYTES:
        raise InputError(_short(name), "超过 100 MB。", "is larger than 100 MB.")
    if name.lower().endswith(".zip"):
        documents = list(_from_zip(data))
    elif name.lower().endswith(".csv"):
        documents = _from_csv(data)
    else:
        raise InputError(_short(name), "须为 .csv 或 .zip。", "must be a .csv or a .zip.")
    if not documents:
        raise InputError(_short(name), "里面没有文档。", "holds no documents.")
    if len(documents) > MOST_DOCUMENTS:
        zh, en = f"有 {len(documents)} 篇，最多 {MOST_DOCUMENTS} 篇。", f"holds {len(documents)} documents"
        raise InputError(_short(name), zh, f"{en}, at most {MOST_DOCUMENTS} are read.")
    return documents


def _from_zip(data: bytes) -> Iterator[Named]:
    archive = _check_zip(data)
    entries = [e for e in archive.infolist() if not e.is_dir() and "__MACOSX" not in e.filename]
    if len(entries) > MOST_DOCUMENTS:
        zh, en = f"有 {len(entries)} 个文件", f"holds {len(entries)} files"
        raise InputError("file", f"{zh}，最多 {MOST_DOCUMENTS} 个。", f"{en}, at most {MOST_DOCUMENTS} are read.")
    left = MOST_UNPACKED
    for entry in entries:
        name = _zip_name(entry)
        try:
            if left <= 0:
                raise InputError(name, "压缩包太大，读到这里为止。", "lies beyond the limit of the archive.")
            with archive.open(entry) as file:
                content = file.read(min(MOST_BYTES, left) + 1)  # never what the directory promises
            left -= len(content)
            yield Named(name, read_file(name, content))
        except InputError as error:
            yield Named(name, error=error)
        except Exception as error:  # encrypted, damaged, an unknown method
            reason = type(error).__name__
            yield Named(name, error=InputError(name, f"读不出来（{reason}）。", f"cannot be read ({reason})."))


def _zip_name(entry: zipfile.ZipInfo) -> str:
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("gb18030")  # archives of Chinese Windows
    except UnicodeError:
        return entry.filename


def _from_csv(data: bytes) -> list[Named]:
    text = decode(data).lstrip("\ufeff").replace("\0", "")
    csv.field_size_limit(5 * MOST_BYTES)
    try:
        rows = list(csv.DictReader(io.StringIO(_one_kind_of_line(text), newline=""), restkey="…"))
    except csv.Error as error:
        raise InputError("file", f"不是合法的 CSV（{error}）。", f"is not a valid CSV ({error}).") from None
    names = {(key or "").strip().lower(): key for key in (rows[0] if rows else {})}
    if "text" not in names:
        raise InputError("file", "第一行须有名为 text 的列。", "needs a first line with a column named text.")
    label = names.get("label")
    found = []
    for number, row in enumerate(rows, 2):
        name = str(row.get(names.get("name", ""), "") or f"row {number}")
        try:
            checked = check_text(row[names["text"]] or "", name[:60])
            found.append(Named(name, checked, label=str(row.get(label) or "").strip() if label else ""))
        except InputError as error:
            found.append(Named(name, error=error))
    return found
