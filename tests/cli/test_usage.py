"""Command lines: help, options, mistakes in them, and the one JSON document of each."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nntrain.cli.entry import run

ROOT = Path(__file__).parent.parent.parent
COMMANDS = ["fit", "eval", "predict", "compare", "check", "check-plugin", "new", "show", "runs", "list", "schema"]
OPTIONS = {
    "fit": "--set --runs-dir --run-dir --resume --force-config --seeds --threads --no-cache --quiet --json "
    "--overfit-batch --dry-run --plugin",
    "eval": "--checkpoint --unknown-class --json --output --runs-dir --plugin",
    "predict": "--output --runs-dir --json --checkpoint --plugin",
    "compare": "--sort --filter --format --json --runs-dir",
    "check": "--set --graph --output --json --plugin",
    "check-plugin": "--json",
    "new": "--target --output --force --json",
    "show": "--runs-dir --graph --output --json --plugin",
    "runs": "--runs-dir --json",
    "list": "--json --plugin",
    "schema": "--json --plugin",
}

MISTAKES = [
    (["fti"], 2, "unknown command 'fti'; did you mean 'fit'?"),
    (["\x1b[31m"], 2, "unknown command '\\x1b[31m'"),
    (["fit"], 2, "fit needs a CONFIG"),
    (["fit", "a.yaml", "b.yaml"], 2, "b.yaml"),
    (["fit", "--hepl"], 2, "unknown option '--hepl'; did you mean '--help'?"),
    (["fit", "a.yaml", "--epochs", "5"], 2, "unknown option '--epochs'"),
    (["fit", "a.yaml", "--epochs=-5"], 2, "--set epochs=VALUE"),
    (["fit", "a.yaml", "--seeds", "0"], 2, "'--seeds'"),
    (["fit", "a.yaml", "--seeds", "many"], 2, "'many'"),
    (["fit", "a.yaml", "--threads", "0"], 2, "'--threads'"),
    (["fit", "a.yaml", "--set"], 2, "'--set' requires an argument"),
    (["fit", "nosuch.yaml"], 2, "nosuch.yaml: file not found"),
    (["fit", "--resume", "latest"], 2, "latest: no runs in 'runs'"),
    (["check", "nosuch.yaml"], 2, "file not found"),
    (["check", "."], 2, "directory"),
    (["eval", "latest"], 2, "CSV is missing"),
    (["eval", "latest", "x.csv"], 2, "no runs"),
    (["eval", "latest", "x.csv", "--checkpoint", "bes"], 2, "'bes'"),
    (["eval", "latest", "x.csv", "--unknown-class", "drop"], 2, "'drop'"),
    (["eval", "nosuch", "x.csv"], 2, "no run 'nosuch'"),
    (["predict"], 2, "RUN is missing"),
    (["predict", "latest", "x.csv", "--runs-dir", "elsewhere"], 2, "'elsewhere'"),
    (["compare"], 2, "RUNS is missing"),
    (["compare", "nosuch"], 2, "no run 'nosuch'"),
    (["compare", "nosuch", "--format", "html"], 2, "'html'"),
    (["fit", "a.yaml", "--force-config"], 2, "--force-config does not go without --resume"),
    (["fit", "--resume", "x", "--seeds", "2"], 2, "--resume does not go with --seeds: a run goes on as it was begun"),
    (["fit", "--resume", "x", "--run-dir", ""], 2, "--resume does not go with --run-dir"),
    (["fit", "a.yaml", "--runs-dir", "x", "--run-dir", "y"], 2, "--run-dir does not go with --runs-dir"),
    (["fit", "--resume", "x", "--overfit-batch", "--run-dir", "y"], 2, "leave out --run-dir and --overfit-batch to go"),
    (["new", "x.csv"], 2, "--target is missing"),
    (["new", "nosuch.csv", "--target", "y"], 3, "nosuch.csv"),
    (["show", "nosuch"], 2, "no run 'nosuch'"),
    (["show", "."], 4, "not a run directory"),
    (["show", "runs/nosuch"], 4, "runs/nosuch: there is no such run directory"),
    (["fit", "--resume", "runs/nosuch"], 4, "runs/nosuch: there is no such run directory"),
    (["eval", "./nosuch", "x.csv"], 4, "./nosuch: there is no such run directory"),
    (["runs", "--runs-dir", "nosuch"], 2, "nosuch: --runs-dir: no such file or directory"),
    (["runs", "--runs-dir", "runs"], 2, "runs: --runs-dir: no such file or directory"),
    (["runs", "--runs-dir", __file__], 2, "test_usage.py: --runs-dir: not a directory"),
    (["list", "layer", "dens"], 2, "unknown layer 'dens'; did you mean 'dense'?"),
    (["list", "lossse"], 2, "did you mean 'losses'?"),
    (["list", "layer", "dense", "more"], 2, "more"),
]


def only_document(text: str) -> dict[str, Any]:
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_examples_and_its_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--help", "-h"):
        assert run([command, flag]) == 0
        shown = capsys.readouterr()
        assert shown.err == ""
        assert shown.out.startswith(f"Usage: nntrain {command}")
        assert f"  nntrain {command}" in shown.out.partition("Examples:")[2]
        assert all(option in shown.out for option in OPTIONS[command].split())


def test_the_help_of_all_lists_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [command for command in COMMANDS if f"\n  {command} " in shown] == COMMANDS


def test_no_command_at_all_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Usage: nntrain")
    assert "\\n" not in shown.err


@pytest.mark.parametrize(("arguments", "code", "words"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_one_message_and_one_document(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert shown.err.startswith("error: ")
    assert "Traceback" not in shown.err
    assert "\x1b" not in shown.err
    assert run([*arguments, "--json"]) == code
    found = only_document(capsys.readouterr().out)
    assert (found["status"], found["exit_code"]) == ("error", code)
    assert words in " ".join(f"{error['path']}: {error['message']} {error['help']}" for error in found["errors"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["text", "md", "csv", "json"])
def test_two_forms_of_one_comparison_are_refused(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "nosuch", "--json", "--format", form]) == 2
    (problem,) = only_document(capsys.readouterr().out)["errors"]
    refused = f"--json does not go with --format {form}"
    assert problem["message"].startswith("no run 'nosuch'" if form == "json" else refused)


def test_json_is_understood_before_the_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--json", "list", "losses"], ["list", "losses", "--json"]):
        assert run(arguments) == 0
        assert only_document(capsys.readouterr().out)["status"] == "ok"
    assert run(["--json"]) == 2
    assert only_document(capsys.readouterr().out)["errors"][0]["message"] == "a command is missing"
    assert run(["--version", "--json"]) == 0
    assert set(only_document(capsys.readouterr().out)) == {"status", "exit_code", "errors", "version"}


@pytest.mark.parametrize("arguments", [["--debug", "fit", "nosuch.yaml"], ["fit", "nosuch.yaml", "--debug"]])
def test_debug_adds_the_traceback(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert "\nerror: nosuch.yaml: file not found" in shown


def test_a_bug_is_code_1_and_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("what should not happen")

    monkeypatch.setattr("nntrain.registry.kinds", broken)
    assert run(["list", "--json"]) == 1
    shown = capsys.readouterr()
    assert "a bug in nntrain: what should not happen" in shown.err
    assert "--debug" in shown.err
    assert only_document(shown.out)["exit_code"] == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            MemoryError("Unable to allocate 1. TiB"),
            "out of memory: Unable to allocate 1. TiB\n  help: make room",
        ),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "error: out of memory\n  help: make room"),
        (
            OSError(errno.EMFILE, "Too many open files"),
            "too many open files\n  help: raise the limit on open files",
        ),
        (BlockingIOError(errno.EAGAIN, ""), "error: resource temporarily unavailable\n  help: raise the limit on proc"),
        (RuntimeError("can't start new thread"), "error: can't start new thread\n  help: raise the limit on processes"),
        (OSError(errno.EIO, "", "a.csv"), "error: a.csv: input/output error\n"),
        (
            ImportError("\nRead this!\nx.so: failed to map segment", name="numpy"),
            "loaded: x.so: failed to map",
        ),
    ],
)
def test_what_the_system_lacks_is_code_6_and_no_bug(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(*_: object) -> None:
        raise error

    monkeypatch.setattr("nntrain.registry.kinds", lacking)
    assert run(["list"]) == 6
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("singular", "plural"),
    [(one, f"{one}{'es' if one == 'loss' else 's'}") for one in
     ("architecture", "layer", "loss", "optimizer", "schedule", "metric", "initializer", "callback")],
)  # fmt: skip
def test_list_takes_both_numbers(singular: str, plural: str, capsys: pytest.CaptureFixture[str]) -> None:
    documents = []
    for kind in (singular, plural):
        assert run(["list", kind, "--json"]) == 0
        documents.append(only_document(capsys.readouterr().out))
    assert documents[0] == documents[1]
    assert documents[0][singular]
    for entry in documents[0][singular]:
        assert entry["summary"]
        assert run(["list", plural, entry["name"]]) == 0
        assert capsys.readouterr().out.startswith(entry["name"])


def test_the_schema_is_a_json_schema_with_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    schema = only_document(capsys.readouterr().out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert {"data", "architecture"} <= set(schema["required"])
    assert {"seed", "loss", "optimizer", "epochs", "batch_size", "early_stopping"} <= set(schema["properties"])
    for reference in _references(schema):
        place: Any = schema
        for part in reference.removeprefix("#/").split("/"):
            place = place[part.replace("~1", "/").replace("~0", "~")]


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for value in node for found in _references(value)] if isinstance(node, list) else []


def completion(words: str, position: int) -> list[str]:
    program = "import sys; sys.argv = ['nntrain']; from nntrain.cli import main; main()"
    asked = {"_NNTRAIN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ, **asked}
    )
    assert "Traceback" not in done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_the_shell_completes_commands_options_and_choices() -> None:
    assert completion("nntrain c", 1) == ["compare", "check", "check-plugin"]
    assert completion("nntrain fit --s", 2) == ["--set", "--seeds"]
    assert completion("nntrain eval latest x.csv --unknown-class w", 5) == ["wrong"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script(shell: str) -> None:
    program = "import sys; sys.argv = ['nntrain']; from nntrain.cli import main; main()"
    variables = {**os.environ, "_NNTRAIN_COMPLETE": f"{shell}_source"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_NNTRAIN_COMPLETE={shell}_complete" in done.stdout
