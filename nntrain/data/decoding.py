"""From the bytes of a file to clean UTF-8 text: unpacked, checked, without byte-order mark, with ``\\n`` line ends."""

from __future__ import annotations

import codecs
import gzip
import zlib

from nntrain.errors import ConfigError, DataError, quote

_STEP = 1 << 20
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"\xfd7zXZ\x00": "packed with xz; unpack it, or pack it with gzip",
    b"BZh91AY&SY": "packed with bzip2; unpack it, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "packed with zstandard; unpack it, or pack it with gzip",
    b"SQLite format 3\0": "an SQLite database; export the table as CSV",
    b"\x89HDF\r\n": "an HDF5 file; export the table as CSV",
    b"version https://git-lfs": "a Git LFS pointer, not the data; run `git lfs pull`",
}
_MARKS = (  # the longer marks first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
PARQUET_MAGIC = b"PAR1"
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
    text = _checked_utf8(unpacked, shown) if _is_utf8(encoding) else _recoded(unpacked, encoding, shown)
    if b"\0" in text:
        raise _nul_byte(text, shown)
    return _with_plain_line_ends(text)


def line_at(data: bytes, offset: int) -> int:
    """Return the physical line (1 for the first) of a byte, counting ``\\n``, ``\\r\\n`` and ``\\r`` as line ends."""
    before = data[:offset]
    return 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def _is_utf8(encoding: str) -> bool:
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
    for magic, what in _FOREIGN.items():
        if raw.startswith(magic):
            raise DataError(f"expected a CSV file, found {what}", path=shown)
    if raw[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise DataError("expected a CSV file, found a web page; the download went wrong", path=shown)
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"the gzip data is damaged or cut short ({error})", path=shown, help="copy or download the file again"
        ) from None


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
    if data.count(b"\0", 0, 4096) > min(len(data), 4096) // 5:
        return _looks_like("UTF-16", shown)
    return DataError(
        f"byte 0x{data[bad]:02x} at offset {bad + skipped} is not UTF-8",
        path=shown,
        line=line_at(data, bad),
        help="save the file as UTF-8, or name its encoding, for example data.encoding: latin-1",
    )


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
        at = f"byte 0x{data[error.start]:02x} at offset {error.start}" if error.start < len(data) else "the end"
        raise DataError(
            f"{at} is not {encoding} ({error.reason})",
            path=shown,
            line=line,
            help="correct data.encoding, or save the file as UTF-8",
        ) from None
    except UnicodeError as error:
        raise DataError(f"the file is not {encoding} ({error})", path=shown) from None
    except (LookupError, ValueError, AssertionError):
        raise _unknown_encoding(encoding) from None


def _nul_byte(text: bytes, shown: str) -> DataError:
    if text.count(b"\0", 0, 4096) > min(len(text), 4096) // 5:
        return _looks_like("UTF-16", shown)
    offset = text.index(b"\0")
    return DataError(
        f"NUL byte 0x00 at offset {offset} of the text",
        path=shown,
        line=line_at(text, offset),
        help="the file is damaged or no text: write it again, as UTF-8",
    )


def _with_plain_line_ends(text: bytes) -> bytes:
    if b"\r" in text:
        if text.count(b"\r") == text.count(b"\r\n"):
            text = text.translate(None, b"\r")
        else:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text if not text or text.endswith(b"\n") else text + b"\n"
