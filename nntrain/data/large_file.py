"""A large file, read block by block into a store: an entry of the cache, a file without a name, or memory."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nntrain.core.beside import Beside
from nntrain.data.cache import Cache
from nntrain.data.clean_text import StreamedText
from nntrain.data.csv_part import CsvPart, layout_from, read_blocks
from nntrain.data.decoding import refuse_foreign
from nntrain.data.parquet_part import ParquetPart
from nntrain.data.piece_store import FileStore, MemoryStore
from nntrain.data.source import PlainFile
from nntrain.data.storage import room_help
from nntrain.errors import ResourceError, reason_of

if TYPE_CHECKING:
    from nntrain.data.table import ReadOptions


def read_csv_file(path: str, shown: str, options: ReadOptions, cache: Cache | None, stream: bool) -> CsvPart:
    """Return the rows of a CSV file, from the cache if it was read before.

    Args:
        path: what is opened.
        shown: the path as the user typed it.
        options: how the file is written.
        cache: where files that were read are kept, or None.
        stream: whether the columns must not be held in memory.

    Raises:
        DataError: the file cannot be read, or is no well-formed table.
        ResourceError: it is to be streamed, and there is no disk to put the columns on.
    """
    # One that may not be in the page cache for long is read once.
    file = PlainFile(path, shown, hashes=stream)
    refuse_foreign(file.head, shown)
    reading = _Reading(file, shown, options, cache, stream)
    found = reading.from_cache()
    if found is not None:
        return found
    trouble: OSError | None = None
    for place in ("cache", "disk") if stream else ("cache", "memory"):
        try:
            part = reading.anew(place)
        except OSError as error:  # of the place that is written to: what is read tells its failures itself
            trouble = trouble or error
            continue
        if part is not None:
            if trouble and cache is not None:
                reason = reason_of(trouble)
                part.notices.append(f"{cache.folder}: read files cannot be kept in this cache folder ({reason})")
            return part
    assert trouble is not None, "there is a place for what is not streamed"
    raise _no_room(shown, trouble)


def read_parquet_file(path: str, shown: str, stream: bool) -> ParquetPart:
    """Return the rows of a Parquet file, which needs no cache: reading it again is as quick.

    Args:
        path: what is opened.
        shown: the path as the user typed it.
        stream: whether the columns must not be held in memory.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: the file cannot be read, or a column holds no plain values.
        ResourceError: it is to be streamed, and there is no disk to put the columns on.
    """
    digest = PlainFile(path, shown).digest()
    if not stream:
        return ParquetPart(path, shown, digest, MemoryStore())
    try:
        with tempfile.TemporaryFile() as target:
            return ParquetPart(path, shown, digest, FileStore(target))
    except OSError as error:
        raise _no_room(shown, error) from None


def _no_room(shown: str, trouble: OSError) -> ResourceError:
    help = room_help(trouble, f"in {tempfile.gettempdir()}")
    return ResourceError(f"cannot be streamed: {reason_of(trouble)}", path=shown, help=help)


class _Reading:
    def __init__(self, file: PlainFile, shown: str, options: ReadOptions, cache: Cache | None, stream: bool) -> None:
        self._file, self._shown, self._options, self._cache = file, shown, options, cache
        self._text = StreamedText(file.blocks, options.encoding, shown)
        self._manner = repr(sorted(asdict(options).items()))
        self._size = file.status.st_size
        self._whole = None if stream else file

    def from_cache(self) -> CsvPart | None:
        """Return the rows as an earlier run has read them, or None."""
        cache = self._cache
        if cache is None or not cache.has_candidate(self._manner, self._size):
            return None
        digest = cache.known_digest(self._file.status)
        if digest is None:
            digest = self._file.digest()
            cache.remember_digest(self._file, digest)
        found = cache.find(self._manner, self._size, digest)
        if found is None:
            return None
        return CsvPart(self._shown, self._options, self._text, layout_from(found.about), found, digest)

    def anew(self, place: str) -> CsvPart | None:
        """Return the rows, put into a place; None where there is no such place."""
        if place == "memory":
            store = MemoryStore()
            layout = read_blocks(self._text, self._shown, self._options, store, file=self._whole)
            return CsvPart(self._shown, self._options, self._text, layout, store, Beside(self._file.digest))
        if place == "cache" and self._cache is None:
            return None
        with self._cache.new_file() if place == "cache" and self._cache else tempfile.TemporaryFile() as target:
            try:
                return self._into(target, self._cache if place == "cache" else None)
            except BaseException:
                if place == "cache":
                    with suppress(OSError):  # the first failure is the one to tell
                        Path(target.name).unlink()
                raise

    def _into(self, target: BinaryIO, cache: Cache | None) -> CsvPart:
        store = FileStore(target)
        layout = read_blocks(self._text, self._shown, self._options, store, file=self._whole)
        store.finish(layout.plain())
        digest = Beside(self._file.digest if cache is None else partial(self._kept, cache, Path(target.name)))
        return CsvPart(self._shown, self._options, self._text, layout, store, digest)

    def _kept(self, cache: Cache, written: Path) -> str:
        """Return the digest of the file, after making what was written of it an entry of the cache under that name."""
        try:
            digest = self._file.digest()
            with suppress(OSError):  # then it is read anew next time
                cache.keep(written, self._manner, self._size, digest)
                cache.remember_digest(self._file, digest)
            return digest
        finally:
            written.unlink(missing_ok=True)
