"""Bytes to plain values with places: the rules of YAML, the caps, and where each mistake is reported."""

from __future__ import annotations

import os
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from nntrain.config.load import Document, load_document, parse_document
from nntrain.config.place import LineTable
from nntrain.errors import ConfigError, Problem


def parse(text: str) -> Document:
    return parse_document(text.encode("utf-8", "surrogatepass"), "c.yaml")


def refused(content: str | bytes) -> Problem:
    with pytest.raises(ConfigError) as caught:
        parse_document(content.encode() if isinstance(content, str) else content, "c.yaml")
    assert caught.value.exit_code == 2
    return caught.value.problems[0]


def test_values_and_places() -> None:
    document = parse("a: 1\nb:\n  c: [x, 2.5]\n  d: {e: null}\n")
    assert document.values == {"a": 1, "b": {"c": ["x", 2.5], "d": {"e": None}}}
    assert document.places[("a",)].key == (1, 1)
    assert document.places[("a",)].value == (1, 4)
    assert document.places[("b", "c")].key == (3, 3)
    assert document.places[("b", "c", 1)].value == (3, 10)
    assert document.places[("b", "d", "e")].key == (4, 7)
    assert document.places[("b", "c", 1)].text == "2.5"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_all_line_ends_give_the_same_values_and_lines(ending: str) -> None:
    document = parse(ending.join(["# first", "a: 1", "b: 2", ""]))
    assert document.values == {"a": 1, "b": 2}
    assert document.places[("b",)].key == (3, 1)


def test_unusual_line_separators_do_not_shift_lines() -> None:
    document = parse('a: "x\u2028y"\nb: 1\n')
    assert document.places[("b",)].key == (2, 1)


def test_byte_order_mark_is_no_character() -> None:
    document = parse_document(b"\xef\xbb\xbfa: 1\n", "c.yaml")
    assert document.values == {"a": 1}
    assert document.places[("a",)].key == (1, 1)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"   ", b"# only a comment\n", b"---\n", b"null\n"])
def test_nothing_is_none(content: bytes) -> None:
    assert parse_document(content, "c.yaml").values is None


def test_tabs_between_tokens_are_blanks() -> None:
    assert parse("a:\t1\t# one\nb: [1,\t2]\n").values == {"a": 1, "b": [1, 2]}


def test_a_document_may_be_marked_and_ended() -> None:
    assert parse("%YAML 1.2\n---\na: 1\n...\n").values == {"a": 1}


def test_aliases_and_merges() -> None:
    document = parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\nd: {<<: [{x: 5}, *a]}\n")
    assert document.values["b"] == {"x": 1, "y": 3}
    assert document.values["c"] == {"x": 1, "y": 2}
    assert document.values["d"] == {"x": 5, "y": 2}
    assert document.places[("b", "x")].key == (1, 8)


def test_a_quoted_merge_sign_is_a_key() -> None:
    assert parse("'<<': 1").values == {"<<": 1}


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ('a: 1\nb: "never closed\nc: 2\n', 2, 4, "a quote that opens here is never closed"),
        ("a: 1\nb: 'never closed\n---\n", 2, 4, "a quote that opens here is never closed"),
        ("a: [1, 2\nb: 3\n", 1, 4, "a '[' that opens here is not closed"),
        ("a: {b: 1\nc: 3\n", 1, 4, "a '{' that opens here is not closed"),
        ("t:\n  a: 10\n   b: 8\n", 3, 5, "a ':' stands where no key can be"),
        ("t:\n    a: 10\n  b: 8\n", 3, 3, "the line does not line up with the lines above it"),
        ("t:\n\ta: 10\n", 2, 1, "a tab stands where YAML wants blanks"),
        ("a: @home\n", 1, 4, "a value cannot begin with '@'"),
        ("a: `x`\n", 1, 4, "a value cannot begin with '`'"),
        ('a: "C:\\data"\n', 1, 8, "unknown escape in double quotes"),
        ("%YAML 2.0\n---\na: 1\n", 1, 1, "this version of YAML is not supported"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins here; a config is one document"),
        ("a: 1\n---\n", 2, 1, "a second document begins here; a config is one document"),
        ("a: 1\nb: *gone\n", 2, 4, "alias 'gone' names nothing; there is no '&gone' above"),
        ("a: &a [1, *a]\n", 1, 11, "alias 'a' stands within what it names; recursion has no end"),
        ("a: &a {b: *a}\n", 1, 11, "alias 'a' stands within what it names; recursion has no end"),
        ("x: 1\n<<<<<<< HEAD\na: 1\n=======\n", 2, 1, "Git conflict marker '<<<<<<< HEAD'"),
        ("a: 1\n>>>>>>> feature\n", 2, 1, "Git conflict marker '>>>>>>> feature'"),
        ("a: 1\nb: \x1b[31m\n", 2, 4, "character '\\x1b' is not allowed in a config"),
        ("a: x\x00y\n", 1, 5, "character '\\x00' is not allowed in a config"),
        ("a: [" * 60, 1, 101, "nested more than 50 deep"),
        ("a: " + "[" * 60, 1, 54, "nested more than 50 deep"),
    ],
)
def test_syntax_errors_name_the_place_that_helps(text: str, line: int, column: int, message: str) -> None:
    problem = refused(text)
    assert (problem.path, problem.line, problem.column) == ("c.yaml", line, column)
    assert problem.message.startswith(message)


