"""Where text goes: results to stdout, everything else to stderr, and nothing unescaped to either."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn, TextIO

from nntrain.errors import NntrainError, Problem, ResourceError, escape, reason_of


class ReaderGoneError(Exception):
    """Nobody reads stdout any more (``| head``); no ``OSError``, of which click would make an exit code of its own."""


class Output:
    """The command's two streams.

    With ``--json`` stdout gets exactly one JSON document, on failure too: :meth:`result` keeps it until the command
    ends, with ``status``, ``exit_code`` and ``errors`` beside what the command gives.

    Args:
        json: whether stdout gets JSON.
    """

    def __init__(self, json: bool = False) -> None:
        self.json = json
        self.quiet = False
        self._document: dict[str, Any] = {}
        self._kept: list[TextIO | None] = []
        self._results: TextIO | None = None

    @property
    def stdout(self) -> TextIO | None:
        """What results are written to."""
        return self._results or (self._kept[0] if self._kept else sys.stdout)

    def keep_stdout(self) -> None:
        """Keep stdout for results: what a user's code writes there from now on, by any means, goes to stderr."""
        if not self._kept:
            self._kept.append(sys.stdout)
            self._results = _moved(sys.stdout)
            sys.stdout = sys.stderr

    def give_stdout_back(self) -> None:
        """Let stdout be what it was before :meth:`keep_stdout`."""
        if not self._kept:
            return
        stdout = self._kept.pop()
        if self._results is not None and stdout is not None:
            with suppress(OSError, ValueError):  # what a user's code has left in it is no result either
                stdout.flush()
            os.dup2(self._results.fileno(), _STDOUT)
            self._results.close()
            self._results = None
        sys.stdout = stdout

    def prepare_streams(self) -> None:
        """Let a character that the terminal's encoding lacks be shown escaped instead of failing."""
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="backslashreplace")

    def result(self, text: str, document: dict[str, Any] | None = None) -> None:
        """Give the command's result: text for people, or the document for ``--json``."""
        if self.json:
            self._document |= document or {}
        elif text:
            self._write(self.stdout, _escape_lines(text))

    def keep(self, document: dict[str, Any]) -> None:
        """Keep parts of the ``--json`` document for when the command ends, in whatever way."""
        self._document |= document

    def raw(self, text: str, document: dict[str, Any]) -> None:
        """Give a result that is a file of its own, such as a CSV: verbatim, but escaped on a terminal."""
        if self.json:
            self._document |= document
        elif self.stdout is not None and self.stdout.isatty():
            self._write(self.stdout, _escape_lines(text.removesuffix("\n")))
        else:
            self._write(self.stdout, text.removesuffix("\n"))

    def notice(self, text: str) -> None:
        """Tell something worth knowing."""
        if not self.quiet:
            self._write(sys.stderr, _escape_lines(text))

    def tell(self, finding: str) -> None:
        """Tell a finding of the data or of a run: a warning where it begins with ``warning:``, else a notice."""
        if finding.startswith(_WARNING):
            self.warning(finding.removeprefix(_WARNING))
        else:
            self.notice(labelled(finding))

    def warning(self, text: str) -> None:
        """Tell something that is likely not as it was meant."""
        self._write(sys.stderr, _escape_lines(f"warning: {text}"))

    def failure(self, code: int, problems: Iterable[Problem], status: str = "error") -> None:
        """Print errors, and the document that says so."""
        problems = list(problems)
        self._write(sys.stderr, "\n".join(problem.render() for problem in problems))
        if self.json:
            errors = [problem.as_json() for problem in problems]
            with suppress(OSError, NntrainError):  # stdout may be what failed: stderr has told it
                self._dump({"status": status, **self._document, "exit_code": code, "errors": errors})

    def finish(self, code: int) -> None:
        """Print the document of a command that has ended."""
        if self.json:
            self._dump({"status": "ok", "exit_code": code, "errors": [], **self._document})
        if self.stdout is not None:
            self.stdout.flush()

    def close_stdout(self) -> None:
        """Stop writing to a stdout that takes nothing more, so that the interpreter does not complain at its end."""
        if self.stdout is not None:
            _send_nowhere(self.stdout)

    def _dump(self, document: dict[str, Any]) -> None:
        import json

        from nntrain.runs.plain_json import plain  # what is not finite becomes null

        self._write(self.stdout, json.dumps(plain(document), indent=2, allow_nan=False))

    def _write(self, stream: TextIO | None, text: str) -> None:
        if stream is None:  # it was closed before we began (>&-): nobody wants to read it
            return
        try:
            stream.write(text + "\n")
            stream.flush()
        except (OSError, ValueError) as error:  # a ValueError where a user's code has closed it
            if not stream.closed:
                _send_nowhere(stream)
            # A notice that nobody can read is no reason to stop a training; a result that nobody gets is.
            if stream is not sys.stderr:
                _refuse(error)


def _refuse(error: OSError | ValueError) -> NoReturn:
    if isinstance(error, BrokenPipeError):
        raise ReaderGoneError from error
    reason = reason_of(error) if isinstance(error, OSError) else "it is closed"
    raise ResourceError(f"cannot write the result to stdout: {reason}") from error


_STDOUT, _STDERR = 1, 2
"""Numbers by which the system knows the streams."""


def _moved(stdout: TextIO | None) -> TextIO | None:
    """Return a stream to what stdout is, which stands for stderr from now on; None where it is none of the system's."""
    try:
        if stdout is None or stdout.fileno() != _STDOUT:
            return None
    except (OSError, ValueError):  # a stream in memory, or one that is closed
        return None
    stdout.flush()
    moved = os.fdopen(os.dup(_STDOUT), "w", encoding=stdout.encoding, errors="backslashreplace")
    try:
        os.dup2(_STDERR, _STDOUT)
    except OSError:  # it was closed before we began
        _send_nowhere(stdout)
    return moved


def _send_nowhere(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


_WARNING = "warning: "


def labelled(finding: str) -> str:
    """Return a finding with its label in front.

    >>> labelled("3 cells imputed"), labelled("warning: a constant column")
    ('notice: 3 cells imputed', 'warning: a constant column')
    """
    return finding if finding.startswith(_WARNING) else f"notice: {finding}"


def _escape_lines(text: str) -> str:
    return "\n".join(escape(line) for line in text.split("\n"))
