"""Errors of the YAML parser in plain words, with the place that helps and the usual cause."""

from __future__ import annotations

import re
from typing import Any

from nntrain.config.place import LineTable
from nntrain.errors import ConfigError, quote

_NO_SPACE = re.compile(r"^[ ]*(?:- )?[{]?[ ]*([A-Za-z_][\w.]*):([^\s/:][^\n]*|\u00a0[^\n]*)$")

_CONFLICT = re.compile(r"^(?:(?:<{7}|>{7}|\|{7})(?: [^\n]*)?|={7})$", re.MULTILINE)


_OTHER_SIGN = re.compile("^[ ]*[A-Za-z_][\\w.]*[ ]*(=|\uff1a)[^\n]*$")


def no_space_hint(line: str) -> str | None:
    """Return the hint for a line such as ``epochs:10`` or ``epochs = 10``, which YAML reads as one text, or None.

    >>> no_space_hint("epochs:10")
    "'epochs:10' is text; put a space after ':'"
    >>> no_space_hint("epochs = 10")
    "'epochs = 10' is text; write ': ' for '='"
    """
    found = _NO_SPACE.match(line)
    if found:
        return f"{quote(found[1] + ':' + found[2].rstrip())} is text; put a space after ':'"
    other = _OTHER_SIGN.match(line)
    return f"{quote(line.strip())} is text; write ': ' for '{other[1]}'" if other else None


def conflict_marker(text: str, path: str) -> ConfigError | None:
    """Return the error for a Git conflict marker in the text, or None."""
    found = _CONFLICT.search(text)
    if not found:
        return None
    line, column = LineTable(text).at(found.start())
    message = f"Git conflict marker {quote(found[0])}"
    return ConfigError(message, path=path, line=line, column=column, help="keep one side and delete the markers")


_MISALIGNED = "the line does not line up with the lines above it"

# (part of PyYAML's problem, part of its context or "", message, remedy, whether the place is where it began)
_KNOWN: tuple[tuple[str, str, str, str | None, bool], ...] = (
    ("unexpected end of stream", "quoted scalar", "a quote that opens here is never closed", None, True),
    ("unexpected document separator", "quoted scalar", "a quote that opens here is never closed", None, True),
    (
        "expected ',' or ']'",
        "",
        "a '[' that opens here is not closed",
        "close it with ']'; part the items by ','",
        True,
    ),
    ("expected ',' or '}'", "", "a '{' that opens here is not closed", "close it with '}'; part the keys by ','", True),
    (
        "mapping values are not allowed",
        "",
        "a ':' stands where no key can be",
        "check the indentation; text that holds ': ' needs quotes",
        False,
    ),
    ("could not find expected ':'", "", "expected 'key: value'", "check that a ':' and a space follow the key", True),
    (
        "expected <block end>",
        "",
        _MISALIGNED,
        "give all keys of a mapping, and all '-' of a list, the same indentation",
        False,
    ),
    ("cannot start any token", "", "unexpected character", None, False),
    ("unknown escape character", "", "unknown escape in double quotes", "use single quotes around backslashes", False),
    ("incompatible YAML document", "", "this version of YAML is not supported", "delete the %YAML line", False),
    ("duplicate YAML directive", "", "a second %YAML directive", "delete the %YAML lines", False),
    ("expected <document start>", "", "text behind the end of the config", "check the indentation", False),
)


def syntax_error(error: Exception, text: str, path: str) -> ConfigError:
    """Return the error for what PyYAML refused in ``text``."""
    problem = str(getattr(error, "problem", None) or "")
    context = str(getattr(error, "context", None) or "")
    problem_mark, context_mark = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    for part, of_context, message, remedy, at_start in _KNOWN:
        if part in problem and of_context in context:
            mark = context_mark if at_start and context_mark else problem_mark
            return _located(message, remedy, mark, problem_mark, text, path)
    return _located(f"not valid YAML: {problem or error}", None, problem_mark, problem_mark, text, path)


def _located(message: str, remedy: str | None, mark: Any, found: Any, text: str, path: str) -> ConfigError:
    if mark is None:
        return ConfigError(message, path=path)
    lines = LineTable(text)
    line, column = lines.at(mark.index)
    if message == "unexpected character":
        message, remedy = _character(text[mark.index : mark.index + 1])
    elif message == _MISALIGNED and text[mark.index - 1 : mark.index] in ("'", '"'):
        message, remedy = "text stands behind a closing quote", "put one pair of quotes around the whole value"
    # The line with the mistake is often the one before the line where the parser gives up.
    last_line = lines.at(found.index)[0] if found else line
    for number in (line, line - 1):
        hint = no_space_hint(lines.line(number)) if number >= 1 else None
        if hint:
            line, column, remedy = number, column if number == line else 1, hint
            break
    notes = [f"the file was understood up to line {last_line}"] if last_line > line + 1 else []
    return ConfigError(message, path=path, line=line, column=column, help=remedy, notes=notes)


def _character(character: str) -> tuple[str, str]:
    if character == "\t":
        return "a tab stands where YAML wants blanks", "indent with blanks"
    return f"a value cannot begin with {quote(character)}", "put the value in quotes"