@pytest.mark.parametrize("text", ["a: 1\nepochs:10\nb: 2\n", "epochs:10\nb: 2\n", "a: 1\nepochs:10\n"])
def test_a_missing_space_after_the_colon_is_seen(text: str) -> None:
    assert refused(text).help == "'epochs:10' is text; put a space after ':'"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epochs: 1\n".encode("utf-16"), "not UTF-8: the file looks like UTF-16"),
        ("epochs: 1\n".encode("utf-16-le"), "not UTF-8: the file looks like UTF-16 or is binary"),
        ("epochs: 1\n".encode("utf-16-be"), "not UTF-8: the file looks like UTF-16 or is binary"),
        ("epochs: 1\n".encode("utf-32"), "not UTF-8: the file looks like UTF-32"),
        (b"\x00" * 100, "not UTF-8: the file looks like UTF-16 or is binary"),
        (b"\x1f\x8b\x08\x00\x00", "not UTF-8: byte 0x8b at offset 1"),
    ],
)
def test_other_encodings_are_named(content: bytes, message: str) -> None:
    problem = refused(content)
    assert problem.message == message
    assert problem.line == 1
    assert problem.help == "save it as UTF-8"


def test_a_latin_1_byte_has_line_and_column() -> None:
    problem = refused("a: 1\nname: d\xe9j\xe0\n".encode("latin-1"))
    assert (problem.message, problem.line, problem.column) == ("not UTF-8: byte 0xe9 at offset 12", 2, 8)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "a: duplicate key, on lines 1 and 3"),
        ("t:\n  a: 1\n  b: 2\n  a: 1\n", 4, 3, "t.a: duplicate key, on lines 2 and 4"),
        ("l:\n- {a: 1, a: 2}\n", 2, 10, "l.0.a: duplicate key, on lines 2 and 2"),
        ("a: 1\n'a': 2\n", 2, 1, "a: duplicate key, on lines 1 and 2"),
        ("a: !!binary aGVsbG8=\n", 1, 4, "a: tag '!!binary' is not allowed"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, 4, "a: tag '!!python/object/apply:os.system' is not all"),
        ("a: !own {b: 1}\n", 1, 4, "a: tag '!own' is not allowed"),
        ("a: ! x\n", 1, 4, "a: tag '!' is not allowed"),
        ("!!str a: 1\n", 1, 1, "tag '!!str' is not allowed"),
        ("? [a, b]\n: 1\n", 1, 3, "expected text as a key, got a list"),
        ("? {a: b}\n: 1\n", 1, 3, "expected text as a key, got a mapping"),
        ("w:\n  1: 2\n", 2, 3, "w: expected text as a key, got 1"),
        ("true: 2\n", 1, 1, "expected text as a key, got true"),
        ("~: 2\n", 1, 1, "expected text as a key, got null"),
        ("seed: " + "9" * 5000 + "\n", 1, 7, "seed: a number of 5000 digits is too long"),
        ("a: “relu”\n", 1, 4, "a: value '“relu”' has curly quotes"),
        ('a: "\\ud800"\n', 1, 4, "a: half of a surrogate pair is no character"),
        ("a: {<<: 3}\n", 1, 9, "a.<<: expected a mapping to merge, got '3'"),
    ],
)
def test_mistakes_that_leave_the_rest_readable(text: str, line: int, column: int, message: str) -> None:
    document = parse(text + "rest: 1\n")
    assert document.values["rest"] == 1
    (problem,) = document.problems
    assert (problem.line, problem.column) == (line, column)
    assert problem.message.startswith(message)


