"""The text of a file in windows, clean as :mod:`nntrain.data.decoding` makes it: in memory, or read as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from nntrain.data.decoding import BlockDecoder


class CleanText(Protocol):
    """UTF-8 that ends with a newline, without byte-order mark, NUL or carriage return."""

    def held(self, start: int, size: int) -> tuple[bytes, int, int]:
        """Return bytes, and where in them the text from ``start`` on begins and ends.

        There are ``size`` bytes between the two, fewer only at the end of the text.
        """


class WholeText:
    """Text in memory.

    Args:
        data: the text, clean.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def held(self, start: int, size: int) -> tuple[bytes, int, int]:
        return self._data, start, min(start + size, len(self._data))


class StreamedText:
    """Text of which a window is in memory. Windows that begin ever later cost one pass; one before starts anew.

    Args:
        blocks: opens the file and yields its bytes, unpacked.
        encoding: of the text.
        shown: the path, for messages.

    >>> text = StreamedText(lambda: iter([b"a,b\\r", b"\\n1,2"]), "utf-8", "x.csv")
    >>> window(text, 4, 100), window(text, 0, 3)
    (b'1,2\\n', b'a,b')
    """

    def __init__(self, blocks: Callable[[], Iterator[bytes]], encoding: str, shown: str) -> None:
        self._open = blocks
        self._encoding = encoding
        self._shown = shown
        self._restart()

    def _restart(self) -> None:
        self._clean = self._decoded()
        self._held, self._start, self._is_over = b"", 0, False

    def held(self, start: int, size: int) -> tuple[bytes, int, int]:
        if start < self._start:
            self._restart()
        if not self._is_over and self._end < start + size:
            self._advance(start, size)
        begin = min(start - self._start, len(self._held))
        return self._held, begin, min(begin + size, len(self._held))

    @property
    def _end(self) -> int:
        return self._start + len(self._held)

    def _advance(self, start: int, size: int) -> None:
        """Read on until the window is there, and let go of what lies before it."""
        pieces, at, end = [self._held[max(0, start - self._start) :]], max(start, self._start), self._end
        at = min(at, end)
        while end < start + size:
            block = next(self._clean, None)
            if block is None:
                self._is_over = True
                break
            if end + len(block) <= start:
                pieces, at = [], end + len(block)
            else:
                pieces.append(block)
            end += len(block)
        self._held, self._start = b"".join(pieces), at

    def _decoded(self) -> Iterator[bytes]:
        decoder, emitted = BlockDecoder(self._encoding, self._shown, self._lines_before), 0
        for block in self._open():
            clean = decoder.feed(block)
            emitted += len(clean)
            yield clean
        yield decoder.finish()

    def _lines_before(self, offset: int) -> int:
        """Return how many lines end before an offset of the clean text, by reading the file once more."""
        decoder, lines, seen = BlockDecoder(self._encoding, self._shown, lambda _: 0), 0, 0
        for block in self._open():
            if seen >= offset:
                break
            clean = decoder.feed(block)
            lines += clean.count(b"\n", 0, max(0, offset - seen))
            seen += len(clean)
        return lines


def window(text: CleanText, start: int, size: int) -> bytes:
    """Return up to ``size`` bytes of a text from an offset on, fewer only at its end."""
    data, begin, end = text.held(start, size)
    return data[begin:end]
