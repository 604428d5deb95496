"""From the bytes of a file to clean UTF-8 text: unpacked, checked, without byte-order mark, with ``\\n`` line ends."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable

from nntrain.errors import ConfigError, DataError, quote

_STEP = 1 << 20
_HEAD, _LONGEST_MARK = 4096, 4
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"\xfd7zXZ\x00": "packed with xz; unpack it, or pack it with gzip",
    b"BZh91AY&SY": "packed with bzip2; unpack it, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "packed with zstandard; unpack it, or pack it with gzip",
    b"SQLite format 3\0": "an SQLite database; export the table as CSV",
    b"\x89HDF\r\n": "an HDF5 file; export the table as CSV",
    b"\x93NUMPY": "a NumPy array; save it as CSV with numpy.savetxt",
    b"%PDF-": "a PDF; copy the table out of it into a spreadsheet, and save that as CSV",
    b"\x89PNG\r\n": "a picture",
    b"\x7fELF": "a program",
    b"version https://git-lfs": "a Git LFS pointer, not the data; run `git lfs pull`",
}
_MARKS = (  # the longer marks first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
PARQUET_MAGIC = b"PAR1"
_TEXT_BYTES = bytes({*range(0x20, 0x7F), *b"\t\r\n"})
PACKED_FAULTS = (OSError, EOFError, zlib.error)
"""What unpacking raises."""
_GZIP_MAGIC = b"\x1f\x8b"


def decode(raw: bytes, encoding: str, shown: str) -> bytes:
    """Return the text of a file as UTF-8 that ends with a newline, or ``b""`` for an empty file.

    gzip is recognised by content. ``\\r\\n`` and ``\\r`` become ``\\n``, inside quoted cells too, so that a file means
    the same after any change of its line ends.

    Raises:
        DataError: not text in this encoding (with line, byte and offset), a NUL byte, or another kind of file.
        ConfigError: ``encoding`` names no text encoding.

    >>> decode(b"\\xef\\xbb\\xbfa,b\\r\\n1,2", "utf-8", "x.csv")
    b'a,b\\n1,2\\n'
    """
    unpacked = _unpack(raw, shown)
    text = _checked_utf8(unpacked, shown) if is_utf8(encoding) else _recoded(unpacked, encoding, shown)
    if b"\0" in text:
        raise _nul_byte(text, shown)
    text = _with_plain_line_ends(text)
    return text if not text or text.endswith(b"\n") else text + b"\n"


class BlockDecoder:
    """Makes of the blocks of a file, unpacked, what :func:`decode` makes of the whole.

    Args:
        encoding: of the text.
        shown: the path, for messages.
        lines_before: returns how many lines end before an offset of what was made so far.
    """

    def __init__(self, encoding: str, shown: str, lines_before: Callable[[int], int]) -> None:
        self._shown = shown
        self._encoding = encoding
        self._lines_before = lines_before
        self._recoder = None if is_utf8(encoding) else _incremental(encoding)
        self._opening: bytes | None = b""  # until a byte-order mark would be whole
        self._carry = b""  # of the text not yet made: a character that is cut, a carriage return
        self._skipped = 0  # of the byte-order mark
        self._taken = 0  # bytes of the file before the carry
        self._seen = self._made = 0
        self._head = b""
        self._ends_line = True

    def feed(self, block: bytes, final: bool = False) -> bytes:
        """Return the clean text that the next block completes."""
        first = self._opening is not None
        if self._opening is not None:
            self._opening += block
            if len(self._opening) < _LONGEST_MARK and not final:
                return b""
            block, self._opening = self._opening, None
        text = self._recode(block, first, final) if self._recoder else self._checked(block, first, final)
        if len(self._head) < _HEAD:
            self._head = (self._head + text)[:_HEAD]
        if b"\0" in text:
            raise self._nul_byte(text)
        self._seen += len(text)
        if b"\r" in text:
            text = _with_plain_line_ends(text)
        if text:
            self._ends_line = text.endswith(b"\n")
        self._made += len(text)
        return text

    def finish(self) -> bytes:
        """Return what is left at the end of the file, with the newline it may lack."""
        text = self.feed(b"", final=True)
        return text if self._ends_line else text + b"\n"

    def _checked(self, block: bytes, first: bool, final: bool) -> bytes:
        data = self._carry + block if self._carry else block
        if first:
            for mark, name in _MARKS:
                if data.startswith(mark):
                    raise _looks_like(name, self._shown)
            if data.startswith(codecs.BOM_UTF8):
                self._taken = self._skipped = len(codecs.BOM_UTF8)
                data = data[self._skipped :]
        end = len(data) if final else _whole_characters(data)
        if not data.isascii():
            bad = _first_bad_byte(data[:end])
            if bad is not None:
                raise self._not_utf8(data, bad)
        self._carry = data[end:]
        self._taken += end
        return data[:end]

    def _recode(self, block: bytes, first: bool, final: bool) -> bytes:
        assert self._recoder is not None
        pending = len(self._recoder.getstate()[0])
        try:
            text = self._carry.decode() + self._recoder.decode(block, final)
        except UnicodeDecodeError as error:
            at = self._taken - pending + error.start
            line = (
                1
                + self._lines_before(self._made)
                + error.object[: error.start].decode(self._encoding, "ignore").count("\n")
            )
            raise _not_encoded(error, at, line, self._encoding, self._shown) from None
        except UnicodeError as error:
            raise DataError(f"the file is not {self._encoding} ({error})", path=self._shown) from None
        self._taken += len(block)
        text = text.removeprefix("\ufeff") if first else text
        held = 1 if text.endswith("\r") and not final else 0
        self._carry = b"\r" * held
        return text[: len(text) - held].encode()

    def _not_utf8(self, data: bytes, bad: int) -> DataError:
        if _is_like_utf16(self._head + data):
            return _looks_like("UTF-16", self._shown)
        line = self._lines_before(self._made) + line_at(data, bad)
        return _bad_byte(data[bad], self._taken + bad, line, self._shown)

    def _nul_byte(self, text: bytes) -> DataError:
        if _is_like_utf16(self._head):
            return _looks_like("UTF-16", self._shown)
        offset = text.index(b"\0")
        line = self._lines_before(self._made) + line_at(text, offset)
        return _nul_error(self._seen + offset, line, self._shown)


def _incremental(encoding: str) -> codecs.IncrementalDecoder:
    try:
        return codecs.getincrementaldecoder(encoding)()
    except (LookupError, ValueError, AssertionError):
        raise _unknown_encoding(encoding) from None


def _whole_characters(data: bytes) -> int:
    """Return where the last character that may be incomplete begins; a carriage return may lack its newline."""
    if data.endswith(b"\r"):
        return len(data) - 1
    for back in range(1, min(4, len(data)) + 1):
        lead = data[-back]
        if lead < 0x80:
            return len(data)
        if lead >= 0xC0:
            needed = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return len(data) - back if back < needed else len(data)
    return len(data)


def line_at(data: bytes, offset: int) -> int:
    """Return the physical line (1 for the first) of a byte, counting ``\\n``, ``\\r\\n`` and ``\\r`` as line ends."""
    before = data[:offset]
    return 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def is_utf8(encoding: str) -> bool:
    """Whether an encoding is UTF-8 or a part of it."""
    try:
        return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")
    except (LookupError, ValueError):
        raise _unknown_encoding(encoding) from None


def _unknown_encoding(encoding: str) -> ConfigError:
    return ConfigError(
        f"data.encoding: expected the name of a text encoding, got {quote(encoding)}",
        help="for example utf-8, latin-1, cp1252, utf-16",
    )


def _unpack(raw: bytes, shown: str) -> bytes:
    refuse_foreign(raw, shown)
    if not is_packed(raw):
        return raw
    try:
        return gzip.decompress(raw)
    except PACKED_FAULTS as error:
        raise damaged(error, shown) from None


def refuse_foreign(head: bytes, shown: str) -> None:
    """Raise DataError where the first bytes of a file are those of a known format that is no CSV."""
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise DataError(f"expected a CSV file, found {what}", path=shown)
    if head[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise DataError("expected a CSV file, found a web page; the download went wrong", path=shown)


def is_parquet(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a Parquet file: the magic, and what is no text.

    >>> is_parquet(b"PAR1\\x15\\x04\\x15"), is_parquet(b"PAR1,age\\n1,2\\n")
    (True, False)
    """
    return head.startswith(PARQUET_MAGIC) and bool(head[:_HEAD].translate(None, _TEXT_BYTES))