def test_a_repeated_key_keeps_its_first_value() -> None:
    assert parse("a: 1\na: 2\n").values == {"a": 1}


def test_a_mistake_under_an_alias_is_told_once() -> None:
    assert len(parse("a: &a {b: !x 1}\nc: *a\nd: *a\n").problems) == 1


def test_python_tags_run_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    parse(f"a: !!python/object/apply:os.system ['touch {marker}']\nb: !!python/name:os.system\n")
    assert not marker.exists()


_LEVELS = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 12))
_MERGES = "".join(f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 9)}]}}\n" for i in range(1, 12))

HOSTILE = {
    "alias bomb": "l0: &l0 [x, x, x]\n" + _LEVELS,
    "bomb of empty lists": "l0: &l0 []\n" + _LEVELS,
    "merge bomb": "m0: &m0 {a: 1, b: 2}\n" + _MERGES,
    "merge bomb of nothing": "m0: &m0 {}\n" + _MERGES,
    "merge chain": "m0: &m0 {}\n" + "".join(f"m{i}: &m{i} {{<<: *m{i - 1}}}\n" for i in range(1, 4000)),
    "alias chain": "l0: &l0 []\n" + "".join(f"l{i}: &l{i} [*l{i - 1}]\n" for i in range(1, 200)),
    "deep flow lists": "[" * 100_000,
    "deep flow mappings": "{a: " * 100_000,
    "deep block lists": "- " * 100_000,
    "deep block mappings": "".join(" " * i + "a:\n" for i in range(700)),
    "deep explicit keys": "? " * 100_000,
    "many keys": "".join(f"k{i}: 1\n" for i in range(12_000)),
    "many items": "a: [" + "1," * 100_000,
    "too large": "a: '" + "x" * 1_000_000 + "'",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_files_are_refused_quickly_and_cheaply(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    tracemalloc.start()
    before = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load_document(str(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - before < 2
    assert peak < 100e6
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "text",
    ["a: '" + "x" * 400_000 + "'", "#" + " " * 400_000, "\n" * 400_000, "a: |\n" + " x\n" * 100_000],
)
def test_large_harmless_files_are_read_quickly(text: str) -> None:
    before = time.process_time()
    parse(text)
    assert time.process_time() - before < 2


def test_ten_thousand_values_are_within_the_cap() -> None:
    assert len(parse("a: [" + "1," * 9_000 + "]").values["a"]) == 9_000


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "iris.yaml").write_text("a: 1")
    (tmp_path / "wine.yml").write_text("a: 1")
    with pytest.raises(ConfigError, match=r"irsi\.yaml: file not found\n  help: did you mean '.*iris\.yaml'\?"):
        load_document(str(tmp_path / "irsi.yaml"))
    with pytest.raises(ConfigError) as caught:
        load_document(str(tmp_path / "zzzzzz.toml"))
    assert "iris.yaml" in caught.value.problems[0].notes[0]
    assert "wine.yml" in caught.value.problems[0].notes[0]


def test_a_link_to_nothing_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to("gone.yaml")
    with pytest.raises(ConfigError, match=r"link\.yaml: a link to a file that does not exist: 'gone\.yaml'$"):
        load_document(str(tmp_path / "link.yaml"))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no directory"):
        load_document(str(tmp_path / "nowhere" / "c.yaml"))


def test_a_directory_is_refused_with_the_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "iris.yaml").write_text("a: 1")
    with pytest.raises(ConfigError, match=r"is a directory, not a config file\n  help: .*iris\.yaml"):
        load_document(str(tmp_path))


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The superuser may read everything, so the system's answer is stood in for.
    def denied(self: Path, *args: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ConfigError, match=r"c\.yaml: permission denied"):
        load_document(str(tmp_path / "c.yaml"))


@pytest.mark.parametrize("path", ["a\0b.yaml", "x" * 5000 + ".yaml"])
def test_impossible_paths_are_refused(path: str) -> None:
    with pytest.raises(ConfigError):
        load_document(path)


def test_an_endless_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        load_document("/dev/zero")


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"a: 1\n",))
    writer.start()
    try:
        assert load_document(str(path)).values == {"a": 1}
    finally:
        writer.join()


def test_lines_of_a_text() -> None:
    table = LineTable("a\nbc\r\nd")
    assert [table.at(index) for index in (0, 2, 3, 6)] == [(1, 1), (2, 1), (2, 2), (3, 1)]
    assert [table.line(number) for number in (1, 2, 3)] == ["a", "bc", "d"]