def is_packed(head: bytes) -> bool:
    """Whether a file that begins with these bytes is packed with gzip."""
    return head.startswith(_GZIP_MAGIC)


def damaged(error: Exception, shown: str) -> DataError:
    """Return the error for a packed file that cannot be unpacked."""
    return DataError(
        f"the gzip data is damaged or cut short ({error})", path=shown, help="copy or download the file again"
    )


def _checked_utf8(data: bytes, shown: str) -> bytes:
    for mark, name in _MARKS:
        if data.startswith(mark):
            raise _looks_like(name, shown)
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
        skipped = len(codecs.BOM_UTF8)
    else:
        skipped = 0
    if not data.isascii():
        bad = _first_bad_byte(data)
        if bad is not None:
            raise _not_utf8(data, bad, skipped, shown)
    return data


def _first_bad_byte(data: bytes) -> int | None:
    """Return the offset of the first byte that is not UTF-8; in steps, so that no second copy of the text is made."""
    start, view = 0, memoryview(data)
    while start < len(data):
        end = min(start + _STEP, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80 and end > start + _STEP - 4:
            end -= 1  # back to the first byte of a character
        try:
            codecs.decode(view[start:end], "utf-8")
        except UnicodeDecodeError as error:
            return start + error.start
        start = end
    return None


def _not_utf8(data: bytes, bad: int, skipped: int, shown: str) -> DataError:
    if _is_like_utf16(data):
        return _looks_like("UTF-16", shown)
    return _bad_byte(data[bad], bad + skipped, line_at(data, bad), shown)


def _bad_byte(byte: int, offset: int, line: int, shown: str) -> DataError:
    return DataError(
        f"byte 0x{byte:02x} at offset {offset} is not UTF-8",
        path=shown,
        line=line,
        help="save the file as UTF-8, or name its encoding, for example data.encoding: latin-1",
    )


def _is_like_utf16(data: bytes) -> bool:
    """Return whether NUL bytes fill one half of the places of a text, the even or the odd ones, and not the other."""
    few, many = sorted(data[place:_HEAD:2].count(0) for place in (0, 1))
    return many > min(len(data), _HEAD) // 5 and few < many // 4


def _looks_like(name: str, shown: str) -> DataError:
    return DataError(
        f"the file looks like {name}, expected UTF-8",
        path=shown,
        help=f"save the file as UTF-8, or set data.encoding: {name.lower()}",
    )


def _recoded(data: bytes, encoding: str, shown: str) -> bytes:
    try:
        return data.decode(encoding).removeprefix("\ufeff").encode("utf-8")
    except UnicodeDecodeError as error:
        line = 1 + data[: error.start].decode(encoding, "ignore").count("\n")
        raise _not_encoded(error, error.start, line, encoding, shown) from None
    except UnicodeError as error:
        raise DataError(f"the file is not {encoding} ({error})", path=shown) from None
    except (LookupError, ValueError, AssertionError):
        raise _unknown_encoding(encoding) from None


def _not_encoded(error: UnicodeDecodeError, offset: int, line: int, encoding: str, shown: str) -> DataError:
    is_inside = error.start < len(error.object)
    at = f"byte 0x{error.object[error.start]:02x} at offset {offset}" if is_inside else "the end"
    return DataError(
        f"{at} is not {encoding} ({error.reason})",
        path=shown,
        line=line,
        help="correct data.encoding, or save the file as UTF-8",
    )


def _nul_byte(text: bytes, shown: str) -> DataError:
    if _is_like_utf16(text):
        return _looks_like("UTF-16", shown)
    offset = text.index(b"\0")
    return _nul_error(offset, line_at(text, offset), shown)


def _nul_error(offset: int, line: int, shown: str) -> DataError:
    return DataError(
        f"NUL byte 0x00 at offset {offset} of the text",
        path=shown,
        line=line,
        help="the file is damaged or no text: write it again, as UTF-8",
    )


def _with_plain_line_ends(text: bytes) -> bytes:
    if b"\r" not in text:
        return text
    if text.count(b"\r") == text.count(b"\r\n"):
        return text.translate(None, b"\r")
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
